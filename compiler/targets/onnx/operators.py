"""How each op is spelt in ONNX: one function per op, of operators that are allowed (see allowed.py)
and mean the same in every opset written."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.errors import SpecError
from archspec.ops import Op, activation, conv, linear, merge, norm, pool, regularize, reshape
from archspec.shapes import Sides


@singledispatch
def spell(op: Op, at: Site) -> None:
    """Add the operators that do what the op does in inference."""
    raise SpecError(f"the target onnx has no {op.name}")


@spell.register
def _(op: conv.Conv, at: Site) -> None:
    assert not op.weight_standardization  # compiler.passes.standardize_filters went before
    biases = [at.weight("bias")] if op.bias else []
    at.result(
        "Conv",
        at.x,
        at.weight("weight"),
        *biases,
        kernel_shape=op.kernel,
        strides=op.stride,
        pads=pads(op.sides(at.shapes)),
        dilations=op.dilation,
        group=op.groups,
    )


@spell.register
def _(op: linear.Dense, at: Site) -> None:
    biases = [at.weight("bias")] if op.bias else []
    at.result("Gemm", at.x, at.weight("weight"), *biases, transB=1)


def pads(sides: Sides) -> list[int]:
    """(top, bottom, left, right) in ONNX's order: all that come before, all that come after."""
    top, bottom, left, right = sides
    return [top, left, bottom, right]


# Normalisation.


@spell.register
def _(op: norm.BatchNorm, at: Site) -> None:
    weights = map(at.weight, ("gamma", "beta", "moving_mean", "moving_variance"))
    at.result("BatchNormalization", at.x, *weights, epsilon=op.epsilon)


@spell.register
def _(op: norm.LayerNorm, at: Site) -> None:
    normal = normalize(at, at.x, axis=1, epsilon=op.epsilon)
    at.result("Add", at.step("Mul", normal, at.per_channel("gamma")), at.per_channel("beta"))


@spell.register
def _(op: norm.GroupNorm, at: Site) -> None:
    grouped = at.step("Reshape", at.x, at.net.integers((0, op.groups, -1)))
    normal = normalize(at, grouped, axis=2, epsilon=op.epsilon)
    apart = at.step("Reshape", normal, at.net.integers((0, *at.shapes[0])))
    at.result("Add", at.step("Mul", apart, at.per_channel("gamma")), at.per_channel("beta"))


def normalize(at: Site, x: str, axis: int, epsilon: float) -> str:
    """x less its mean over an axis, over its deviation: LayerNormalization needs opset 17."""
    centred = at.step("Sub", x, at.step("ReduceMean", x, axes=[axis], keepdims=1))
    squares = at.step("Mul", centred, centred)
    variance = at.step("ReduceMean", squares, axes=[axis], keepdims=1)
    deviation = at.step("Sqrt", at.step("Add", variance, at.net.floats(epsilon)))
    return at.step("Div", centred, deviation)


# Activations.


@spell.register
def _(op: activation.Act, at: Site) -> None:
    x, number = at.x, at.net.floats
    match op.function:
        case "relu":
            at.result("Relu", x)
        case "relu6":
            at.result("Clip", x, number(0), number(6))
        case "leaky_relu":
            at.result("LeakyRelu", x, alpha=op.slope)
        case "prelu":
            at.result("PRelu", x, at.per_channel("slope"))
        case "elu":
            at.result("Elu", x, alpha=op.slope)
        case "gelu":
            half = at.step("Mul", x, number(0.5))
            phi = at.step("Tanh", tanh_argument(at)) if op.approximate else error_function(at)
            at.result("Mul", half, at.step("Add", phi, number(1)))
        case "silu":
            at.result("Mul", x, at.step("Sigmoid", x))
        case "hswish":
            at.result("Mul", x, at.step("HardSigmoid", x, alpha=1 / 6, beta=0.5))
        case "hsigmoid":
            # beta unsaid is 0.5; said, OpenCV takes this with any Mul that reads it for a hswish
            # of x, whatever else is multiplied (a gate of squeeze-and-excite, say).
            at.result("HardSigmoid", x, alpha=1 / 6)
        case "sigmoid":
            at.result("Sigmoid", x)
        case "tanh":
            at.result("Tanh", x)
        case "mish":
            at.result("Mul", x, at.step("Tanh", at.step("Softplus", x)))
        case unknown:
            raise SpecError(f"the target onnx has no activation {unknown}")


