"""How MindCV names its weights.

The rules were read off the published package (mindcv 0.3.0; resnet.py, mobilenetv2.py,
mobilenetv3.py, efficientnet.py, densenet.py, inceptionv3.py and repvgg.py of mindcv/models), and
held against its networks as MindSpore 2.10 builds them: their logits are ours. Its ShuffleNetV2 has
other channels, so it has no rules here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archspec.compiler.weights.families import OPTIMIZER, Family, Note, Rule, conv_norm
from archspec.compiler.weights.layouts import MINDSPORE
from archspec.compiler.weights.maps.torch_zoo import has_small_kernels, squeezes
from archspec.graph import Graph
from archspec.node import Node
from archspec.ops import AvgPool, BatchNorm, MaxPool
from archspec.ops.conv import Conv

_BLOCK = "stage{s}.block{b}"
_EPSILON = 1e-5
"""That of MindSpore's batch norm, where a network sets none."""


def _family(
    name: str,
    rules: tuple[Rule, ...],
    counted: str = "",
    ignored: tuple[str, ...] = (),
    notes: tuple[Note, ...] = (),
    speaks_of: Callable[[Graph], bool] = lambda graph: True,
) -> Family:
    return Family(
        name=f"{name} of MindCV",
        publishers=("mindcv",),
        layout=MINDSPORE,
        rules=rules,
        counted=counted,
        ignored=(*OPTIMIZER, *ignored),
        notes=notes,
        speaks_of=speaks_of,
    )


def _listed(
    ours: str, theirs: str, place: int, unless: str = "", given: str = ""
) -> tuple[Rule, Rule]:
    """A ConvNormAct whose convolution is at a place of a list of theirs, its norm behind it."""
    return conv_norm(ours, f"{theirs}.{place}", f"{theirs}.{place + 1}", unless, given)


def _squeeze(ours: str, theirs: str, unless: str = "", given: str = "") -> tuple[Rule, Rule]:
    return (
        Rule(f"{ours}.squeeze_excite.reduce", f"{theirs}.conv_reduce", unless, given),
        Rule(f"{ours}.squeeze_excite.expand", f"{theirs}.conv_expand", unless, given),
    )


def _inverted_block(ours: str, theirs: str) -> tuple[Rule, ...]:
    """A list of theirs: 1x1, norm, act, depthwise, norm, act, squeeze, 1x1 and norm, or fewer."""
    wide, squeeze = f"{ours}.expand.conv", f"{ours}.squeeze_excite.reduce"
    return (
        *_listed(f"{ours}.expand", theirs, 0),
        *_listed(f"{ours}.depthwise", theirs, 3, given=wide),
        *_listed(f"{ours}.depthwise", theirs, 0, unless=wide),
        *_squeeze(ours, f"{theirs}.6", given=wide),
        *_squeeze(ours, f"{theirs}.3", unless=wide),
        *_listed(f"{ours}.project", theirs, 4, unless=wide, given=squeeze),
        *_listed(f"{ours}.project", theirs, 7, given=squeeze),
        *_listed(f"{ours}.project", theirs, 6, given=wide),
        *_listed(f"{ours}.project", theirs, 3),
    )


def _any(holds: Callable[[Node], bool]) -> Callable[[Graph], bool]:
    return lambda graph: any(holds(node) for node in graph.nodes.values())


def _strides_otherwise(node: Node) -> bool:
    """Whether a convolution strides over other pixels than with padding 'same'."""
    op, shapes = node.op, node.layer.input_shapes
    return (
        isinstance(op, Conv)
        and max(op.stride) > 1
        and replace(op, padding="same").sides(shapes) != op.sides(shapes)
    )


_DEPTHWISE = '"defaults": {"DepthwiseConvNormAct": {"padding": "same"}'
_LAYER = "layer{s}.{b-1}"
RESNET = _family(
    "ResNet and ResNeXt",
    (
        *conv_norm("stem", "conv1", "bn1"),
        *conv_norm(f"{_BLOCK}.conv1", f"{_LAYER}.conv1", f"{_LAYER}.bn1"),
        *conv_norm(f"{_BLOCK}.conv2", f"{_LAYER}.conv2", f"{_LAYER}.bn2"),
        *conv_norm(f"{_BLOCK}.reduce", f"{_LAYER}.conv1", f"{_LAYER}.bn1"),
        *conv_norm(f"{_BLOCK}.spatial", f"{_LAYER}.conv2", f"{_LAYER}.bn2"),
        *conv_norm(f"{_BLOCK}.expand", f"{_LAYER}.conv3", f"{_LAYER}.bn3"),
        *_listed(f"{_BLOCK}.shortcut.project", f"{_LAYER}.down_sample", 0),
        Rule("classifier.dense", "classifier"),
    ),
    notes=(
        Note(
            "MindCV pads the first max pooling at the bottom and right alone; a spec for these"
            ' weights has "padding": "same" there, as resnext152_64x4d has',
            _any(lambda node: isinstance(node.op, MaxPool) and node.op.padding != "same"),
        ),
    ),
)

MOBILENET_V2 = _family(
    "MobileNetV2",
    (
        *_listed("stem", "features", 0),
        *_inverted_block(_BLOCK, "features.{i+3}.layers"),
        *conv_norm("head", "features.{n+3}", "features.{n+4}"),
        Rule("classifier.dense", "classifier.1"),
    ),
    counted=_BLOCK,
    speaks_of=lambda graph: has_small_kernels(graph) and not squeezes(graph),
)

