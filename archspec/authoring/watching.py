"""Which shapes the results of each written node have, gathered while a text is expanded, so that
they are there up to the node where it goes wrong."""

from __future__ import annotations

from typing import TypeAlias

from archspec.document import Pointer
from archspec.fragment import Ref
from archspec.scope import Body
from archspec.shapes import Shapes as ShapesOfResults
from archspec.syntax import Decision, Modifiers

Shapes: TypeAlias = "dict[Pointer, dict[ShapesOfResults, None]]"
"""Of each node, by its place in the text, the shapes of its results, each that it ever has."""


class Watcher:
    """An archspec.observer.Observer of nodes that stand in the text called `name`."""

    def __init__(self, name: str):
        self.name = name
        self.shapes: Shapes = {}
        self._open: list[Modifiers] = []

    def enter(self, body: Body, node: Modifiers, path: str) -> None:
        self._open.append(node)

    def leave(self, body: Body, results: tuple[Ref, ...]) -> None:
        node = self._open.pop()
        is_copy = bool(self._open) and self._open[-1] is node
        if results and not is_copy and node.at.document.shown == self.name:
            known = self.shapes.setdefault(node.at.pointer, {})
            known[tuple(map(body.shape, results))] = None

    def settle(self, key: str, decision: Decision) -> None:
        """Which option is taken changes nothing here."""
