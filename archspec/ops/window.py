"""What of its input an element of an op's result sees, as to height and width."""

from __future__ import annotations

from typing import NamedTuple


class Sampling(NamedTuple):
    """Where the elements of a resized axis stand: element i at (first + step i) / per of those
    before. It is made of the one below, or of 2 or 4 (`taps`) around it unless it stands on one."""

    first: int
    step: int
    per: int
    taps: int

    def place(self, element: int) -> tuple[int, int]:
        """The one that it stands on or behind, and how far behind, in parts of `per`."""
        return divmod(self.first + self.step * element, self.per)

    def reach(self, element: int) -> tuple[int, int]:
        """The first and the last that it is made of."""
        below, part = self.place(element)
        if self.taps == 1 or part == 0:
            return below, below
        return below + 1 - self.taps // 2, below + self.taps // 2


class Window(NamedTuple):
    """How an op's outputs see its input, for receptive fields: extent, step, padding before (a
    negative one cuts off), or by how much it is enlarged, and whether neighbours blend then, or
    every pixel spreads over a kernel (of the enlarged image, of which `before` is cut off).
    `sampling` stands for all that where an image is brought to another size.
    `everything` is also what an op says whose results see more than a pixel and no window."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)
    scale: tuple[int, int] = (1, 1)
    blends: bool = False
    spreads: bool = False
    sampling: tuple[Sampling, Sampling] | None = None
    everything: bool = False
