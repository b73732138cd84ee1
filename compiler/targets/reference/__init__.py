"""Inference of a graph in plain numpy: what everything else is held against.

It shares nothing with the other targets and asks archspec for no shape or padding, so that whatever
is exported is compared to numbers come by in another way. Arrays are (batch, channels, height,
width) or (batch, features); the precision is that of the image, whatever the weights are.
"""

from __future__ import annotations

from archspec.compiler.targets.reference import (
    attention,
    functions,
    moves,
    norms,
    resizing,
    windows,
)
from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.compiler.targets.reference.walking import float_compute, outputs_of
from archspec.graph import Graph

FAMILIES = (windows, norms, functions, moves, resizing, attention)
"""The modules that say what `forward` does with each op, which importing them is enough for."""


def run(graph: Graph, weights: Arrays, image: Array) -> dict[str, Array]:
    """The outputs by name. Raises SpecError for an op that has no function here."""
    return outputs_of(graph, image, float_compute(weights, image))


__all__ = ["FAMILIES", "Array", "Arrays", "forward", "run"]
