"""Inference of every op in plain loops: slow, for small sizes, meant to be obviously right.

It owes nothing to archspec.shapes: windows are walked one by one and output shapes are whatever
comes out. Arrays are per sample, (channels, height, width) or (features,), in float64.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import singledispatch

import numpy as np

from archspec.ops import (
    activation,
    attention,
    axes,
    conv,
    learnt,
    linear,
    merge,
    norm,
    pool,
    rearrange,
    regularize,
    reshape,
    resize,
)
from archspec.ops.base import Op

Array = np.ndarray
Inputs = Sequence[Array]
Outputs = list[Array]


class Bench:
    """What an op has apart from its inputs: its weights, and a counter of multiplications."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.unused = dict(weights)
        self.multiplications = 0

    def take(self, name: str, *shape: int) -> Array:
        """A weight of the shape that the arithmetic needs, whatever `Op.weights` says."""
        weight = self.unused.pop(name)
        assert weight.shape == shape, f"{name} is {weight.shape}, the op needs {shape}"
        return weight

    def multiply(self, one: float, other: float) -> float:
        self.multiplications += 1
        return one * other


def run(op: Op, inputs: Inputs, weights: Mapping[str, Array]) -> tuple[Outputs, int]:
    """The outputs, and the multiplications of what has MACs; ValueError where impossible."""
    bench = Bench(weights)
    outputs = forward(op, inputs, bench)
    assert not bench.unused, f"{op.name} has no use for {sorted(bench.unused)}"
    return outputs, bench.multiplications


@singledispatch
def forward(op: Op, inputs: Inputs, bench: Bench) -> Outputs:
    raise NotImplementedError(f"no numpy reference for {op}")


# Windows.


def margins(
    padding: str | tuple[int, ...], kernel: int, stride: int, dilation: int, extent: int, axis: int
) -> tuple[int, int]:
    """Zeros before and after one axis."""
    span = 1 + dilation * (kernel - 1)
    if padding == "valid":
        return 0, 0
    if padding == "half":
        return span // 2, span // 2
    if padding == "same":  # in the words of TensorFlow's documentation
        total = max(span - (extent % stride or stride), 0)
        return total // 2, total - total // 2
    return padding[2 * axis], padding[2 * axis + 1]


def walk(
    extent: int,
    kernel: int,
    stride: int,
    dilation: int,
    before: int,
    after: int,
    ceil: bool = False,
) -> list[range]:
    """The positions under each window; those outside 0..extent - 1 are padding."""
    span = 1 + dilation * (kernel - 1)
    end = extent + after
    windows = []
    start = -before
    while start + span <= end:
        windows.append(range(start, start + span, dilation))
        start += stride
    if not windows:
        raise ValueError("no window fits")
    if ceil and windows[-1][-1] < end - 1 and start < extent:
        windows.append(range(start, start + span, dilation))
    return windows


def axis_windows(
    op: conv.Conv | pool.MaxPool | pool.AvgPool, image: Array, axis: int
) -> tuple[list[range], int]:
    """The windows along an axis (0 is height), and where the padding after it ends."""
    extent = image.shape[1 + axis]
    kernel, stride = op.kernel[axis], op.stride[axis]
    dilation = getattr(op, "dilation", (1, 1))[axis]
    before, after = margins(op.padding, kernel, stride, dilation, extent, axis)
    ceil = getattr(op, "ceil", False)
    return walk(extent, kernel, stride, dilation, before, after, ceil), extent + after


@forward.register
def _(op: conv.Conv, inputs: Inputs, bench: Bench) -> Outputs:
    (image,) = inputs
    channels, height, width = image.shape
    if channels % op.groups or op.channels % op.groups:
        raise ValueError("groups do not divide the channels")
    group_inputs, group_outputs = channels // op.groups, op.channels // op.groups
    weight = bench.take("weight", op.channels, group_inputs, *op.kernel)
    bias = bench.take("bias", op.channels) if op.bias else np.zeros(op.channels)
    if op.weight_standardization:
        weight = np.stack([standardize(one) for one in weight])
    rows, _ = axis_windows(op, image, 0)
    columns, _ = axis_windows(op, image, 1)
    pixels, filters = image.tolist(), weight.tolist()
    output = np.zeros((op.channels, len(rows), len(columns)))
    for channel, i, j in np.ndindex(output.shape):
        first = channel // group_outputs * group_inputs
        total = bias[channel]
        for c in range(group_inputs):
            for a, y in enumerate(rows[i]):
                for b, x in enumerate(columns[j]):
                    inside = 0 <= y < height and 0 <= x < width
                    pixel = pixels[first + c][y][x] if inside else 0.0
                    total += bench.multiply(pixel, filters[channel][c][a][b])
        output[channel, i, j] = total
    return [output]


