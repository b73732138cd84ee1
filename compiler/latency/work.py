"""What a kernel has to do, whatever the device: cube cycles, vector steps, bytes and launches.

The cube of an Ascend core multiplies 16x16 by 16x16 half-precision numbers in a cycle, and tensors
lie in memory in blocks of 16 channels, so channels count as filled up to a multiple of 16.
"""

from __future__ import annotations

from typing import NamedTuple

from archspec.ops import Op, Work
from archspec.shapes import Shape, Shapes, elements

CUBE = 16
MACS_PER_CYCLE = CUBE**3
LANES = 128
"""Half-precision numbers that a core's vector unit takes in a cycle."""
BYTES = 2
"""Of a number in half precision."""
SHUFFLE_KERNELS = 3
"""Channels can only change places once they are out of their blocks of 16: out, move, back."""


class Load(NamedTuple):
    """A kernel's work for a whole batch. `cube_cycles` and `vector_steps` are those of one core."""

    macs: int = 0
    cube_cycles: float = 0.0
    vector_steps: float = 0.0
    bytes: int = 0
    launches: int = 0


NOTHING = Load()


def work_of(op: Op, inputs: Shapes, outputs: Shapes, batch: int, tile: int = CUBE) -> Load:
    """The work of an op that is a kernel of its own. Shapes are of one sample.

    A `tile` of 1 counts the channels that are there and no filling: what the work would be if all
    channels fitted.
    """
    moved = _bytes((*inputs, *outputs), batch, tile)
    work = op.work()
    match work.kind:
        case "convolve" | "multiply":
            products = op.macs(inputs, outputs) * batch
            channels = (inputs[0][0], outputs[0][0])
            return _product_work(products, channels, work, moved, tile)
        case "contract":
            macs = op.macs(inputs, outputs) * batch
            return Load(macs=macs, cube_cycles=macs / CUBE**3, bytes=moved, launches=1)
        case "window":
            taps = sum(_stored_bytes(shape, tile) for shape in outputs) * batch * work.taps
            return Load(vector_steps=taps / LANES, bytes=moved, launches=1)
        case "part":
            return Load(bytes=_bytes((*outputs, *outputs), batch, tile), launches=1)
        case "shuffle":
            return Load(bytes=SHUFFLE_KERNELS * moved, launches=SHUFFLE_KERNELS)
        case "scale" | "function" | "sum" | "stream":
            return Load(bytes=moved, launches=1)


def read_again(inputs: Shapes, batch: int) -> Load:
    """The work of a sum that the kernel of one of its inputs does: to read the others."""
    return Load(bytes=_bytes(inputs[1:], batch, CUBE))


def fill_tile(channels: int, tile: int = CUBE) -> int:
    """Channels, filled up to a multiple of the tile."""
    return -(-channels // tile) * tile


def _product_work(macs: int, channels: tuple[int, int], work: Work, moved: int, tile: int) -> Load:
    """As many groups as have room in a tile are multiplied together, mostly with zeros: a depthwise
    convolution uses 1/16 of the cube, one with c < 16 channels a group about c/16. So there are
    rounds of products of a (rows, depth) by a (depth, across) matrix, the second of weights: a row
    is a pixel at which all weights are used once."""
    group_inputs, group_outputs = (number // work.groups for number in channels)
    rows = macs // (group_inputs * channels[1] * work.taps)
    together = min(work.groups, max(1, tile // max(group_inputs, group_outputs)))
    rounds = -(-work.groups // together)
    depth = fill_tile(group_inputs * together, tile) * work.taps
    across = fill_tile(group_outputs * together, tile)
    return Load(
        macs=macs,
        cube_cycles=rounds * fill_tile(rows) * depth * across / MACS_PER_CYCLE,
        bytes=moved + rounds * depth * across * BYTES,
        launches=1,
    )


def _bytes(shapes: Shapes, batch: int, tile: int) -> int:
    return sum(_stored_bytes(shape, tile) for shape in shapes) * batch * BYTES


def _stored_bytes(shape: Shape, tile: int) -> int:
    return fill_tile(shape[0], tile) * elements(shape[1:])
