"""The work of a layer whose input and weights are int8, for a time that nothing was measured for.

The cube of each chip in CANN's platform_config takes 16x32 by 32x16 integers at once, where it
takes 16x16 by 16x16 half-precision numbers, and memory holds blocks of 32 channels of a byte. How
many it takes in a second is the device's `int8_tops`, from its data sheet.
"""

from __future__ import annotations

from archspec.compiler.latency.work import CUBE, MACS_PER_CYCLE, Load, fill_tile
from archspec.ops import Op
from archspec.shapes import Shapes, elements

BLOCK = 2 * CUBE
"""Channels of integers, in the cube and in memory."""


def int8_work_of(op: Op, inputs: Shapes, outputs: Shapes, batch: int, rate: float) -> Load:
    """The work of a layer with weights, its result stored as int8 as well. Shapes are of one
    sample; `rate` is the device's, see Device.int8_rate."""
    work = op.work()
    macs = op.macs(inputs, outputs) * batch
    group_inputs = inputs[0][0] // work.groups
    group_outputs = outputs[0][0] // work.groups
    rows = macs // (group_inputs * outputs[0][0] * work.taps)
    together = min(work.groups, max(1, CUBE // max(group_inputs, group_outputs)))
    rounds = -(-work.groups // together)
    depth = fill_tile(group_inputs * together, BLOCK) * work.taps
    across = fill_tile(group_outputs * together)
    moved = sum(fill_tile(shape[0], BLOCK) * elements(shape[1:]) for shape in (*inputs, *outputs))
    return Load(
        macs=macs,
        cube_cycles=rounds * fill_tile(rows) * depth * across / (rate * MACS_PER_CYCLE),
        bytes=moved * batch + rounds * depth * across,
        launches=1,
    )
