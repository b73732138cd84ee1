"""How torchvision 0.29 and timm 1.0 name their weights."""

from __future__ import annotations

from collections.abc import Callable

from archspec.compiler.weights.families import (
    TORCH_COUNTERS,
    TORCH_WRAPPED,
    Family,
    Note,
    Rule,
    conv_norm,
)
from archspec.compiler.weights.layouts import TORCH
from archspec.graph import Graph
from archspec.ops import MaxPool, Op

_BLOCK = "stage{s}.block{b}"


def _any(graph: Graph, holds: Callable[[Op], bool]) -> bool:
    return any(holds(node.op) for node in graph.nodes.values())


def squeezes(graph: Graph) -> bool:
    """Whether there is a squeeze-and-excite, as in EfficientNet and not in its Lite networks."""
    return any(".squeeze_excite." in name for name in graph.nodes)


def has_small_kernels(graph: Graph) -> bool:
    """Whether depthwise kernels are 3x3 at most, as in MobileNetV2 and not in EfficientNet-Lite."""
    return not _any(graph, lambda op: op.work().groups > 1 and op.work().taps > 9)


def _family(
    name: str,
    publishers: tuple[str, ...],
    rules: tuple[Rule, ...],
    counted: str = "",
    rewrites: tuple[tuple[str, str], ...] = (),
    ignored: tuple[str, ...] = (),
    notes: tuple[Note, ...] = (),
    speaks_of: Callable[[Graph], bool] = lambda graph: True,
) -> Family:
    return Family(
        name=name,
        publishers=publishers,
        layout=TORCH,
        rules=rules,
        counted=counted,
        rewrites=(*TORCH_WRAPPED, *rewrites),
        ignored=(*TORCH_COUNTERS, *ignored),
        notes=notes,
        speaks_of=speaks_of,
    )


_LAYER = "layer{s}.{b-1}"
RESNET = _family(
    "ResNet and ResNeXt of torchvision and timm",
    ("torch", "timm"),
    (
        *conv_norm("stem", "conv1", "bn1"),
        *conv_norm(f"{_BLOCK}.conv1", f"{_LAYER}.conv1", f"{_LAYER}.bn1"),
        *conv_norm(f"{_BLOCK}.conv2", f"{_LAYER}.conv2", f"{_LAYER}.bn2"),
        *conv_norm(f"{_BLOCK}.reduce", f"{_LAYER}.conv1", f"{_LAYER}.bn1"),
        *conv_norm(f"{_BLOCK}.spatial", f"{_LAYER}.conv2", f"{_LAYER}.bn2"),
        *conv_norm(f"{_BLOCK}.expand", f"{_LAYER}.conv3", f"{_LAYER}.bn3"),
        *conv_norm(
            f"{_BLOCK}.shortcut.project", f"{_LAYER}.downsample.0", f"{_LAYER}.downsample.1"
        ),
        Rule("classifier.dense", "fc"),
    ),
    notes=(
        Note(
            "torch pads the first max pooling by 1 on every side; a spec with 'same' padding there"
            " (resnext152_64x4d) pads the bottom and right alone",
            lambda graph: _any(graph, lambda op: isinstance(op, MaxPool) and op.padding == "same"),
        ),
    ),
)

_INVERTED = "features.{i+1}.conv"
_EXPAND = f"{_BLOCK}.expand.conv"
MOBILENET_V2 = _family(
    "MobileNetV2 of torchvision",
    ("torch",),
    (
        *conv_norm("stem", "features.0.0", "features.0.1"),
        *conv_norm(f"{_BLOCK}.expand", f"{_INVERTED}.0.0", f"{_INVERTED}.0.1"),
        *conv_norm(f"{_BLOCK}.depthwise", f"{_INVERTED}.1.0", f"{_INVERTED}.1.1", given=_EXPAND),
        *conv_norm(f"{_BLOCK}.project", f"{_INVERTED}.2", f"{_INVERTED}.3", given=_EXPAND),
        *conv_norm(f"{_BLOCK}.depthwise", f"{_INVERTED}.0.0", f"{_INVERTED}.0.1", unless=_EXPAND),
        *conv_norm(f"{_BLOCK}.project", f"{_INVERTED}.1", f"{_INVERTED}.2", unless=_EXPAND),
        *conv_norm("head", "features.{n+1}.0", "features.{n+1}.1"),
        Rule("classifier.dense", "classifier.1"),
    ),
    counted=_BLOCK,
    speaks_of=has_small_kernels,
)

