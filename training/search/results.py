"""What a search came to: its front, the random baseline beside it, and the noise between seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from archspec.graph import Graph
from archspec.training.search.encoding import Encoding
from archspec.training.search.objectives import Objective
from archspec.training.search.pareto import find_nondominated, share_covered
from archspec.training.search.trials import ID_LENGTH, Trials

Trial = Mapping[str, Any]
BEYOND = 0.1
"""How far the box goes beyond the worst, so that the ends of a front cover some of it too."""
TOP = 10
"""Networks that are listed where one objective is sought, whose front is one alone."""
MAX_NETWORKS = 1000
"""Of the front that are built for pareto.csv."""


@dataclass(frozen=True, eq=False)
class Results:
    """`tried` are the engine's trials that ended well, `baseline` those of the random search beside
    it, `failed` all others. `exact` are the objectives of the exact front where it is known."""

    trials: Trials
    objectives: tuple[Objective, ...]
    tried: tuple[Trial, ...]
    baseline: tuple[Trial, ...]
    failed: tuple[Trial, ...]
    encoding: Encoding | None = None
    exact: np.ndarray | None = None

    def values(self, trials: Sequence[Trial]) -> np.ndarray:
        """The objectives of trials as they are, float64 [trials, objectives]."""
        names = [objective.name for objective in self.objectives]
        rows = [[trial["objectives"][name] for name in names] for trial in trials]
        return np.array(rows, np.float64).reshape(len(rows), len(names))

    def minimise(self, trials: Sequence[Trial]) -> np.ndarray:
        """The objectives of trials, each as something to be made small."""
        return self.values(trials) * self._signs

    @cached_property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other beats, from the least first objective on."""
        return self._front(self.tried)

    @cached_property
    def listed(self) -> tuple[Trial, ...]:
        """What people choose from: the front, or of one objective the best TOP, best first."""
        if len(self.objectives) > 1 or not self.tried:
            return self.front
        order = np.argsort(self.minimise(self.tried)[:, 0], kind="stable")
        return tuple(self.tried[place] for place in order[:TOP].tolist())

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Those as rows of pareto.csv, spread over the front where it has more than
        MAX_NETWORKS. Two assignments of one network are one row."""
        rows: dict[str, dict[str, Any]] = {}
        for trial in spread(self.listed, MAX_NETWORKS):
            graph = self.graph(trial)
            row = {
                "id": graph.fingerprint[:ID_LENGTH],
                "number": trial["number"],
                **trial["objectives"],
                "params": graph.params,
                "macs": graph.macs,
                "decisions": dict(self.assignment(trial)),
            }
            rows.setdefault(graph.fingerprint, row)
        return [*rows.values()]

    @cached_property
    def front_of_baseline(self) -> tuple[Trial, ...]:
        return self._front(self.baseline)

    def measure_cover(self, trials: Sequence[Trial]) -> float:
        """The hypervolume of trials as a share of the box from the best to just beyond the worst of
        all that was met, one objective at a time."""
        return self._measure_cover(self.minimise(trials))

    @cached_property
    def share_of_exact(self) -> float | None:
        """The hypervolume of the front as a share of the exact front's."""
        if self.exact is None or not len(self.exact):
            return None
        return self.measure_cover(self.tried) / self._measure_cover(self.exact * self._signs)

    @cached_property
    def noise(self) -> Noise | None:
        """How trustworthy accuracy is; None where no network was trained with several seeds."""
        by_network = {
            trial["fingerprint"]: trial["by_seed"]
            for trial in (*self.tried, *self.baseline)
            if len(trial.get("by_seed", ())) > 1
        }
        return noise_of([*by_network.values()]) if len(by_network) > 1 else None

    def graph(self, trial: Trial) -> Graph:
        """The network of a trial."""
        return self.trials.space.assign(self.assignment(trial))

    def assignment(self, trial: Trial) -> Mapping[str, Any]:
        """What a trial decided."""
        if "assignment" in trial:
            return trial["assignment"]
        assert self.encoding is not None, "rows are of runs that have an encoding"
        return self.encoding.assignment(trial["row"])

    @property
    def _signs(self) -> np.ndarray:
        return np.array([objective.sign for objective in self.objectives])

    def _front(self, trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
        if not trials:
            return ()
        kept = [trials[place] for place in find_nondominated(self.minimise(trials)).tolist()]
        first = self.objectives[0].name
        return tuple(sorted(kept, key=lambda trial: trial["objectives"][first]))

    def _measure_cover(self, values: np.ndarray) -> float:
        if not len(values):
            return 0.0
        best, worst = self._corners
        return share_covered(values, best, worst)

    @cached_property
    def _corners(self) -> tuple[np.ndarray, np.ndarray]:
        met = [self.minimise((*self.tried, *self.baseline))]
        if self.exact is not None:
            met.append(self.exact * self._signs)
        all_values = np.concatenate(met)
        best, worst = all_values.min(axis=0), all_values.max(axis=0)
        return best, worst + BEYOND * (worst - best)


def spread(items: Sequence[Any], most: int) -> list[Any]:
    """As many of the items, evenly over them, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


@dataclass(frozen=True)
class Noise:
    """Standard deviations of accuracy between the seeds of a network and between networks (the
    seeds' share taken off), and of `seeds` seeds the reliability of their mean: the share of its
    variance that is the networks'. `tau` is Kendall's between single seeds, on average."""

    seeds: int
    of_seeds: float
    of_networks: float
    reliability: float
    tau: float


def noise_of(by_network: Sequence[Sequence[float]]) -> Noise:
    """From the accuracies of networks, each by seed; one analysis of variance."""
    seeds = min(map(len, by_network))
    table = np.array([row[:seeds] for row in by_network], np.float64)
    within = float(table.var(axis=1, ddof=1).mean())
    between = max(float(table.mean(axis=1).var(ddof=1)) - within / seeds, 0.0)
    total = between + within / seeds
    taus = [kendall(table[:, one], table[:, other]) for one in range(seeds) for other in range(one)]
    return Noise(
        seeds, within**0.5, between**0.5, between / total if total else 0.0, float(np.mean(taus))
    )


def kendall(one: np.ndarray, other: np.ndarray) -> float:
    """Kendall's tau-b: how far two orders of the same things agree, from -1 to 1; 0 where one of
    them does not order at all."""
    places = np.triu_indices(len(one), 1)
    first = np.sign(one[:, None] - one[None, :])[places]
    second = np.sign(other[:, None] - other[None, :])[places]
    scale = float(np.sqrt((first != 0).sum() * (second != 0).sum()))
    return float((first * second).sum()) / scale if scale else 0.0


def results_of(
    trials: Trials, encoding: Encoding | None = None, exact: np.ndarray | None = None
) -> Results:
    """What stands in a run folder."""
    tried: list[Trial] = []
    baseline: list[Trial] = []
    failed: list[Trial] = []
    for trial in trials.read():
        if trial["state"] != "done":
            failed.append(trial)
        else:
            (baseline if trial.get("baseline") else tried).append(trial)
    return Results(
        trials, trials.objectives, tuple(tried), tuple(baseline), tuple(failed), encoding, exact
    )
