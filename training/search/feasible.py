"""Whether a space has networks that keep to the constraints, and how near the others come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archspec.tables import shown_count
from archspec.training.search.counted import Counted
from archspec.training.search.encoding import TreeEncoding
from archspec.training.search.exact import exact_front
from archspec.training.search.objectives import Constraint, Objective

DRAWN, DRAWN_PLAIN = 10_000, 300
"""Networks to learn from where it is not known exactly; fewer where each is counted by itself."""


def why_impossible(problem: Counted) -> str:
    """A sentence where no network can keep to one of the constraints; else empty, which says that
    each can be kept to, or that it is not known."""
    for constraint in problem.constraints:
        nearest = _nearest(problem, constraint)
        if nearest is not None and not constraint.holds(nearest):
            return f"no network of the space keeps to {constraint}: {_say(constraint, nearest)}"
    return ""


def why_none(problem: Counted) -> str:
    """A sentence for a search that found no network to try."""
    impossible = why_impossible(problem)
    if impossible or not problem.constraints:
        return impossible or "the space has no network that can be built"
    encoding = problem.encoding
    count = DRAWN if isinstance(encoding, TreeEncoding) else DRAWN_PLAIN
    costs = encoding.costs(encoding.draw(count, np.random.default_rng(0)))
    costs = costs[~np.isnan(costs).any(axis=1)]
    bounds = " and ".join(map(str, problem.constraints))
    if not len(costs):
        return f"none of {count:,} networks drawn at random can be built"
    nearest = [
        _say(c, (np.min if _is_upper(c) else np.max)(costs[:, encoding.metrics.index(c.metric)]))
        for c in problem.constraints
    ]
    return (
        f"no network was found that keeps to {bounds}; of {len(costs):,} drawn at random"
        f" {', '.join(nearest)}"
    )


def _nearest(problem: Counted, constraint: Constraint) -> float | None:
    """The least of what is bounded from above, or the most of what is bounded from below; None
    where it is not known exactly."""
    if not isinstance(problem.encoding, TreeEncoding):
        return None
    objective = Objective(constraint.metric, is_max=not _is_upper(constraint))
    rows = exact_front(replace(problem, objectives=(objective,), constraints=()))
    if rows is None or not len(rows):
        return None
    place = problem.encoding.metrics.index(constraint.metric)
    return float(problem.encoding.costs(rows[:1])[0, place])


def _is_upper(constraint: Constraint) -> bool:
    return constraint.operator.startswith("<")


def _say(constraint: Constraint, value: float) -> str:
    shown = shown_count(int(value)) if float(value).is_integer() else f"{value:.6g}"
    return f"the {'least' if _is_upper(constraint) else 'most'} {constraint.metric} is {shown}"
