"""Which network to train next, from those trained so far.

A proposal depends on the trials that ended well, its number and the seed, and on nothing else: so a
search that was stopped goes on as it would have, and workers need not share random numbers. TPE and
NSGA-II are Optuna's. Its study is made anew in memory for each proposal, where a network that is no
good (met before, or outside the constraints) costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.errors import UsageError
from archspec.training.search.encoding import Encoding
from archspec.training.search.pareto import ranks

if TYPE_CHECKING:
    from optuna.distributions import CategoricalDistribution
    from optuna.samplers import BaseSampler

MOST_TRIES = 20
"""Proposals of an engine in a row that are no good, until one is drawn at random."""
MOST_DRAWS = 2000
"""Networks drawn in a row that are no good, until there are taken to be no more."""
START = 10
"""Networks that TPE has drawn at random before it models anything."""
LISTED = "single-path"
EXTRA = 'pip install "archspec-nn[search]"'


@dataclass(frozen=True, eq=False)
class History:
    """Networks that were trained, in the order of their numbers: rows, and the objectives, each as
    something to be made small."""

    rows: np.ndarray
    values: np.ndarray


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
        """The row to try as trial `number`, or None where no more good ones are found."""
        if self.engine == LISTED:
            return next(filter(is_good, self.listed), None)
        if self.engine == "enumerate":
            return next(filter(is_good, self._all()), None)
        for attempt in range(MOST_TRIES):
            row = self._proposed(history, seed_of(self.seed, number, attempt))
            if row is None:
                break
            row = self.encoding.canonical(row[None])[0]
            if is_good(row):
                return row
        generator = np.random.default_rng(seed_of(self.seed, number, MOST_TRIES))
        drawn = self.encoding.draw(MOST_DRAWS, generator)
        return next(filter(is_good, drawn), None)

    def _proposed(self, history: History, seed: int) -> np.ndarray | None:
        """A row, or None to have it drawn at random."""
        if self.engine == "random":
            return None
        if self.engine == "evolution":
            return self._evolved(history, np.random.default_rng(seed))
        return self._suggested(history, seed)

    def _all(self) -> Iterator[np.ndarray]:
        for row in product(*(range(size) for size in self.encoding.sizes.tolist())):
            array = np.array(row, np.int64)
            if (self.encoding.canonical(array[None])[0] == array).all():
                yield array

    def _evolved(self, history: History, generator: np.random.Generator) -> np.ndarray | None:
        """A mutation of the best of a sample of the youngest (regularised evolution)."""
        if len(history.rows) < self.population:
            return None
        rows, values = history.rows[-self.population :], history.values[-self.population :]
        sample = generator.choice(len(rows), max(2, self.population // 4), replace=False)
        winner = rows[sample[ranks(values[sample]).argmin()]].copy()
        sizes = self.encoding.sizes
        column = generator.choice(np.flatnonzero(sizes > 1))
        winner[column] = (winner[column] + generator.integers(1, sizes[column])) % sizes[column]
        return winner

    def _suggested(self, history: History, seed: int) -> np.ndarray:
        optuna = optuna_package()
        study = optuna.create_study(
            directions=["minimize"] * self.objectives, sampler=self._sampler(seed)
        )
        for place, (row, values) in enumerate(zip(history.rows, history.values, strict=True)):
            study.add_trial(
                optuna.trial.create_trial(
                    params=self.params(row),
                    distributions=self.distributions,
                    values=values.tolist(),
                    system_attrs=self._attributes(place),
                )
            )
        params = study.ask(self.distributions).params
        row = np.zeros(len(self.encoding.columns), np.int64)
        for name, (column, labels) in self._columns.items():
            row[column] = labels.index(params[name])
        return row

    def _sampler(self, seed: int) -> BaseSampler:
        samplers = optuna_package().samplers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that `multivariate` was an experiment once
            if self.engine == "tpe":
                return samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=START)
            return samplers.NSGAIISampler(seed=seed, population_size=self.population)

    def _attributes(self, place: int) -> dict[str, Any]:
        """What Optuna's NSGA-II keeps of a trial: its generation."""
        if self.engine != "nsga2":
            return {}
        sampler = optuna_package().samplers.NSGAIISampler
        return {sampler._get_generation_key(): place // self.population}

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


def seed_of(*parts: object) -> int:
    """A seed of its own for each of such parts, 32 bits."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def optuna_package() -> Any:
    """Optuna, quiet. Raises UsageError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f"this search needs Optuna, which is not there ({error}); {EXTRA} would do"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