_MBCONV = "features.{s}.{b-1}.block"
EFFICIENTNET = _family(
    "EfficientNet of torchvision",
    ("torch",),
    (
        *conv_norm("stem", "features.0.0", "features.0.1"),
        *conv_norm(f"{_BLOCK}.expand", f"{_MBCONV}.0.0", f"{_MBCONV}.0.1"),
        *conv_norm(f"{_BLOCK}.depthwise", f"{_MBCONV}.1.0", f"{_MBCONV}.1.1", given=_EXPAND),
        Rule(f"{_BLOCK}.squeeze_excite.reduce", f"{_MBCONV}.2.fc1", given=_EXPAND),
        Rule(f"{_BLOCK}.squeeze_excite.expand", f"{_MBCONV}.2.fc2", given=_EXPAND),
        *conv_norm(f"{_BLOCK}.project", f"{_MBCONV}.3.0", f"{_MBCONV}.3.1", given=_EXPAND),
        *conv_norm(f"{_BLOCK}.depthwise", f"{_MBCONV}.0.0", f"{_MBCONV}.0.1", unless=_EXPAND),
        Rule(f"{_BLOCK}.squeeze_excite.reduce", f"{_MBCONV}.1.fc1", unless=_EXPAND),
        Rule(f"{_BLOCK}.squeeze_excite.expand", f"{_MBCONV}.1.fc2", unless=_EXPAND),
        *conv_norm(f"{_BLOCK}.project", f"{_MBCONV}.2.0", f"{_MBCONV}.2.1", unless=_EXPAND),
        *conv_norm("head", "features.8.0", "features.8.1"),
        Rule("classifier.dense", "classifier.1"),
    ),
    speaks_of=squeezes,
)

_PORT = "_blocks.{i}"
EFFICIENTNET_PYTORCH = _family(
    "EfficientNet of efficientnet_pytorch",
    ("torch",),
    (
        *conv_norm("stem", "_conv_stem", "_bn0"),
        *conv_norm(f"{_BLOCK}.expand", f"{_PORT}._expand_conv", f"{_PORT}._bn0"),
        *conv_norm(f"{_BLOCK}.depthwise", f"{_PORT}._depthwise_conv", f"{_PORT}._bn1"),
        Rule(f"{_BLOCK}.squeeze_excite.reduce", f"{_PORT}._se_reduce"),
        Rule(f"{_BLOCK}.squeeze_excite.expand", f"{_PORT}._se_expand"),
        *conv_norm(f"{_BLOCK}.project", f"{_PORT}._project_conv", f"{_PORT}._bn2"),
        *conv_norm("head", "_conv_head", "_bn1"),
        Rule("classifier.dense", "_fc"),
    ),
    counted=_BLOCK,
)


def _timm_block(ours: str, theirs: str) -> tuple[Rule, ...]:
    """timm's InvertedResidual, or its DepthwiseSeparableConv where nothing expands."""
    expand = f"{ours}.expand.conv"
    return (
        *conv_norm(f"{ours}.expand", f"{theirs}.conv_pw", f"{theirs}.bn1"),
        *conv_norm(f"{ours}.depthwise", f"{theirs}.conv_dw", f"{theirs}.bn2", given=expand),
        *conv_norm(f"{ours}.project", f"{theirs}.conv_pwl", f"{theirs}.bn3", given=expand),
        *conv_norm(f"{ours}.depthwise", f"{theirs}.conv_dw", f"{theirs}.bn1", unless=expand),
        *conv_norm(f"{ours}.project", f"{theirs}.conv_pw", f"{theirs}.bn2", unless=expand),
        Rule(f"{ours}.squeeze_excite.reduce", f"{theirs}.se.conv_reduce"),
        Rule(f"{ours}.squeeze_excite.expand", f"{theirs}.se.conv_expand"),
    )


