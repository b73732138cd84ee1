"""Several streams into one."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.ops.base import Weightless, Work
from archspec.shapes import Shape, ShapeError, Shapes, elements, written


@dataclass(frozen=True)
class _Elementwise(Weightless):
    category = "merge"
    inputs = (2, None)

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return (len(inputs) - 1) * elements(outputs[0])


@dataclass(frozen=True)
class Add(_Elementwise):
    name = "add"
    doc = "sum of inputs of one shape"

    def infer(self, inputs: Shapes) -> Shapes:
        if any(shape != inputs[0] for shape in inputs):
            raise ShapeError(
                f"add takes inputs of one shape, not {_several(inputs)}; give the streams equal"
                " channels and strides, or a shortcut that makes them so"
            )
        return (inputs[0],)

    def work(self) -> Work:
        return Work("sum")


@dataclass(frozen=True)
class Mul(_Elementwise):
    name = "mul"
    doc = "product of inputs of one shape, or of an image and a channels x 1 x 1 gate"

    def infer(self, inputs: Shapes) -> Shapes:
        result: Shape = max(inputs, key=elements)
        for shape in inputs:
            fits = len(shape) == len(result) and shape[0] == result[0]
            if not fits or (shape != result and any(extent != 1 for extent in shape[1:])):
                raise ShapeError(
                    f"mul takes inputs of one shape, or gates of 1x1 with as many channels, not"
                    f" {_several(inputs)}"
                )
        return (result,)

    def work(self) -> Work:
        return Work("stream")


@dataclass(frozen=True)
class Concat(Weightless):
    name = "concat"
    doc = "the inputs' channels one after another"
    category = "merge"
    inputs = (1, None)

    def infer(self, inputs: Shapes) -> Shapes:
        if any(shape[1:] != inputs[0][1:] for shape in inputs):
            raise ShapeError(
                f"concat joins channels of inputs with one height and width, not {_several(inputs)}"
            )
        return ((sum(shape[0] for shape in inputs), *inputs[0][1:]),)

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return len(inputs) == 1


def _several(inputs: Shapes) -> str:
    return " and ".join(map(written, inputs))
