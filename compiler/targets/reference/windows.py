"""Products with weights, and pools, one tap of the kernel at a time: all that tap (i, j) reads is
one strided slice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward, per_channel
from archspec.ops import conv, linear, pool


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
def _(op: conv.ConvTranspose, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    batch, channels, height, width = x.shape
    down, right = op.stride
    full = np.zeros(
        (
            batch,
            op.channels,
            (height - 1) * down + op.dilation[0] * (op.kernel[0] - 1) + 1 + op.output_padding[0],
            (width - 1) * right + op.dilation[1] * (op.kernel[1] - 1) + 1 + op.output_padding[1],
        ),
        x.dtype,
    )
    grouped = x.reshape(batch, op.groups, channels // op.groups, -1)
    kernels = weights["weight"].reshape(op.groups, channels // op.groups, -1, *op.kernel)
    for i, j in np.ndindex(*op.kernel):
        kernel = np.ascontiguousarray(kernels[..., i, j].swapaxes(1, 2))
        part = (kernel @ grouped).reshape(batch, op.channels, height, width)
        top, left = i * op.dilation[0], j * op.dilation[1]
        rows = slice(top, top + (height - 1) * down + 1, down)
        columns = slice(left, left + (width - 1) * right + 1, right)
        full[:, :, rows, columns] += part
    top, bottom, left, after = op.padding
    output = full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - after]
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


def borders(extent: int, count: int) -> list[tuple[int, int]]:
    """Where each of as many windows along an axis starts and ends."""
    return [(i * extent // count, math.ceil((i + 1) * extent / count)) for i in range(count)]


@forward.register
def _(op: pool.AdaptiveAvgPool, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce_windows(inputs[0], op.size, np.mean)]


@forward.register
def _(op: pool.AdaptiveMaxPool, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce_windows(inputs[0], op.size, np.max)]


def reduce_windows(x: Array, size: tuple[int, int], reduce: Any) -> Array:
    """As many windows along each axis, which may overlap."""
    for axis, count in zip((2, 3), size, strict=True):
        lines = np.moveaxis(x, axis, 0)
        parts = [reduce(lines[start:end], axis=0) for start, end in borders(len(lines), count)]
        x = np.stack(parts, axis)
    return x


@forward.register
def _(op: pool.Reduce, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    axes = {"space": (2, 3), "height": 2, "width": 3, "channels": 1}[op.over]
    if op.function == "norm2":
        return [np.sqrt((x * x).sum(axes, keepdims=True))]
    return [getattr(np, op.function)(x, axes, keepdims=True)]