@forward.register
def _(op: conv.ConvTranspose, inputs: Inputs, bench: Bench) -> Outputs:
    (image,) = inputs
    channels = len(image)
    if channels % op.groups or op.channels % op.groups:
        raise ValueError("groups do not divide the channels")
    group_inputs, group_outputs = channels // op.groups, op.channels // op.groups
    weight = bench.take("weight", channels, group_outputs, *op.kernel).tolist()
    bias = bench.take("bias", op.channels) if op.bias else np.zeros(op.channels)
    sums: dict[tuple[int, int, int], float] = {}
    for c, y, x in np.ndindex(image.shape):
        first = c // group_inputs * group_outputs
        for o, a, b in np.ndindex(group_outputs, *op.kernel):
            row, column = (
                y * op.stride[0] + a * op.dilation[0],
                x * op.stride[1] + b * op.dilation[1],
            )
            product = bench.multiply(image[c, y, x], weight[c][o][a][b])
            place = (first + o, row, column)
            sums[place] = sums.get(place, 0.0) + product
    top, bottom, left, right = op.padding
    bottom, right = bottom - op.output_padding[0], right - op.output_padding[1]
    rows = range(top, max(y for _, y, _ in sums) + 1 - bottom)
    columns = range(left, max(x for _, _, x in sums) + 1 - right)
    if not rows or not columns:
        raise ValueError("nothing is left")
    return [
        np.array(
            [
                [[sums.get((o, y, x), 0.0) + bias[o] for x in columns] for y in rows]
                for o in range(op.channels)
            ]
        )
    ]


def standardize(kernel: Array) -> Array:
    if kernel.size < 2:
        raise ValueError("one weight has no deviation")
    deviation = math.sqrt(sum((w - kernel.mean()) ** 2 for w in kernel.flat) / (kernel.size - 1))
    return (kernel - kernel.mean()) / (deviation + 5e-4)


@forward.register
def _(op: linear.Dense, inputs: Inputs, bench: Bench) -> Outputs:
    (vector,) = inputs
    (features,) = vector.shape
    weight = bench.take("weight", op.channels, features)
    bias = bench.take("bias", op.channels) if op.bias else np.zeros(op.channels)
    output = bias.copy()
    for o in range(op.channels):
        for i in range(features):
            output[o] += bench.multiply(vector[i], weight[o, i])
    return [output]


def pool_windows(
    op: pool.MaxPool | pool.AvgPool, image: Array, reduce: Callable[[list[float], int], float]
) -> list[Array]:
    """`reduce` gets the window's values and how many padded zeros it also covers.

    A ceil window's reach beyond the padding is neither.
    """
    _, height, width = image.shape
    rows, bottom = axis_windows(op, image, 0)
    columns, right = axis_windows(op, image, 1)
    output = np.zeros((image.shape[0], len(rows), len(columns)))
    for channel, i, j in np.ndindex(output.shape):
        places = [(y, x) for y in rows[i] for x in columns[j] if y < bottom and x < right]
        inside = [(y, x) for y, x in places if 0 <= y < height and 0 <= x < width]
        if not inside:
            raise ValueError("a window over padding alone")
        values = [image[channel, y, x] for y, x in inside]
        output[channel, i, j] = reduce(values, len(places) - len(inside))
    return [output]


@forward.register
def _(op: pool.MaxPool, inputs: Inputs, bench: Bench) -> Outputs:
    return pool_windows(op, inputs[0], lambda values, zeros: max(values))


@forward.register
def _(op: pool.AvgPool, inputs: Inputs, bench: Bench) -> Outputs:
    counted = int(op.count_padding)
    return pool_windows(
        op, inputs[0], lambda values, zeros: sum(values) / (len(values) + counted * zeros)
    )


@forward.register
def _(op: pool.GlobalAvgPool, inputs: Inputs, bench: Bench) -> Outputs:
    return [np.array([[[channel.mean()]] for channel in inputs[0]])]


@forward.register
def _(op: pool.GlobalMaxPool, inputs: Inputs, bench: Bench) -> Outputs:
    return [np.array([[[channel.max()]] for channel in inputs[0]])]