def error_function(at: Site) -> str:
    return at.step("Erf", at.step("Mul", at.x, at.net.floats(2**-0.5)))


def tanh_argument(at: Site) -> str:
    """sqrt(2 / pi) (x + 0.044715 x^3), as x (c + d x^2)."""
    root = (2 / np.pi) ** 0.5
    square = at.step("Mul", at.x, at.x)
    scaled = at.step("Mul", square, at.net.floats(0.044715 * root))
    return at.step("Mul", at.x, at.step("Add", scaled, at.net.floats(root)))


@spell.register
def _(op: activation.Softmax, at: Site) -> None:
    if len(at.shapes[0]) == 1:
        at.result("Softmax", at.x, axis=1)
        return
    # Before opset 13 softmax takes all axes from its own on as one, so channels go last.
    last = at.step("Transpose", at.x, perm=[0, 2, 3, 1])
    at.result("Transpose", at.step("Softmax", last, axis=3), perm=[0, 3, 1, 2])


# Pooling. A window that reaches past the end (ceil) is padding that nothing counts.

ZERO_BEFORE_A_POOL = -0.0
"""The value of a border of zeros that a pool reads. onnxruntime takes a border of +0 for the pool's
own padding (its PadFusion asks whether all bytes are 0), which it is not: there a maximum never
meets it, and one as wide as the kernel is refused. It also looks through what it removes."""


@spell.register
def _(op: pool.MaxPool, at: Site) -> None:
    at.result("MaxPool", at.x, kernel_shape=op.kernel, strides=op.stride, pads=reach(op, at))


@spell.register
def _(op: pool.AvgPool, at: Site) -> None:
    x, sides, padding = at.x, op.sides(at.shapes), reach(op, at)
    counted = op.count_padding and any(sides)
    beyond = [max(padding[2] - sides[1], 0), max(padding[3] - sides[3], 0)]
    if counted and any(beyond):
        # Zeros that count are put there first, for ONNX would count those beyond them alike.
        x = at.step("Pad", x, *pad_inputs(at, sides, ZERO_BEFORE_A_POOL), mode="constant")
        padding, counted = [0, 0, *beyond], False
    at.result(
        "AveragePool",
        x,
        kernel_shape=op.kernel,
        strides=op.stride,
        pads=padding,
        count_include_pad=int(counted),
    )


def reach(op: pool.MaxPool | pool.AvgPool, at: Site) -> list[int]:
    """Padding in ONNX's order that reaches as far as the last window does, so that rounding down
    gives as many windows."""
    sides, (_, *extent) = op.sides(at.shapes), at.shapes[0]
    (_, *outputs) = at.node.layer.output_shapes[0]
    after = [
        max((outputs[axis] - 1) * op.stride[axis] + op.kernel[axis] - extent[axis] - before, 0)
        for axis, before in enumerate((sides[0], sides[2]))
    ]
    return [sides[0], sides[2], *after]


@spell.register
def _(op: pool.GlobalAvgPool, at: Site) -> None:
    at.result("GlobalAveragePool", at.x)


@spell.register
def _(op: pool.GlobalMaxPool, at: Site) -> None:
    _, height, width = at.shapes[0]
    at.result("MaxPool", at.x, kernel_shape=[height, width], strides=[1, 1], pads=[0] * 4)


# What training needs.


