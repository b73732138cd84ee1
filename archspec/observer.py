"""Who is told of each step of an expansion."""

from __future__ import annotations

from typing import Protocol

from archspec.fragment import Ref
from archspec.scope import Body
from archspec.syntax import Decision, Modifiers


class Observer(Protocol):
    """Who is told of each step of an expansion. What is kept from another time is not expanded, and
    nobody is told of what is in it."""

    def enter(self, body: Body, node: Modifiers, path: str) -> None:
        """A copy of a node begins in `body`, or all its copies together; `path` is its full
        name."""
        ...

    def leave(self, body: Body, results: tuple[Ref, ...]) -> None:
        """What began last is expanded. These results of it have a name or come next."""
        ...

    def settle(self, key: str, decision: Decision) -> None:
        """A choice is settled, or one of this key was before."""
        ...
