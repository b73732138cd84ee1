"""Products with weights, and pools. A window that reaches past the end (ceil) is padding that
nothing counts."""

from __future__ import annotations

import math

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.borders import ZERO_BEFORE_A_POOL, pad_inputs, pads
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops import conv, linear, pool
from archspec.shapes import Pair


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
def _(op: conv.ConvTranspose, at: Site) -> None:
    biases = [at.weight("bias")] if op.bias else []
    at.result(
        "ConvTranspose",
        at.x,
        at.weight("weight"),
        *biases,
        kernel_shape=op.kernel,
        strides=op.stride,
        pads=pads(op.padding),
        output_padding=op.output_padding,
        dilations=op.dilation,
        group=op.groups,
    )


@spell.register
def _(op: linear.Dense, at: Site) -> None:
    biases = [at.weight("bias")] if op.bias else []
    at.result("Gemm", at.x, at.weight("weight"), *biases, transB=1)


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


def borders(extent: int, count: int) -> list[tuple[int, int]]:
    """Where each of as many windows along an axis starts and ends."""
    return [(i * extent // count, -(-(i + 1) * extent // count)) for i in range(count)]


def even_window(at: Site, size: Pair) -> dict[str, object] | None:
    """A pool that does it, where all windows are equal and none overlap."""
    _, height, width = at.shapes[0]
    if height % size[0] or width % size[1]:
        return None
    each = [height // size[0], width // size[1]]
    return {"kernel_shape": each, "strides": each, "pads": [0] * 4}


@spell.register
def _(op: pool.AdaptiveAvgPool, at: Site) -> None:
    window = even_window(at, op.size)
    if window:
        at.result("AveragePool", at.x, **window)
        return
    _, height, width = at.shapes[0]
    rows = at.net.matrix(f"{at.node.name}/rows", shares(height, op.size[0]))
    columns = at.net.matrix(f"{at.node.name}/columns", shares(width, op.size[1]).T)
    at.result("MatMul", rows, at.step("MatMul", at.x, columns))


def shares(extent: int, count: int) -> np.ndarray:
    """(count, extent): the part that each pixel has in the mean of each window."""
    result = np.zeros((count, extent))
    for place, (start, end) in enumerate(borders(extent, count)):
        result[place, start:end] = 1 / (end - start)
    return result


@spell.register
def _(op: pool.AdaptiveMaxPool, at: Site) -> None:
    window = even_window(at, op.size)
    if window:
        at.result("MaxPool", at.x, **window)
        return
    high = at.step("Concat", *largest(at, at.x, 2, op.size[0]), axis=2)
    at.result("Concat", *largest(at, high, 3, op.size[1]), axis=3)


def largest(at: Site, x: str, axis: int, count: int) -> list[str]:
    """The largest values of each window along an axis, as images of one row or column."""
    found: list[str] = []
    for start, end in borders(at.shapes[0][axis - 1], count):
        bounds = ((start,), (end,), (axis,))  # starts, ends, axes
        part = at.step("Slice", x, *(at.net.integers(bound, np.int32) for bound in bounds))
        kernel = [end - start if axis == along else 1 for along in (2, 3)]
        pooled = {"kernel_shape": kernel, "strides": [1, 1], "pads": [0] * 4}
        found.append(at.step("MaxPool", part, **pooled))
    return found


@spell.register
def _(op: pool.Reduce, at: Site) -> None:
    """Without ReduceSum and ReduceMax, which Ascend's lists do not have."""
    axes = [1 + axis for axis in pool.REDUCED[op.over]]
    if op.function == "max":
        reduce_by_pool(at, axes)
        return
    if op.function == "mean":
        at.result("ReduceMean", at.x, axes=axes, keepdims=1)
        return
    count = at.net.floats(math.prod(at.shapes[0][axis - 1] for axis in axes))
    if op.function == "sum":
        at.result("Mul", at.step("ReduceMean", at.x, axes=axes, keepdims=1), count)
        return
    mean = at.step("ReduceMean", at.step("Mul", at.x, at.x), axes=axes, keepdims=1)
    at.result("Sqrt", at.step("Mul", mean, count))


def reduce_by_pool(at: Site, axes: list[int]) -> None:
    """Largest values along axes of (batch, channels, height, width); channels become rows."""
    shape = at.shapes[0]
    if axes != [1]:
        kernel = [shape[axis - 1] if axis in axes else 1 for axis in (2, 3)]
        at.result("MaxPool", at.x, kernel_shape=kernel, strides=[1, 1], pads=[0] * 4)
        return
    rows = at.step("Reshape", at.x, at.net.integers((0, 1, shape[0], math.prod(shape[1:]))))
    window = {"kernel_shape": [shape[0], 1], "strides": [1, 1], "pads": [0] * 4}
    at.result("Reshape", at.step("MaxPool", rows, **window), at.net.integers((0, 1, *shape[1:])))
