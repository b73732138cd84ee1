"""Merges, and ops that only move values."""

from __future__ import annotations

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops import Op, axes, learnt, merge, rearrange, regularize, reshape
from archspec.ops.base import AXES


@spell.register
def _(op: merge.Add, at: Site) -> None:
    at.chain("Add", at.inputs)


@spell.register
def _(op: merge.Mul, at: Site) -> None:
    at.chain("Mul", at.inputs)


@spell.register
def _(op: merge.Sub, at: Site) -> None:
    at.result("Sub", *at.inputs)


@spell.register
def _(op: merge.Div, at: Site) -> None:
    at.result("Div", *at.inputs)


@spell.register
def _(op: merge.Max, at: Site) -> None:
    at.chain("Max", at.inputs)


@spell.register
def _(op: merge.Min, at: Site) -> None:
    at.chain("Min", at.inputs)


@spell.register
def _(op: merge.Concat, at: Site) -> None:
    at.result("Concat", *with_one_batch(at), axis=1 + AXES[op.axis])


def with_one_batch(at: Site) -> list[str]:
    """The inputs, those that no image takes part in as often as the batch has images: zeros made of
    an image are added, for no operator that is allowed repeats."""
    images = [x for x, alone in zip(at.inputs, at.alone, strict=True) if not alone]
    if len(images) in (0, len(at.inputs)):
        return at.inputs
    rank = len(at.shapes[0])
    bounds = ([0] * rank, [1] * rank, range(1, rank + 1))  # starts, ends, axes
    one = at.step("Slice", images[0], *(at.net.integers(bound, np.int32) for bound in bounds))
    zeros = at.step("Clip", one, at.net.floats(0), at.net.floats(0))
    return [
        at.step("Add", x, zeros) if alone else x
        for x, alone in zip(at.inputs, at.alone, strict=True)
    ]


@spell.register
def _(op: learnt.Param, at: Site) -> None:
    at.result("Identity", at.net.weight(f"{at.node.name}.value", (1, *op.shape)))


@spell.register(regularize.Dropout)
@spell.register(regularize.DropPath)
@spell.register(reshape.Identity)
def _(op: Op, at: Site) -> None:
    at.result("Identity", at.x)


@spell.register
def _(op: axes.Matmul, at: Site) -> None:
    at.result("MatMul", *at.inputs)


@spell.register
def _(op: axes.Permute, at: Site) -> None:
    at.result("Transpose", at.x, perm=[0, *(1 + axis for axis in op.axes)])


@spell.register
def _(op: axes.Reshape, at: Site) -> None:
    at.result("Reshape", at.x, at.net.integers((0, *at.node.layer.output_shapes[0])))


@spell.register
def _(op: reshape.Flatten, at: Site) -> None:
    at.result("Flatten", at.x, axis=1)


@spell.register
def _(op: reshape.Split, at: Site) -> None:
    place = AXES[op.axis]
    sizes = op.sizes_of(at.shapes[0][place])
    x, axis = at.x, 1 + place
    if op.groups > 1:
        channels, *extent = at.shapes[0]
        apart = (0, op.groups, channels // op.groups, *extent)
        x, axis = at.step("Reshape", x, at.net.integers(apart)), 2
    inputs, attributes = [x, at.net.integers(sizes)], {"axis": axis}
    if at.net.opset < 13:
        inputs, attributes = [x], {"axis": axis, "split": sizes}
    if op.groups == 1:
        at.result("Split", *inputs, **attributes)
        return
    parts = at.steps("Split", len(sizes), *inputs, **attributes)
    shapes = [at.net.integers((0, *shape)) for shape in at.node.layer.output_shapes]
    at.results("Reshape", list(zip(parts, shapes, strict=True)))


@spell.register
def _(op: reshape.Slice, at: Site) -> None:
    place = AXES[op.axis]
    extent = at.node.layer.output_shapes[0][place]
    bounds = ((op.start,), (op.start + extent,), (1 + place,))  # starts, ends, axes
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
def _(op: rearrange.SpaceToDepth, at: Site) -> None:
    side, (channels, height, width) = op.factor, at.shapes[0]
    apart = (0, channels, height // side, side, width // side, side)
    blocks = at.step("Reshape", at.x, at.net.integers(apart))
    axes = {"channels": [1, 3, 5], "rows": [3, 5, 1], "columns": [5, 3, 1]}[op.order]
    deep = at.step("Transpose", blocks, perm=[0, *axes, 2, 4])
    at.result("Reshape", deep, at.net.integers((0, *at.node.layer.output_shapes[0])))


@spell.register
def _(op: rearrange.PixelShuffle, at: Site) -> None:
    side, (channels, height, width) = op.factor, at.shapes[0]
    pixels = channels // side**2
    apart = (pixels, side, side) if op.order == "channels" else (side, side, pixels)
    blocks = at.step("Reshape", at.x, at.net.integers((0, *apart, height, width)))
    axes = {"channels": (1, 2, 3), "rows": (3, 1, 2), "columns": (3, 2, 1)}
    channel, row, column = axes[op.order]
    wide = at.step("Transpose", blocks, perm=[0, channel, 4, row, 5, column])
    at.result("Reshape", wide, at.net.integers((0, *at.node.layer.output_shapes[0])))


@spell.register
def _(op: rearrange.Roll, at: Site) -> None:
    _, *extent = at.shapes[0]
    moved = [(2 + axis, step) for axis, step in enumerate(op.steps(at.shapes)) if step]
    if not moved:
        at.result("Identity", at.x)
        return
    x = at.x
    for place, (axis, step) in enumerate(moved):
        cut = extent[axis - 2] - step
        last, first = (
            at.step("Slice", x, *(at.net.integers((n,), np.int32) for n in (start, stop, axis)))
            for start, stop in ((cut, cut + step), (0, cut))
        )
        if place == len(moved) - 1:
            at.result("Concat", last, first, axis=axis)
        else:
            x = at.step("Concat", last, first, axis=axis)


@spell.register
def _(op: reshape.Zero, at: Site) -> None:
    # a product with 0 would keep what is infinite
    at.result("Clip", at.x, at.net.floats(0), at.net.floats(0))