@forward.register(pool.AdaptiveAvgPool)
@forward.register(pool.AdaptiveMaxPool)
def _(op: Op, inputs: Inputs, bench: Bench) -> Outputs:
    """A pixel is in a window where it reaches into that part of the axis at all."""
    (image,) = inputs
    _, height, width = image.shape

    def members(place: int, count: int, extent: int) -> list[int]:
        return [
            y for y in range(extent)
            if (y + 1) * count > place * extent and y * count < (place + 1) * extent
        ]  # fmt: skip

    output = np.zeros((len(image), *op.size))
    for channel, i, j in np.ndindex(output.shape):
        rows, columns = members(i, op.size[0], height), members(j, op.size[1], width)
        values = [image[channel, y, x] for y in rows for x in columns]
        is_mean = isinstance(op, pool.AdaptiveAvgPool)
        output[channel, i, j] = sum(values) / len(values) if is_mean else max(values)
    return [output]


@forward.register
def _(op: pool.Reduce, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    gone = {"space": {1, 2}, "height": {1}, "width": {2}, "channels": {0}}[op.over]
    groups: dict[tuple[int, ...], list[float]] = {}
    for place in np.ndindex(x.shape):
        kept = tuple(0 if axis in gone else i for axis, i in enumerate(place))
        groups.setdefault(kept, []).append(float(x[place]))
    output = np.zeros([1 if axis in gone else n for axis, n in enumerate(x.shape)])
    for place, values in groups.items():
        output[place] = {
            "mean": sum(values) / len(values), "sum": sum(values), "max": max(values),
            "norm2": math.hypot(*values),
        }[op.function]  # fmt: skip
    return [output]


# Normalisation and other work on whole channels.


def per_channel(weight: Array, like: Array) -> Array:
    return weight.reshape(-1, *[1] * (like.ndim - 1))


def scale(op: Op, normal: Array, bench: Bench) -> list[Array]:
    gamma = bench.take("gamma", normal.shape[0])
    beta = bench.take("beta", normal.shape[0])
    return [normal * per_channel(gamma, normal) + per_channel(beta, normal)]


@forward.register
def _(op: norm.BatchNorm, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    mean = per_channel(bench.take("moving_mean", x.shape[0]), x)
    variance = per_channel(bench.take("moving_variance", x.shape[0]), x)
    return scale(op, (x - mean) / np.sqrt(variance + op.epsilon), bench)


@forward.register
def _(op: norm.LayerNorm, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    normal = np.zeros_like(x)
    for position in np.ndindex(x.shape[1:]):
        values = x[(slice(None), *position)]
        deviation = np.sqrt(values.var() + op.epsilon)
        normal[(slice(None), *position)] = (values - values.mean()) / deviation
    return scale(op, normal, bench)


@forward.register
def _(op: norm.GroupNorm, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    groups = np.split(x, op.groups)
    normal = [(one - one.mean()) / np.sqrt(one.var() + op.epsilon) for one in groups]
    return scale(op, np.concatenate(normal), bench)


@forward.register
def _(op: norm.InstanceNorm, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    normal = [(one - one.mean()) / np.sqrt(one.var() + op.epsilon) for one in x]
    return scale(op, np.array(normal), bench)


@forward.register
def _(op: norm.RmsNorm, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    gamma = bench.take("gamma", len(x))
    result = np.zeros_like(x)
    for place in np.ndindex(x.shape[1:]):
        values = [x[(channel, *place)] for channel in range(len(x))]
        root = math.sqrt(sum(value**2 for value in values) / len(values) + op.epsilon)
        for channel, value in enumerate(values):
            result[(channel, *place)] = value / root * gamma[channel]
    return [result]


@forward.register
def _(op: norm.LocalResponseNorm, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    result = np.zeros_like(x)
    for channel, i, j in np.ndindex(x.shape):
        first = channel - op.size // 2
        near = [c for c in range(first, first + op.size) if 0 <= c < len(x)]
        total = sum(x[c, i, j] ** 2 for c in near)
        result[channel, i, j] = x[channel, i, j] / (op.k + op.alpha / op.size * total) ** op.beta
    return [result]


@forward.register
def _(op: regularize.LayerScale, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    return [x * per_channel(bench.take("gamma", x.shape[0]), x)]


@forward.register
def _(op: activation.Softmax, inputs: Inputs, bench: Bench) -> Outputs:
    powers = np.exp(inputs[0])
    axis = {"channels": 0, "height": 1, "width": 2, "space": (1, 2)}[op.axis]
    return [powers / powers.sum(axis=axis, keepdims=True)]


# Activations, one value at a time.


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def gelu(x: float, alpha: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def gelu_tanh(x: float, alpha: float) -> float:
    return x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


FUNCTIONS: dict[str, Callable[[float, float], float]] = {
    "relu": lambda x, alpha: max(x, 0.0),
    "relu6": lambda x, alpha: min(max(x, 0.0), 6.0),
    "leaky_relu": lambda x, alpha: x if x > 0 else alpha * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * (math.exp(x) - 1),
    "gelu": gelu,
    "silu": lambda x, alpha: x * sigmoid(x),
    "hswish": lambda x, alpha: x * min(max(x + 3, 0.0), 6.0) / 6,
    "hsigmoid": lambda x, alpha: min(max(x + 3, 0.0), 6.0) / 6,
    "sigmoid": lambda x, alpha: sigmoid(x),
    "tanh": lambda x, alpha: math.tanh(x),
    "mish": lambda x, alpha: x * math.tanh(math.log(1 + math.exp(x))),
    "softplus": lambda x, alpha: math.log(1 + math.exp(x)),
    "square": lambda x, alpha: x**2,
    "abs": lambda x, alpha: max(x, -x),
    "neg": lambda x, alpha: 0 - x,
    "exp": lambda x, alpha: math.exp(x),
    "sqrt": lambda x, alpha: x**0.5,
    "reciprocal": lambda x, alpha: x**-1,
}
DOMAIN = {"exp": (-80, 80), "sqrt": (0.1, math.inf), "reciprocal": (0.1, math.inf)}
"""Where the value and the slope of a function are numbers that float32 holds."""
ALPHA = {"leaky_relu": 0.01, "elu": 1.0}


def in_domain(op: Op, x: np.ndarray) -> np.ndarray:
    """Draws, folded up from below the domain of an activation function and cut off above it."""
    if not isinstance(op, activation.Act) or op.function not in DOMAIN:
        return x
    least, most = DOMAIN[op.function]
    return np.minimum(least + np.abs(x - least), most)


@forward.register
def _(op: activation.Act, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    if op.function == "prelu":
        return [np.where(x > 0, x, x * per_channel(bench.take("slope", x.shape[0]), x))]
    alpha = ALPHA.get(op.function, math.nan) if op.alpha is None else op.alpha
    function = gelu_tanh if op.approximate else FUNCTIONS[op.function]
    return [np.array([function(value, alpha) for value in x.flat]).reshape(x.shape)]


@forward.register
def _(op: activation.Scale, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    return [np.array([op.factor * value + op.offset for value in x.flat]).reshape(x.shape)]


# Merges, and ops that only move values.


@forward.register
def _(op: learnt.Param, inputs: Inputs, bench: Bench) -> Outputs:
    return [bench.take("value", *op.shape)]


@forward.register
def _(op: merge.Add, inputs: Inputs, bench: Bench) -> Outputs:
    return [sum(inputs[1:], start=inputs[0])]


@forward.register
def _(op: merge.Mul, inputs: Inputs, bench: Bench) -> Outputs:
    return [math.prod(inputs, start=np.float64(1))]


@forward.register(merge.Sub)
@forward.register(merge.Div)
@forward.register(merge.Max)
@forward.register(merge.Min)
def _(op: Op, inputs: Inputs, bench: Bench) -> Outputs:
    function = {"sub": operator.sub, "div": operator.truediv, "max": max, "min": min}[op.name]
    shape = tuple(map(max, *(x.shape for x in inputs)))
    result = np.empty(shape)
    for place in np.ndindex(shape):
        # an axis of 1 has its one number everywhere
        numbers = [x[tuple(i % n for i, n in zip(place, x.shape, strict=True))] for x in inputs]
        result[place] = function(*numbers)
    return [result]


@forward.register
def _(op: merge.Concat, inputs: Inputs, bench: Bench) -> Outputs:
    place = ["channels", "height", "width"].index(op.axis)
    lines = [line for x in inputs for line in np.moveaxis(x, place, 0)]
    return [np.moveaxis(np.array(lines), 0, place)]


@forward.register(regularize.Dropout)
@forward.register(regularize.DropPath)
@forward.register(reshape.Identity)
def _(op: Op, inputs: Inputs, bench: Bench) -> Outputs:
    return [inputs[0]]


@forward.register
def _(op: reshape.Zero, inputs: Inputs, bench: Bench) -> Outputs:
    return [np.zeros(inputs[0].shape)]


@forward.register
def _(op: axes.Matmul, inputs: Inputs, bench: Bench) -> Outputs:
    one, other = inputs
    channels = max(len(one), len(other))
    output = np.zeros((channels, one.shape[1], other.shape[2]))
    for c, i, j in np.ndindex(output.shape):
        row, column = one[c % len(one), i], other[c % len(other), :, j]
        output[c, i, j] = sum(bench.multiply(x, y) for x, y in zip(row, column, strict=True))
    return [output]


@forward.register
def _(op: attention.Attention, inputs: Inputs, bench: Bench) -> Outputs:
    """Each query by itself: with which keys it meets, and by what way."""
    q, k, v = inputs
    served = op.key_heads or op.heads
    size, gathered = len(q) // op.heads, len(v) // served
    scale = op.scale if op.scale is not None else 1 / math.sqrt(size)
    output = np.zeros((op.heads * gathered, *q.shape[1:]))
    steps = [math.ceil(a / b) for a, b in zip(k.shape[1:], q.shape[1:], strict=True)]
    extent = k.shape[1:]
    if op.partition == "window":
        extent = op.window
    elif op.partition == "grid":
        extent = tuple(a // b for a, b in zip(extent, op.window, strict=True))
    rows = (2 * extent[0] - 1) * (2 * extent[1] - 1)
    table = None
    if op.bias != "none":
        pairs = (rows, op.heads) if op.bias == "offset" else (op.heads, extent[0] * extent[1])
        table = bench.take("bias", *pairs)

    def place(pixel, axis, length):
        """Its window, its place in it, and whether the roll brought it round."""
        moved = (pixel - op.shift[axis]) % length
        if op.partition == "window":
            wrapped = op.shift[axis] > 0 and moved >= length - op.shift[axis]
            return moved // op.window[axis], moved % op.window[axis], wrapped
        if op.partition == "grid":
            return pixel % op.window[axis], pixel // op.window[axis], False
        return 0, pixel, False

    for y, x in np.ndindex(*q.shape[1:]):
        mine = [
            place(p * s, a, n)
            for a, (p, s, n) in enumerate(zip((y, x), steps, k.shape[1:], strict=True))
        ]
        for head in range(op.heads):
            theirs = head * served // op.heads
            scores = {}
            for i, j in np.ndindex(*k.shape[1:]):
                other = [
                    place(p, a, n) for a, (p, n) in enumerate(zip((i, j), k.shape[1:], strict=True))
                ]
                if [one[0] for one in mine] != [one[0] for one in other]:
                    continue
                score = scale * sum(
                    bench.multiply(q[head * size + c, y, x], k[theirs * size + c, i, j])
                    for c in range(size)
                )
                down, right = (one[1] - two[1] for one, two in zip(mine, other, strict=True))
                if op.bias == "offset":
                    row = (down + extent[0] - 1) * (2 * extent[1] - 1) + right + extent[1] - 1
                    score += table[row, head]
                elif op.bias == "distance":
                    score += table[head, abs(down) * extent[1] + abs(right)]
                if any(one[2] != two[2] for one, two in zip(mine, other, strict=True)):
                    score -= 100
                scores[i, j] = score
            powers = {at: math.exp(score - max(scores.values())) for at, score in scores.items()}
            total = sum(powers.values())
            for c in range(gathered):
                output[head * gathered + c, y, x] = sum(
                    bench.multiply(power / total, v[theirs * gathered + c, i, j])
                    for (i, j), power in powers.items()
                )
    return [output]


@forward.register
def _(op: axes.Permute, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    place = [("channels", "height", "width").index(name) for name in op.order]
    output = np.zeros([x.shape[axis] for axis in place])
    for index in np.ndindex(x.shape):
        output[tuple(index[axis] for axis in place)] = x[index]
    return [output]


@forward.register
def _(op: axes.Reshape, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    channels = op.channels or (len(x) if x.ndim == 3 else 0)
    known = [extent for extent in (channels, op.height, op.width) if extent]
    left = x.size // math.prod(known)
    values = iter(x.flat)
    return [
        np.array(
            [
                [[next(values) for _ in range(op.width or left)] for _ in range(op.height or left)]
                for _ in range(channels or left)
            ]
        )
    ]


@forward.register
def _(op: reshape.Flatten, inputs: Inputs, bench: Bench) -> Outputs:
    return [np.array(list(inputs[0].flat))]


@forward.register
def _(op: reshape.Split, inputs: Inputs, bench: Bench) -> Outputs:
    place = ["channels", "height", "width"].index(op.axis)
    lines = np.moveaxis(inputs[0], place, 0)
    each, rest = divmod(len(lines), op.groups)
    assert not rest
    if op.parts:
        assert each % op.parts == 0
    sizes = op.sizes or [each // op.parts] * op.parts
    assert sum(sizes) == each
    picked: list[list[Array]] = [[] for _ in sizes]
    rest_of_lines = iter(lines)
    for _ in range(op.groups):
        for part, size in zip(picked, sizes, strict=True):
            part += [next(rest_of_lines) for _ in range(size)]
    return [np.moveaxis(np.array(part), 0, place) for part in picked]


@forward.register
def _(op: reshape.Slice, inputs: Inputs, bench: Bench) -> Outputs:
    if op.axis == "height":
        return [inputs[0][:, op.start : op.stop]]
    if op.axis == "width":
        return [inputs[0][:, :, op.start : op.stop]]
    return [inputs[0][op.start : op.stop]]


@forward.register
def _(op: reshape.ChannelShuffle, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    size = len(x) // op.groups
    return [np.array([x[group * size + i] for i in range(size) for group in range(op.groups)])]


@forward.register
def _(op: resize.Upsample, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    for axis in (1, 2):
        extent = x.shape[axis]
        size = op.size[axis - 1] if op.size else extent * op.scale[axis - 1]
        lines = [interpolate(x, axis, where(op, i, extent, size), op.mode) for i in range(size)]
        x = np.stack(lines, axis)
    return [x]


def where(op: resize.Upsample, place: int, extent: int, size: int) -> Fraction:
    if op.mode == "nearest":
        return Fraction(math.floor(Fraction(place * extent, size)))
    if op.align_corners:
        return Fraction(place * (extent - 1), size - 1) if size > 1 else Fraction(0)
    return (place + Fraction(1, 2)) * Fraction(extent, size) - Fraction(1, 2)


def interpolate(x: Array, axis: int, at: Fraction, mode: str) -> Array:
    """By Lagrange's line between two pixels, or Keys' kernel of each pixel's distance."""
    extent = x.shape[axis]
    below = math.floor(at)

    def pixel(place: int) -> Array:
        return x.take(min(max(place, 0), extent - 1), axis)

    if mode == "bicubic":
        places = range(below - 1, below + 3)
        return sum(pixel(place) * keys(abs(float(at - place))) for place in places)
    return pixel(below) + (pixel(below + 1) - pixel(below)) * float(at - below)


def keys(distance: float, a: float = -0.75) -> float:
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a


@forward.register
def _(op: reshape.Pad, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    top, bottom, left, right = op.padding
    channels, height, width = x.shape
    output = np.full((channels, top + height + bottom, left + width + right), float(op.value))
    output[:, top : top + height, left : left + width] = x
    return [output]


def place_in_depth(op: Op, channel: int, channels: int, i: int, j: int) -> int:
    """Where a pixel of a block lies among the channels of its position."""
    side = op.factor
    return {
        "channels": channel * side * side + i * side + j,
        "rows": (i * side + j) * channels + channel,
        "columns": (j * side + i) * channels + channel,
    }[op.order]


@forward.register
def _(op: rearrange.SpaceToDepth, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    channels, height, width = x.shape
    side = op.factor
    output = np.zeros((channels * side**2, height // side, width // side))
    for channel, y, z in np.ndindex(x.shape):
        place = place_in_depth(op, channel, channels, y % side, z % side)
        output[place, y // side, z // side] = x[channel, y, z]
    return [output]


@forward.register
def _(op: rearrange.PixelShuffle, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    deep, height, width = x.shape
    side = op.factor
    output = np.zeros((deep // side**2, height * side, width * side))
    for channel, y, z in np.ndindex(output.shape):
        place = place_in_depth(op, channel, len(output), y % side, z % side)
        output[channel, y, z] = x[place, y // side, z // side]
    return [output]


@forward.register
def _(op: rearrange.Roll, inputs: Inputs, bench: Bench) -> Outputs:
    (x,) = inputs
    output = np.zeros_like(x)
    _, height, width = x.shape
    for channel, i, j in np.ndindex(x.shape):
        output[channel, (i + op.shift[0]) % height, (j + op.shift[1]) % width] = x[channel, i, j]
    return [output]
