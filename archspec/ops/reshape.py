"""Ops that move, cut, repeat, pad or drop values and compute nothing new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.ops.base import (
    AXIS,
    FLOAT32,
    NATURAL,
    PAIR,
    PAIR_DOC,
    POSITIVE,
    SIDES,
    Op,
    Weightless,
    Window,
    Work,
    as_pair,
    as_sides,
    attribute,
    divides,
    image,
    nullable,
    place_of,
)
from archspec.ops.page import Page
from archspec.shapes import Pair, ShapeError, Shapes, Sides, elements


@dataclass(frozen=True)
class Flatten(Weightless):
    name = "flatten"
    doc = "channels x height x width as one vector"
    category = "reshape"
    is_view = True
    page = Page(
        "a vector of channels * height * width features",
        '"flatten"',
    )

    def infer(self, inputs: Shapes) -> Shapes:
        return ((elements(inputs[0]),),)

    def sees(self, inputs: Shapes) -> Window:
        return Window(everything=elements(inputs[0][1:]) > 1)

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.infer(inputs) == inputs


@dataclass(frozen=True)
class Split(Weightless):
    name = "split"
    doc = (
        "equal parts of the channels, rows or columns; the results are named name.1, name.2 and so"
        " on"
    )
    category = "reshape"
    page = Page(
        "parts results, each with extent // parts along axis, which parts divides",
        '[{"op": "split", "name": "half", "parts": 2}, {"op": "mul", "from": '
        '["half.1", "half.2"]}]',
    )

    parts: int = attribute(
        {"type": "integer", "minimum": 2, "maximum": 1024}, "how many equal parts"
    )
    axis: str = attribute(AXIS, "which axis is cut", "channels")

    @property
    def outputs(self) -> int:
        return self.parts

    def infer(self, inputs: Shapes) -> Shapes:
        place = place_of(self.axis, inputs[0], self.name)
        extent = inputs[0][place]
        of = "number of input channels" if self.axis == "channels" else self.axis
        divides(self.parts, extent, f"the {of}")
        part = (*inputs[0][:place], extent // self.parts, *inputs[0][place + 1 :])
        return (part,) * self.parts

    def sees(self, inputs: Shapes) -> Window:
        """Pixels at one place of two parts are as far apart as can be."""
        return Window(everything=self.axis != "channels")

    def work(self) -> Work:
        return Work("stream")


@dataclass(frozen=True)
class Slice(Weightless):
    name = "slice"
    doc = "the channels, rows or columns from start up to, not including, stop"
    category = "reshape"
    page = Page(
        "the input's, stop - start along axis",
        '{"op": "slice", "start": 4, "stop": 12}',
    )

    start: int = attribute(NATURAL, "first channel, row or column", 0)
    stop: int | None = attribute(
        nullable(POSITIVE), "the one after the last; null is the end", None
    )
    axis: str = attribute(AXIS, "which axis is cut", "channels")

    def resolve(self, inputs: Shapes) -> Op:
        extent = inputs[0][place_of(self.axis, inputs[0], self.name)]
        op = replace(self, stop=None) if self.stop == extent else self
        # what cuts nothing off is the same along any axis
        return replace(op, axis="channels") if (op.start, op.stop) == (0, None) else op

    def infer(self, inputs: Shapes) -> Shapes:
        place = place_of(self.axis, inputs[0], self.name)
        extent = inputs[0][place]
        stop = extent if self.stop is None else self.stop
        if not self.start < stop <= extent:
            words = {"channels": "channels", "height": "rows", "width": "columns"}[self.axis]
            raise ShapeError(
                f"slice from {self.start} to {stop} does not lie in {extent} {words};"
                f" use 0 <= start < stop <= {extent}"
            )
        return ((*inputs[0][:place], stop - self.start, *inputs[0][place + 1 :]),)

    def sees(self, inputs: Shapes) -> Window:
        cut = -self.start
        return Window(before=(cut * (self.axis == "height"), cut * (self.axis == "width")))

    def work(self) -> Work:
        return Work("part")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.infer(inputs) == inputs


@dataclass(frozen=True)
class ChannelShuffle(Weightless):
    name = "channel_shuffle"
    doc = (
        "interleave the groups' channels, arXiv 1707.01083: (groups, n) channels become (n, groups)"
    )
    category = "reshape"
    page = Page(
        "the input's, whose channels groups divides",
        '{"op": "channel_shuffle", "groups": 4}',
    )

    groups: int = attribute(POSITIVE, "groups of channels to interleave")

    def resolve(self, inputs: Shapes) -> Op:
        return replace(self, groups=1) if self.groups == inputs[0][0] else self

    def infer(self, inputs: Shapes) -> Shapes:
        image(inputs[0], self.name)
        divides(self.groups, inputs[0][0], "the number of input channels")
        return (inputs[0],)

    def work(self) -> Work:
        return Work("shuffle")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.groups in (1, inputs[0][0])


@dataclass(frozen=True)
class Upsample(Weightless):
    name = "upsample"
    doc = "enlarge height and width by whole factors, pixels' centres aligned (half-pixel rule)"
    category = "reshape"
    page = Page(
        "channels x height * scale x width * scale",
        '{"op": "upsample", "scale": 2, "mode": "bilinear"}',
    )

    scale: Pair = attribute(PAIR, PAIR_DOC, 2, as_pair)
    mode: str = attribute(
        {"enum": ["nearest", "bilinear"]}, "how values between pixels are made", "nearest"
    )

    def simplify(self) -> Mapping[str, Any]:
        return {"mode": "nearest"} if self.scale == (1, 1) else {}

    def resolve(self, inputs: Shapes) -> Op:
        """Along an axis of one pixel, or one that is not enlarged, there is nothing between."""
        flat = all(1 in pair for pair in zip(self.scale, inputs[0][1:], strict=True))
        return replace(self, mode="nearest") if flat else self

    def infer(self, inputs: Shapes) -> Shapes:
        channels, height, width = image(inputs[0], self.name)
        return ((channels, height * self.scale[0], width * self.scale[1]),)

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0])

    def sees(self, inputs: Shapes) -> Window:
        return Window(scale=self.scale, blends=self.mode == "bilinear")

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.infer(inputs) == inputs


@dataclass(frozen=True)
class Pad(Weightless):
    name = "pad"
    doc = "a border of one constant value"
    category = "reshape"
    page = Page(
        "channels x height + top + bottom x width + left + right",
        '{"op": "pad", "padding": [0, 1, 0, 1]}',
    )

    padding: Sides = attribute(
        SIDES, "one number, [rows, columns] or [top, bottom, left, right]", convert=as_sides
    )
    value: float = attribute(FLOAT32, "the border's value", 0)

    def simplify(self) -> Mapping[str, Any]:
        return {} if any(self.padding) else {"value": 0.0}

    def infer(self, inputs: Shapes) -> Shapes:
        channels, height, width = image(inputs[0], self.name)
        top, bottom, left, right = self.padding
        return ((channels, height + top + bottom, width + left + right),)

    def sees(self, inputs: Shapes) -> Window:
        return Window(before=(self.padding[0], self.padding[2]))

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.infer(inputs) == inputs


@dataclass(frozen=True)
class Identity(Weightless):
    name = "identity"
    doc = "the input as it is, for a name to hang on it"
    category = "reshape"
    is_view = True
    page = Page(
        "the input's",
        '{"op": "identity", "name": "here"}',
    )

    def infer(self, inputs: Shapes) -> Shapes:
        return (inputs[0],)

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return True


@dataclass(frozen=True)
class Zero(Weightless):
    """What training takes from it is zero as well, for its input and all that this is made of."""

    name = "zero"
    doc = "zeros of the input's shape, whatever the input is: no signal, as in arXiv 2001.00326"
    category = "reshape"
    page = Page("the input's", '"zero"')

    def infer(self, inputs: Shapes) -> Shapes:
        return (inputs[0],)

    def work(self) -> Work:
        return Work("stream")
