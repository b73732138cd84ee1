"""A graph run in numpy, one node after another, with a say in what each of them reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from archspec.compiler.model import Model
from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.node import INPUT, Node, Tensor

Reading: TypeAlias = Callable[[Node, Tensor, Array], Array]
"""What a node reads where a tensor holds an array."""


class Step(NamedTuple):
    """A node that was run: what it read and what came of it."""

    node: Node
    inputs: Sequence[Array]
    results: Sequence[Array]


def walk(model: Model, images: Array, read: Reading | None = None) -> Iterator[Step]:
    """Every node in order. Arrays are forgotten once nobody reads them any more."""
    graph = model.graph
    values: dict[Tensor, Array] = {Tensor(INPUT): images}
    last = {tensor: node.name for node in graph.nodes.values() for tensor in node.inputs}
    for node in graph.nodes.values():
        held = [values[tensor] for tensor in node.inputs]
        if read is not None:
            held = [read(node, *pair) for pair in zip(node.inputs, held, strict=True)]
        results = forward(node.op, held, weights_of(model, node, images))
        values.update(zip(node.results, results, strict=True))
        yield Step(node, held, results)
        for tensor in set(node.inputs):
            if last[tensor] == node.name:
                del values[tensor]


def weights_of(model: Model, node: Node, images: Array) -> Arrays:
    """A node's weights by their names within the op, in the precision of the images."""
    assert model.weights is not None
    return {
        w.name: model.weights[f"{node.name}.{w.name}"].astype(images.dtype, copy=False)
        for w in node.layer.weights
    }


def outputs_of(model: Model, images: Array, read: Reading | None = None) -> dict[str, Array]:
    """The outputs by name."""
    graph = model.graph
    wanted = set(graph.outputs.values())
    found = {Tensor(INPUT): images} if Tensor(INPUT) in wanted else {}
    for node, _, results in walk(model, images, read):
        found.update(
            (tensor, result)
            for tensor, result in zip(node.results, results, strict=True)
            if tensor in wanted
        )
    return {key: found[tensor] for key, tensor in graph.outputs.items()}
