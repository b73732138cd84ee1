"""Merges, and ops that only move values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.ops import Op, merge, regularize, reshape


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
def _(op: reshape.Pad, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    top, bottom, left, right = op.padding
    amounts = [(0, 0), (0, 0), (top, bottom), (left, right)]
    return [np.pad(inputs[0], amounts, constant_values=op.value)]