_TIMM_ENDS = (
    *conv_norm("stem", "conv_stem", "bn1"),
    *conv_norm("head", "conv_head", "bn2"),
    Rule("classifier.dense", "classifier"),
)
TIMM_EFFICIENTNET = _family(
    "EfficientNet and MobileNetV2 of timm",
    ("timm",),
    (*_timm_block(_BLOCK, "blocks.{s-1}.{b-1}"), *_TIMM_ENDS),
)
TIMM_SPNASNET = _family(
    "Single-Path-NAS of timm",
    ("timm",),
    (
        *_timm_block("first", "blocks.0.0"),
        *_timm_block("stage{s}.layer{b}", "blocks.{s}.{b-1}"),
        *_timm_block("last", "blocks.6.0"),
        *_TIMM_ENDS,
    ),
)

_SQUEEZED = "features.{b}.block"
_V3 = "block{b}.mbconv"
_V3_EXPAND = f"{_V3}.expand.conv"
_V3_SQUEEZE = f"{_V3}.squeeze_excite.reduce"
MOBILENET_V3 = _family(
    "MobileNetV3 of torchvision",
    ("torch",),
    (
        *conv_norm("stem", "features.0.0", "features.0.1"),
        *conv_norm(f"{_V3}.expand", f"{_SQUEEZED}.0.0", f"{_SQUEEZED}.0.1"),
        *conv_norm(f"{_V3}.depthwise", f"{_SQUEEZED}.1.0", f"{_SQUEEZED}.1.1", given=_V3_EXPAND),
        *conv_norm(f"{_V3}.depthwise", f"{_SQUEEZED}.0.0", f"{_SQUEEZED}.0.1", unless=_V3_EXPAND),
        Rule(f"{_V3}.squeeze_excite.reduce", f"{_SQUEEZED}.2.fc1", given=_V3_EXPAND),
        Rule(f"{_V3}.squeeze_excite.expand", f"{_SQUEEZED}.2.fc2", given=_V3_EXPAND),
        *conv_norm("block1.mbconv.project", "features.1.block.1.0", "features.1.block.1.1"),
        *conv_norm(f"{_V3}.project", f"{_SQUEEZED}.3.0", f"{_SQUEEZED}.3.1", given=_V3_SQUEEZE),
        *conv_norm(f"{_V3}.project", f"{_SQUEEZED}.2.0", f"{_SQUEEZED}.2.1", unless=_V3_SQUEEZE),
        *conv_norm("head", "features.{n+1}.0", "features.{n+1}.1"),
        Rule("features", "classifier.0"),
        Rule("classifier", "classifier.3"),
    ),
    counted="block{b}",
)

_V3_PLACES = (
    "0.0", "1.0", "1.1", "2.0", "2.1", "2.2", "3.0", "3.1", "3.2", "3.3", "4.0", "4.1", "5.0",
    "5.1", "5.2",
)  # fmt: skip
"""timm's stage and place of each block of MobileNetV3-Large."""
TIMM_MOBILENET_V3 = _family(
    "MobileNetV3-Large of timm",
    ("timm",),
    (
        *(
            rule
            for number, place in enumerate(_V3_PLACES, start=1)
            for rule in _timm_block(f"block{number}.mbconv", f"blocks.{place}")
        ),
        *conv_norm("stem", "conv_stem", "bn1"),
        *conv_norm("head", "blocks.6.0.conv", "blocks.6.0.bn1"),
        Rule("features", "conv_head", pixel=True),
        Rule("classifier", "classifier"),
    ),
)

_DENSE = "features.denseblock{s}.denselayer{b}"
DENSENET = _family(
    "DenseNet of torchvision and timm",
    ("torch", "timm"),
    (
        *conv_norm("stem", "features.conv0", "features.norm0"),
        *conv_norm("stage{s}.layer{b}.reduce", f"{_DENSE}.conv1", f"{_DENSE}.norm1"),
        *conv_norm("stage{s}.layer{b}.grow", f"{_DENSE}.conv2", f"{_DENSE}.norm2"),
        *conv_norm(
            "stage{s}.halve", "features.transition{s-1}.conv", "features.transition{s-1}.norm"
        ),
        Rule("norm", "features.norm5"),
        Rule("classifier.dense", "classifier"),
    ),
    # torchvision's pretrained files of 2017 write norm.1 for norm1
    rewrites=((r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),),
)

