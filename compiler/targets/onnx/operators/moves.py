"""Merges, and ops that only move values."""

from __future__ import annotations

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops import Op, merge, regularize, reshape


@spell.register
def _(op: merge.Add, at: Site) -> None:
    at.chain("Add", at.inputs)


@spell.register
def _(op: merge.Mul, at: Site) -> None:
    at.chain("Mul", at.inputs)


@spell.register
def _(op: merge.Concat, at: Site) -> None:
    at.result("Concat", *at.inputs, axis=1)


@spell.register(regularize.Dropout)
@spell.register(regularize.DropPath)
@spell.register(reshape.Identity)
def _(op: Op, at: Site) -> None:
    at.result("Identity", at.x)


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
