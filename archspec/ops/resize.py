"""Images of another size: nearest pixels, and what lies between pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from archspec.ops.base import (
    BOOLEAN,
    PAIR,
    PAIR_DOC,
    Op,
    Weightless,
    Window,
    Work,
    as_pair,
    attribute,
    image,
    nullable,
)
from archspec.ops.page import Page
from archspec.ops.window import Sampling
from archspec.shapes import Pair, ShapeError, Shapes, elements

Number = TypeVar("Number")
Rows: TypeAlias = "Sequence[Sequence[Number]]"

TAPS = {"nearest": 1, "bilinear": 2, "bicubic": 4}
"""Of each mode, how many pixels of an axis a new one is made of."""
CUBIC = -0.75
"""Keys' a for bicubic, as in PyTorch and ONNX (IEEE Trans. ASSP 29, 1981)."""


@dataclass(frozen=True)
class Upsample(Weightless):
    """Where pixel i of a result of `size` stands among the `extent` pixels of the input, counted
    from 0 at the first one's centre: i * extent / size rounded down by nearest, else
    (i + 1/2) * extent / size - 1/2, or i * (extent - 1) / (size - 1) by aligned corners. Borders
    are repeated, and what is made smaller is not smoothed before, as in PyTorch."""

    name = "upsample"
    doc = "enlarge height and width by whole factors, or bring them to a size, larger or smaller"
    category = "reshape"
    page = Page(
        "channels x height * scale x width * scale, or channels x size",
        '{"op": "upsample", "scale": 2, "mode": "bilinear"}',
    )

    scale: Pair = attribute(PAIR, f"{PAIR_DOC}, where no size is given", 2, as_pair)
    mode: str = attribute(
        {"enum": list(TAPS)},
        "how values between pixels are made",
        "nearest",
    )
    size: Pair | None = attribute(
        nullable(PAIR),
        f"{PAIR_DOC}, in place of scale; that of the node skip is"
        " [\"=height('skip')\", \"=width('skip')\"]",
        None,
        as_pair,
    )
    align_corners: bool = attribute(
        BOOLEAN,
        "the outermost pixels stay where they are; false: centres are aligned (half-pixel rule)",
        False,
        only_for={"mode": ("bilinear", "bicubic")},
    )

    def simplify(self) -> Mapping[str, Any]:
        is_all = self.scale == (1, 1) and self.size is None
        return {"mode": "nearest", "align_corners": False} if is_all else {}

    def resolve(self, inputs: Shapes) -> Op:
        """A size that is a whole multiple is that scale. Along an axis of one pixel, or one that
        stays as it is, there is nothing between; nor is there where corners are aligned in a result
        of one pixel, which is the first."""
        extents = [*zip(inputs[0][1:], self.infer(inputs)[0][1:], strict=True)]
        op = self
        if all(size % extent == 0 for extent, size in extents):
            op = replace(op, scale=[size // extent for extent, size in extents], size=None)
        flat = all(
            extent in (1, size) or (self.align_corners and size == 1) for extent, size in extents
        )
        return replace(op, mode="nearest") if flat else op

    def infer(self, inputs: Shapes) -> Shapes:
        channels, height, width = image(inputs[0], self.name)
        if self.size is None:
            return ((channels, height * self.scale[0], width * self.scale[1]),)
        if self.scale != (2, 2):
            raise ShapeError('upsample takes either "scale" or "size"; use one of them')
        return ((channels, *self.size),)

    def factors(self, inputs: Shapes) -> Pair | None:
        """By how much height and width become larger, where both are whole numbers."""
        (_, *before), (_, *after) = inputs[0], self.infer(inputs)[0]
        if any(size % extent for extent, size in zip(before, after, strict=True)):
            return None
        return (after[0] // before[0], after[1] // before[1])

    def samplings(self, inputs: Shapes) -> tuple[Sampling, Sampling]:
        """Where each row, and each column, of the result is taken from."""
        (_, *before), (_, *after) = inputs[0], self.infer(inputs)[0]
        down, right = (
            self._sampling(extent, size) for extent, size in zip(before, after, strict=True)
        )
        return down, right

    def _sampling(self, extent: int, size: int) -> Sampling:
        if self.mode == "nearest":
            return Sampling(0, extent, size, 1)
        taps = TAPS[self.mode]
        if self.align_corners:
            return Sampling(0, extent - 1 if size > 1 else 0, max(size - 1, 1), taps)
        return Sampling(extent - size, 2 * extent, 2 * size, taps)

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0])

    def sees(self, inputs: Shapes) -> Window:
        factors = self.factors(inputs)
        if factors is None or self.mode == "bicubic" or self.align_corners:
            return Window(sampling=self.samplings(inputs))
        return Window(scale=factors, blends=self.mode == "bilinear")

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.infer(inputs) == inputs


def weigh(sampling: Sampling, extent: int, size: int) -> tuple[Rows[int], Rows[float]]:
    """Of each of `size` places the pixels of an axis of `extent` that it is made of, `taps` each,
    and how much of each, which come to 1; one pixel may be there several times."""
    pixels: list[list[int]] = []
    shares: list[tuple[float, ...]] = []
    for place in range(size):
        below, part = sampling.place(place)
        first = below - (sampling.taps - 1) // 2
        reached = range(first, first + sampling.taps)
        pixels.append([min(max(pixel, 0), extent - 1) for pixel in reached])
        shares.append(_shares(part / sampling.per, sampling.taps))
    return pixels, shares


def _shares(t: float, taps: int) -> tuple[float, ...]:
    """Of the pixels around a place that is t behind one of them, what each makes of it."""
    if taps == 1:
        return (1.0,)
    if taps == 2:
        return (1 - t, t)
    return (_far(1 + t), _near(t), _near(1 - t), _far(2 - t))


def _near(d: float) -> float:
    """Of a pixel at most one away."""
    return ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1


def _far(d: float) -> float:
    """Of a pixel between one and two away."""
    return ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC
