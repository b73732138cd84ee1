"""Ranges that a network learnt with, in the metadata of its weights: of each layer, by the name of
its node, the range of what it reads. Training for int8 writes them; its numbers fit no others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from archspec.compiler.quantize.factors import Factors, factors_of_range
from archspec.compiler.weights.files import open_tensors
from archspec.errors import Problem, SpecError
from archspec.graph import Graph
from archspec.node import Tensor

RANGES = "ranges"


def read_ranges(path: str | os.PathLike[str]) -> dict[str, tuple[float, float]]:
    """The ranges in a file of weights, by node; nothing where it has none. Raises SpecError where
    they cannot be read."""
    with open_tensors(path) as file:
        text = file.metadata.get(RANGES)
    if text is None:
        return {}
    try:
        found = {
            str(name): (float(low), float(high)) for name, (low, high) in json.loads(text).items()
        }
    except (ValueError, TypeError, AttributeError):
        raise SpecError(
            Problem(
                f"its metadata {RANGES!r} is not an object of two numbers a node; use the file as"
                " archspec train wrote it",
                os.fspath(path),
            )
        ) from None
    return found


def factors_of_ranges(
    graph: Graph, ranges: Mapping[str, tuple[float, float]]
) -> dict[Tensor, Factors]:
    """The factors of what the nodes of `ranges` read, as far as a graph still has them."""
    return {
        graph.nodes[name].inputs[0]: factors_of_range(*span)
        for name, span in ranges.items()
        if name in graph.nodes and span[1] > span[0]
    }
