"""The text of a network in PyTorch."""

from __future__ import annotations

from archspec.compiler.model import Model
from archspec.compiler.targets.python import source
from archspec.compiler.targets.python.weight_names import names_of, places_of
from archspec.compiler.targets.torch.dialect import DIALECT
from archspec.graph import Graph


def network_name(graph: Graph) -> str:
    """What the class of a network is called: resnet50 is Resnet50."""
    return source.network_name(graph, DIALECT)


def weight_names(graph: Graph) -> dict[str, str]:
    """What a state_dict of the network calls each weight, by the graph's weight path."""
    return names_of(graph, DIALECT)


def module_names(graph: Graph) -> dict[str, str]:
    """What the network calls the submodule of each node that has one, by the node's name."""
    return places_of(graph, DIALECT)


def source_of(model: Model, weights: str = "") -> str:
    """The network as Python source: a module whose last class, `network_name(graph)`, is it.

    The same model gives the same text. `weights` is a file of them, by `weight_names`, that the
    text shall mention. Raises SpecError for an op that PyTorch has no spelling for.
    """
    return source.source_of(model, DIALECT, weights)
