"""Inference of a graph in plain numpy: what everything else is held against.

It shares nothing with the other targets and asks archspec for no shape or padding, so that whatever
is exported is compared to numbers come by in another way. Arrays are (batch, channels, height,
width) or (batch, features); the precision is that of the image, whatever the weights are.
"""

from __future__ import annotations

from archspec.compiler.targets import missing_spelling
from archspec.compiler.targets.reference import (
    attention,
    functions,
    moves,
    norms,
    resizing,
    windows,
)
from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.errors import SpecError
from archspec.graph import Graph

FAMILIES = (windows, norms, functions, moves, resizing, attention)
"""The modules that say what `forward` does with each op, which importing them is enough for."""


def run(graph: Graph, weights: Arrays, image: Array) -> dict[str, Array]:
    """The outputs by name. Raises SpecError for an op that has no function here."""
    values: dict[tuple[str, int], Array] = {("in", 0): image}
    last_reader = {tensor: name for name, node in graph.nodes.items() for tensor in node.inputs}
    kept = set(graph.outputs.values())
    for name, node in graph.nodes.items():
        if forward.dispatch(type(node.op)) is forward.dispatch(object):
            raise SpecError(missing_spelling("inference in numpy", node))
        used = {
            weight.name: weights[f"{node.owner}.{weight.name}"].astype(image.dtype)
            for weight in node.layer.uses
        }
        results = forward(node.op, [values[tensor] for tensor in node.inputs], used)
        values.update(((name, index), result) for index, result in enumerate(results))
        for tensor in set(node.inputs) - kept:
            if last_reader[tensor] == name:
                del values[tensor]
    return {key: values[tensor] for key, tensor in graph.outputs.items()}


__all__ = ["FAMILIES", "Array", "Arrays", "forward", "run"]
