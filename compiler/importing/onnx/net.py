"""The file as a small graph of operators whose shapes are known and whose constants are numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Extents = tuple[int, ...]


@dataclass(eq=False)
class Operator:
    """A node of the file, or one that stands for several of it (`covers` names them).

    `kind` is ONNX's op_type, or a word of ours for what a pattern turned out to be; `settings` are
    its attributes, however the opset writes them; `scope` is the module it came from, where an
    exporter says.
    """

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    scope: str = ""
    covers: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        return self.outputs[0]


@dataclass(eq=False)
class Net:
    """Operators in an order in which each stands after what it reads. Shapes are with the batch."""

    name: str
    operators: list[Operator]
    constants: dict[str, np.ndarray]
    shapes: dict[str, Extents]
    input: str
    outputs: list[str]
    batch: int
    is_dynamic: bool
    producer: str = ""

    @property
    def is_ours(self) -> bool:
        return is_ours(self.producer)

    def makers(self) -> dict[str, Operator]:
        return {value: operator for operator in self.operators for value in operator.outputs}

    def readers(self) -> dict[str, list[Operator]]:
        """Who reads each value; a result of the whole counts as a reader that is nobody."""
        found: dict[str, list[Operator]] = defaultdict(list)
        for operator in self.operators:
            for value in dict.fromkeys(operator.inputs):
                found[value].append(operator)
        for value in self.outputs:
            found[value].append(Operator("result", "result", [value], []))
        return found

    def scalar(self, value: str) -> float | None:
        """The one number that a constant is; None for others, and for what is not constant."""
        array = self.constants.get(value)
        if array is None or array.size == 0:
            return None
        first = array.flat[0]
        if array.size > 1 and (array.size > 1 << 16 or not bool(np.all(array == first))):
            return None
        return float(first) if array.size == 1 or array.ndim == 0 else None

    def put(
        self, sink: Operator, kind: str, inputs: list[str], region: set[Operator], **settings: Any
    ) -> None:
        """Let one operator stand for a region that ends in `sink`."""
        sink.kind, sink.inputs, sink.settings = kind, inputs, settings
        sink.covers = [
            name for operator in self.operators if operator in region for name in operator.covers
        ]
        self.operators = [o for o in self.operators if o is sink or o not in region]


def is_ours(producer: str) -> bool:
    """Whether a file is of our own export, by who it says has made it."""
    return producer.startswith("archspec")
