"""How timm 1.0 names the weights of networks of convolutions that torchvision has not."""

from __future__ import annotations

from archspec.compiler.weights.families import (
    TORCH_COUNTERS,
    TORCH_WRAPPED,
    Family,
    Rule,
    conv_norm,
)
from archspec.compiler.weights.layouts import TORCH

_BLOCK = "stage{s}.block{b}"


def _family(name: str, rules: tuple[Rule, ...], scale: str = "gamma") -> Family:
    """`scale` is what they call the numbers of a layer_scale."""
    return Family(
        name=f"{name} of timm",
        publishers=("timm",),
        layout={**TORCH, "layer_scale": {"gamma": scale}, "param": {"value": ""}},
        rules=rules,
        rewrites=TORCH_WRAPPED,
        ignored=TORCH_COUNTERS,
    )


def _counted(ours: str, theirs: str) -> tuple[Rule, Rule]:
    """A ConvNormAct that is a list of theirs."""
    return conv_norm(ours, f"{theirs}.0", f"{theirs}.1")


def _residual(ours: str, theirs: str, parts: tuple[str, ...]) -> tuple[Rule, ...]:
    """A block of ResNet: its convolutions in their order, and what stands in the shortcut."""
    return (
        *(
            rule
            for number, part in enumerate(parts, start=1)
            for rule in conv_norm(
                f"{ours}.{part}", f"{theirs}.conv{number}", f"{theirs}.bn{number}"
            )
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
        *conv_norm("stem{i}", "conv{i}", "bn{i}"),
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
        *conv_norm("stem", "stem.0.conv", "stem.0.bn"),
        *conv_norm("stage{s}.down", "stages.{s-1}.0.conv", "stages.{s-1}.0.bn"),
        *conv_norm(f"{_BLOCK}.depthwise1", f"{_STAR}.dwconv.conv", f"{_STAR}.dwconv.bn"),
        Rule(f"{_BLOCK}.star.gate.conv", f"{_STAR}.f1.conv"),
        Rule(f"{_BLOCK}.star.value.conv", f"{_STAR}.f2.conv"),
        *conv_norm(f"{_BLOCK}.project", f"{_STAR}.g.conv", f"{_STAR}.g.bn"),
        Rule(f"{_BLOCK}.depthwise2", f"{_STAR}.dwconv2.conv"),
        Rule("norm", "norm"),
        Rule("classifier.dense", "head"),
    ),
)

_CONVNEXT = "stages.{s-1}.blocks.{b-1}"
CONVNEXTV2 = _family(
    "ConvNeXt V2",
    (
        Rule("stem", "stem.0"),
        Rule("stem_norm", "stem.1"),
        Rule("stage{s}.down.norm", "stages.{s-1}.downsample.0"),
        Rule("stage{s}.down.conv", "stages.{s-1}.downsample.1"),
        Rule(f"{_BLOCK}.depthwise", f"{_CONVNEXT}.conv_dw"),
        Rule(f"{_BLOCK}.norm", f"{_CONVNEXT}.norm"),
        Rule(f"{_BLOCK}.expand", f"{_CONVNEXT}.mlp.fc1"),
        Rule(f"{_BLOCK}.grn.scale", f"{_CONVNEXT}.mlp.grn"),
        Rule(f"{_BLOCK}.grn.offset", f"{_CONVNEXT}.mlp.grn.bias", linear=True),
        Rule(f"{_BLOCK}.project", f"{_CONVNEXT}.mlp.fc2"),
        Rule("norm", "head.norm"),
        Rule("classifier", "head.fc"),
    ),
    scale="weight",
)


def _mlp(ours: str, theirs: str) -> tuple[Rule, ...]:
    """RepViT's two convolutions of single pixels."""
    return (
        *conv_norm(f"{ours}.expand", f"{theirs}.conv1.c", f"{theirs}.conv1.bn"),
        *conv_norm(f"{ours}.project", f"{theirs}.conv2.c", f"{theirs}.conv2.bn"),
    )


def _repvit(ours: str, theirs: str) -> tuple[Rule, ...]:
    """A block of RepViT."""
    mixer = f"{theirs}.token_mixer"
    return (
        *conv_norm(f"{ours}.mix.conv1", f"{mixer}.conv.c", f"{mixer}.conv.bn"),
        *conv_norm(f"{ours}.mix.conv2", f"{mixer}.conv1.c", f"{mixer}.conv1.bn"),
        Rule(f"{ours}.squeeze.reduce", f"{theirs}.se.fc1"),
        Rule(f"{ours}.squeeze.expand", f"{theirs}.se.fc2"),
        *_mlp(f"{ours}.mlp", f"{theirs}.channel_mixer"),
    )


_DOWN = "stages.{s-1}.downsample"
REPVIT = _family(
    "RepViT",
    (
        *conv_norm("stem{i}", "stem.conv{i}.c", "stem.conv{i}.bn"),
        *_repvit("stage{s}.down.block", f"{_DOWN}.pre_block"),
        *conv_norm(
            "stage{s}.down.halve", f"{_DOWN}.spatial_downsample.c", f"{_DOWN}.spatial_downsample.bn"
        ),
        *conv_norm(
            "stage{s}.down.widen", f"{_DOWN}.channel_downsample.c", f"{_DOWN}.channel_downsample.bn"
        ),
        *_mlp("stage{s}.down.mlp", f"{_DOWN}.ffn"),
        # pairs of two blocks here, one row of them there
        *_repvit("stage{s}.pair{p}.block1", "stages.{s-1}.blocks.{2*p-2}"),
        *_repvit("stage{s}.pair{p}.block2", "stages.{s-1}.blocks.{2*p-1}"),
        Rule("head1.norm", "head.head.bn"),
        Rule("head1.dense", "head.head.l"),
        Rule("head2.norm", "head.head_dist.bn"),
        Rule("head2.dense", "head.head_dist.l"),
    ),
)


def mobileone_rules(ours: str, theirs: str, copies: int = 1) -> tuple[Rule, ...]:
    """MobileOne's block, of which a 1x1 is the last branch where there is one."""
    return (
        *(
            rule
            for copy in range(copies)
            for rule in conv_norm(
                f"{ours}.branch{copy + 1}",
                f"{theirs}.conv_kxk.{copy}.conv",
                f"{theirs}.conv_kxk.{copy}.bn",
            )
        ),
        *conv_norm(
            f"{ours}.branch{copies + 1}", f"{theirs}.conv_scale.conv", f"{theirs}.conv_scale.bn"
        ),
        Rule(f"{ours}.shortcut.same", f"{theirs}.identity"),
        Rule(f"{ours}.squeeze.reduce", f"{theirs}.se.fc1"),
        Rule(f"{ours}.squeeze.expand", f"{theirs}.se.fc2"),
    )


MOBILEONE = _family(
    "MobileOne-S0",
    (
        *mobileone_rules("stem", "stem"),
        *mobileone_rules(f"{_BLOCK}.depthwise", "stages.{s-1}.{2*b-2}", copies=4),
        *mobileone_rules(f"{_BLOCK}.point", "stages.{s-1}.{2*b-1}", copies=4),
        Rule("classifier.dense", "head.fc"),
    ),
)

FAMILIES = (HRNET, POOLFORMER, STARNET, CONVNEXTV2, REPVIT, MOBILEONE)
