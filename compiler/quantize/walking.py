"""A model run in numpy, with a say in what each node reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from archspec.compiler.model import Model
from archspec.compiler.targets.reference import walking
from archspec.compiler.targets.reference.dispatch import Array
from archspec.compiler.targets.reference.walking import Compute, Step, float_compute
from archspec.node import Node, Tensor

Reading: TypeAlias = Callable[[Node, Tensor, Array], Array]
"""What a node reads where a tensor holds an array."""


def walk(model: Model, images: Array, read: Reading | None = None) -> Iterator[Step]:
    """Every node in order, with what its inputs held."""
    return walking.walk(model.graph, images, compute_of(model, images, read))


def outputs_of(model: Model, images: Array, read: Reading | None = None) -> dict[str, Array]:
    """The outputs by name."""
    return walking.outputs_of(model.graph, images, compute_of(model, images, read))


def compute_of(model: Model, images: Array, read: Reading | None = None) -> Compute:
    """The results of the model's nodes, in the precision of the images."""
    assert model.weights is not None
    plain = float_compute(model.weights, images)
    if read is None:
        return plain
    return lambda node, inputs: plain(
        node, [read(node, *pair) for pair in zip(node.inputs, inputs, strict=True)]
    )
