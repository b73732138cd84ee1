"""What is put around an image: as an op of its own, or before a window."""

from __future__ import annotations

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops import conv, reshape
from archspec.shapes import Sides

ZERO_BEFORE_A_POOL = -0.0
"""The value of a border of zeros that a pool reads. onnxruntime takes a border of +0 for the pool's
own padding (its PadFusion asks whether all bytes are 0), which it is not: there a maximum never
meets it, and one as wide as the kernel is refused. It also looks through what it removes."""


@spell.register
def _(op: reshape.Pad, at: Site) -> None:
    is_for_convs = all(isinstance(reader, conv.Conv) for reader in at.readers())
    value = op.value if op.value != 0 or is_for_convs else ZERO_BEFORE_A_POOL
    at.result("Pad", at.x, *pad_inputs(at, op.padding, value), mode="constant")


def pad_inputs(at: Site, sides: Sides, value: float) -> tuple[str, str]:
    top, left, bottom, right = pads(sides)
    amounts = at.net.integers((0, 0, top, left, 0, 0, bottom, right))
    return amounts, at.net.floats(value)


def pads(sides: Sides) -> list[int]:
    """(top, bottom, left, right) in ONNX's order: all that come before, all that come after."""
    top, bottom, left, right = sides
    return [top, left, bottom, right]
