"""What Optuna's samplers would try next, from a study in memory that grows with the trials.

Nothing is asked of the study itself: a sampler of its own seed suggests for one trial that never
ends, so that a suggestion adds nothing and costs what the sampler costs.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import create_trial

NAME = "trials"
SCORED = 64
"""Networks that TPE's model draws, and as many drawn at random, where its own choice is known."""


class Suggester:
    """Suggests rows of numbers from 0, below `sizes` in each column, for so many objectives.

    `columns` are those that have a choice, by name. NSGA-II has a `population`; TPE without has
    `start` rows drawn at random first.
    """

    def __init__(
        self,
        columns: Mapping[str, int],
        sizes: Sequence[int],
        objectives: int,
        population: int | None,
        start: int,
    ):
        self._columns = columns
        self._width = len(sizes)
        self._population = population
        self._start = start
        self._space: dict[str, CategoricalDistribution] = {
            name: CategoricalDistribution(range(sizes[column])) for name, column in columns.items()
        }
        self._objectives = objectives
        self._begin()

    def learn(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Learn these trials, each value as something to be made small. Those learnt before cost
        nothing; where one of them is not among these, all are learnt again."""
        trials = [*zip(map(tuple, rows.tolist()), map(tuple, values.tolist()), strict=True)]
        counts = Counter(trials)
        if not self._known <= counts:
            self._begin()
        known = self._known.copy()
        for trial in trials:
            if known[trial]:
                known[trial] -= 1
            else:
                self._add(*trial)
        self._known = counts
        # an object of the study remembers what trials there were when a sampler first asked it
        self._study = optuna.load_study(study_name=NAME, storage=self._storage)

    def suggest(self, seed: int) -> Iterator[np.ndarray]:
        """A row; of TPE, once it has a model, then others, from that on of which the model expects
        most."""
        sampler = self._sampler(seed)
        yield self._suggest(sampler)
        if not isinstance(sampler, _Tpe) or sampler.estimators is None:
            return
        generator = np.random.RandomState(seed)
        samples = sampler.estimators[0].sample(generator, SCORED)
        for name, values in samples.items():
            others = generator.randint(len(self._space[name].choices), size=SCORED)
            samples[name] = np.concatenate([values, others])
        rows = np.zeros((2 * SCORED, self._width), np.int64)
        for name, values in samples.items():
            rows[:, self._columns[name]] = values
        order = np.argsort(-sampler.expect(samples), kind="stable")
        yield from rows[order]

    def _begin(self) -> None:
        self._known: Counter[Any] = Counter()
        self._count = 0
        self._storage = InMemoryStorage()
        self._study = optuna.create_study(
            study_name=NAME,
            storage=self._storage,
            directions=[StudyDirection.MINIMIZE] * self._objectives,
        )
        self._study.ask()
        self._trial = self._study.get_trials()[0]

    def _add(self, row: Sequence[int], values: Sequence[float]) -> None:
        attributes = {}
        if self._population is not None:  # what Optuna's NSGA-II keeps of a trial: its generation
            attributes[NSGAIISampler._get_generation_key()] = self._count // self._population
        self._study.add_trial(
            create_trial(
                params={name: row[column] for name, column in self._columns.items()},
                distributions={**self._space},
                values=[*values],
                system_attrs=attributes,
            )
        )
        self._count += 1

    def _sampler(self, seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that `multivariate` was an experiment once
            if self._population is None:
                return _Tpe(seed=seed, multivariate=True, n_startup_trials=self._start)
            return NSGAIISampler(seed=seed, population_size=self._population)

    def _suggest(self, sampler: BaseSampler) -> np.ndarray:
        space: dict[str, BaseDistribution] = {
            name: self._space[name] for name in sorted(self._space) if self._count
        }
        found = sampler.sample_relative(self._study, self._trial, space)
        row = np.zeros(self._width, np.int64)
        for name, one in self._space.items():
            value = found.get(name)
            if value is None:
                value = sampler.sample_independent(self._study, self._trial, name, one)
            row[self._columns[name]] = value
        return row


class _Tpe(TPESampler):
    """Keeps the two estimators that its last suggestion was made by: of good trials and of all
    others."""

    estimators: tuple[Any, Any] | None = None

    def _compute_acquisition_func(self, samples: Any, mpe_below: Any, mpe_above: Any) -> Any:
        self.estimators = mpe_below, mpe_above
        return super()._compute_acquisition_func(samples, mpe_below, mpe_above)

    def expect(self, samples: dict[str, np.ndarray]) -> np.ndarray:
        """What the model expects of each sample, more being better."""
        assert self.estimators is not None
        return super()._compute_acquisition_func(samples, *self.estimators)
