"""A graph run in numpy, one node after another: the one loop of all that is computed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from archspec.compiler.targets import missing_spelling
from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor

Compute: TypeAlias = Callable[[Node, Sequence[Array]], Sequence[Array]]
"""The results of a node, of the arrays that its inputs hold."""


class Step(NamedTuple):
    """A node that was run: what its inputs held and what came of it."""

    node: Node
    inputs: Sequence[Array]
    results: Sequence[Array]


def walk(graph: Graph, image: Array, compute: Compute) -> Iterator[Step]:
    """Every node in order. Arrays are forgotten once nobody reads them any more. Raises SpecError
    for an op that has no function here."""
    values: dict[Tensor, Array] = {Tensor(INPUT): image}
    last = {tensor: node.name for node in graph.nodes.values() for tensor in node.inputs}
    for node in graph.nodes.values():
        if forward.dispatch(type(node.op)) is forward.dispatch(object):
            raise SpecError(missing_spelling("inference in numpy", node))
        held = [values[tensor] for tensor in node.inputs]
        results = compute(node, held)
        values.update(zip(node.results, results, strict=True))
        yield Step(node, held, results)
        for tensor in set(node.inputs):
            if last[tensor] == node.name:
                del values[tensor]


def outputs_of(graph: Graph, image: Array, compute: Compute) -> dict[str, Array]:
    """The outputs by name."""
    wanted = set(graph.outputs.values())
    found = {Tensor(INPUT): image} if Tensor(INPUT) in wanted else {}
    for node, _, results in walk(graph, image, compute):
        pairs = zip(node.results, results, strict=True)
        found.update((tensor, result) for tensor, result in pairs if tensor in wanted)
    return {key: found[tensor] for key, tensor in graph.outputs.items()}


def arrays_of(node: Node, weights: Arrays) -> dict[str, Array]:
    """The weights that a node uses, its own or another's, by their names within the op."""
    return {weight.name: weights[f"{node.owner}.{weight.name}"] for weight in node.layer.uses}


def float_compute(weights: Arrays, image: Array) -> Compute:
    """Each op as it is, in the precision of the image."""

    def compute(node: Node, inputs: Sequence[Array]) -> Sequence[Array]:
        used = {
            name: array.astype(image.dtype, copy=False)
            for name, array in arrays_of(node, weights).items()
        }
        return forward(node.op, inputs, used)

    return compute
