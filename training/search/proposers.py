"""Which network to train next, from those trained so far.

A proposal depends on the trials that ended well, its number and the seed, and on nothing else: so a
search that was stopped resumes as it would have, and workers need not share random numbers. TPE and
NSGA-II are Optuna's (archspec.training.search.suggesting).

An engine that has learnt something asks again and again for what it knows. What is not good (met
before, or outside the constraints) is then replaced by the best that the engine has not seen: for
TPE by what its model expects most of, for the others by their own suggestions with more and more
columns changed. Only where that finds nothing a network is drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archspec.errors import LackingError
from archspec.extras import lacking
from archspec.training.search.batch import tournament_of
from archspec.training.search.encoding import Encoding
from archspec.training.search.facts import LISTED
from archspec.training.search.pareto import ranks

if TYPE_CHECKING:
    from optuna.distributions import CategoricalDistribution

    from archspec.training.search.suggesting import Suggester

MAX_TRIES = 20
"""Suggestions of an engine in a row that are of no use, and networks near them as far away."""
MAX_DRAWS = 2000
"""Networks drawn in a row that are of no use, until there are taken to be no more."""
START = 10
"""Networks that TPE has drawn at random before it models anything."""


@dataclass(frozen=True, eq=False)
class History:
    """Networks that were trained, in the order of their numbers: rows, and the objectives, each as
    something to be made small."""

    rows: np.ndarray
    values: np.ndarray


SUGGESTED, SCORED, CHANGED, DRAWN = "suggested", "scored", "changed", "drawn"


class Proposal(NamedTuple):
    """A row to try, and where it is from: what the engine suggested; what its model scored best of
    the unseen ones, or a suggestion that was changed, for all that it suggested was no good; or
    drawn at random."""

    row: np.ndarray
    origin: str


@dataclass(frozen=True, eq=False)
class Proposer:
    """`engine` proposes rows of `encoding`; `population` is that of nsga2 and evolution, `listed`
    are the rows of an engine that found them by itself."""

    engine: str
    encoding: Encoding
    objectives: int
    seed: int
    population: int
    listed: tuple[np.ndarray, ...] = ()

    def propose(
        self, history: History, number: int, is_good: Callable[[np.ndarray], bool]
    ) -> np.ndarray | None:
        """The row of proposal(history, number, is_good)."""
        found = self.proposal(history, number, is_good)
        return None if found is None else found.row

    def proposal(
        self, history: History, number: int, is_good: Callable[[np.ndarray], bool]
    ) -> Proposal | None:
        """What to try as trial `number`, or None where no more good rows are found."""
        for origin, rows in self._origins(history, number):
            for row in rows:
                canonical = self.encoding.canonical(row[None])[0]
                if is_good(canonical):
                    return Proposal(canonical, origin)
        return None

    def _origins(self, history: History, number: int) -> Iterator[tuple[str, Iterable[np.ndarray]]]:
        """Rows to try one after the other, by where they are from."""
        if self.engine == LISTED:
            yield SUGGESTED, self.listed
            return
        if self.engine == "enumerate":
            yield SUGGESTED, self._all()
            return
        if self._start is not None and len(history.rows) >= self._start and self._columns:
            seeds = (seed_of(self.seed, number, attempt) for attempt in count())
            if self.engine == "tpe":
                self._suggester.learn(history.rows, history.values)
                rows = self._suggester.suggest(next(seeds))
                yield SUGGESTED, islice(rows, 1)
                yield SCORED, rows
            else:
                suggested: list[np.ndarray] = []
                yield SUGGESTED, self._suggest(history, islice(seeds, MAX_TRIES), suggested)
                yield CHANGED, self._change(suggested, np.random.default_rng(next(seeds)))
        yield DRAWN, self._draw(np.random.default_rng(seed_of(self.seed, number, MAX_TRIES)))

    def _suggest(
        self, history: History, seeds: Iterable[int], kept: list[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """What NSGA-II or evolution suggests, which is kept too."""
        if self.engine == "nsga2":
            self._suggester.learn(history.rows, history.values)
        for seed in seeds:
            if self.engine == "nsga2":
                kept.append(next(self._suggester.suggest(seed)))
            else:
                kept.append(self._evolve(history, np.random.default_rng(seed)))
            yield kept[-1]

    def _change(
        self, rows: Sequence[np.ndarray], generator: np.random.Generator
    ) -> Iterator[np.ndarray]:
        """The rows with one column at another value, then with two, and so on."""
        for columns in range(1, len(self._columns) + 1):
            for row in rows:
                yield self._mutate(row, columns, generator)

    def _draw(self, generator: np.random.Generator) -> Iterator[np.ndarray]:
        """Rows drawn at random, in batches that grow: the first is nearly always good."""
        left, size = MAX_DRAWS, 1
        while left:
            size = min(2 * size, left)
            yield from self.encoding.draw(size, generator)
            left -= size

    @property
    def _start(self) -> int | None:
        """Networks that are drawn at random before the engine suggests any; None where it never
        does."""
        return count_drawn_first(self.engine, self.population)

    def _all(self) -> Iterator[np.ndarray]:
        for row in product(*(range(size) for size in self.encoding.sizes.tolist())):
            array = np.array(row, np.int64)
            if (self.encoding.canonical(array[None])[0] == array).all():
                yield array

    def _evolve(self, history: History, generator: np.random.Generator) -> np.ndarray:
        """A mutation of the best of a sample of the youngest (regularised evolution)."""
        rows, values = history.rows[-self.population :], history.values[-self.population :]
        sample = generator.choice(len(rows), tournament_of(self.population), replace=False)
        return self._mutate(rows[sample[ranks(values[sample]).argmin()]], 1, generator)

    def _mutate(self, row: np.ndarray, columns: int, generator: np.random.Generator) -> np.ndarray:
        """A row with so many columns at another value."""
        sizes = self.encoding.sizes
        chosen = generator.choice(np.flatnonzero(sizes > 1), columns, replace=False)
        changed = row.copy()
        changed[chosen] = (row[chosen] + generator.integers(1, sizes[chosen])) % sizes[chosen]
        return changed

    @cached_property
    def _suggester(self) -> Suggester:
        optuna_package()
        from archspec.training.search.suggesting import Suggester

        return Suggester(
            {name: column for name, (column, _) in self._columns.items()},
            self.encoding.sizes.tolist(),
            self.objectives,
            self.population if self.engine == "nsga2" else None,
            START,
        )

    def params(self, row: Sequence[int] | np.ndarray) -> dict[str, str]:
        """The row as Optuna's parameters."""
        return {name: labels[int(row[column])] for name, (column, labels) in self._columns.items()}

    @cached_property
    def _columns(self) -> dict[str, tuple[int, list[str]]]:
        """Columns with their values as words, by names that say what they settle."""
        found: dict[str, tuple[int, list[str]]] = {}
        for column, values in enumerate(self.encoding.columns):
            if len(values) > 1:
                keys = dict.fromkeys(key for value in values for key, _ in value)
                name = ", ".join(keys)
                name = f"{name} ({column})" if name in found else name
                found[name] = (column, [json.dumps(dict(value)) for value in values])
        return found

    @cached_property
    def distributions(self) -> dict[str, CategoricalDistribution]:
        categorical = optuna_package().distributions.CategoricalDistribution
        return {name: categorical(labels) for name, (_, labels) in self._columns.items()}


def count_drawn_first(engine: str, population: int) -> int | None:
    """Networks that an engine has drawn at random before it learns from any; None where it never
    learns."""
    return {"tpe": START, "nsga2": population, "evolution": population}.get(engine)


def seed_of(*parts: object) -> int:
    """A seed of its own for each of such parts, 32 bits."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def optuna_package() -> Any:
    """Optuna, quiet. Raises UsageError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise LackingError(lacking("this search", "optuna", error)) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
