"""A worker: it tries networks until there are enough, beside others of its kind.

    while networks are wanted:
        the search, or the random baseline where that is behind
        a trial whose process is gone, or else what the engine proposes     one worker at a time
        what it is worth                                                    all at once
        a line in trials.jsonl, then the end of the trial in the storage

So the baseline has tried as many networks as the search whenever it ends, with the last or before.

A process that is killed in between loses nothing: a trial that is in the file ends in the storage
when the next worker looks, and one that is not is begun again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.graph import Graph
from archspec.training.search.counted import Counted
from archspec.training.search.evaluating import (
    EvaluationError,
    Interrupted,
    called,
    entry_points,
    trained,
)
from archspec.training.search.objectives import ACCURACY, Objective
from archspec.training.search.proposers import History, Proposer, seed_of
from archspec.training.search.study import ORIGIN, ROW, SIGN_EVERY, Study
from archspec.training.search.trials import Trials
from archspec.training.signals import Stop

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MOST_TIMES = 5
"""That a trial is begun whose process always ends before it does."""
SEARCH, BASELINE = "search", "baseline"
Record = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Worker:
    """`problem` has what is counted, `objectives` are all that are sought. `listed` are the rows
    that an engine found by itself, where it did. `say` is told each trial that ends here."""

    trials: Trials
    problem: Counted
    objectives: tuple[Objective, ...]
    stop: Stop
    listed: Sequence[np.ndarray] = ()
    say: Callable[[Record], None] = lambda record: None

    def work(self, ends: float | None = None) -> None:
        """Try networks until there are enough, time.monotonic() is at `ends`, or someone wishes to
        stop."""
        functions = entry_points(self.objectives)
        self.stop.listen()
        with self.trials.worker() as number:
            tasks = self._tasks(number, functions)
            while tasks and self.stop.number is None and (ends is None or time.monotonic() < ends):
                for task in tasks:
                    task.learn()
                task = min(tasks, key=_Task.done)  # of two as far, the search
                if not task.try_one():
                    tasks.remove(task)
                    if not task.study.is_baseline:
                        for baseline in tasks:
                            baseline.wanted = min(baseline.wanted, task.tried())

    def _tasks(self, number: int, functions: Mapping[str, Callable[[Graph], float]]) -> list[_Task]:
        """The search, and its baseline where one is wanted."""
        facts = self.trials.facts
        tasks: list[_Task] = []
        for name, wanted in ((SEARCH, facts["trials"]), (BASELINE, facts["baseline"])):
            if wanted:
                proposer = self._proposer(name)
                study = Study(self.trials, name, proposer)
                tasks.append(_Task(self, study, proposer, wanted, number, functions))
        return tasks

    def _proposer(self, name: str) -> Proposer:
        facts = self.trials.facts
        is_baseline = name == BASELINE
        return Proposer(
            "random" if is_baseline else facts["engine"],
            self.problem.encoding,
            len(self.objectives),
            seed_of(facts["seed"], name),
            facts["population"],
            () if is_baseline else tuple(self.listed),
        )


class _Task:
    """The work of one worker at one study, which is to have `wanted` trials."""

    def __init__(
        self,
        worker: Worker,
        study: Study,
        proposer: Proposer,
        wanted: int,
        number: int,
        functions: Mapping[str, Callable[[Graph], float]],
    ):
        self.worker = worker
        self.trials = worker.trials
        self.study = study
        self.proposer = proposer
        self.wanted = wanted
        self.number = number
        self.functions = functions
        self._fingerprints: dict[tuple[int, ...], str] = {}

    def try_one(self) -> bool:
        """Try the next network; whether there was one and it ended."""
        trial, times = self._next()
        if trial is None:
            return False
        try:
            record = self._tried(trial, times)
        except Interrupted:
            self.study.put_back(trial, times)
            return False
        self.trials.append([record])
        self.study.end(trial, record, self._values(record))
        self.worker.say(record)
        return True

    def tried(self) -> int:
        """Trials that ended or are under way."""
        return len(self.study.all()) - len(self.study.stale(self.number))

    def done(self) -> float:
        """The share of those wanted."""
        return self.tried() / max(self.wanted, 1)

    # Which trial.

    def learn(self) -> None:
        """Write down what ended on machines that have a folder of their own, and end in the storage
        what a killed process had only written down."""
        known = {record["number"] for record in self._records()}
        missing = [r for number, r in self.study.records().items() if number not in known]
        if missing:
            self.trials.append(missing)
        with self.trials.locked():
            self._abandoned()

    def _abandoned(self) -> list[FrozenTrial]:
        """Trials whose process is gone, without those that it had written down, which end now."""
        stale = self.study.stale(self.number)
        if not stale:
            return []  # so that the file is read for nothing else
        ended = {record["number"]: record for record in self._records()}
        left: list[FrozenTrial] = []
        for trial in stale:
            if trial.number in ended:
                self.study.end(trial, ended[trial.number], self._values(ended[trial.number]))
            else:
                left.append(trial)
        return left

    def _next(self) -> tuple[FrozenTrial | None, int]:
        """The trial to make now, and how often it was begun; None where there are enough."""
        with self.trials.locked():
            for trial in self._abandoned():
                return trial, self.study.take_up(trial, self.number)
            trials = self.study.all()
            if len(trials) >= self.wanted:
                return None, 0
            met = {self._fingerprint(trial.user_attrs[ROW]) for trial in trials}
            proposal = self.proposer.proposal(
                self._history(), len(trials), lambda row: self._is_good(row, met)
            )
            if proposal is None:
                return None, 0
            return self.study.begin(proposal, self.number), 1

    def _history(self) -> History:
        trained = self.study.trained()
        rows = np.array([trial.user_attrs[ROW] for trial in trained], np.int64)
        values = np.array([trial.values for trial in trained], np.float64)
        columns = len(self.proposer.encoding.columns)
        return History(rows.reshape(-1, columns), values.reshape(-1, len(self.worker.objectives)))

    def _is_good(self, row: np.ndarray, met: set[str]) -> bool:
        problem = self.worker.problem
        if not problem.is_feasible(problem.encoding.costs(row[None]))[0]:
            return False
        return self._fingerprint(row.tolist()) not in met

    def _fingerprint(self, row: Sequence[int]) -> str:
        key = tuple(row)
        if key not in self._fingerprints:
            assignment = self.proposer.encoding.assignment(key)
            self._fingerprints[key] = self.trials.space.assign(assignment).fingerprint
        return self._fingerprints[key]

    # What it is worth.

    def _tried(self, trial: FrozenTrial, times: int) -> Record:
        """The record of a trial. Raises Interrupted."""
        began = time.monotonic()
        row = trial.user_attrs[ROW]
        assignment = self.proposer.encoding.assignment(row)
        graph = self.trials.space.assign(assignment)
        outcome: dict[str, Any]
        try:
            if times > MOST_TIMES:
                raise EvaluationError(f"the process that tried it ended {MOST_TIMES} times")
            outcome = {"state": "done", **self._worth(trial, graph)}
        except EvaluationError as error:
            outcome = {"state": "failed", "error": str(error)}
        same = [
            record["number"]
            for record in self._records()
            if record["state"] == "done"
            and record["fingerprint"] == graph.fingerprint
            and record["number"] < trial.number
        ]
        if same and outcome["state"] == "done":
            outcome = {**outcome, "state": "duplicate", "duplicate_of": min(same)}
        return {
            "number": trial.number,
            **({"baseline": True} if self.study.is_baseline else {}),
            "state": outcome.pop("state"),
            "assignment": assignment,
            "fingerprint": graph.fingerprint,
            **outcome,
            "origin": trial.user_attrs.get(ORIGIN),
            "seconds": round(time.monotonic() - began, 3),
            "seed": self.proposer.seed,
            "worker": self.number,
        }

    def _worth(self, trial: FrozenTrial, graph: Graph) -> dict[str, Any]:
        """The objectives of a network, accuracy last. Raises EvaluationError, Interrupted."""
        problem = self.worker.problem
        row = np.array([trial.user_attrs[ROW]], np.int64)
        values: dict[str, float] = problem.named(problem.encoding.costs(row)[0])
        values.update({name: called(name, f, graph) for name, f in self.functions.items()})
        by_seed: dict[str, list[float]] = {}
        if any(objective.name == ACCURACY for objective in self.worker.objectives):
            found = trained(self.trials, graph, self.worker.stop, self._signing(trial))
            values[ACCURACY] = sum(found) / len(found)
            by_seed = {"by_seed": found}
        ordered = {o.name: values[o.name] for o in self.worker.objectives}
        return {"objectives": ordered, **by_seed}

    def _signing(self, trial: FrozenTrial) -> Callable[[], None]:
        signed = time.monotonic()

        def sign() -> None:
            nonlocal signed
            if time.monotonic() - signed > SIGN_EVERY:
                signed = time.monotonic()
                self.study.sign(trial)

        return sign

    def _records(self) -> list[dict[str, Any]]:
        """What the file has of this study."""
        return [
            record
            for record in self.trials.read()
            if bool(record.get("baseline")) == self.study.is_baseline
        ]

    def _values(self, record: Record) -> list[float] | None:
        """The objectives of a record, each as something to be made small."""
        if "objectives" not in record:
            return None
        return [o.sign * record["objectives"][o.name] for o in self.worker.objectives]