@spell.register(regularize.Dropout)
@spell.register(regularize.DropPath)
@spell.register(reshape.Identity)
def _(op: Op, at: Site) -> None:
    at.result("Identity", at.x)


@spell.register
def _(op: regularize.LayerScale, at: Site) -> None:
    at.result("Mul", at.x, at.per_channel("gamma"))


# Merges.


@spell.register
def _(op: merge.Add, at: Site) -> None:
    at.chain("Add", at.inputs)


@spell.register
def _(op: merge.Mul, at: Site) -> None:
    at.chain("Mul", at.inputs)


@spell.register
def _(op: merge.Concat, at: Site) -> None:
    at.result("Concat", *at.inputs, axis=1)


# Moving values.


@spell.register
def _(op: reshape.Flatten, at: Site) -> None:
    at.result("Flatten", at.x, axis=1)


@spell.register
def _(op: reshape.Split, at: Site) -> None:
    sizes = [shape[0] for shape in at.node.layer.output_shapes]
    if at.net.opset < 13:
        at.result("Split", at.x, axis=1, split=sizes)
    else:
        at.result("Split", at.x, at.net.integers(sizes), axis=1)


@spell.register
def _(op: reshape.Slice, at: Site) -> None:
    channels = at.node.layer.output_shapes[0][0]
    bounds = ((op.start,), (op.start + channels,), (1,))  # starts, ends, axes
    at.result("Slice", at.x, *(at.net.integers(bound, np.int32) for bound in bounds))


@spell.register
def _(op: reshape.ChannelShuffle, at: Site) -> None:
    channels, *extent = at.shapes[0]
    apart = (0, op.groups, channels // op.groups, *extent)
    swapped = at.step(
        "Transpose", at.step("Reshape", at.x, at.net.integers(apart)), perm=[0, 2, 1, 3, 4]
    )
    at.result("Reshape", swapped, at.net.integers((0, channels, *extent)))


@spell.register
def _(op: reshape.Upsample, at: Site) -> None:
    if op.mode == "bilinear":
        interpolate(op, at)
        return
    # Of a whole factor, asymmetric rounded down is the half-pixel rule's nearest.
    at.result(
        "Resize",
        at.x,
        at.net.no_floats(),
        at.net.floats(1, 1, *op.scale),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def interpolate(op: reshape.Upsample, at: Site) -> None:
    """Bilinear resizing as two products with constant matrices: the half-pixel Resize is not on
    the list, and linear it is."""
    _, height, width = at.shapes[0]
    rows = at.net.matrix(f"{at.node.name}/rows", interpolation(height, op.scale[0]))
    columns = at.net.matrix(f"{at.node.name}/columns", interpolation(width, op.scale[1]).T)
    at.result("MatMul", rows, at.step("MatMul", at.x, columns))


def interpolation(extent: int, scale: int) -> np.ndarray:
    """(scale extent, extent): what each new pixel is of the old ones, borders repeated."""
    centres = (np.arange(extent * scale) + 0.5) / scale - 0.5
    below = np.floor(centres).astype(int)
    shares = np.zeros((extent * scale, extent))
    places = np.arange(extent * scale)
    np.add.at(shares, (places, below.clip(0)), 1 - (centres - below))
    np.add.at(shares, (places, (below + 1).clip(max=extent - 1)), centres - below)
    return shares


@spell.register
def _(op: reshape.Pad, at: Site) -> None:
    is_for_convs = all(isinstance(reader, conv.Conv) for reader in at.readers())
    value = op.value if op.value != 0 or is_for_convs else ZERO_BEFORE_A_POOL
    at.result("Pad", at.x, *pad_inputs(at, op.padding, value), mode="constant")


def pad_inputs(at: Site, sides: Sides, value: float) -> tuple[str, str]:
    top, left, bottom, right = pads(sides)
    amounts = at.net.integers((0, 0, top, left, 0, 0, bottom, right))
    return amounts, at.net.floats(value)
