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
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.identity import FINGERPRINT, list_fingerprints
from archspec.training.backend import FIRST, find_lone_backend
from archspec.training.search.counted import Counted
from archspec.training.search.evaluating import (
    EvaluationError,
    call,
    entry_points,
    train_seeds,
    training_time,
)
from archspec.training.search.log import Log
from archspec.training.search.objectives import ACCURACY, Objective
from archspec.training.search.patience import Interrupted, Patience
from archspec.training.search.proposers import History, Proposer, seed_of
from archspec.training.search.storage import open_storage, without_secrets
from archspec.training.search.study import HOST, IDENTITY, ORIGIN, ROW, WORKER, Self, Study
from archspec.training.search.trials import ID_LENGTH, Trials
from archspec.training.signals import Stop

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MAX_TIMES = 5
"""That a trial is begun whose process always ends before it does."""
WAIT_EVERY = 1.0
"""Seconds between two looks at the trials of others."""
FIRST_TRIALS = 3
"""After which, where all failed for one reason, the others would, too."""
SEARCH, BASELINE = "search", "baseline"
Record = Mapping[str, Any]


class NothingWorksError(SpecError):
    """A search whose first trials all failed for one reason."""


@dataclass(frozen=True, eq=False)
class Worker:
    """`problem` has what is counted, `objectives` are all that are sought. `listed` are the rows
    that an engine found by itself, where it did. `say` is told each trial that ends here, and how
    many ended of how many; `note` what goes wrong in a sentence. One that `waits` ends no sooner
    than the trials of others."""

    trials: Trials
    problem: Counted
    objectives: tuple[Objective, ...]
    stop: Stop
    listed: Sequence[np.ndarray] = ()
    say: Callable[[Record, int, int], None] = lambda record, done, wanted: None
    note: Callable[[str], None] = lambda sentence: None
    waits: bool = True

    def work(self, ends: float | None = None) -> None:
        """Try networks until there are enough, time.monotonic() is at `ends`, or someone wishes to
        stop. Raises RunError where the storage, or the disk, is out of reach for long, SpecError or
        UsageError where no training can be made here, NothingWorksError where no network ended well
        and the first here failed for one reason."""
        training = self.trials.facts["training"]
        if training:
            backend = training.get("backend", FIRST)
            find_lone_backend(backend, training["device"], f"the search {self.trials.path}")
        functions = entry_points(self.objectives)
        self.stop.listen()
        with suppress(Interrupted), self.trials.worker() as (number, identity):
            tasks = self._tasks(Self(number, identity), functions)
            first: list[Record] = []
            while self._is_wanted(ends):
                self._try_all([*tasks], ends, first)
                if not self.waits or not any(task.study.running() for task in tasks):
                    break
                time.sleep(WAIT_EVERY)
            for task in tasks:
                task.learn()

    def _is_wanted(self, ends: float | None) -> bool:
        return self.stop.number is None and (ends is None or time.monotonic() < ends)

    def _try_all(self, tasks: list[_Task], ends: float | None, first: list[Record]) -> None:
        """Try networks until there is none to begin. The records of the first are kept."""
        while tasks and self._is_wanted(ends):
            for task in tasks:
                task.learn()
            task = min(tasks, key=_Task.share_done)  # of two as far, the search
            record = task.try_one()
            if record is None:
                tasks.remove(task)
                if not task.study.is_baseline:
                    for baseline in tasks:
                        baseline.wanted = min(baseline.wanted, task.count_tried())
            elif len(first) < FIRST_TRIALS:
                first.append(record)
                self._check_first(first, tasks)

    def _check_first(self, first: Sequence[Record], tasks: Sequence[_Task]) -> None:
        """Raises NothingWorksError."""
        if len(first) < FIRST_TRIALS or any(task.study.list_trained() for task in tasks):
            return
        reasons = {_reason(record) for record in first}
        if "" not in reasons and len(reasons) == 1 and any(t.share_done() < 1 for t in tasks):
            raise NothingWorksError(
                f"{self.trials.path}: the first {len(first)} networks all failed for one reason"
                f" ({first[0]['error']}); what was tried is saved, so use archspec search --resume"
                f" {self.trials.path} when that is repaired"
            )

    def _tasks(
        self, worker: Self, functions: Mapping[str, Callable[[Graph], float]]
    ) -> list[_Task]:
        """The search, and its baseline where one is wanted."""
        facts, url = self.trials.facts, self.trials.storage
        patience = Patience(
            self.trials.path, self.stop, self.note, lambda text: without_secrets(text, url)
        )
        storage = open_storage(self.trials)
        log = self.trials.follow()
        tasks: list[_Task] = []

        def tell(record: Record) -> None:
            self.say(record, sum(t.count_ended() for t in tasks), sum(t.wanted for t in tasks))

        for name, wanted in ((SEARCH, facts["trials"]), (BASELINE, facts["baseline"])):
            if wanted:
                proposer = self._proposer(name)
                study = Study(self.trials, name, proposer, storage, worker, patience)
                tasks.append(
                    _Task(self, study, log, proposer, wanted, worker, patience, functions, tell)
                )
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
        log: Log,
        proposer: Proposer,
        wanted: int,
        process: Self,
        patience: Patience,
        functions: Mapping[str, Callable[[Graph], float]],
        tell: Callable[[Record], None],
    ):
        self._tell = tell
        self.worker = worker
        self.trials = worker.trials
        self.study = study
        self.log = log
        self.proposer = proposer
        self.wanted = wanted
        self.process = process
        self.patience = patience
        self.functions = functions
        self._fingerprints: dict[tuple[int, ...], str] = {}
        # a network is tried just after it was found to be good
        self._graph = lru_cache(maxsize=4)(self._build)

    def try_one(self) -> Record | None:
        """The record of the next network, tried; None where there was none."""
        trial, times = self._next()
        if trial is None:
            return None
        try:
            with self.study.signing(trial):
                record = self._try(trial, times)
        except Interrupted:
            self.study.put_back(trial, times)
            return None
        if self.study.is_mine(trial):
            self.patience(lambda: self.trials.append([record]))
            self.study.end(trial, record, self._values(record))
            self._tell(record)
        return record

    def count_ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self.study.all())

    def count_tried(self) -> int:
        """Trials that ended or are under way."""
        return len(self.study.all()) - len(self.study.stale())

    def share_done(self) -> float:
        """The share of those wanted."""
        return self.count_tried() / max(self.wanted, 1)

    # Which trial.

    def _list_unwritten(self, told: Mapping[int, Record]) -> list[Record]:
        known = self._records()
        return [record for number, record in told.items() if number not in known]

    def learn(self) -> None:
        """Write down what ended on machines that have a folder of their own, and end in the storage
        what a killed process had only written down."""
        # the storage first: what ends there here was written down before
        told = self.study.records()
        if self._list_unwritten(told):
            with self.study.exclusive():
                missing = self._list_unwritten(told)
                if missing:
                    self.patience(lambda: self.trials.append(missing))
        if self.study.stale():
            with self.study.exclusive():
                self._find_abandoned()

    def _find_abandoned(self) -> list[FrozenTrial]:
        """Trials whose process is gone, without those that it had written down, which end now."""
        stale = self.study.stale()
        if not stale:
            return []
        ended = self._records()
        left: list[FrozenTrial] = []
        for trial in stale:
            if trial.number in ended:
                self.study.end(trial, ended[trial.number], self._values(ended[trial.number]))
            else:
                left.append(trial)
        return left

    def _next(self) -> tuple[FrozenTrial | None, int]:
        """The trial to make now, and how often it was begun; None where there are enough."""
        with self.study.exclusive():
            for trial in self._find_abandoned():
                times = self.study.take_up(trial)
                self._note_lost(trial, times)
                return trial, times
            trials = self.study.all()
            if len(trials) >= self.wanted:
                return None, 0
            met = {self._fingerprint(trial.user_attrs[ROW]) for trial in trials}
            proposal = self.proposer.proposal(
                self._history(), len(trials), lambda row: self._is_good(row, met)
            )
            if proposal is None:
                return None, 0
            return self.study.begin(proposal), 1

    def _note_lost(self, trial: FrozenTrial, times: int) -> None:
        if times > 1:  # else it was put back in good order
            said = trial.user_attrs
            kind = "random" if self.study.is_baseline else "trial"
            self.worker.note(
                f"note: {kind} {trial.number} was lost with the process that tried it (worker"
                f" {said.get(WORKER)} of {said.get(HOST)}) and is begun again"
            )

    def _history(self) -> History:
        trained = self.study.list_trained()
        rows = np.array([trial.user_attrs[ROW] for trial in trained], np.int64)
        values = np.array([trial.values for trial in trained], np.float64)
        columns = len(self.proposer.encoding.columns)
        return History(rows.reshape(-1, columns), values.reshape(-1, len(self.worker.objectives)))

    def _is_good(self, row: np.ndarray, met: set[str]) -> bool:
        key = row.tolist()
        if self._fingerprints.get(tuple(key)) in met:
            return False  # known without counting
        problem = self.worker.problem
        if not problem.is_feasible(problem.encoding.costs(row[None]))[0]:
            return False
        return self._fingerprint(key) not in met

    def _fingerprint(self, row: Sequence[int]) -> str:
        key = tuple(row)
        if key not in self._fingerprints:
            self._fingerprints[key] = self._graph(key).fingerprint
        return self._fingerprints[key]

    def _build(self, row: tuple[int, ...]) -> Graph:
        return self.trials.space.assign(self.proposer.encoding.assignment(row))

    # What it is worth.

    def _try(self, trial: FrozenTrial, times: int) -> Record:
        """The record of a trial. Raises Interrupted."""
        began = time.monotonic()
        row = trial.user_attrs[ROW]
        assignment = self.proposer.encoding.assignment(row)
        graph = self._graph(tuple(row))
        was_trained = training_time(self.trials, graph) is not None
        outcome: dict[str, Any]
        try:
            if times > MAX_TIMES:
                raise EvaluationError(f"the process that tried it ended {MAX_TIMES} times")
            outcome = {"state": "done", **self.patience(lambda: self._worth(trial, graph))}
        except EvaluationError as error:
            outcome = {"state": "failed", "error": str(error)}
        known = list_fingerprints(graph)
        same = [
            record["number"]
            for record in self._records().values()
            if record["state"] == "done"
            and record.get(FINGERPRINT) in known
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
            **self._time(trial, graph, time.monotonic() - began, was_trained),
            "seed": self.proposer.seed,
            "worker": self.process.number,
        }

    def _time(
        self, trial: FrozenTrial, graph: Graph, seconds: float, was_trained: bool
    ) -> dict[str, float]:
        """What a trial took, with what a process that was stopped or killed had trained before; and
        of that, where it was trained here, what was not training: starting, compiling, checking."""
        spent = training_time(self.trials, graph)
        if spent is None:
            return {"seconds": round(seconds, 3)}
        fixed = {} if was_trained else {"fixed_seconds": round(max(seconds - spent.here, 0.0), 3)}
        if trial.user_attrs.get(IDENTITY) != self.process.identity:  # it was begun by another
            seconds = max(seconds, spent.whole + sum(fixed.values()))
        return {"seconds": round(seconds, 3), **fixed}

    def _worth(self, trial: FrozenTrial, graph: Graph) -> dict[str, Any]:
        """The objectives of a network, accuracy last. Raises EvaluationError, Interrupted."""
        problem = self.worker.problem
        row = np.array([trial.user_attrs[ROW]], np.int64)
        values: dict[str, float] = problem.name_costs(problem.encoding.costs(row)[0])
        values.update({name: call(name, f, graph) for name, f in self.functions.items()})
        by_seed: dict[str, list[float]] = {}
        if any(objective.name == ACCURACY for objective in self.worker.objectives):
            found = train_seeds(
                self.trials, graph, self.worker.stop, lambda: None, self.worker.note
            )
            values[ACCURACY] = sum(found) / len(found)
            by_seed = {"by_seed": found}
        ordered = {o.name: values[o.name] for o in self.worker.objectives}
        return {"objectives": ordered, **by_seed}

    def _records(self) -> Mapping[int, Record]:
        """What the file has of this study, by number."""
        self.log.read()
        return self.log.trials[self.study.is_baseline]

    def _values(self, record: Record) -> list[float] | None:
        """The objectives of a record, each as something to be made small."""
        if "objectives" not in record:
            return None
        return [o.sign * record["objectives"][o.name] for o in self.worker.objectives]


def _reason(record: Record) -> str:
    """Why a trial failed, whatever network it was of; empty where it did not."""
    return record.get("error", "").replace(record["fingerprint"][:ID_LENGTH], "")
