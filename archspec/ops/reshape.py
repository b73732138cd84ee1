"""Ops that move, cut, repeat, pad or drop values and compute nothing new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.ops.base import (
    AXIS,
    FLOAT32,
    NATURAL,
    POSITIVE,
    SIDES,
    Op,
    Weightless,
    Window,
    Work,
    as_numbers,
    as_sides,
    attribute,
    divides,
    image,
    nullable,
    place_of,
)
from archspec.ops.page import Page
from archspec.shapes import ShapeError, Shapes, Sides, elements

MAX_PARTS = 1024
"""Results of one node."""


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
    """With groups, result k is part k of every group, one group after another: of the channels
    q1 k1 v1 q2 k2 v2 of two heads the first is q1 q2."""

    name = "split"
    doc = (
        "parts of the channels, rows or columns, equal ones or of given sizes; the results are"
        " named name.1, name.2 and so on"
    )
    category = "reshape"
    page = Page(
        "as many results as parts, or sizes, each with extent // parts along axis, or groups times"
        " its size; together they are the input",
        '[{"op": "split", "name": "half", "parts": 2}, {"op": "mul", "from": '
        '["half.1", "half.2"]}]',
    )

    parts: int | None = attribute(
        nullable({"type": "integer", "minimum": 2, "maximum": MAX_PARTS}),
        "how many equal parts; null: as sizes says",
        None,
    )
    axis: str = attribute(AXIS, "which axis is cut", "channels")
    sizes: tuple[int, ...] | None = attribute(
        nullable(
            {"type": "array", "items": POSITIVE, "minItems": 2, "maxItems": MAX_PARTS},
        ),
        "the parts' extents, of one group, in place of parts",
        None,
        convert=as_numbers,
    )
    groups: int = attribute(
        POSITIVE,
        "equal groups of channels, each of which is cut alike: the heads of one q, k, v",
        1,
        only_for={"axis": ("channels",)},
    )

    @property
    def outputs(self) -> int:
        return self.parts or len(self.sizes or ())

    def infer(self, inputs: Shapes) -> Shapes:
        place = place_of(self.axis, inputs[0], self.name)
        before, extent, after = inputs[0][:place], inputs[0][place], inputs[0][place + 1 :]
        return tuple((*before, self.groups * size, *after) for size in self.sizes_of(extent))

    def sizes_of(self, extent: int) -> tuple[int, ...]:
        """The extents of the parts of one group along the axis, which is `extent` long."""
        if (self.parts is None) == (self.sizes is None):
            raise ShapeError('split takes either "parts" or "sizes"; use one of them')
        of = "number of input channels" if self.axis == "channels" else self.axis
        if self.parts is not None:
            divides(self.parts * self.groups, extent, f"the {of}")
            return (extent // self.groups // self.parts,) * self.parts
        divides(self.groups, extent, f"the {of}")
        sizes = self.sizes or ()
        if sum(sizes) != extent // self.groups:
            each = f" of each of {self.groups} groups" if self.groups > 1 else ""
            raise ShapeError(
                f"split's sizes come to {sum(sizes)}, and the {of}{each} is"
                f" {extent // self.groups}; use sizes that come to that"
            )
        return sizes

    def resolve(self, inputs: Shapes) -> Op:
        if self.sizes is None or len(set(self.sizes)) > 1:
            return self
        return replace(self, parts=len(self.sizes), sizes=None)

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
