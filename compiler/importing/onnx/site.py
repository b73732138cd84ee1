"""Where a node of the file becomes nodes of the spec: what it reads, and what is written for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archspec.compiler.importing.onnx.drafts import Draft, Result
from archspec.compiler.importing.onnx.laying import lay_image, lay_vector
from archspec.compiler.importing.onnx.net import Extents, Net, Operator
from archspec.compiler.importing.onnx.views import Atom, Unsaid, View, fresh
from archspec.ops import Op
from archspec.ops.learnt import Param
from archspec.shapes import ShapeError

Say = Callable[["Site"], list[View]]
SAYS: dict[str, Say] = {}
"""By the kind of an operator, what writes the ops that do the same and gives the views of them."""


def says(*kinds: str) -> Callable[[Say], Say]:
    def enter(function: Say) -> Say:
        SAYS.update(dict.fromkeys(kinds, function))
        return function

    return enter


@dataclass(eq=False)
class Site:
    net: Net
    operator: Operator
    views: dict[str, View]
    drafts: list[Draft]
    batch: Atom
    arranged: dict[Hashable, Result] = field(default_factory=dict)
    written: list[Draft] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        return self.operator.settings

    @property
    def shape(self) -> Extents:
        return self.net.shapes[self.operator.output]

    def setting(self, name: str, place: int | None = None, default: Any = None) -> Any:
        """An attribute, or the constant that later opsets have as an input. Raises Unsaid for one
        that is computed from the image."""
        if name in self.settings:
            return self.settings[name]
        if place is None or place >= len(self.operator.inputs) or not self.operator.inputs[place]:
            return default
        array = self.array(place)
        if array is None:
            raise Unsaid(f"takes its {name} from the image")
        return array.reshape(-1).tolist()

    def name(self, place: int) -> str:
        inputs = self.operator.inputs
        return inputs[place] if place < len(inputs) else ""

    def array(self, place: int) -> np.ndarray | None:
        return self.net.constants.get(self.name(place))

    def weight(self, place: int) -> np.ndarray | None:
        """A constant as float32, None where there is no such input. Raises Unsaid for one that is
        not constant."""
        if not self.name(place):
            return None
        array = self.array(place)
        if array is None:
            raise Unsaid("takes from the image what a weight must be")
        return array if array.dtype == np.float32 else array.astype(np.float32)

    def view(self, place: int) -> View:
        if self.name(place) not in self.views:
            raise Unsaid("reads a constant where the image must be")
        return self.views[self.name(place)]

    @property
    def x(self) -> View:
        return self.view(0)

    def image(self, place: int = 0) -> View:
        return lay_image(self.view(place), self)

    def vector(self, place: int = 0) -> View:
        return lay_vector(self.view(place), self)

    def fresh(self, result: Result) -> View:
        return fresh(result, self.batch)

    def add(self, op: Op, *inputs: Result, **weights: np.ndarray | None) -> Result:
        """Write one op. Raises Unsaid where it cannot take the shapes."""
        return self.several(op, *inputs, **weights)[0]

    def several(self, op: Op, *inputs: Result, **weights: np.ndarray | None) -> list[Result]:
        try:
            shapes = op.infer(tuple(result.shape for result in inputs))
        except ShapeError as error:
            raise Unsaid(f"cannot be said as {op.name}: {error}") from None
        kept = {name: array for name, array in weights.items() if array is not None}
        for weight in op.weights(tuple(result.shape for result in inputs)):
            if weight.name not in kept or kept[weight.name].size != weight.size:
                raise Unsaid(f"has a {weight.name} of another shape than its input asks for")
        draft = Draft(op, list(inputs), kept, self.operator.scope, list(self.operator.covers))
        self.written.append(draft)
        return [Result(draft, index, shape) for index, shape in enumerate(shapes)]

    def param(self, array: np.ndarray) -> Result:
        array = np.ascontiguousarray(array, np.float32)
        return self.add(Param(array.shape), value=array)

    def axis(self, rank: int, default: int = 0) -> int:
        axis = int(self.settings.get("axis", default))
        return axis + rank if axis < 0 else axis
