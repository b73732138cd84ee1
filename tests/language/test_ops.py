"""The contract of every op, held against ONNX, onnxruntime and plain loops over numbers.

A new op needs a line in EXAMPLES and a function in each oracle; the first test names what is
missing. Only archspec's ops are judged here, so an oracle never asks archspec for a shape.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from archspec.ops import FUNCTIONS, OPS, Op
from archspec.ops.activation import Act, Scale, Softmax
from archspec.ops.attention import Attention
from archspec.ops.axes import Matmul, Permute, Reshape
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.learnt import Param
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Concat, Div, Max, Min, Mul, Sub
from archspec.ops.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RmsNorm,
)
from archspec.ops.pool import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Reduce,
)
from archspec.ops.rearrange import PixelShuffle, Roll, SpaceToDepth
from archspec.ops.regularize import Dropout, DropPath, LayerScale
from archspec.ops.reshape import (
    ChannelShuffle,
    Flatten,
    Identity,
    Pad,
    Slice,
    Split,
    Zero,
)
from archspec.ops.resize import Upsample
from archspec.shapes import ShapeError, elements, written

IMAGE = (4, 7, 10)
FLAT = (6,)

EXAMPLES: list[tuple[Op, tuple[tuple[int, ...], ...]]] = [
    (Conv(3, 3), (IMAGE,)),
    (Conv(3, 1, bias=True), (IMAGE,)),
    (Conv(2, (3, 5), padding="valid", bias=True), ((3, 8, 9),)),
    (Conv(2, 2), ((1, 5, 6),)),
    (Conv(2, 3, stride=2, padding="same"), ((2, 8, 9),)),
    (Conv(2, (2, 5), stride=(3, 1), padding="same"), ((2, 11, 8),)),
    (Conv(2, 1, stride=3, padding="same"), ((2, 9, 10),)),
    (Conv(2, 3, stride=(2, 3), padding=(0, 2, 1, 3)), ((2, 9, 11),)),
    (Conv(2, 3, padding=(2, 1), dilation=2), ((2, 9, 10),)),
    (Conv(2, (3, 2), dilation=(2, 3)), ((2, 9, 10),)),
    (Conv(2, 3, stride=2, padding="same", dilation=2), ((2, 11, 10),)),
    (Conv(6, 3, groups=2), (IMAGE,)),
    (Conv(4, 3, groups=4, stride=2, bias=True), (IMAGE,)),
    (Conv(8, 3, groups=4), ((4, 5, 6),)),
    (Conv(2, 3, weight_standardization=True), ((3, 6, 5),)),
    (Conv(4, (1, 2), groups=4, bias=True, weight_standardization=True), (IMAGE,)),
    (ConvTranspose(3, 3), (IMAGE,)),
    (ConvTranspose(2, 2, 2, bias=True), ((3, 4, 5),)),
    (ConvTranspose(2, 3, 2, 1, 1), ((3, 4, 5),)),
    (ConvTranspose(2, (3, 2), (2, 3), (1, 0), (0, 2), bias=True), ((3, 4, 3),)),
    (ConvTranspose(4, (4, 3), 2, (2, 0, 0, 1), groups=2, bias=True), ((6, 3, 4),)),
    (ConvTranspose(4, 3, 1, (0, 1, 2, 0), groups=4), ((4, 4, 5),)),
    (ConvTranspose(2, (3, 2), 2, 1, dilation=2), ((2, 5, 4),)),
    (ConvTranspose(2, (2, 3), 1, 0, dilation=(3, 2)), ((2, 5, 7),)),
    (ConvTranspose(2, 2, 3, 1, 0, bias=True), ((2, 3, 4),)),
    (ConvTranspose(2, 1, 3, 0, 2, bias=True), ((2, 3, 1),)),
    (Dense(3), (FLAT,)),
    (Dense(4, bias=False), ((5,),)),
    (Param((3, 5, 2)), ()),
    (Param((4, 4, 4), trainable=False, initial=0.5), ()),
    (Param((6,)), ()),
    (BatchNorm(), (IMAGE,)),
    (BatchNorm(epsilon=0.5, momentum=0.99), (FLAT,)),
    (LayerNorm(), (IMAGE,)),
    (LayerNorm(epsilon=0.5), (IMAGE,)),
    (LayerNorm(epsilon=0.5), (FLAT,)),
    (GroupNorm(2), (IMAGE,)),
    (GroupNorm(1, epsilon=0.5), (IMAGE,)),
    (GroupNorm(3, epsilon=0.5), (FLAT,)),
    (InstanceNorm(), (IMAGE,)),
    (InstanceNorm(epsilon=0.5), ((3, 1, 5),)),
    (RmsNorm(), (IMAGE,)),
    (RmsNorm(epsilon=0.5), (FLAT,)),
    (LocalResponseNorm(5), (IMAGE,)),
    (LocalResponseNorm(3, alpha=0.5, beta=0.5, k=2), ((7, 3, 5),)),
    (LocalResponseNorm(4, alpha=1, k=0.1), ((7, 3, 5),)),
    (LocalResponseNorm(9, alpha=1), ((3, 1, 5),)),
    *((Act(function), (IMAGE,)) for function in FUNCTIONS),
    (Act("relu"), (FLAT,)),
    (Act("prelu"), (FLAT,)),
    (Act("leaky_relu", alpha=0.2), (IMAGE,)),
    (Act("elu", alpha=0.5), (IMAGE,)),
    (Act("gelu", approximate=True), (IMAGE,)),
    (Scale(), (IMAGE,)),
    (Scale(1.5), (IMAGE,)),
    (Scale(offset=-0.25), (IMAGE,)),
    (Scale(-0.5, 3), (FLAT,)),
    (Softmax(), (FLAT,)),
    (Softmax(), (IMAGE,)),
    (Softmax("height"), (IMAGE,)),
    (Softmax("width"), (IMAGE,)),
    (Softmax("space"), (IMAGE,)),
    (Softmax("height"), ((3, 1, 4),)),
    (Attention(), ((4, 3, 5), (4, 3, 5), (4, 3, 5))),
    (Attention(2, bias="offset"), ((6, 3, 2), (6, 3, 2), (4, 3, 2))),
    (Attention(4, key_heads=2, scale=0.3), ((8, 2, 3), (4, 3, 1), (6, 3, 1))),
    (Attention(2, bias="distance"), ((4, 2, 3), (4, 3, 5), (6, 3, 5))),
    (
        Attention(3, partition="window", window=(2, 3), bias="offset", shift=(1, 1)),
        ((6, 4, 6),) * 3,
    ),
    (Attention(2, partition="window", window=2, shift=(0, 1)), ((4, 4, 4),) * 3),
    (Attention(2, partition="window", window=(1, 2), bias="distance"), ((4, 3, 4),) * 3),
    (
        Attention(2, 1, partition="grid", window=(2, 3), bias="offset"),
        ((6, 4, 6), (3, 4, 6), (5, 4, 6)),
    ),
    (Matmul(), ((3, 5, 5), (3, 5, 5))),
    (Matmul(), ((3, 2, 5), (3, 5, 4))),
    (Matmul(), ((1, 2, 5), (3, 5, 1))),
    (Matmul(), ((3, 4, 2), (1, 2, 5))),
    (Permute(("channels", "width", "height")), (IMAGE,)),
    (Permute(("width", "channels", "height")), (IMAGE,)),
    (Permute(("height", "width", "channels")), (IMAGE,)),
    (Permute(("channels", "width", "height")), ((5, 1, 1),)),
    (Reshape(width=1), (IMAGE,)),
    (Reshape(channels=8, height=5, width=7), (IMAGE,)),
    (Reshape(height=7), ((4, 70, 1),)),
    (Reshape(height=7), (IMAGE,)),
    (Reshape(channels=2, height=3), ((24,),)),
    (Reshape(height=3, width=2), ((24,),)),
    (MaxPool(3, stride=2, padding="half"), (IMAGE,)),
    (MaxPool(2, stride=2), (IMAGE,)),
    (MaxPool((2, 3), stride=(2, 1), ceil=True), ((2, 9, 8),)),
    (MaxPool(2, stride=3, padding=1, ceil=True), ((2, 8, 9),)),
    (MaxPool(3, stride=2, padding="same"), ((2, 8, 9),)),
    (MaxPool((3, 4), stride=2, padding=(0, 2, 3, 1)), ((2, 8, 9),)),
    (AvgPool(2, stride=2), (IMAGE,)),
    (AvgPool(3, padding="half"), (IMAGE,)),
    (AvgPool(3, padding="half", count_padding=True), (IMAGE,)),
    (AvgPool(3, stride=2, padding="same"), ((2, 8, 9),)),
    (AvgPool(3, stride=2, padding="same", count_padding=True), ((2, 8, 9),)),
    (AvgPool((2, 3), stride=2, padding=(0, 1, 2, 0)), ((2, 8, 9),)),
    (AvgPool(3, stride=2, ceil=True), ((2, 8, 10),)),
    (AvgPool(3, stride=2, padding=1, ceil=True, count_padding=True), ((2, 8, 10),)),
    (GlobalAvgPool(), (IMAGE,)),
    (GlobalMaxPool(), (IMAGE,)),
    *(
        (pool(size), (shape,))
        for pool in (AdaptiveAvgPool, AdaptiveMaxPool)
        for size, shape in (
            ((3, 4), IMAGE),
            ((3, 2), (2, 9, 8)),
            ((7, 10), IMAGE),
            ((5, 7), (2, 4, 3)),
            (1, (2, 3, 5)),
        )
    ),
    *(
        (Reduce(function, over), (IMAGE,))
        for function in ("mean", "sum", "max", "norm2")
        for over in ("space", "height", "width", "channels")
    ),
    *((Reduce(function, "channels"), (FLAT,)) for function in ("mean", "sum", "max", "norm2")),
    (Reduce("max", "height"), ((3, 1, 5),)),
    (Reduce("norm2", "height"), ((3, 1, 5),)),
    (Dropout(0.5), (IMAGE,)),
    (DropPath(0.2), (FLAT,)),
    (LayerScale(), (IMAGE,)),
    (LayerScale(initial=0.1), (FLAT,)),
    (Add(), (IMAGE, IMAGE)),
    (Add(), (FLAT, FLAT, FLAT)),
    (Mul(), (IMAGE, (4, 1, 1))),
    (Mul(), ((4, 1, 1), IMAGE, IMAGE)),
    (Mul(), (FLAT, FLAT)),
    *(
        (join, inputs)
        for join in (Add(), Sub(), Mul(), Div(), Max(), Min())
        for inputs in ((IMAGE, IMAGE), (IMAGE, (1, 7, 1)), ((4, 1, 10), (1, 7, 1)), (FLAT, (1,)))
    ),
    (Add(), ((1, 7, 1), (4, 1, 1), (1, 1, 10))),
    (Max(), ((1, 7, 1), IMAGE, (1, 1, 10))),
    (Min(), (IMAGE, IMAGE, IMAGE)),
    (Concat(), (IMAGE, (1, 7, 10), (2, 7, 10))),
    (Concat(), (FLAT, (3,))),
    (Concat(), (IMAGE,)),
    (Concat("height"), (IMAGE, (4, 1, 10), IMAGE)),
    (Concat("width"), ((4, 7, 1), IMAGE)),
    (Concat("width"), (IMAGE,)),
    (Flatten(), (IMAGE,)),
    (Flatten(), ((5, 1, 1),)),
    (Flatten(), (FLAT,)),
    (Split(2), (IMAGE,)),
    (Split(3), (FLAT,)),
    (Split(7, "height"), (IMAGE,)),
    (Split(2, "width"), (IMAGE,)),
    (Split(sizes=(1, 3)), (IMAGE,)),
    (Split(sizes=[2, 1, 3]), (FLAT,)),
    (Split(sizes=[2, 2]), (IMAGE,)),
    (Split(axis="height", sizes=(4, 2, 1)), (IMAGE,)),
    (Split(2, groups=2), ((8, 3, 2),)),
    (Split(sizes=[1, 1, 2], groups=3), ((12, 3, 2),)),
    (Split(sizes=[1, 2], groups=2), (FLAT,)),
    (Slice(1, 3, "height"), (IMAGE,)),
    (Slice(2, axis="width"), (IMAGE,)),
    (Slice(stop=10, axis="width"), (IMAGE,)),
    (Slice(1, 3), (IMAGE,)),
    (Slice(2), (FLAT,)),
    (Slice(stop=2), (FLAT,)),
    (ChannelShuffle(2), (IMAGE,)),
    (ChannelShuffle(3), ((6, 3, 5),)),
    (Upsample(), (IMAGE,)),
    (Upsample((3, 1)), (IMAGE,)),
    (Upsample(2, "bilinear"), (IMAGE,)),
    (Upsample((1, 3), "bilinear"), (IMAGE,)),
    (Upsample(2, "bicubic"), (IMAGE,)),
    (Upsample(size=(9, 4)), (IMAGE,)),
    (Upsample(size=(14, 10)), (IMAGE,)),
    (Upsample(size=(7, 10)), (IMAGE,)),
    (Upsample(size=1), (IMAGE,)),
    *(
        (Upsample(mode=mode, size=size, align_corners=aligned), (shape,))
        for mode in ("bilinear", "bicubic")
        for aligned in (False, True)
        for size, shape in (
            ((9, 4), (2, 7, 10)),
            ((13, 1), (2, 4, 6)),
            ((21, 5), (2, 7, 10)),
            ((5, 3), (2, 1, 1)),
        )
    ),
    (Pad((1, 0, 2, 3)), (IMAGE,)),
    (Pad(1, value=-0.5), (IMAGE,)),
    (Pad(0), (IMAGE,)),
    (PixelShuffle(2), ((8, 3, 5),)),
    (PixelShuffle(3), ((18, 3, 2),)),
    (PixelShuffle(2, "rows"), ((12, 3, 5),)),
    (PixelShuffle(2, "columns"), ((12, 3, 5),)),
    (PixelShuffle(1, "rows"), (IMAGE,)),
    (SpaceToDepth(2), ((3, 4, 6),)),
    (SpaceToDepth(3), ((2, 9, 6),)),
    (SpaceToDepth(2, "rows"), ((3, 8, 6),)),
    (SpaceToDepth(3, "columns"), ((2, 6, 9),)),
    (SpaceToDepth(1), (IMAGE,)),
    (Roll((2, -3)), (IMAGE,)),
    (Roll((0, 12)), (IMAGE,)),
    (Roll((-3, 0)), ((2, 5, 1),)),
    (Roll((7, -20)), (IMAGE,)),
    (Identity(), (IMAGE,)),
    (Identity(), (FLAT,)),
    (Zero(), (IMAGE,)),
    (Zero(), (FLAT,)),
]


def label(value):
    if isinstance(value, Op):
        given_values = ",".join(f"{k}={v}" for k, v in value.written_attributes().items())
        return f"{value.name}({given_values})".replace(" ", "")
    return "+".join(map(written, value))


on_every_example = pytest.mark.parametrize("op, inputs", EXAMPLES, ids=label)


@pytest.fixture(scope="session")
def np():
    return pytest.importorskip("numpy")


@pytest.fixture(scope="session")
def plain(np):
    from oracles import numpy_ops

    return numpy_ops


@pytest.fixture(scope="session")
def onnx_ops(np):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from oracles import onnx_ops

    return onnx_ops


def arrays(np, op, inputs):
    """Inputs wide enough to reach every branch of an activation, and weights of either sign."""
    from oracles.numpy_ops import in_domain

    rng = np.random.default_rng(1)
    xs = [in_domain(op, 4 * rng.standard_normal(shape)) for shape in inputs]
    weights = {
        weight.name: rng.uniform(0.5, 2, weight.shape)
        if weight.name == "moving_variance"
        else rng.standard_normal(weight.shape)
        for weight in op.weights(inputs)
    }
    return xs, weights


def shapes_of(outputs):
    return tuple(output.shape for output in outputs)


# Nothing is forgotten.


def test_every_op_class_is_in_the_table():
    found, todo = set(), [Op]
    while todo:
        todo += (children := todo.pop().__subclasses__())
        found |= {op for op in children if op.__module__.startswith("archspec.ops")}
    assert {op for op in found if "name" in vars(op)} == set(OPS.values())


def test_every_op_has_an_example():
    assert {type(op).name for op, _ in EXAMPLES} == set(OPS)


def test_every_op_has_a_numpy_reference(plain):
    assert [name for name, op in OPS.items() if op not in plain.forward.registry] == []


def test_every_op_has_an_onnx_form(onnx_ops):
    assert [name for name, op in OPS.items() if op not in onnx_ops.emit.registry] == []


# What an op says of itself.


@on_every_example
def test_shapes_macs_and_weights_are_those_of_the_plain_loops(op, inputs, np, plain):
    outputs, multiplications = plain.run(op, *arrays(np, op, inputs))
    assert op.infer(inputs) == shapes_of(outputs)
    assert op.macs(inputs, op.infer(inputs)) == multiplications
    assert len(outputs) == op.outputs


@on_every_example
def test_shapes_are_onnx_own(op, inputs, onnx_ops):
    weights = {weight.name: weight.shape for weight in op.weights(inputs)}
    assert op.infer(inputs) == onnx_ops.infer(onnx_ops.model(op, inputs, weights))


@on_every_example
def test_onnxruntime_and_the_plain_loops_agree(op, inputs, np, plain, onnx_ops):
    if isinstance(op, Conv) and op.padding == "same" and op.dilation != (1, 1):
        pytest.skip("onnxruntime has no dilated SAME_UPPER")
    xs, weights = arrays(np, op, inputs)
    model = onnx_ops.model(op, inputs, {name: array.shape for name, array in weights.items()})
    theirs = onnx_ops.run(model, xs, weights)
    ours, _ = plain.run(op, xs, weights)
    assert shapes_of(theirs) == shapes_of(ours)
    for one, other in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@on_every_example
def test_elementwise_work_is_counted_as_documented(op, inputs):
    outputs = op.infer(inputs)
    entering, leaving = sum(map(elements, inputs[:1])), sum(map(elements, outputs))
    by_category = {
        "norm": 2 * leaving,
        "act": leaving,
        "pool": entering,
        "merge": (len(inputs) - 1) * leaving,
    }
    exceptions = {"concat": 0, "matmul": 0, "layer_scale": leaving, "upsample": leaving}
    expected = exceptions.get(op.name, by_category.get(op.category, 0))
    if isinstance(op, Attention):  # the softmax of each pair of each head, and its bias
        pairs = op.macs(inputs, outputs) // (inputs[0][0] + outputs[0][0])
        expected = pairs * op.heads * (2 if op.bias != "none" else 1)
    assert op.elementwise(inputs, outputs) == expected


@on_every_example
def test_written_attributes_make_the_op_again(op, inputs):
    attributes = op.written_attributes()
    assert type(op)(**attributes) == op
    for item in op.attributes():
        if item.name in attributes:
            Draft202012Validator(item.metadata["schema"]).validate(attributes[item.name])


@on_every_example
def test_ops_are_values(op, inputs):
    for item in fields(op):
        with pytest.raises(FrozenInstanceError):
            setattr(op, item.name, getattr(op, item.name))
    assert hash(op) == hash(type(op)(**op.written_attributes()))


@on_every_example
def test_arity_admits_the_example(op, inputs):
    fewest, most = op.inputs
    assert fewest <= len(inputs)
    assert most is None or len(inputs) <= most


@pytest.mark.parametrize(
    "op, inputs", [(op, inputs) for op, inputs in EXAMPLES if op.is_view], ids=label
)
def test_views_keep_every_value_in_its_place(op, inputs, np, plain):
    xs, weights = arrays(np, op, inputs)
    outputs, _ = plain.run(op, xs, weights)
    assert [list(output.flat) for output in outputs] == [list(x.flat) for x in xs]


def test_only_running_statistics_and_buffers_are_not_trained():
    frozen = {
        weight.name
        for op, inputs in EXAMPLES
        for weight in op.weights(inputs)
        if not weight.trainable
    }
    assert frozen == {"moving_mean", "moving_variance", "value"}


every_attribute = pytest.mark.parametrize(
    "item",
    [
        pytest.param(item, id=f"{op.name}.{item.name}")
        for op in OPS.values()
        for item in op.attributes()
    ],
)


@every_attribute
def test_attributes_describe_their_values(item):
    schema = item.metadata["schema"]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert not validator.is_valid(object())  # a fragment that takes anything says nothing
    if item.default is not MISSING:
        validator.validate(item.default)


@pytest.mark.parametrize(
    "one, other, written_as",
    [
        (Conv(4, 3), Conv(4, [3, 3], 1, "half", [1, 1]), {"channels": 4, "kernel": 3}),
        (MaxPool(3, padding=1), MaxPool([3, 3], padding=[1, 1]), {"kernel": 3, "padding": 1}),
        (Pad([2, 1]), Pad([2, 2, 1, 1]), {"padding": [2, 1]}),
        (Pad([0, 1, 1, 0]), Pad((0, 1, 1, 0), 0.0), {"padding": [0, 1, 1, 0]}),
        (Upsample(2), Upsample([2, 2], mode="nearest"), {}),
        (PixelShuffle(1), PixelShuffle(1, "rows"), {"factor": 1}),
        (
            ConvTranspose(4, 3, 2, 1, 1),
            ConvTranspose(4, 3, 2, (1, 0, 1, 0)),
            {"channels": 4, "kernel": 3, "stride": 2, "padding": [1, 0, 1, 0]},
        ),
        (Roll(-2), Roll([-2, -2]), {"shift": -2}),
        (Split(sizes=[2, 2]), Split(sizes=(2, 2)), {"sizes": [2, 2]}),
        (Split(sizes=[1, 1, 3, 3]), Split(sizes=(1, 1, 3, 3)), {"sizes": [1, 1, 3, 3]}),
    ],
)
def test_one_value_has_one_form(one, other, written_as):
    assert one == other
    assert one.written_attributes() == other.written_attributes() == written_as


def test_orders_of_blocks_are_those_of_their_networks(np, plain):
    """Swin's patch merging and YOLOv5's Focus concatenate four slices of an image, of even rows
    first the even columns' and the odd rows' of even columns next."""
    x = np.arange(2 * 4 * 6.0).reshape(2, 4, 6)
    slices = [x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
    (merged,), _ = plain.run(SpaceToDepth(2, "columns"), [x], {})
    assert np.array_equal(merged, np.concatenate(slices))
    for order in ("channels", "rows", "columns"):
        (deep,), _ = plain.run(SpaceToDepth(2, order), [x], {})
        (back,), _ = plain.run(PixelShuffle(2, order), [deep], {})
        assert np.array_equal(back, x)


# What an op sees of its input.


def sightings(np, plain, op, inputs, axis):
    """For each place along an output axis, the input places of the largest input whose change it
    feels, and how many such places there are.

    A flat vector is one place. Positive values below every addition keep a maximum from hiding the
    change and an activation from saturating.
    """
    rng = np.random.default_rng(2)
    xs = [rng.uniform(0.1, 0.4, shape) for shape in inputs]
    weights = {weight.name: rng.uniform(0.5, 1.5, weight.shape) for weight in op.weights(inputs)}
    changed = max(range(len(xs)), key=lambda i: xs[i].size)
    still, _ = plain.run(op, xs, weights)
    seen = None
    for place in range(inputs[changed][1 + axis]):
        moved = [x.copy() for x in xs]
        line = np.moveaxis(moved[changed], 1 + axis, 0)[place]
        line += rng.uniform(0.5, 1.5, line.shape)
        results, _ = plain.run(op, moved, weights)
        differ = [
            (one != other).reshape(len(one), *(one.shape[1:] or (1, 1))).any(axis=(0, 2 - axis))
            for one, other in zip(still, results, strict=True)
        ]
        longest = max(map(len, differ))
        felt = sum(np.pad(one, (0, longest - len(one))) for one in differ)
        seen = seen or [[] for _ in felt]
        for output in np.flatnonzero(felt):
            seen[output].append(place)
    return seen, inputs[changed][1 + axis]


@pytest.mark.parametrize("axis", [0, 1], ids=["height", "width"])
@pytest.mark.parametrize(
    "op, inputs",
    [(op, inputs) for op, inputs in EXAMPLES if inputs and len(inputs[0]) == 3],
    ids=label,
)
def test_window_is_what_outputs_feel(op, inputs, axis, np, plain):
    window = op.sees(inputs)
    seen, extent = sightings(np, plain, op, inputs, axis)
    if isinstance(op, Roll) and window.everything:
        # one pixel each, but neighbours as far apart as can be
        assert seen == [[(place - op.shift[axis]) % extent] for place in range(extent)]
        return
    if isinstance(op, Zero):
        assert seen == [[]] * extent
        return
    if isinstance(op, (AdaptiveAvgPool, AdaptiveMaxPool)) and window.everything:
        assert any(extent % size for extent, size in zip(inputs[0][1:], op.size, strict=True))
        return  # windows of several sizes, of which the largest possible is said
    if op.name in ("reshape", "permute", "matmul", "attention", "softmax"):
        # what they see is not a window, and is told as everything where it is more than a pixel
        assert window.everything or max(map(len, seen)) <= 1
        return
    if window.sampling is not None:
        places = [window.sampling[axis].reach(place) for place in range(len(seen))]
        clipped = [[min(max(place, 0), extent - 1) for place in pair] for pair in places]
        assert seen == [[*range(first, last + 1)] for first, last in clipped]
        return
    if isinstance(op, Split | Concat) and window.everything:
        assert all(len(places) <= op.outputs for places in seen)  # from far apart
        return
    if window.everything:
        assert seen == [list(range(extent))] * len(seen)
        return
    spans = [places[-1] - places[0] + 1 if places else 0 for places in seen]
    blends = window.blends and window.scale[axis] > 1 < extent
    widest = 2 if blends else window.kernel[axis]
    if window.spreads:
        widest = (window.kernel[axis] - 1) // window.scale[axis] + 1
    assert max(spans) == widest
    whole = [spans[i] == widest for i in range(len(seen))]
    period = window.scale[axis]
    if extent < len(seen) == max(shape[1 + axis] for shape in inputs):
        assert seen == [[0]] * len(seen)  # a join repeats it along the axis
        return
    steps = {
        seen[i + period][0] - seen[i][0]
        for i in range(len(seen) - period)
        if whole[i] and whole[i + period]
    }
    assert steps == ({window.stride[axis]} if len(seen) > period else set())


# What an op refuses, in which words.

REFUSED = [
    (
        Attention(3),
        ((4, 3, 3),) * 3,
        "the number of channels of q 4 cannot be split into 3 equal parts",
    ),
    (
        Attention(2),
        ((4, 3, 3), (6, 3, 3), (4, 3, 3)),
        "attention takes keys of 4 channels, 2 heads of as many as a head of q has, not 6x3x3",
    ),
    (
        Attention(2),
        ((4, 3, 3), (4, 3, 3), (4, 3, 2)),
        "attention takes k and v of one height and width, not 4x3x3 and 4x3x2",
    ),
    (
        Attention(partition="window", window=2),
        ((4, 3, 4),) * 3,
        "attention's windows of 2x2 do not divide the map 3x4; use another size, or a pad before"
        " it",
    ),
    (
        Attention(partition="grid"),
        ((4, 3, 4),) * 3,
        'attention with the partition "grid" needs a window of at least 1 pixel, not 0x0',
    ),
    (
        Attention(partition="window", window=2, shift=2),
        ((4, 4, 4),) * 3,
        "attention's shift 2x2 must be less than its window 2x2",
    ),
    (
        Conv(2, (5, 3), padding=(1, 0, 1, 1)),
        ((3, 3, 8),),
        "a window of 5 does not fit the height 3 padded by 1 and 0; use a smaller kernel or stride"
        " before it, more padding or a larger input",
    ),
    (
        Conv(2, 3, padding="valid", dilation=3),
        ((3, 9, 6),),
        "a window of 7 does not fit the width 6 padded by 0 and 0; use a smaller kernel or stride"
        " before it, more padding or a larger input",
    ),
    (
        AvgPool(7),
        ((3, 5, 9),),
        "a window of 7 does not fit the height 5 padded by 0 and 0; use a smaller kernel or stride"
        " before it, more padding or a larger input",
    ),
    (
        Conv(4, 3, groups=2),
        ((3, 8, 8),),
        "the number of input channels 3 cannot be split into 2 equal parts",
    ),
    (
        Conv(3, 3, groups=2),
        ((4, 8, 8),),
        "the number of output channels 3 cannot be split into 2 equal parts",
    ),
    (
        Conv(4, 1, groups=4, weight_standardization=True),
        (IMAGE,),
        "weight_standardization needs filters of at least 2 weights, not 1x1x1; use a larger"
        " kernel or fewer groups",
    ),
    (
        GroupNorm(3),
        (IMAGE,),
        "the number of input channels 4 cannot be split into 3 equal parts",
    ),
    (
        ChannelShuffle(3),
        (IMAGE,),
        "the number of input channels 4 cannot be split into 3 equal parts",
    ),
    (
        PixelShuffle(2),
        ((6, 3, 3),),
        "the number of input channels 6 cannot be split into 4 equal parts",
    ),
    (SpaceToDepth(2), ((3, 7, 10),), "the height 7 cannot be split into 2 equal parts"),
    (SpaceToDepth(4), ((3, 8, 10),), "the width 10 cannot be split into 4 equal parts"),
    (
        ConvTranspose(2, 3, 2, 1, 3),
        (IMAGE,),
        "an output_padding of 2 beyond what padding cuts off must be less than the stride or"
        " dilation 2; use a smaller one, or a pad behind it",
    ),
    (
        ConvTranspose(2, 3, 1, (2, 3, 0, 0)),
        ((3, 3, 4),),
        "a padding of 2 and 3 leaves nothing of the full height 5; use less padding",
    ),
    (Split(4), (FLAT,), "the number of input channels 6 cannot be split into 4 equal parts"),
    (
        Dense(3),
        (IMAGE,),
        "dense takes a flat vector, not 4x7x10; put a flatten before it",
    ),
    *(
        (
            op,
            (IMAGE, other),
            f"{op.name} takes inputs of one shape, or of 1 where they differ, not 4x7x10 and"
            f" {written(other)}; use streams of equal channels and strides, or a shortcut that"
            " makes them so",
        )
        for op in (Add(), Sub(), Mul(), Div(), Max(), Min())
        for other in ((4, 7, 5), (2, 1, 1), (4,), (1,))
    ),
    *(
        (
            Concat(),
            (IMAGE, other),
            "concat joins channels of inputs with one height and width, not 4x7x10 and"
            f" {written(other)}",
        )
        for other in ((4, 7, 9), (4,))
    ),
    *(
        (
            Slice(start, stop),
            (IMAGE,),
            f"slice from {start} to {stop or 4} does not lie in 4 channels; use 0 <= start <"
            " stop <= 4",
        )
        for start, stop in ((1, 5), (2, 2), (3, 1), (4, None))
    ),
    *(
        (
            Reduce("sum", over),
            (FLAT,),
            f"reduce over {over} works on images of channels x height x width, not 6; place it"
            " before the flatten",
        )
        for over in ("space", "height", "width")
    ),
    (
        Slice(5, axis="height"),
        ((4, 5, 9),),
        "slice from 5 to 5 does not lie in 5 rows; use 0 <= start < stop <= 5",
    ),
    *(
        (op, (IMAGE,), 'split takes either "parts" or "sizes"; use one of them')
        for op in (Split(), Split(2, sizes=[2, 2]))
    ),
    (
        Split(2, groups=4),
        (IMAGE,),
        "the number of input channels 4 cannot be split into 8 equal parts",
    ),
    (
        Split(sizes=[1, 1], groups=3),
        (IMAGE,),
        "the number of input channels 4 cannot be split into 3 equal parts",
    ),
    (
        Split(sizes=[1, 2], groups=2),
        (IMAGE,),
        "split's sizes come to 3, and the number of input channels of each of 2 groups is 2; use"
        " sizes that come to that",
    ),
    (
        Split(axis="width", sizes=[4, 5]),
        (IMAGE,),
        "split's sizes come to 9, and the width is 10; use sizes that come to that",
    ),
    (
        Upsample(3, size=4),
        (IMAGE,),
        'upsample takes either "scale" or "size"; use one of them',
    ),
    (Split(4, "width"), (IMAGE,), "the width 10 cannot be split into 4 equal parts"),
    (
        Concat("height"),
        (IMAGE, (4, 7, 9)),
        "concat joins rows of inputs with as many channels and one width, not 4x7x10 and 4x7x9",
    ),
    (
        Concat("width"),
        (FLAT, FLAT),
        "concat along the width works on images of channels x height x width, not 6; place it"
        " before the flatten",
    ),
    (
        MaxPool((2, 5), padding=(2, 0, 4, 4)),
        (IMAGE,),
        "max_pool pads by 2, so a window of 2 could hold padding alone; use less padding than the"
        " kernel",
    ),
    (
        AvgPool(3, padding=(0, 0, 1, 3)),
        (IMAGE,),
        "avg_pool pads by 3, so a window of 3 could hold padding alone; use less padding than the"
        " kernel",
    ),
    *(
        (
            op,
            (FLAT,),
            f"{op.name} works on images of channels x height x width, not 6; place it before"
            " the flatten",
        )
        for op in (
            Conv(2, 3),
            MaxPool(2),
            AvgPool(2),
            GlobalAvgPool(),
            GlobalMaxPool(),
            ChannelShuffle(2),
            Upsample(),
            Pad(1),
            InstanceNorm(),
            LocalResponseNorm(5),
            PixelShuffle(2),
            SpaceToDepth(2),
            Roll(1),
            ConvTranspose(2, 3),
            AdaptiveAvgPool(2),
            AdaptiveMaxPool(2),
        )
    ),
]


@pytest.mark.parametrize("op, inputs, message", REFUSED, ids=label)
def test_refusals_say_what_was_met_and_what_wanted(op, inputs, message):
    with pytest.raises(ShapeError) as refusal:
        op.infer(inputs)
    assert str(refusal.value) == message


# Random windows.


def pairs(least, most):
    one = st.integers(least, most)
    return one | st.tuples(one, one)


paddings = (
    st.sampled_from(["half", "same", "valid"]) | pairs(0, 4) | st.tuples(*[st.integers(0, 4)] * 4)
)
images = st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12))
convs = st.builds(
    Conv,
    channels=st.integers(1, 4),
    kernel=pairs(1, 5),
    stride=pairs(1, 3),
    padding=paddings,
    dilation=pairs(1, 2),
    groups=st.integers(1, 3),
    weight_standardization=st.booleans(),
)
pools = st.sampled_from([MaxPool, AvgPool]).flatmap(
    lambda pool: st.builds(
        pool, kernel=pairs(1, 5), stride=pairs(1, 3), padding=paddings, ceil=st.booleans()
    )
)
randomly = settings(max_examples=150, deadline=None)


@randomly
@given(op=convs, image=images)
def test_random_convolutions_are_those_of_the_plain_loops(op, image, np, plain):
    try:
        inferred = op.infer((image,))
    except ShapeError:
        with pytest.raises(ValueError):
            plain.run(op, *arrays(np, op, (image,)))
        return
    outputs, multiplications = plain.run(op, *arrays(np, op, (image,)))
    assert inferred == shapes_of(outputs)
    assert op.macs((image,), inferred) == multiplications


@randomly
@given(op=pools, image=images)
def test_random_pools_are_those_of_the_plain_loops(op, image, np, plain):
    try:
        inferred = op.infer((image,))
    except ShapeError as refusal:
        if "padding alone" not in str(refusal):
            with pytest.raises(ValueError):
                plain.run(op, *arrays(np, op, (image,)))
            return
        sides = [
            plain.margins(op.padding, op.kernel[axis], op.stride[axis], 1, image[1 + axis], axis)
            for axis in (0, 1)
        ]
        assert any(max(sides[axis]) >= op.kernel[axis] for axis in (0, 1))
        return
    assert inferred == shapes_of(plain.run(op, *arrays(np, op, (image,)))[0])


@randomly
@given(op=convs | pools, image=images)
def test_random_windows_are_onnx_own(op, image, onnx_ops):
    try:
        inferred = op.infer((image,))
    except ShapeError:
        return  # the plain loops judge refusals
    weights = {weight.name: weight.shape for weight in op.weights((image,))}
    assert inferred == onnx_ops.infer(onnx_ops.model(op, (image,), weights))
