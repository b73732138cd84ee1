"""Networks of a space as rows of small whole numbers, and what many of them cost at once.

A column is a place where a network can be one of several things. Where the space is a tree of parts
(archspec.space_cost) a column is a part, and its values are the different networks of that part: a
layer that is left out is one value, whatever its kernel would have been. Else a column is a
decision, and costs are counted network by network.
"""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.space import Cost, Space, place_of
from archspec.space_cost import METRICS, activation_bytes, cost_tree
from archspec.space_gates import common_decisions
from archspec.space_tree import CostTree, Leaf, NotDecomposable, Sum
from archspec.syntax import Decision

MAX_VALUES = 512
"""Of a column that is a whole part; a part of more is columns for its decisions."""
KEPT = 5000
"""Assignments that a space which is not a tree keeps, each some kilobytes."""
DRAWN = 200
"""Networks drawn to learn the decisions of a space that is not a tree."""

Value: TypeAlias = "tuple[tuple[str, Any], ...]"
"""What one value of a column settles: decisions with their options."""
Function: TypeAlias = Callable[[Graph], float]


class Encoding(ABC):
    """`columns` have the values of each column, `metrics` the names of what `costs` counts."""

    space: Space
    columns: tuple[tuple[Value, ...], ...]
    metrics: tuple[str, ...]

    @property
    def sizes(self) -> np.ndarray:
        """How many values each column has."""
        return np.array([len(values) for values in self.columns], np.int64)

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Rows drawn value by value, each equally likely."""
        return self.canonical(generator.integers(0, self.sizes, (count, len(self.columns))))

    @abstractmethod
    def assignment(self, row: Sequence[int]) -> dict[str, Any]:
        """The assignment that a row means."""

    @abstractmethod
    def row_of(self, assignment: Mapping[str, Any]) -> np.ndarray:
        """The row of an assignment that the space has."""

    @abstractmethod
    def costs(self, rows: np.ndarray) -> np.ndarray:
        """The metrics of each row, float64 [rows, metrics]; NaN where the network is wrong."""

    @abstractmethod
    def canonical(self, rows: np.ndarray) -> np.ndarray:
        """The rows with 0 in every column that does not matter beside the others."""


def written_assignment(assignment: Mapping[str, Any]) -> str:
    return json.dumps(dict(assignment), ensure_ascii=False)


def encoding_of(
    space: Space, metrics: Sequence[str] = METRICS, functions: Mapping[str, Function] | None = None
) -> tuple[Encoding, str]:
    """The encoding of a space that counts these of METRICS at least, and `functions` of whole
    networks; and where it is not a tree a clause that says why. Raises SpecError where the
    networks of the space are all wrong."""
    functions = functions or {}
    try:
        return TreeEncoding(cost_tree(space, functions)), ""
    except NotDecomposable as error:
        reason = str(error)
    except SpecError as error:
        reason = f"some of its networks are wrong ({error.problems[0].message})"
    return PlainEncoding(space, "activations" in metrics, functions), reason


@dataclass(frozen=True, eq=False)
class Part:
    """A sum of the tree in terms of columns: `costs`, and for each split its column and the part
    that each value leads to."""

    costs: np.ndarray
    splits: tuple[tuple[int, tuple[Part, ...]], ...] = ()


class TreeEncoding(Encoding):
    """`tree` is the space's."""

    def __init__(self, tree: CostTree):
        columns: _Columns = {}
        self.root = _part(tree.root, columns)
        self.tree = tree
        self.space, self.metrics = tree.space, tree.metrics
        self.columns = tuple(values for _, values, _ in columns.values())
        self._meanings = tuple(meanings for _, _, meanings in columns.values())

    def assignment(self, row: Sequence[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        waiting = [self.root]
        while waiting:
            for column, parts in waiting.pop().splits:
                found.update(self.columns[column][row[column]])
                waiting.append(parts[row[column]])
        return found

    def row_of(self, assignment: Mapping[str, Any]) -> np.ndarray:
        row = np.zeros(len(self.columns), np.int64)
        waiting = [self.root]
        while waiting:
            for column, parts in waiting.pop().splits:
                row[column] = next(
                    value
                    for settled, value in self._meanings[column]
                    if all(_is_same(assignment.get(key), option) for key, option in settled)
                )
                waiting.append(parts[row[column]])
        return row

    def costs(self, rows: np.ndarray) -> np.ndarray:
        total = np.tile(self.root.costs, (len(rows), 1))
        _add(self.root, rows, np.arange(len(rows)), total)
        return total

    def canonical(self, rows: np.ndarray) -> np.ndarray:
        matters = np.zeros(rows.shape, bool)
        _mark(self.root, rows, np.arange(len(rows)), matters)
        return np.where(matters, rows, 0)


_Columns: TypeAlias = "dict[str, tuple[int, tuple[Value, ...], tuple[tuple[Value, int], ...]]]"
"""By what they hold: their places, their values, and which value each way to settle them is."""


def _part(one: Sum, columns: _Columns) -> Part:
    splits: list[tuple[int, tuple[Part, ...]]] = []
    for split in one.splits:
        leaves = split.leaves()
        if leaves is not None and len(leaves) <= MAX_VALUES:
            places: dict[Any, int] = {}
            different: list[Leaf] = []
            for leaf in leaves:
                if places.setdefault(leaf.content, len(different)) == len(different):
                    different.append(leaf)
            values = tuple(leaf.settled for leaf in different)
            parts = tuple(Part(_array(leaf.costs)) for leaf in different)
            meanings = tuple((leaf.settled, places[leaf.content]) for leaf in leaves)
        else:
            values = tuple(((split.key, option),) for option in split.options)
            parts = tuple(_part(below, columns) for below in split.sums)
            meanings = tuple((value, place) for place, value in enumerate(values))
        # a column that several options bring means the same beside each of them
        known = (len(columns), values, meanings)
        column, _, _ = columns.setdefault(repr((values, meanings)), known)
        splits.append((column, parts))
    return Part(_array(one.costs), tuple(splits))


def _is_same(one: Any, other: Any) -> bool:
    return place_of(one, (other,)) is not None


def _array(costs: Sequence[float]) -> np.ndarray:
    return np.array(costs, np.float64)


def _add(part: Part, rows: np.ndarray, of: np.ndarray, total: np.ndarray) -> None:
    """Add to `total` what the rows numbered `of` pick below a part."""
    for column, parts in part.splits:
        picked = rows[of, column]
        total[of] += np.stack([one.costs for one in parts])[picked]
        for value, one in enumerate(parts):
            if one.splits:
                _add(one, rows, of[picked == value], total)


def _mark(part: Part, rows: np.ndarray, of: np.ndarray, matters: np.ndarray) -> None:
    for column, parts in part.splits:
        matters[of, column] = True
        picked = rows[of, column]
        for value, one in enumerate(parts):
            if one.splits:
                _mark(one, rows, of[picked == value], matters)


class PlainEncoding(Encoding):
    """A column is a decision. Those of a space whose networks settle different ones are learned
    from networks drawn at random; one that none of them met takes its first option."""

    def __init__(self, space: Space, counts_activations: bool, functions: Mapping[str, Function]):
        self.space = space
        self._settled: dict[tuple[int, ...], tuple[dict[str, Any], Cost]] = {}
        self._functions = dict(functions)
        if counts_activations:
            self._functions = {"activations": activation_bytes, **functions}
        self.metrics = (*Cost._fields, *self._functions)
        common = common_decisions(space)
        self._is_common = common is not None
        decisions = _draw(space) if common is None else common
        self._place = {key: place for place, key in enumerate(decisions)}
        self.columns = tuple(
            tuple(((key, option),) for option in options) for key, options in decisions.items()
        )

    def assignment(self, row: Sequence[int]) -> dict[str, Any]:
        return dict(self._settle(row)[0])

    def row_of(self, assignment: Mapping[str, Any]) -> np.ndarray:
        row = np.zeros(len(self.columns), np.int64)
        for key, option in assignment.items():
            if key in self._place:
                options = [value[0][1] for value in self.columns[self._place[key]]]
                row[self._place[key]] = place_of(option, options) or 0
        return row

    def costs(self, rows: np.ndarray) -> np.ndarray:
        return np.array([self._costs(row) for row in rows.tolist()], np.float64)

    def canonical(self, rows: np.ndarray) -> np.ndarray:
        if self._is_common:
            return rows
        kept = np.zeros_like(rows)
        for old, new in zip(rows, kept, strict=True):
            try:
                places = [self._place[key] for key in self.assignment(old) if key in self._place]
            except SpecError:
                places = [*range(len(old))]
            new[places] = old[places]
        return kept

    def _settle(self, row: Sequence[int]) -> tuple[dict[str, Any], Cost]:
        """What a row settles, kept a while: its costs and its assignment are asked for in turn."""
        key = tuple(row)
        if key not in self._settled:
            if len(self._settled) >= KEPT:
                self._settled.clear()
            self._settled[key] = self.space.settle(self._decide(row))
        return self._settled[key]

    def _decide(self, row: Sequence[int]) -> Callable[[str, Decision], int]:
        def decide(key: str, decision: Decision) -> int:
            place = self._place.get(key)
            return 0 if place is None else row[place] % len(decision.options)

        return decide

    def _costs(self, row: Sequence[int]) -> tuple[float, ...]:
        try:
            assignment, cost = self._settle(row)
            if not self._functions:
                return cost
            graph = self.space.assign(assignment)
        except SpecError:
            return (float("nan"),) * len(self.metrics)
        return (*cost, *(count(graph) for count in self._functions.values()))


def _draw(space: Space) -> dict[str, tuple[Any, ...]]:
    """The decisions that networks drawn at random settle. Raises SpecError where all are wrong."""
    found: dict[str, tuple[Any, ...]] = {}
    generator = random.Random(0)

    def decide(key: str, decision: Decision) -> int:
        found.setdefault(key, decision.options)
        return generator.randrange(len(decision.options))

    wrong: list[SpecError] = []
    for _ in range(DRAWN):
        try:
            space.settle(decide)
        except SpecError as error:
            wrong.append(error)
    if len(wrong) == DRAWN:
        raise wrong[0]
    return found
