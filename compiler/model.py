"""What the compiler works on: a graph and, where they are known, the arrays of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from archspec.graph import Graph
from archspec.ops import Weight

if TYPE_CHECKING:
    import numpy as np

Weights: TypeAlias = "Mapping[str, np.ndarray]"
"""Arrays by weight path, "node.weight": "stage1.conv.weight", "stage1.bn.moving_mean"."""


@dataclass(frozen=True, eq=False)
class Model:
    """A graph with its weights; without them (None) the passes still rewrite the graph.

    `rewritten_from` is the graph of the spec where passes have rewritten it since: what is built
    from a model tells by its fingerprint which network it is.
    """

    graph: Graph
    weights: Weights | None = None
    rewritten_from: Graph | None = None

    @property
    def spec_graph(self) -> Graph:
        """The graph as the spec gives it, whatever passes have made of it."""
        return self.graph if self.rewritten_from is None else self.rewritten_from


def weights_of(graph: Graph) -> dict[str, Weight]:
    """Every array a graph owns, by its path, in execution order; one that several nodes use is its
    owner's."""
    return {
        f"{node.name}.{weight.name}": weight
        for node in graph.nodes.values()
        for weight in node.layer.weights
    }


def node_of(path: str) -> str:
    """The node that a weight is of: "stem.conv" of "stem.conv.weight"."""
    return path.rpartition(".")[0]
