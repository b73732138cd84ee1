"""The exact Pareto front of a space whose networks are sums of parts, by dynamic programming.

A network on the front is on the front of every set of its parts: were part of it beaten, the whole
would be. So parts are added one by one, and what is beaten is left out each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from archspec.training.search.counted import Counted
from archspec.training.search.encoding import Part, TreeEncoding
from archspec.training.search.pareto import find_nondominated

MAX_POINTS = {1: 4_000_000, 2: 4_000_000, 3: 400_000}
"""By what is sought at once: held before those that are beaten are left out. Of more than three
nearly all would be left."""


class TooManyPoints(Exception):
    """The front would not fit."""


class _Front(NamedTuple):
    values: np.ndarray
    """Each as something to be made small."""
    rows: np.ndarray
    """0 in the columns of other parts."""


def exact_front(problem: Counted) -> np.ndarray | None:
    """The rows on the front, or None where it is not to be had: costs are not sums, a constraint
    bounds from below what is to be small, or the front is too large."""
    encoding = problem.encoding
    if not isinstance(encoding, TreeEncoding):
        return None
    ways = {o.name: o.sign for o in problem.objectives}
    for constraint in problem.constraints:
        sign = 1.0 if constraint.operator.startswith("<") else -1.0
        # a bound on what is not an objective is one more thing to make small, until the end
        if ways.setdefault(constraint.metric, sign) != sign:
            return None
    places = [encoding.metrics.index(name) for name in ways]
    signs = np.array([*ways.values()])
    try:
        front = _front_of(encoding.root, places, signs, len(encoding.columns))
    except TooManyPoints:
        return None
    costs = encoding.costs(front.rows)
    rows, costs = (kept[problem.is_feasible(costs)] for kept in (front.rows, costs))
    return rows[find_nondominated(problem.minimise(costs))] if len(rows) else rows


def _front_of(part: Part, places: Sequence[int], signs: np.ndarray, columns: int) -> _Front:
    front = _Front((part.costs[places] * signs)[None], np.zeros((1, columns), np.int64))
    for column, parts in part.splits:
        options: list[_Front] = []
        for value, one in enumerate(parts):
            values, rows = _front_of(one, places, signs, columns)
            rows = rows.copy()
            rows[:, column] = value
            options.append(_Front(values, rows))
        front = _sum(front, _best(options))
    return front


def _best(fronts: Sequence[_Front]) -> _Front:
    values = np.concatenate([front.values for front in fronts])
    rows = np.concatenate([front.rows for front in fronts])
    kept = find_nondominated(values)
    return _Front(values[kept], rows[kept])


def _sum(one: _Front, other: _Front) -> _Front:
    count = len(one.values) * len(other.values)
    if count > MAX_POINTS.get(one.values.shape[1], 0):
        raise TooManyPoints
    values = (one.values[:, None] + other.values[None]).reshape(count, -1)
    kept = find_nondominated(values)
    here, there = np.divmod(kept, len(other.values))
    return _Front(values[kept], one.rows[here] + other.rows[there])