_STAGE = "stages.{s-1}.{b-1}"
REPVGG = _family(
    "RepVGG of timm",
    ("timm",),
    (
        *conv_norm("stem.conv3", "stem.conv_kxk.conv", "stem.conv_kxk.bn"),
        *conv_norm("stem.conv1", "stem.conv_1x1.conv", "stem.conv_1x1.bn"),
        *conv_norm(f"{_BLOCK}.conv3", f"{_STAGE}.conv_kxk.conv", f"{_STAGE}.conv_kxk.bn"),
        *conv_norm(f"{_BLOCK}.conv1", f"{_STAGE}.conv_1x1.conv", f"{_STAGE}.conv_1x1.bn"),
        Rule(f"{_BLOCK}.norm", f"{_STAGE}.identity"),
        Rule("classifier.dense", "head.fc"),
    ),
)

_UNIT = "stage{s+1}.{b}.branch2"
_DOWN = "stage{s+1}.0"
SHUFFLENET = _family(
    "ShuffleNetV2 of torchvision",
    ("torch",),
    (
        *conv_norm("stem", "conv1.0", "conv1.1"),
        *conv_norm("stage{s}.down.pass.depthwise", f"{_DOWN}.branch1.0", f"{_DOWN}.branch1.1"),
        *conv_norm("stage{s}.down.pass.leave", f"{_DOWN}.branch1.2", f"{_DOWN}.branch1.3"),
        *conv_norm("stage{s}.down.main.enter", f"{_DOWN}.branch2.0", f"{_DOWN}.branch2.1"),
        *conv_norm("stage{s}.down.main.depthwise", f"{_DOWN}.branch2.3", f"{_DOWN}.branch2.4"),
        *conv_norm("stage{s}.down.main.leave", f"{_DOWN}.branch2.5", f"{_DOWN}.branch2.6"),
        *conv_norm("stage{s}.unit{b}.main.enter", f"{_UNIT}.0", f"{_UNIT}.1"),
        *conv_norm("stage{s}.unit{b}.main.depthwise", f"{_UNIT}.3", f"{_UNIT}.4"),
        *conv_norm("stage{s}.unit{b}.main.leave", f"{_UNIT}.5", f"{_UNIT}.6"),
        *conv_norm("head", "conv5.0", "conv5.1"),
        Rule("classifier.dense", "fc"),
    ),
)


def _mixed_block(ours: str, theirs: str, branches: dict[str, str]) -> tuple[Rule, ...]:
    """The rules of an Inception block: our branches' convolutions and theirs."""
    return tuple(
        rule
        for inner, outer in branches.items()
        for rule in conv_norm(f"{ours}.{inner}", f"{theirs}.{outer}.conv", f"{theirs}.{outer}.bn")
    )


