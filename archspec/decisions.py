"""The options that choices take in one expansion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from archspec.errors import listed
from archspec.syntax import Decision

Decide: TypeAlias = Callable[[str, Decision], int]
"""Settles a choice: given its key and what was written, the index of the option taken."""


class Decisions:
    """The options taken so far, by the keys of the decisions."""

    def __init__(self, decide: Decide | None):
        self._decide = decide
        self._settled: dict[str, tuple[int, tuple[Any, ...]]] = {}

    def settle(self, key: str, decision: Decision) -> int:
        """The option that a choice takes; of one name all choices take the same. Raises SpecError
        where nobody decides, or where choices of one name have different options."""
        settled = self._settled.get(key)
        if settled is None:
            if self._decide is None:
                raise decision.at.error(
                    f"this is a search space: the choice {key!r} is open; use an assigned space"
                    " (archspec.Space(name).assign(decisions), --decisions on the command line)"
                )
            settled = self._settled[key] = (self._decide(key, decision), decision.options)
        if settled[1] != decision.options:
            raise decision.at.error(
                f"the choice {key!r} has the options {listed(list(map(str, decision.options)))}"
                f" here and {listed(list(map(str, settled[1])))} elsewhere; choices that share a"
                " name share their options"
            )
        return settled[0]


def key_of(decision: Decision, path: str) -> str:
    """A choice's own name, or the path to where it stands: of the node that evaluates it, and of
    the value in that node."""
    if decision.shared_name:
        return decision.shared_name
    if not decision.key:
        return path
    return f"{path}.{decision.key}" if path and path[-1] != "." else f"{path}{decision.key}"
