"""The nodes of a graph: an op on known shapes, with a name and inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from archspec.ops import Op, Weight
from archspec.shapes import Shapes

INPUT = "in"
"""The name under which nodes refer to the network's input."""


class Tensor(NamedTuple):
    """A result of a node, or the network's input; `output` counts a node's results from 0."""

    node: str
    output: int = 0


@dataclass(frozen=True, eq=False)
class Layer:
    """An op applied to inputs of known shapes, with what that costs for one sample."""

    op: Op
    input_shapes: Shapes
    output_shapes: Shapes
    weights: tuple[Weight, ...]
    params: int
    macs: int
    elementwise: int

    @classmethod
    def of(cls, op: Op, inputs: Shapes) -> Layer:
        """Raises ShapeError where the op cannot take these inputs."""
        outputs = op.infer(inputs)
        weights = op.weights(inputs)
        return cls(
            op,
            inputs,
            outputs,
            weights,
            sum(weight.size for weight in weights if weight.trainable),
            op.macs(inputs, outputs),
            op.elementwise(inputs, outputs),
        )

    @property
    def buffers(self) -> int:
        """Elements that training does not move: running statistics."""
        return sum(weight.size for weight in self.weights if not weight.trainable)


@dataclass(frozen=True, eq=False)
class Node:
    """A layer in its place. `origin` is what the expansion knows of where it came from."""

    name: str
    layer: Layer
    inputs: tuple[Tensor, ...]
    origin: Any = None

    @property
    def op(self) -> Op:
        return self.layer.op

    @property
    def results(self) -> tuple[Tensor, ...]:
        return tuple(Tensor(self.name, k) for k in range(len(self.layer.output_shapes)))
