"""A search for what is only counted: rows of an encoding, their values, and what they must keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from archspec.space import Space
from archspec.training.search.encoding import Encoding, encoding_of
from archspec.training.search.objectives import OPERATORS, Constraint, Objective, counted_functions


@dataclass(frozen=True, eq=False)
class Counted:
    """`why_plain` says why costs are counted network by network, where they are."""

    encoding: Encoding
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    why_plain: str = ""

    @property
    def places(self) -> list[int]:
        """The column of `costs` that each objective is."""
        return [self.encoding.metrics.index(objective.name) for objective in self.objectives]

    def minimise(self, costs: np.ndarray) -> np.ndarray:
        """The objectives, each as something to be made small, float64 [rows, objectives]."""
        signs = [objective.sign for objective in self.objectives]
        return costs[:, self.places] * signs

    def is_feasible(self, costs: np.ndarray) -> np.ndarray:
        """Which rows are networks that keep to the constraints."""
        fine = ~np.isnan(costs).any(axis=1)
        for constraint in self.constraints:
            column = costs[:, self.encoding.metrics.index(constraint.metric)]
            fine &= OPERATORS[constraint.operator](column, constraint.bound)
        return fine

    def name_costs(self, costs: np.ndarray) -> dict[str, float]:
        """The objectives of one row of costs by name; whole numbers as such."""
        found = {}
        for objective, place in zip(self.objectives, self.places, strict=True):
            value = float(costs[place])
            found[objective.name] = int(value) if value.is_integer() else value
        return found


def count_exactly(
    space: Space, objectives: Sequence[Objective], constraints: Sequence[Constraint] = ()
) -> Counted:
    """The search for these objectives, all of them counted. Raises SpecError, UsageError."""
    names = metrics_of(objectives, constraints)
    encoding, why = encoding_of(space, names, counted_functions(names))
    return Counted(encoding, tuple(objectives), tuple(constraints), why)


def metrics_of(objectives: Iterable[Objective], constraints: Iterable[Constraint]) -> list[str]:
    """The counted metrics that a search needs, each once."""
    names = [objective.name for objective in objectives if objective.is_counted]
    return list(dict.fromkeys([*names, *(constraint.metric for constraint in constraints)]))


class Fresh:
    """Rows that are new and keep to the constraints. A network that does not is drawn again: this
    is all the repair there is. `drawn` and `kept` count what was drawn, and what of it was good."""

    def __init__(self, problem: Counted):
        self.problem = problem
        self.drawn = self.kept = 0
        self._seen: set[bytes] = set()

    def take(self, rows: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The first of these rows, `most` at most, that are new and good, with their costs."""
        keys = [row.tobytes() for row in rows.astype(np.int16)]
        first = {key: place for place, key in reversed([*enumerate(keys)])}
        new = [place for place, key in enumerate(keys) if key not in self._seen]
        new = [place for place in new if first[keys[place]] == place]
        if not new:
            return rows[:0], np.zeros((0, len(self.problem.encoding.metrics)))
        costs = self.problem.encoding.costs(rows[new])
        good = np.flatnonzero(self.problem.is_feasible(costs))
        self.drawn += len(new)
        self.kept += len(good)
        taken = np.array(new)[good[:most]]
        self._seen.update(keys[place] for place in taken.tolist())
        return rows[taken], costs[good[:most]]
