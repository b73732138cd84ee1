"""Patterns over the names of nodes, as shells have them for files.

In `stem.*`, `stage[12].*` and `*.norm`, `*` stands for anything, dots too, `?` for one
character, `[12]` for one of those.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from archspec.errors import Problem, SpecError, did_you_mean
from archspec.graph import Graph
from archspec.json_values import shown


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def nodes_that_fit(graph: Graph, patterns: Sequence[str], where: str) -> frozenset[str]:
    """The nodes of a graph whose names fit one of the patterns. Raises SpecError with every pattern
    that fits none; `where` is what gave them ("freeze", "--reset")."""
    found = {pattern: {n for n in graph.nodes if fnmatchcase(n, pattern)} for pattern in patterns}
    problems = [
        Problem(
            f"{shown(pattern)} fits no node of {graph.name}"
            f"{did_you_mean(pattern, _usual_patterns(graph.nodes))}"
            " (archspec stats shows their names)",
            where,
        )
        for pattern, nodes in found.items()
        if not nodes
    ]
    if problems:
        raise SpecError(problems)
    return frozenset().union(*found.values())


def _usual_patterns(nodes: Collection[str]) -> Iterator[str]:
    """Names of nodes, and of all within a part of a network."""
    for name in nodes:
        yield name
        parts = name.split(".")
        yield from (".".join([*parts[:count], "*"]) for count in range(1, len(parts)))


__all__ = ["fits", "nodes_that_fit"]
