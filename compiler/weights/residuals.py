"""The batch norms that end a residual branch, found in a graph whatever its nodes are called."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.graph import Graph
from archspec.node import INPUT
from archspec.ops import Act, Add, BatchNorm, Mul

LEARNS_AT_ZERO = (
    "leaky_relu", "prelu", "elu", "gelu", "silu", "hswish", "tanh", "mish",
    "neg",
)  # fmt: skip
"""Activations that are 0 at 0 with a slope there. Behind relu a branch of zeros has no gradient and
would stay zero for ever."""


def last_gammas(graph: Graph) -> list[str]:
    """The batch norms ("stage1.block1.expand.norm") whose gamma of zero makes a residual block the
    identity, or its shortcut, at the start of training.

    Of the two inputs of an add, the branch is the one that more convolutions lead to from where the
    two part. Its last batch norm counts where nothing but dropout, scales, gates and activations
    that learn from zero follows it; where both sides are as long (RepVGG), there is no branch.
    """
    order = {name: index for index, name in enumerate([INPUT, *graph.nodes])}
    found: dict[str, None] = {}
    for node in graph.nodes.values():
        shapes = node.layer.input_shapes
        # where a sum repeats one of the two along an axis, it is not what is left without the other
        if isinstance(node.op, Add) and len(shapes) == 2 and shapes[0] == shapes[1]:
            one, other = (tensor.node for tensor in node.inputs)
            _, lengths = _parting(graph, order, one, other)
            if lengths[0] == lengths[1]:
                continue
            name = _ending_norm(graph, order, one if lengths[0] > lengths[1] else other)
            if name:
                found[name] = None
    users: dict[str, set[str]] = {}
    for node in graph.nodes.values():
        users.setdefault(node.owner, set()).add(node.name)
    # weights that others use too would be zero where no shortcut stands beside them
    return [name for name in found if users[graph.nodes[name].owner] <= found.keys()]


def _parting(
    graph: Graph, order: Mapping[str, int], one: str, other: str
) -> tuple[str, tuple[int, int]]:
    """Where the ways to two nodes part, and how many convolutions lead from there to either."""
    frontier = {one: {0}}
    frontier.setdefault(other, set()).add(1)
    lengths = [0, 0]
    while len(frontier) > 1:
        name = max(frontier, key=order.__getitem__)
        sides = frontier.pop(name)
        node = graph.nodes[name]
        if node.op.work().has_filters and len(sides) == 1:
            lengths[min(sides)] += 1
        for tensor in node.inputs:
            frontier.setdefault(tensor.node, set()).update(sides)
    return next(iter(frontier)), (lengths[0], lengths[1])


def _ending_norm(graph: Graph, order: Mapping[str, int], name: str) -> str | None:
    """The batch norm that a tensor is zero with, walking back."""
    while name != INPUT:
        node = graph.nodes[name]
        op = node.op
        if isinstance(op, BatchNorm):
            return name
        if isinstance(op, Mul) and len(node.inputs) == 2:
            # a gate is made from what it gates
            one, other = (tensor.node for tensor in node.inputs)
            name, _ = _parting(graph, order, one, other)
            if name not in (one, other):
                return None
        elif (
            op.is_noise
            or op.gives_its_input(node.layer.input_shapes)
            or op.work().kind == "scale"
            or (isinstance(op, Act) and op.function in LEARNS_AT_ZERO)
        ):
            name = node.inputs[0].node
        else:
            return None
    return None
