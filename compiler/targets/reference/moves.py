"""Merges, and ops that only move values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.ops import Op, axes, learnt, merge, rearrange, regularize, reshape

AXIS = {"channels": 1, "height": 2, "width": 3}


@forward.register
def _(op: merge.Add, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce(np.add, inputs)]


@forward.register
def _(op: merge.Mul, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce(np.multiply, inputs)]


@forward.register
def _(op: merge.Sub, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] - inputs[1]]


@forward.register
def _(op: merge.Div, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] / inputs[1]]


@forward.register
def _(op: merge.Max, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce(np.maximum, inputs)]


@forward.register
def _(op: merge.Min, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [reduce(np.minimum, inputs)]


@forward.register
def _(op: merge.Concat, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    batch = max(map(len, inputs))  # of what no image takes part in it is 1
    images = [np.broadcast_to(x, (batch, *x.shape[1:])) for x in inputs]
    return [np.concatenate(images, axis=AXIS[op.axis])]


@forward.register
def _(op: learnt.Param, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [weights["value"][np.newaxis]]


@forward.register(regularize.Dropout)
@forward.register(regularize.DropPath)
@forward.register(reshape.Identity)
def _(op: Op, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0]]


@forward.register
def _(op: axes.Matmul, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] @ inputs[1]]


@forward.register
def _(op: axes.Permute, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    names = ("channels", "height", "width")
    return [inputs[0].transpose(0, *(1 + names.index(name) for name in op.order))]


@forward.register
def _(op: axes.Reshape, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    channels = op.channels or (x.shape[1] if x.ndim == 4 else -1)
    return [x.reshape(len(x), channels, op.height or -1, op.width or -1)]


@forward.register
def _(op: reshape.Flatten, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0].reshape(len(inputs[0]), -1)]


@forward.register
def _(op: reshape.Split, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    axis = AXIS[op.axis]
    sizes = op.sizes_of(x.shape[axis])
    groups = np.split(x, op.groups, axis=axis)
    parts = [np.split(group, np.cumsum(sizes)[:-1], axis=axis) for group in groups]
    return [np.concatenate(of_groups, axis=axis) for of_groups in zip(*parts, strict=True)]


@forward.register
def _(op: reshape.Slice, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    before = (slice(None),) * AXIS[op.axis]
    return [inputs[0][(*before, slice(op.start, op.stop))]]


@forward.register
def _(op: reshape.ChannelShuffle, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    groups = np.split(x, op.groups, axis=1)
    return [np.stack(groups, axis=2).reshape(x.shape)]


@forward.register
def _(op: reshape.Pad, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    top, bottom, left, right = op.padding
    amounts = [(0, 0), (0, 0), (top, bottom), (left, right)]
    return [np.pad(inputs[0], amounts, constant_values=op.value)]


@forward.register
def _(op: rearrange.SpaceToDepth, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    # every pixel of a block is an image of its own: row, column, batch, channel, height, width
    images = np.array(
        [
            [x[:, :, row :: op.factor, column :: op.factor] for column in range(op.factor)]
            for row in range(op.factor)
        ]
    )
    axes = {"channels": (2, 3, 0, 1), "rows": (2, 0, 1, 3), "columns": (2, 1, 0, 3)}[op.order]
    batch, *_, height, width = images.shape[2:]
    return [images.transpose(*axes, 4, 5).reshape(batch, -1, height, width)]


@forward.register
def _(op: rearrange.PixelShuffle, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    batch, channels, height, width = x.shape
    side = op.factor
    parts = {"channels": (-1, side, side), "rows": (side, side, -1), "columns": (side, side, -1)}
    axes = {"channels": (1, 2, 3), "rows": (3, 1, 2), "columns": (3, 2, 1)}[op.order]
    apart = x.reshape(batch, *parts[op.order], height, width)
    result = np.empty((batch, channels // side**2, height * side, width * side), x.dtype)
    for row, column in np.ndindex(side, side):
        result[:, :, row::side, column::side] = apart.transpose(0, *axes, 4, 5)[:, :, row, column]
    return [result]


@forward.register
def _(op: rearrange.Roll, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [np.roll(inputs[0], op.shift, (2, 3))]


@forward.register
def _(op: reshape.Zero, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [np.zeros_like(inputs[0])]
