"""How much an expansion may do: specs are small, and what they expand to need not be."""

from __future__ import annotations

from archspec.errors import SpecError
from archspec.syntax import Modifiers

MAX_NODES = 100_000
MAX_STEPS = 150_000
"""Nodes visited while expanding, those that turn out to be nothing included."""
STEPS_OF_A_CALL = 10
"""What expanding a template again counts, beside the nodes of its body: about what it costs."""
PARTS_OF_A_STEP = 30
"""Items in the arguments of a call that count a step."""


class Steps:
    """The steps of one expansion. Whoever takes some adds them to `taken`; whoever visits a node
    compares that with MAX_STEPS."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0


def too_many_steps(node: Modifiers) -> SpecError:
    return node.at.error(
        f"expanding passes {MAX_STEPS:,} steps here, those that leave no node included;"
        " use fewer copies"
    )


def too_many_nodes(node: Modifiers) -> SpecError:
    return node.at.error(f"the network passes {MAX_NODES:,} nodes here; use fewer copies")