_V3 = "block{b}.mbconv"
MOBILENET_V3 = _family(
    "MobileNetV3",
    (
        *_listed("stem", "features", 0),
        *_inverted_block(_V3, "features.{b+2}.layers"),
        *conv_norm("head", "features.{n+3}", "features.{n+4}"),
        Rule("features", "classifier.0"),
        Rule("classifier", "classifier.3"),
    ),
    counted="block{b}",
    notes=(
        Note(
            "MindCV's batch norms have epsilon 1e-5, and its depthwise convolutions that stride pad"
            " the bottom and right alone; a spec for these weights has"
            f' {_DEPTHWISE}, "batch_norm": {{"epsilon": 1e-05}}}}',
            _any(
                lambda node: (
                    (isinstance(node.op, BatchNorm) and node.op.epsilon != _EPSILON)
                    or (node.op.work().groups > 1 and _strides_otherwise(node))
                )
            ),
        ),
    ),
)

EFFICIENTNET = _family(
    "EfficientNet",
    (
        *_listed("stem", "features", 0),
        *_inverted_block(_BLOCK, "features.{s+2}.{b-1}.block"),
        *_listed("head", "features", 10),
        Rule("classifier.dense", "mlp_head"),
    ),
    speaks_of=squeezes,
    notes=(
        Note(
            "MindCV's convolutions that stride pad the bottom and right alone; a spec for these"
            f' weights has {_DEPTHWISE}, "ConvNormAct": {{"padding": "same"}}}}',
            _any(_strides_otherwise),
        ),
    ),
)

_DENSE = "features.denseblock{s}.cell_list.{b-1}"
_HALVE = "features.transition{s-1}.features"
DENSENET = _family(
    "DenseNet",
    (
        *conv_norm("stem", "features.conv0", "features.norm0"),
        *conv_norm("stage{s}.layer{b}.reduce", f"{_DENSE}.conv1", f"{_DENSE}.norm1"),
        *conv_norm("stage{s}.layer{b}.grow", f"{_DENSE}.conv2", f"{_DENSE}.norm2"),
        *conv_norm("stage{s}.halve", f"{_HALVE}.conv", f"{_HALVE}.norm"),
        Rule("norm", "features.norm5"),
        Rule("classifier.dense", "classifier"),
    ),
)


def _mixed_block(ours: str, theirs: str, branches: dict[str, str]) -> tuple[Rule, ...]:
    """The rules of an Inception block: our branches' convolutions and theirs."""
    return tuple(
        rule
        for inner, outer in branches.items()
        for rule in conv_norm(f"{ours}.{inner}", f"{theirs}.{outer}.conv", f"{theirs}.{outer}.bn")
    )


_ONE_AND_POOL = {"one.conv": "branch0", "pool.pool.conv": "branch_pool.1"}
_A = {**_ONE_AND_POOL, "five.conv{k}": "branch1.{k-1}", "three.conv{k}": "branch2.{k-1}"}
_B = {"three.conv": "branch0", "double.conv{k}": "branch1.{k-1}"}
_C = {**_ONE_AND_POOL, "seven.conv{k}": "branch1.{k-1}", "double.conv{k}": "branch2.{k-1}"}
_D = {"three.conv{k}": "branch0.{k-1}", "seven.conv{k}": "branch1.{k-1}"}
_E = {
    **_ONE_AND_POOL,
    "three.conv": "branch1",
    "three.cross.row.conv": "branch1a", "three.cross.column.conv": "branch1b",
    "double.conv{k}": "branch2.{k-1}",
    "double.cross.row.conv": "branch2a", "double.cross.column.conv": "branch2b",
}  # fmt: skip
INCEPTION_V3 = _family(
    "Inception-v3",
    (
        *conv_norm("stem1", "conv1a.conv", "conv1a.bn"),
        *conv_norm("stem2", "conv2a.conv", "conv2a.bn"),
        *conv_norm("stem3", "conv2b.conv", "conv2b.bn"),
        *conv_norm("reduce", "conv3b.conv", "conv3b.bn"),
        *conv_norm("widen", "conv4a.conv", "conv4a.bn"),
        *_mixed_block("a1", "inception5b", _A),
        *_mixed_block("a2", "inception5c", _A),
        *_mixed_block("a3", "inception5d", _A),
        *_mixed_block("b", "inception6a", _B),
        *_mixed_block("c1", "inception6b", _C),
        *_mixed_block("c2", "inception6c", _C),
        *_mixed_block("c3", "inception6d", _C),
        *_mixed_block("c4", "inception6e", _C),
        *_mixed_block("d", "inception7a", _D),
        *_mixed_block("e1", "inception7b", _E),
        *_mixed_block("e2", "inception7c", _E),
        Rule("classifier.dense", "classifier"),
    ),
    ignored=(r"(?P<kind>aux)\..*",),
    notes=(
        Note(
            "MindCV's average pools do not count the padding; a spec for these weights has"
            ' "count_padding": false there',
            _any(lambda node: isinstance(node.op, AvgPool) and node.op.count_padding),
        ),
    ),
)

_STAGE = "stage{s}.{b-1}"
REPVGG = _family(
    "RepVGG",
    (
        *_listed("stem.conv3", "stage0.rbr_dense", 0),
        *_listed("stem.conv1", "stage0.rbr_1x1", 0),
        *_listed(f"{_BLOCK}.conv3", f"{_STAGE}.rbr_dense", 0),
        *_listed(f"{_BLOCK}.conv1", f"{_STAGE}.rbr_1x1", 0),
        Rule(f"{_BLOCK}.norm", f"{_STAGE}.rbr_identity"),
        Rule("classifier.dense", "linear"),
    ),
)

FAMILIES = (
    RESNET, MOBILENET_V2, MOBILENET_V3, EFFICIENTNET, DENSENET, INCEPTION_V3, REPVGG,
)  # fmt: skip
