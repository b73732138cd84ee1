"""A search space in figures: how large it is, what it decides, and what its networks cost."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any

from archspec.graph import Graph
from archspec.space import Space
from archspec.space_cost import METRICS, activation_bytes, cost_tree
from archspec.space_gates import common_decisions
from archspec.space_tree import MAX_BUILT, NotDecomposable

DRAWN = 200
"""Networks drawn where costs are not known exactly."""
DRAWN_FOR_SHARE = 2000
"""Networks drawn to see how many keep to something, where costs are quick to have."""


@dataclass(frozen=True)
class Range:
    """The least and the most of a metric."""

    metric: str
    least: float
    most: float


@dataclass(frozen=True)
class Summary:
    """`assignments` counts what can be decided, `networks` the networks that differ node for node:
    exactly, or None; `most_networks` is what the latter cannot exceed, as far as that is known.
    `ranges` are exact where `why_drawn` is empty; else it is a clause that says why they are of
    `drawn` networks only. `kept` is the share of the drawn ones that were asked for, None where
    nothing was."""

    space: Space
    decisions: Mapping[str, tuple[Any, ...]]
    assignments: int | None
    networks: int | None
    most_networks: int | None
    ranges: tuple[Range, ...]
    why_drawn: str
    drawn: int
    kept: float | None


def summarize(
    space: Space,
    functions: Mapping[str, Callable[[Graph], float]] | None = None,
    keeps: Callable[[Mapping[str, float]], bool] | None = None,
) -> Summary:
    """The figures of a space. `functions` are metrics beside METRICS; `keeps` is asked, of networks
    drawn at random, by their metrics. Raises SpecError where a network of the space is wrong."""
    functions = functions or {}
    common = common_decisions(space)
    count = None if common is None else prod(map(len, common.values()))
    try:
        tree = cost_tree(space, functions)
    except NotDecomposable as reason:
        return _build_some(space, functions, keeps, common, count, str(reason))
    rows = [
        dict(zip(tree.metrics, tree.cost(assignment), strict=True))
        for assignment in _samples(space, DRAWN_FOR_SHARE if keeps else 0)
    ]
    return Summary(
        space,
        tree.decisions,
        tree.assignments,
        tree.networks,
        tree.combinations,
        tuple(Range(metric, *tree.bounds(metric)) for metric in tree.metrics),
        "",
        len(rows),
        _share(rows, keeps),
    )


def _build_some(
    space: Space,
    functions: Mapping[str, Callable[[Graph], float]],
    keeps: Callable[[Mapping[str, float]], bool] | None,
    common: Mapping[str, tuple[Any, ...]] | None,
    count: int | None,
    reason: str,
) -> Summary:
    """The figures of networks that are built: of all where they are few, else of some drawn."""
    decisions: dict[str, tuple[Any, ...]] = dict(common or {})
    every = (
        [*islice(space.enumerate(), MAX_BUILT + 1)] if count is None or count <= MAX_BUILT else []
    )
    is_all = 0 < len(every) <= MAX_BUILT
    rows: list[dict[str, float]] = []
    different: set[str] = set()
    for assignment in every if is_all else _samples(space, DRAWN):
        graph = space.assign(assignment)
        counted = (graph.params, graph.macs, activation_bytes(graph))
        row: dict[str, float] = dict(zip(METRICS, counted, strict=True))
        rows.append({**row, **{name: value(graph) for name, value in functions.items()}})
        if is_all:
            different.add(graph.fingerprint)
        for key in assignment:
            decisions.setdefault(key, ())
    ranges = tuple(
        Range(metric, min(row[metric] for row in rows), max(row[metric] for row in rows))
        for metric in rows[0]
    )
    kept = _share(rows, keeps)
    if is_all:
        size = len(different)
        return Summary(space, decisions, len(rows), size, size, ranges, "", len(rows), kept)
    return Summary(space, decisions, count, None, count, ranges, reason, DRAWN, kept)


def _samples(space: Space, count: int) -> list[dict[str, Any]]:
    generator = random.Random(0)
    return [space.sample(generator) for _ in range(count)]


def _share(
    rows: Sequence[Mapping[str, float]], keeps: Callable[[Mapping[str, float]], bool] | None
) -> float | None:
    if keeps is None or not rows:
        return None
    return sum(map(keeps, rows)) / len(rows)