_A = {
    "one.conv": "branch1x1",
    "five.conv1": "branch5x5_1", "five.conv2": "branch5x5_2",
    "three.conv1": "branch3x3dbl_1", "three.conv2": "branch3x3dbl_2",
    "three.conv3": "branch3x3dbl_3",
    "pool.pool.conv": "branch_pool",
}  # fmt: skip
_B = {
    "three.conv": "branch3x3",
    "double.conv1": "branch3x3dbl_1", "double.conv2": "branch3x3dbl_2",
    "double.conv3": "branch3x3dbl_3",
}  # fmt: skip
_C = {
    "one.conv": "branch1x1",
    **{f"seven.conv{k}": f"branch7x7_{k}" for k in (1, 2, 3)},
    **{f"double.conv{k}": f"branch7x7dbl_{k}" for k in (1, 2, 3, 4, 5)},
    "pool.pool.conv": "branch_pool",
}
_D = {
    **{f"three.conv{k}": f"branch3x3_{k}" for k in (1, 2)},
    **{f"seven.conv{k}": f"branch7x7x3_{k}" for k in (1, 2, 3, 4)},
}
_E = {
    "one.conv": "branch1x1",
    "three.conv": "branch3x3_1",
    "three.cross.row.conv": "branch3x3_2a", "three.cross.column.conv": "branch3x3_2b",
    "double.conv1": "branch3x3dbl_1", "double.conv2": "branch3x3dbl_2",
    "double.cross.row.conv": "branch3x3dbl_3a", "double.cross.column.conv": "branch3x3dbl_3b",
    "pool.pool.conv": "branch_pool",
}  # fmt: skip
INCEPTION_V3 = _family(
    "Inception-v3 of torchvision and timm",
    ("torch", "timm"),
    (
        *conv_norm("stem1", "Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn"),
        *conv_norm("stem2", "Conv2d_2a_3x3.conv", "Conv2d_2a_3x3.bn"),
        *conv_norm("stem3", "Conv2d_2b_3x3.conv", "Conv2d_2b_3x3.bn"),
        *conv_norm("reduce", "Conv2d_3b_1x1.conv", "Conv2d_3b_1x1.bn"),
        *conv_norm("widen", "Conv2d_4a_3x3.conv", "Conv2d_4a_3x3.bn"),
        *_mixed_block("a1", "Mixed_5b", _A),
        *_mixed_block("a2", "Mixed_5c", _A),
        *_mixed_block("a3", "Mixed_5d", _A),
        *_mixed_block("b", "Mixed_6a", _B),
        *_mixed_block("c1", "Mixed_6b", _C),
        *_mixed_block("c2", "Mixed_6c", _C),
        *_mixed_block("c3", "Mixed_6d", _C),
        *_mixed_block("c4", "Mixed_6e", _C),
        *_mixed_block("d", "Mixed_7a", _D),
        *_mixed_block("e1", "Mixed_7b", _E),
        *_mixed_block("e2", "Mixed_7c", _E),
        Rule("classifier.dense", "fc"),
    ),
    ignored=(r"(?P<kind>AuxLogits)\..*",),
    notes=(
        Note(
            "torchvision's own weights expect pixels scaled to -1..1, as the shipped spec says;"
            " torchvision scales them in the model (transform_input)",
        ),
    ),
)


def _csp_stage(stage: int, theirs: str) -> tuple[Rule, ...]:
    """timm has one convolution for both sides, cross first, and joins them in that order."""
    ours = f"stage{stage}"
    halves = (("cross", (0, 1, 2)), ("main", (1, 2, 2)))
    return (
        *conv_norm(f"{ours}.down", f"{theirs}.conv_down.conv", f"{theirs}.conv_down.bn"),
        *(
            Rule(f"{ours}.{side}.enter.{op}", f"{theirs}.conv_exp.{module}", share=half)
            for side, half in halves
            for op, module in (("conv", "conv"), ("norm", "bn"))
        ),
        *(
            rule
            for part, conv in (("reduce", "conv1"), ("expand", "conv2"))
            for rule in conv_norm(
                f"{ours}.main.block{{b}}.{part}",
                f"{theirs}.blocks.{{b-1}}.{conv}.conv",
                f"{theirs}.blocks.{{b-1}}.{conv}.bn",
            )
        ),
        *conv_norm(
            f"{ours}.main.leave",
            f"{theirs}.conv_transition_b.conv",
            f"{theirs}.conv_transition_b.bn",
        ),
        Rule(f"{ours}.merge.conv", f"{theirs}.conv_transition.conv", swap=True),
        Rule(f"{ours}.merge.norm", f"{theirs}.conv_transition.bn"),
    )


TIMM_CSPDARKNET = _family(
    "CSPDarkNet53 of timm",
    ("timm",),
    (
        *conv_norm("stem", "stem.conv1.conv", "stem.conv1.bn"),
        *(rule for stage in range(1, 6) for rule in _csp_stage(stage, f"stages.{stage - 1}")),
        Rule("classifier.dense", "head.fc"),
    ),
)

FAMILIES = (
    RESNET, MOBILENET_V2, EFFICIENTNET, EFFICIENTNET_PYTORCH, TIMM_EFFICIENTNET, TIMM_SPNASNET,
    MOBILENET_V3, TIMM_MOBILENET_V3, DENSENET, REPVGG, SHUFFLENET, INCEPTION_V3, TIMM_CSPDARKNET,
)  # fmt: skip
