"""Inference of a graph in plain numpy: what everything else is held against.

It shares nothing with the other targets and asks archspec for no shape or padding, so that whatever
is exported is compared to numbers come by in another way. Arrays are (batch, channels, height,
width) or (batch, features); the precision is that of the image, whatever the weights are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce, singledispatch
from typing import Any

import numpy as np

from archspec.compiler.targets import missing_spelling
from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.ops import Op, activation, conv, linear, merge, norm, pool, regularize, reshape

Array = np.ndarray
Arrays = Mapping[str, Array]


def run(graph: Graph, weights: Arrays, image: Array) -> dict[str, Array]:
    """The outputs by name. Raises SpecError for an op that has no function here."""
    values: dict[tuple[str, int], Array] = {("in", 0): image}
    last_reader = {tensor: name for name, node in graph.nodes.items() for tensor in node.inputs}
    kept = set(graph.outputs.values())
    for name, node in graph.nodes.items():
        if forward.dispatch(type(node.op)) is forward.dispatch(object):
            raise SpecError(missing_spelling("inference in numpy", node))
        own = {w.name: weights[f"{name}.{w.name}"].astype(image.dtype) for w in node.layer.weights}
        results = forward(node.op, [values[tensor] for tensor in node.inputs], own)
        values.update(((name, index), result) for index, result in enumerate(results))
        for tensor in set(node.inputs) - kept:
            if last_reader[tensor] == name:
                del values[tensor]
    return {key: values[tensor] for key, tensor in graph.outputs.items()}


@singledispatch
def forward(op: Op, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    raise NotImplementedError(f"no numpy reference for {op}")


# Windows, one tap of the kernel at a time: all that tap (i, j) reads is one strided slice.


def margins(padding: Any, axis: int, span: int, stride: int, extent: int) -> tuple[int, int]:
    """Padding before and after one axis (0 is height)."""
    if padding == "valid":
        return 0, 0
    if padding == "half":
        return span // 2, span // 2
    if padding == "same":
        total = max((math.ceil(extent / stride) - 1) * stride + span - extent, 0)
        return total // 2, math.ceil(total / 2)
    return padding[2 * axis], padding[2 * axis + 1]


def taps(
    op: conv.Conv | pool.MaxPool | pool.AvgPool, x: Array, fill: float, beyond: float
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """For every tap (i, j) of the kernel, what it reads: (batch, channels, rows out, columns out).

    `fill` is what stands in the padding, `beyond` what a ceil window meets after it.
    """
    dilation = getattr(op, "dilation", (1, 1))
    counts, padding, missing = [], [], []
    for axis, extent in enumerate(x.shape[2:]):
        stride = op.stride[axis]
        span = dilation[axis] * (op.kernel[axis] - 1) + 1
        before, after = margins(op.padding, axis, span, stride, extent)
        steps = (extent + before + after - span) / stride
        count = 1 + math.floor(steps)
        if getattr(op, "ceil", False) and steps % 1 and count * stride - before < extent:
            count += 1  # unless that window would start after the input
        end = (count - 1) * stride + span - extent - before - after
        counts.append(count)
        padding.append((before, after))
        missing.append((0, max(end, 0)))
    x = np.pad(x, [(0, 0), (0, 0), *padding], constant_values=fill)
    x = np.pad(x, [(0, 0), (0, 0), *missing], constant_values=beyond)
    for i, j in np.ndindex(*op.kernel):
        rows, columns = (
            slice(start, start + (count - 1) * stride + 1, stride)
            for start, count, stride in zip(
                (i * dilation[0], j * dilation[1]), counts, op.stride, strict=True
            )
        )
        yield (i, j), x[:, :, rows, columns]


@forward.register
def _(op: conv.Conv, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    weight = weights["weight"]
    if op.weight_standardization:
        weight = weight - weight.mean((1, 2, 3), keepdims=True)
        squares = (weight**2).sum((1, 2, 3), keepdims=True)
        weight = weight / (np.sqrt(squares / (weight[0].size - 1)) + 5e-4)
    kernels = np.ascontiguousarray(weight.transpose(2, 3, 0, 1))  # matmul is slow on strides
    total: Any = 0
    extent: tuple[int, ...] = ()
    for (i, j), part in taps(op, inputs[0], 0, math.nan):
        batch, channels, *_ = part.shape
        extent = part.shape[2:]
        grouped = part.reshape(batch, op.groups, channels // op.groups, -1)
        kernel = kernels[i, j].reshape(op.groups, -1, channels // op.groups)
        # A product of matrices is slow where one side is a single column: depthwise.
        product = kernel * grouped if channels == op.groups else kernel @ grouped
        total = total + product
    output = total.reshape(len(inputs[0]), op.channels, *extent)
    return [output + per_channel(weights["bias"], output)] if op.bias else [output]


@forward.register
def _(op: linear.Dense, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] @ weights["weight"].T + weights.get("bias", 0)]


@forward.register
def _(op: pool.MaxPool, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    greatest: Any = -math.inf
    for _, part in taps(op, inputs[0], -math.inf, -math.inf):
        greatest = np.maximum(greatest, part)
    return [greatest]


@forward.register
def _(op: pool.AvgPool, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    ones = np.ones_like(inputs[0][:1, :1])
    total: Any = sum(part for _, part in taps(op, inputs[0], 0, 0))
    count: Any = sum(part for _, part in taps(op, ones, float(op.count_padding), 0))
    return [total / count]


@forward.register
def _(op: pool.GlobalAvgPool, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0].mean((2, 3), keepdims=True)]


@forward.register
def _(op: pool.GlobalMaxPool, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0].max((2, 3), keepdims=True)]


# Normalisation and activations.


def per_channel(weight: Array, like: Array) -> Array:
    return weight.reshape(-1, *[1] * (like.ndim - 2))


def scale(normal: Array, weights: Arrays) -> list[Array]:
    gamma, beta = (per_channel(weights[name], normal) for name in ("gamma", "beta"))
    return [normal * gamma + beta]


@forward.register
def _(op: norm.BatchNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    mean, variance = (per_channel(weights[f"moving_{name}"], x) for name in ("mean", "variance"))
    return scale((x - mean) / np.sqrt(variance + op.epsilon), weights)


@forward.register
def _(op: norm.LayerNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    return scale((x - mean) / np.sqrt(variance + op.epsilon), weights)


@forward.register
def _(op: norm.GroupNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    grouped = inputs[0].reshape(len(inputs[0]), op.groups, -1)
    mean, variance = grouped.mean(2, keepdims=True), grouped.var(2, keepdims=True)
    normal = (grouped - mean) / np.sqrt(variance + op.epsilon)
    return scale(normal.reshape(inputs[0].shape), weights)


@forward.register
def _(op: regularize.LayerScale, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] * per_channel(weights["gamma"], inputs[0])]


@forward.register
def _(op: activation.Softmax, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    powers = np.exp(inputs[0] - inputs[0].max(1, keepdims=True))
    return [powers / powers.sum(1, keepdims=True)]


def sigmoid(x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(x / 2)


def hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


def gelu(x: Array, alpha: float) -> Array:
    error_function = np.frompyfunc(math.erf, 1, 1)
    return x * (0.5 + 0.5 * error_function(x / math.sqrt(2)).astype(x.dtype))


def gelu_tanh(x: Array) -> Array:
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


FUNCTIONS = {
    "relu": lambda x, alpha: np.maximum(x, 0),
    "relu6": lambda x, alpha: np.clip(x, 0, 6),
    "leaky_relu": lambda x, alpha: np.where(x > 0, x, (0.01 if alpha is None else alpha) * x),
    "elu": lambda x, alpha: np.where(
        x > 0, x, (1 if alpha is None else alpha) * np.expm1(np.minimum(x, 0))
    ),
    "gelu": gelu,
    "silu": lambda x, alpha: x * sigmoid(x),
    "hswish": lambda x, alpha: x * hard_sigmoid(x),
    "hsigmoid": lambda x, alpha: hard_sigmoid(x),
    "sigmoid": lambda x, alpha: sigmoid(x),
    "tanh": lambda x, alpha: np.tanh(x),
    "mish": lambda x, alpha: x * np.tanh(np.logaddexp(0, x)),
}


@forward.register
def _(op: activation.Act, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    if op.function == "prelu":
        return [np.where(x > 0, x, x * per_channel(weights["slope"], x))]
    if op.approximate:
        return [gelu_tanh(x)]
    return [FUNCTIONS[op.function](x, op.alpha)]


# Merges, and ops that only move values.


@forward.register
def _(op: merge.Add, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce(np.add, inputs)]


@forward.register
def _(op: merge.Mul, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce(np.multiply, inputs)]


@forward.register
def _(op: merge.Concat, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [np.concatenate(inputs, axis=1)]


@forward.register(regularize.Dropout)
@forward.register(regularize.DropPath)
@forward.register(reshape.Identity)
def _(op: Op, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0]]


@forward.register
def _(op: reshape.Flatten, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0].reshape(len(inputs[0]), -1)]


@forward.register
def _(op: reshape.Split, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return np.split(inputs[0], op.parts, axis=1)


@forward.register
def _(op: reshape.Slice, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0][:, op.start : op.stop]]


@forward.register
def _(op: reshape.ChannelShuffle, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    groups = np.split(x, op.groups, axis=1)
    return [np.stack(groups, axis=2).reshape(x.shape)]


@forward.register
def _(op: reshape.Upsample, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    for axis, scale in zip((2, 3), op.scale, strict=True):
        x = x.repeat(scale, axis) if op.mode == "nearest" else stretch(x, scale, axis)
    return [x]


def stretch(x: Array, scale: int, axis: int) -> Array:
    """Linear interpolation between pixels' centres, the outermost repeated."""
    centres = (np.arange(x.shape[axis] * scale) + 0.5) / scale - 0.5

    def line(values: Array) -> Array:
        return np.interp(centres, np.arange(len(values)), values)

    return np.apply_along_axis(line, axis, x).astype(x.dtype)


@forward.register
def _(op: reshape.Pad, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    top, bottom, left, right = op.padding
    amounts = [(0, 0), (0, 0), (top, bottom), (left, right)]
    return [np.pad(inputs[0], amounts, constant_values=op.value)]
