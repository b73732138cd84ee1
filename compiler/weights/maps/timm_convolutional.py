"""How timm 1.0 names the weights of networks of convolutions that torchvision has not."""

from __future__ import annotations

from archspec.compiler.weights.families import TORCH_COUNTERS, Family, Rule
from archspec.compiler.weights.layouts import TORCH

_BLOCK = "stage{s}.block{b}"


def _family(name: str, rules: tuple[Rule, ...], scale: str = "gamma") -> Family:
    """`scale` is what they call the numbers of a layer_scale."""
    return Family(
        name=f"{name} of timm",
        publishers=("timm",),
        layout={**TORCH, "layer_scale": {"gamma": scale}, "param": {"value": ""}},
        rules=rules,
        rewrites=((r"^(?:module|_orig_mod)\.", ""),),
        ignored=TORCH_COUNTERS,
    )


def _pair(ours: str, conv: str, norm: str) -> tuple[Rule, Rule]:
    """A ConvNormAct."""
    return (Rule(f"{ours}.conv", conv), Rule(f"{ours}.norm", norm))


def _counted(ours: str, theirs: str) -> tuple[Rule, Rule]:
    """A ConvNormAct that is a list of theirs."""
    return _pair(ours, f"{theirs}.0", f"{theirs}.1")


def _residual(ours: str, theirs: str, parts: tuple[str, ...]) -> tuple[Rule, ...]:
    """A block of ResNet: its convolutions in their order, and what stands in the shortcut."""
    return (
        *(
            rule
            for number, part in enumerate(parts, start=1)
            for rule in _pair(f"{ours}.{part}", f"{theirs}.conv{number}", f"{theirs}.bn{number}")
        ),
        *_counted(f"{ours}.shortcut.project", f"{theirs}.downsample"),
    )


_BOTTLENECK = ("reduce", "spatial", "expand")


def _exchanges(ours: str, theirs: str) -> tuple[Rule, ...]:
    """A module of HRNet, of which a stage has one or several."""
    fused = f"{theirs}.fuse_layers.{{t-1}}.{{f-1}}"
    return (
        *_residual(
            f"{ours}.level{{l}}.block{{b}}",
            f"{theirs}.branches.{{l-1}}.{{b-1}}",
            ("conv1", "conv2"),
        ),
        *_counted(f"{ours}.to{{t}}.from{{f}}.up.conv_norm_act", fused),
        *_counted(f"{ours}.to{{t}}.from{{f}}.down{{k}}", f"{fused}.{{k-1}}"),
    )


HRNET = _family(
    "HRNet",
    (
        *_pair("stem{i}", "conv{i}", "bn{i}"),
        *_residual("stage1{b}", "layer1.{b-1}", _BOTTLENECK),
        *_counted("start2_1", "transition1.0"),
        *_counted("start2_2", "transition1.1.0"),
        *_counted("start3", "transition2.2.0"),
        *_counted("start4", "transition3.3.0"),
        *_exchanges("stage2", "stage2.0"),
        *_exchanges("stage3{m}", "stage3.{m-1}"),
        *_exchanges("stage4{m}", "stage4.{m-1}"),
        *_residual("head1", "incre_modules.0.0", _BOTTLENECK),
        *_residual("head{h}.widen", "incre_modules.{h-1}.0", _BOTTLENECK),
        *_counted("head{h}.down", "downsamp_modules.{h-2}"),
        *_counted("final", "final_layer"),
        Rule("classifier.dense", "classifier"),
    ),
)

_METAFORMER = "stages.{s-1}.blocks.{b-1}"
POOLFORMER = _family(
    "PoolFormer",
    (
        Rule("stage1.patches", "stem.conv"),
        Rule("stage{s}.patches", "stages.{s-1}.downsample.conv"),
        Rule(f"{_BLOCK}.mix.norm", f"{_METAFORMER}.norm1"),
        Rule(f"{_BLOCK}.mix.scale", f"{_METAFORMER}.layer_scale1"),
        Rule(f"{_BLOCK}.mlp.norm", f"{_METAFORMER}.norm2"),
        Rule(f"{_BLOCK}.mlp.inner.expand", f"{_METAFORMER}.mlp.fc1"),
        Rule(f"{_BLOCK}.mlp.inner.project", f"{_METAFORMER}.mlp.fc2"),
        Rule(f"{_BLOCK}.mlp.scale", f"{_METAFORMER}.layer_scale2"),
        Rule("norm", "head.norm"),
        Rule("classifier", "head.fc"),
    ),
    scale="scale",
)

_STAR = "stages.{s-1}.{b}"
"""Number 0 of a stage halves the resolution."""
STARNET = _family(
    "StarNet",
    (
        *_pair("stem", "stem.0.conv", "stem.0.bn"),
        *_pair("stage{s}.down", "stages.{s-1}.0.conv", "stages.{s-1}.0.bn"),
        *_pair(f"{_BLOCK}.depthwise1", f"{_STAR}.dwconv.conv", f"{_STAR}.dwconv.bn"),
        Rule(f"{_BLOCK}.star.gate.conv", f"{_STAR}.f1.conv"),
        Rule(f"{_BLOCK}.star.value.conv", f"{_STAR}.f2.conv"),
        *_pair(f"{_BLOCK}.project", f"{_STAR}.g.conv", f"{_STAR}.g.bn"),
        Rule(f"{_BLOCK}.depthwise2", f"{_STAR}.dwconv2.conv"),
        Rule("norm", "norm"),
        Rule("classifier.dense", "head"),
    ),
)

FAMILIES = (HRNET, POOLFORMER, STARNET)
