"""What treats height and width as axes of a matrix: products, other orders, other extents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

from archspec.ops.base import (
    POSITIVE,
    Op,
    Weightless,
    Window,
    Work,
    attribute,
    image,
    nullable,
)
from archspec.ops.page import Page
from archspec.shapes import Shape, ShapeError, Shapes, elements, written

AXES = ("channels", "height", "width")


@dataclass(frozen=True)
class Matmul(Weightless):
    """(channels, rows, n) and (channels, n, columns) give (channels, rows, columns)."""

    name = "matmul"
    doc = "matrix product of two images, channel by channel; one with one channel serves all"
    category = "merge"
    inputs = (2, 2)
    input_names = ("a", "b")
    page = Page(
        "the larger number of channels x height of a x width of b",
        '[{"op": "permute", "name": "other", "order": ["channels", "width", '
        '"height"]}, {"op": "matmul", "from": {"a": "in", "b": "other"}}]',
        "out_channels * out_height * out_width * a_width",
    )

    def infer(self, inputs: Shapes) -> Shapes:
        (channels, rows, depth), (others, height, columns) = (image(s, self.name) for s in inputs)
        if channels != others and 1 not in (channels, others):
            raise ShapeError(
                f"matmul takes inputs of as many channels, or one of 1, not {written(inputs[0])}"
                f" and {written(inputs[1])}"
            )
        if depth != height:
            raise ShapeError(
                f"matmul takes a second input whose height is the first one's width, not"
                f" {written(inputs[0])} and {written(inputs[1])}; use permute to swap axes"
            )
        return ((max(channels, others), rows, columns),)

    def macs(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0]) * inputs[0][2]

    def sees(self, inputs: Shapes) -> Window:
        return Window(everything=True)

    def work(self) -> Work:
        return Work("contract")


@dataclass(frozen=True)
class Permute(Weightless):
    name = "permute"
    doc = "the axes in another order"
    category = "reshape"
    page = Page(
        "the input's extents in the order that order says",
        '{"op": "permute", "order": ["width", "height", "channels"]}',
    )

    order: tuple[str, ...] = attribute(
        {
            "type": "array",
            "items": {"enum": list(AXES)},
            "minItems": 3,
            "maxItems": 3,
            "uniqueItems": True,
        },
        'each axis of the result, as an axis of the input: ["channels", "width", "height"]',
        convert=tuple,
    )

    @property
    def axes(self) -> tuple[int, int, int]:
        """The order as numbers from 0."""
        first, second, third = (AXES.index(name) for name in self.order)
        return (first, second, third)

    def infer(self, inputs: Shapes) -> Shapes:
        shape = image(inputs[0], self.name)
        return (tuple(shape[axis] for axis in self.axes),)

    def resolve(self, inputs: Shapes) -> Op:
        """Axes of one element may stand anywhere between the others."""
        ways = (Permute(order) for order in permutations(AXES))
        return next(
            way
            for way in ways
            if way.infer(inputs) == self.infer(inputs)
            and way.order_values(inputs) == self.order_values(inputs)
        )

    def order_values(self, inputs: Shapes) -> list[int]:
        """The axes of more than one element, which alone say in what order the values come."""
        return [axis for axis in self.axes if inputs[0][axis] > 1]

    def sees(self, inputs: Shapes) -> Window:
        return Window(everything=not self.gives_its_input(inputs))

    def work(self) -> Work:
        return Work("stream" if self.axes[0] == 0 else "shuffle")

    def gives_its_input(self, inputs: Shapes) -> bool:
        order = self.order_values(inputs)
        return self.infer(inputs) == inputs and order == sorted(order)


@dataclass(frozen=True)
class Reshape(Weightless):
    name = "reshape"
    doc = "other extents for the same elements in the same order, row by row and channel by channel"
    category = "reshape"
    is_view = True
    page = Page(
        "channels x height x width as given, one of them what is left of the elements",
        '{"op": "reshape", "channels": 32, "height": 16}',
    )

    channels: int | None = attribute(
        nullable(POSITIVE), "null: those of the image; of a vector, what is left", None
    )
    height: int | None = attribute(nullable(POSITIVE), "null: what is left", None)
    width: int | None = attribute(nullable(POSITIVE), "null: what is left", None)

    def infer(self, inputs: Shapes) -> Shapes:
        return (self._extents(inputs[0]),)

    def _extents(self, shape: Shape) -> tuple[int, int, int]:
        wanted = [self.channels, self.height, self.width]
        if len(shape) == 3 and self.channels is None:
            wanted[0] = shape[0]
        unsaid = [axis for axis, extent in enumerate(wanted) if extent is None]
        if len(unsaid) > 1:
            open_axes = " and ".join(AXES[axis] for axis in unsaid)
            raise ShapeError(
                f"reshape of {written(shape)} leaves {open_axes} open; use one of them"
            )
        known = elements(tuple(extent for extent in wanted if extent is not None))
        left, rest = divmod(elements(shape), known)
        if rest or (not unsaid and left != 1):
            said = "x".join("?" if extent is None else str(extent) for extent in wanted)
            raise ShapeError(
                f"reshape cannot make {said} of {written(shape)}, which has {elements(shape)}"
                " elements; use extents whose product is that"
            )
        channels, height, width = (left if extent is None else extent for extent in wanted)
        return (channels, height, width)

    def resolve(self, inputs: Shapes) -> Op:
        extents: Any = dict(zip(AXES, self._extents(inputs[0]), strict=True))
        return replace(self, **extents)

    def sees(self, inputs: Shapes) -> Window:
        if len(inputs[0]) == 1:
            return Window()
        return Window(everything=not self.gives_its_input(inputs))

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.infer(inputs) == inputs
