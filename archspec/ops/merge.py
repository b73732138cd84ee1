"""Several streams into one."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.ops.base import AXIS, Weightless, Window, Work, attribute, place_of
from archspec.ops.page import Page
from archspec.shapes import ShapeError, Shapes, elements, written


@dataclass(frozen=True)
class _Elementwise(Weightless):
    """One function of numbers at the same place of every input. An input of 1 channel, row or
    column has that one for all of them."""

    category = "merge"
    inputs = (2, None)

    def infer(self, inputs: Shapes) -> Shapes:
        ranks = {len(shape) for shape in inputs}
        extents = [set(axis) for axis in zip(*inputs, strict=False)]
        if len(ranks) > 1 or any(len(axis - {1}) > 1 for axis in extents):
            raise ShapeError(
                f"{self.name} takes inputs of one shape, or of 1 where they differ, not"
                f" {_several(inputs)}; use streams of equal channels and strides, or a shortcut"
                " that makes them so"
            )
        return (tuple(max(axis) for axis in extents),)

    def work(self) -> Work:
        return Work("stream")

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return (len(inputs) - 1) * elements(outputs[0])


@dataclass(frozen=True)
class Add(_Elementwise):
    name = "add"
    doc = "sum of the inputs; an axis of 1 meets any extent"
    page = Page(
        "of each axis the largest extent; an input has that, or 1",
        '[{"op": "conv", "name": "other", "channels": 16, "kernel": 1}, {"op": "add", '
        '"from": ["in", "other"]}]',
    )

    def work(self) -> Work:
        return Work("sum")


@dataclass(frozen=True)
class Sub(_Elementwise):
    name = "sub"
    doc = "the first input less the second; an axis of 1 meets any extent"
    inputs = (2, 2)
    page = Page(
        "of each axis the largest extent; an input has that, or 1",
        '[{"op": "conv", "name": "other", "channels": 16, "kernel": 1}, {"op": "sub", '
        '"from": ["in", "other"]}]',
    )


@dataclass(frozen=True)
class Mul(_Elementwise):
    name = "mul"
    doc = "product of the inputs; an axis of 1 meets any extent, as a channels x 1 x 1 gate does"
    page = Page(
        "of each axis the largest extent; an input has that, or 1",
        '[{"op": "global_avg_pool", "name": "gate"}, {"op": "mul", "from": ["in", "gate"]}]',
    )


@dataclass(frozen=True)
class Div(_Elementwise):
    name = "div"
    doc = "the first input over the second; an axis of 1 meets any extent"
    inputs = (2, 2)
    page = Page(
        "of each axis the largest extent; an input has that, or 1",
        '[{"op": "conv", "name": "other", "channels": 16, "kernel": 1}, {"op": "div", '
        '"from": ["in", "other"]}]',
    )


@dataclass(frozen=True)
class Max(_Elementwise):
    name = "max"
    doc = "the largest of the inputs at each place; an axis of 1 meets any extent"
    page = Page(
        "of each axis the largest extent; an input has that, or 1",
        '[{"op": "conv", "name": "other", "channels": 16, "kernel": 1}, {"op": "max", '
        '"from": ["in", "other"]}]',
    )


@dataclass(frozen=True)
class Min(_Elementwise):
    name = "min"
    doc = "the smallest of the inputs at each place; an axis of 1 meets any extent"
    page = Page(
        "of each axis the largest extent; an input has that, or 1",
        '[{"op": "conv", "name": "other", "channels": 16, "kernel": 1}, {"op": "min", '
        '"from": ["in", "other"]}]',
    )


@dataclass(frozen=True)
class Concat(Weightless):
    name = "concat"
    doc = "the inputs' channels, rows or columns one after another"
    category = "merge"
    inputs = (1, None)
    page = Page(
        "the inputs', the extents along axis added up; the others must be equal",
        '[{"op": "conv", "name": "more", "channels": 8, "kernel": 1}, {"op": '
        '"concat", "from": ["in", "more"]}]',
    )

    axis: str = attribute(AXIS, "along which axis they stand", "channels")

    def infer(self, inputs: Shapes) -> Shapes:
        place = place_of(self.axis, inputs[0], self.name)
        before, after = inputs[0][:place], inputs[0][place + 1 :]
        if any(
            len(shape) != len(inputs[0]) or (shape[:place], shape[place + 1 :]) != (before, after)
            for shape in inputs
        ):
            raise ShapeError(f"concat joins {_JOINED[self.axis]}, not {_several(inputs)}")
        return ((*before, sum(shape[place] for shape in inputs), *after),)

    def sees(self, inputs: Shapes) -> Window:
        """Behind a seam neighbours are of two images, as far apart as can be."""
        return Window(everything=self.axis != "channels" and len(inputs) > 1)

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return len(inputs) == 1


_JOINED = {
    "channels": "channels of inputs with one height and width",
    "height": "rows of inputs with as many channels and one width",
    "width": "columns of inputs with as many channels and one height",
}


def _several(inputs: Shapes) -> str:
    return " and ".join(map(written, inputs))
