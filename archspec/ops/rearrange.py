"""Ops that give pixels other places: between channels and space, or along height and width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.ops.base import (
    OFFSETS,
    STEP,
    Op,
    Weightless,
    Window,
    Work,
    as_pair,
    attribute,
    divides,
    image,
)
from archspec.ops.page import Page
from archspec.shapes import Pair, Shapes

ORDERS = ("channels", "rows", "columns")
ORDER_DOC = (
    'how a block\'s pixels lie in the channels: "channels" (all pixels of the first channel, then'
    ' of the next: PyTorch\'s pixel_shuffle), "rows" (all channels of the first pixel, then of the'
    " next, row by row: ONNX's SpaceToDepth), \"columns\" (the same, column by column: Swin's patch"
    " merging, YOLOv5's Focus)"
)


@dataclass(frozen=True)
class _Blocks(Weightless):
    category = "reshape"

    factor: int = attribute(STEP, "pixels along each side of a block")
    order: str = attribute({"enum": [*ORDERS]}, ORDER_DOC, "channels")

    def simplify(self) -> Mapping[str, Any]:
        return {"order": "channels"} if self.factor == 1 else {}

    def work(self) -> Work:
        return Work("shuffle")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.factor == 1


@dataclass(frozen=True)
class PixelShuffle(_Blocks):
    name = "pixel_shuffle"
    doc = "factor x factor channels as the pixels of a block, arXiv 1609.05158 (depth to space)"
    page = Page(
        "channels // factor ** 2 x height * factor x width * factor",
        '{"op": "pixel_shuffle", "factor": 2}',
    )

    def resolve(self, inputs: Shapes) -> Op:
        """Of one channel, all its pixels are all channels of each pixel."""
        is_flat = inputs[0][0] == self.factor**2 and self.order == "rows"
        return replace(self, order="channels") if is_flat else self

    def infer(self, inputs: Shapes) -> Shapes:
        channels, height, width = image(inputs[0], self.name)
        divides(self.factor**2, channels, "the number of input channels")
        return ((channels // self.factor**2, height * self.factor, width * self.factor),)

    def sees(self, inputs: Shapes) -> Window:
        return Window(scale=(self.factor, self.factor))


@dataclass(frozen=True)
class SpaceToDepth(_Blocks):
    name = "space_to_depth"
    doc = "the pixels of each factor x factor block as channels (pixel unshuffle)"
    page = Page(
        "channels * factor ** 2 x height // factor x width // factor",
        '{"op": "space_to_depth", "factor": 2}',
    )

    def resolve(self, inputs: Shapes) -> Op:
        """Of one channel, all its pixels are all channels of each pixel."""
        is_flat = inputs[0][0] == 1 and self.order == "rows"
        return replace(self, order="channels") if is_flat else self

    def infer(self, inputs: Shapes) -> Shapes:
        channels, height, width = image(inputs[0], self.name)
        divides(self.factor, height, "the height")
        divides(self.factor, width, "the width")
        return ((channels * self.factor**2, height // self.factor, width // self.factor),)

    def sees(self, inputs: Shapes) -> Window:
        block = (self.factor, self.factor)
        return Window(kernel=block, stride=block)


@dataclass(frozen=True)
class Roll(Weightless):
    name = "roll"
    doc = "rows and columns moved on; what leaves at one end comes back at the other"
    category = "reshape"
    page = Page(
        "the input's",
        '{"op": "roll", "shift": [2, -3]}',
    )

    shift: Pair = attribute(
        OFFSETS, "one number or [rows, columns], towards the bottom and the right", convert=as_pair
    )

    def resolve(self, inputs: Shapes) -> Op:
        return replace(self, shift=self.steps(inputs))

    def steps(self, inputs: Shapes) -> Pair:
        """The shift as rows and columns less than there are."""
        _, height, width = inputs[0]
        return (self.shift[0] % height, self.shift[1] % width)

    def infer(self, inputs: Shapes) -> Shapes:
        image(inputs[0], self.name)
        return (inputs[0],)

    def sees(self, inputs: Shapes) -> Window:
        """Neighbours at the seam come from either end, so that whoever reads both sees all."""
        return Window(everything=any(self.steps(inputs)))

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return not any(self.steps(inputs))
