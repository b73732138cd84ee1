"""What of a network learns, and at which pace: a recipe's `freeze` and `groups` on a graph.

Both are about the network that a recipe is for; those that learn beside it learn whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archspec.compiler.model import node_of, weights_of
from archspec.compiler.node_patterns import fits, nodes_that_fit
from archspec.errors import Problem, SpecError
from archspec.graph import Graph
from archspec.json_values import shown
from archspec.training.recipe import Loss, Recipe


@dataclass(frozen=True)
class Pace:
    """Factors on the learning rate and on the weight decay of a weight."""

    lr: float = 1.0
    decay: float = 1.0


USUAL = Pace()
Paces = Mapping[str, Pace]
"""By the paths of weights; those that are not in it have the usual pace."""


def find_frozen(graph: Graph, recipe: Recipe) -> frozenset[str]:
    """Names of the nodes that do not learn: they compute as in evaluation, norms by their running
    statistics, which stay as they are. Raises SpecError for a pattern that fits no node, and where
    nothing is left to learn."""
    frozen = _owners_that_fit(graph, recipe.freeze, "freeze")
    learns = [path for path, weight in weights_of(graph).items() if weight.trainable]
    if frozen and all(node_of(path) in frozen for path in learns):
        raise SpecError(
            Problem(f"the patterns leave nothing of {graph.name} to learn; use fewer", "freeze")
        )
    return frozen


def find_paces(graph: Graph, recipe: Recipe, frozen: frozenset[str]) -> dict[str, Pace]:
    """The paces of weights that have one of their own. Raises SpecError for a pattern of a group
    that fits no node that learns, for `frozen` do not."""
    found: dict[str, Pace] = {}
    for number, group in enumerate(recipe.groups):
        where = f"groups.{number}.match"
        nodes = _owners_that_fit(graph, (group.match,), where) - frozen
        if not nodes:
            message = f"{shown(group.match)} fits frozen nodes alone; leave them out of freeze"
            raise SpecError(Problem(message, where))
        pace = Pace(group.lr, group.weight_decay)
        for path in weights_of(graph):
            if fits(node_of(path), (group.match,)):
                found.setdefault(path, pace)
    return found


def _owners_that_fit(graph: Graph, patterns: Sequence[str], where: str) -> frozenset[str]:
    """The nodes that fit the patterns, and all that share their weights. Raises SpecError for a
    pattern of those that use the weights of a node which it does not fit."""
    found = nodes_that_fit(graph, patterns, where)
    for name in found:
        owner = graph.nodes[name].owner
        if owner not in found:
            message = f"{name} uses the weights of {owner}; use a pattern that fits that"
            raise SpecError(Problem(message, where))
    return found.union(node.name for node in graph.nodes.values() if node.owner in found)


def class_weights_of(loss: Loss) -> tuple[float, ...] | None:
    """The class weights of a loss, once training.plan has taken those that are balanced."""
    if isinstance(loss.class_weights, str):
        raise AssertionError("the class weights are not numbers yet")
    return loss.class_weights
