"""How MindCV names the weights of networks that it has after timm: nearly as timm does.

Read off mindcv 0.3.0 (convnext.py, hrnet.py, swintransformer.py and vit.py of mindcv/models), and
held against its networks under MindSpore 2.10.
"""

from __future__ import annotations

from dataclasses import replace

from archspec.compiler.weights.families import OPTIMIZER, Family, Note, Rule
from archspec.compiler.weights.layouts import MINDSPORE
from archspec.compiler.weights.maps import timm_attention, timm_convolutional
from archspec.node import Node
from archspec.ops.activation import Act

_NORM = {"gamma": "gamma", "beta": "beta"}
_LAYOUT = {
    **MINDSPORE,
    "layer_norm": _NORM,
    "layer_scale": {"gamma": ""},
    "param": {"value": ""},
    "attention": {"bias": ""},
}
"""A learnt tensor is not a module of theirs: rules have its whole name."""
_BLOCK = "stage{s}.block{b}"


def _is_exact_gelu(node: Node) -> bool:
    return isinstance(node.op, Act) and node.op.function == "gelu" and not node.op.approximate


_GELU = Note(
    "MindCV's gelu is MindSpore's, by tanh; a spec for these weights has"
    ' "approximate": true there',
    lambda graph: any(map(_is_exact_gelu, graph.nodes.values())),
)


def _family(name: str, rules: tuple[Rule, ...], ignored: tuple[str, ...] = ()) -> Family:
    return Family(
        name=f"{name} of MindCV",
        publishers=("mindcv",),
        layout=_LAYOUT,
        rules=rules,
        ignored=(*OPTIMIZER, *ignored),
        notes=(_GELU,),
    )


def _rename(rules: tuple[Rule, ...], *pairs: tuple[str, str]) -> tuple[Rule, ...]:
    """Rules for the same nodes whose modules are called otherwise."""
    renamed = list(rules)
    for old, new in pairs:
        renamed = [replace(rule, theirs=rule.theirs.replace(old, new)) for rule in renamed]
    return tuple(renamed)


VIT = _family("Vision transformers", timm_attention.VIT.rules)

HRNET = _family(
    "HRNet",
    _rename(
        timm_convolutional.HRNET.rules,
        (".downsample.", ".down_sample."),
        ("downsamp_modules", "downsample_modules"),
    ),
)

_NEXT = "feature.{2*s-1}.{b-1}"
CONVNEXTV2 = _family(
    "ConvNeXt V2",
    (
        Rule("stem", "feature.0.0"),
        Rule("stem_norm", "feature.0.1"),
        Rule("stage{s}.down.norm", "feature.{2*s-2}.0"),
        Rule("stage{s}.down.conv", "feature.{2*s-2}.1"),
        Rule(f"{_BLOCK}.depthwise", f"{_NEXT}.dwconv"),
        Rule(f"{_BLOCK}.norm", f"{_NEXT}.norm"),
        Rule(f"{_BLOCK}.expand", f"{_NEXT}.pwconv1", linear=True),
        Rule(f"{_BLOCK}.grn.scale", f"{_NEXT}.grn.gamma", lead=3),
        Rule(f"{_BLOCK}.grn.offset", f"{_NEXT}.grn.beta", linear=True, lead=3),
        Rule(f"{_BLOCK}.project", f"{_NEXT}.pwconv2", linear=True),
        Rule("norm", "norm"),
        Rule("classifier", "classifier"),
    ),
)


def _stage(ours: str, theirs: str) -> tuple[Rule, ...]:
    """A stage of Swin's; what merges patches before one stands behind the one before."""
    block, attention = f"{theirs}.blocks.{{b-1}}", f"{theirs}.blocks.{{b-1}}.attn"
    return (
        Rule(f"{ours}.block{{b}}.norm1", f"{block}.norm1"),
        Rule(f"{ours}.block{{b}}.attention.qkv", f"{attention}.{{q|k|v}}", linear=True),
        Rule(
            f"{ours}.block{{b}}.attention.attention",
            f"{attention}.relative_bias.relative_position_bias_table",
        ),
        Rule(f"{ours}.block{{b}}.attention.project", f"{attention}.proj", linear=True),
        Rule(f"{ours}.block{{b}}.norm2", f"{block}.norm2"),
        Rule(f"{ours}.block{{b}}.mlp.expand", f"{block}.mlp.fc1", linear=True),
        Rule(f"{ours}.block{{b}}.mlp.project", f"{block}.mlp.fc2", linear=True),
    )


def _merge(ours: str, theirs: str) -> tuple[Rule, ...]:
    return (
        Rule(f"{ours}.merge.norm", f"{theirs}.downsample.norm"),
        Rule(f"{ours}.merge.reduce", f"{theirs}.downsample.reduction", linear=True),
    )


SWIN = _family(
    "Swin transformers",
    (
        Rule("patch", "patch_embed.proj"),
        Rule("patch_norm", "patch_embed.norm"),
        # their list has the name of its first member before all later ones
        *_stage("stage1", "0"),
        *_stage("stage{s}", "0.blocks.{s-1}"),
        *_merge("stage2", "0"),
        *_merge("stage{s}", "0.blocks.{s-2}"),
        Rule("norm", "norm"),
        Rule("classifier.dense", "classifier"),
    ),
    (r".*(?P<kind>attn_mask|relative_bias\.index)",),
)

FAMILIES = (VIT, HRNET, CONVNEXTV2, SWIN)
