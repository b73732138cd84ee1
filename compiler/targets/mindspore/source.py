"""The text of a network in MindSpore."""

from __future__ import annotations

from archspec.compiler.model import Model, weights_of
from archspec.compiler.targets.mindspore.dialect import DIALECT
from archspec.compiler.targets.python import source
from archspec.graph import Graph


def network_name(graph: Graph) -> str:
    """What the class of a network is called: resnet50 is Resnet50."""
    return source.network_name(graph, DIALECT)


def weight_names(graph: Graph) -> dict[str, str]:
    """What a checkpoint calls each weight, by the graph's weight path: the same."""
    return {path: path for path in weights_of(graph)}


def source_of(model: Model, weights: str = "") -> str:
    """The network as Python source: a module whose last class, `network_name(graph)`, is it.

    The same model gives the same text. Parameters have the graph's weight paths for names;
    `weights` is a checkpoint that the text shall mention. Raises SpecError for an op that MindSpore
    has no spelling for.
    """
    return source.source_of(model, DIALECT, weights)
