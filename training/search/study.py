"""Trials that several processes and machines share, in an Optuna storage.

What a worker is about to try stands there as a running trial, with the process that tries it. A
trial whose process is gone is taken up again by another. A finished one carries its record, the
line of trials.jsonl, so that a machine with a folder of its own learns it too.
"""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.errors import UsageError
from archspec.training.search.proposers import Proposal, Proposer, optuna_package
from archspec.training.search.trials import JOURNAL, Trials, cut_damaged_line, locked_file

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

DEAD_AFTER = 300.0
"""Seconds without a sign of life after which a worker of another machine is taken to be gone."""
SIGN_EVERY = 60.0
SQLITE = "sqlite:///"
RECORD, ROW, ORIGIN, TIMES = "record", "row", "origin", "times"
WORKER, HOST, ALIVE = "worker", "host", "alive"


class Study:
    """One study of a run; `name` is "search" or "baseline"."""

    def __init__(self, trials: Trials, name: str, proposer: Proposer):
        self.trials = trials
        self.is_baseline = name == "baseline"
        self._proposer = proposer
        optuna = optuna_package()
        with trials.locked():
            self._study = optuna.create_study(
                study_name=f"{trials.facts['study']}-{name}",
                storage=_storage(trials, optuna),
                directions=["minimize"] * proposer.objectives,
                load_if_exists=True,
            )

    def all(self) -> list[FrozenTrial]:
        """Every trial, by number."""
        return self._study.get_trials(deepcopy=False)

    def trained(self) -> list[FrozenTrial]:
        """Those that ended well."""
        return [t for t in self.all() if t.state.is_finished() and t.values is not None]

    def records(self) -> dict[int, dict[str, Any]]:
        """The records of those that ended, by number."""
        return {
            trial.number: json.loads(trial.user_attrs[RECORD])
            for trial in self.all()
            if trial.state.is_finished() and RECORD in trial.user_attrs
        }

    def begin(self, proposal: Proposal, worker: int) -> FrozenTrial:
        """Register a trial as running here."""
        optuna = optuna_package()
        token = uuid.uuid4().hex
        self._study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=self._proposer.params(proposal.row),
                distributions=self._proposer.distributions,
                user_attrs={
                    "token": token,
                    ROW: proposal.row.tolist(),
                    ORIGIN: proposal.origin,
                    TIMES: 1,
                    **_here(worker),
                },
            )
        )
        return next(
            trial for trial in reversed(self.all()) if trial.user_attrs.get("token") == token
        )

    def stale(self, own_worker: int) -> list[FrozenTrial]:
        """Running trials whose process is gone; this one, which asks, runs none."""
        return [
            trial
            for trial in self.all()
            if not trial.state.is_finished() and not self._is_alive(trial.user_attrs, own_worker)
        ]

    def take_up(self, trial: FrozenTrial, worker: int) -> int:
        """Register a stale trial as running here; how often it is begun with this time."""
        times = trial.user_attrs.get(TIMES, 1) + 1
        for key, value in {**_here(worker), TIMES: times}.items():
            self._set(trial, key, value)
        return times

    def put_back(self, trial: FrozenTrial, times: int) -> None:
        """Leave a trial to be taken up, as if it had not been begun this time, the `times`th."""
        self._set(trial, TIMES, times - 1)

    def sign(self, trial: FrozenTrial) -> None:
        """Say that the process is still at it."""
        self._set(trial, ALIVE, time.time())

    def end(
        self, trial: FrozenTrial, record: Mapping[str, Any], values: Sequence[float] | None
    ) -> None:
        """Keep the record of a trial that ended, `values` each as something to be made small or
        None where it failed."""
        optuna = optuna_package()
        with suppress(optuna.exceptions.UpdateFinishedTrialError):
            self._set(trial, RECORD, json.dumps(record))
            if values is None:
                failed = optuna.trial.TrialState.FAIL
                self._study.tell(trial.number, state=failed, skip_if_finished=True)
            else:
                self._study.tell(trial.number, [*values], skip_if_finished=True)

    def _set(self, trial: FrozenTrial, key: str, value: Any) -> None:
        # Optuna has no other way to what an earlier process began
        self._study._storage.set_trial_user_attr(trial._trial_id, key, value)

    def _is_alive(self, attributes: Mapping[str, Any], own_worker: int) -> bool:
        if attributes.get(HOST) == socket.gethostname():
            worker = attributes.get(WORKER, own_worker)
            return worker != own_worker and self.trials.is_at_work(worker)
        return time.time() - attributes.get(ALIVE, 0.0) < DEAD_AFTER


def storage_url(url: str) -> str:
    """The URL of a storage, leading there from any folder. Raises UsageError for what is none."""
    if "://" not in url:
        raise UsageError(
            f"--storage {url} is no URL; sqlite:///search.db or postgresql://host/name would do"
        )
    file = url.removeprefix(SQLITE)
    return url if file == url or file.startswith("/") else f"{SQLITE}{Path(file).resolve()}"


def _here(worker: int) -> dict[str, Any]:
    return {WORKER: worker, HOST: socket.gethostname(), ALIVE: time.time()}


class _JournalLock:
    """In place of Optuna's own lock, a link that a killed process leaves behind, and for which
    others then wait without end where the path of the journal is relative."""

    def __init__(self, path: Path):
        self._path = path
        self._held = ExitStack()

    def acquire(self) -> bool:
        self._held.enter_context(locked_file(self._path, waits=True))
        return True

    def release(self) -> None:
        self._held.close()


def _storage(trials: Trials, optuna: Any) -> Any:
    url = trials.facts.get("storage")
    if url is None:
        journal = trials.path / JOURNAL
        lock_path = journal.with_suffix(".lock")
        with locked_file(lock_path, waits=True), open(journal, "ab+") as file:
            cut_damaged_line(file)
        lock = _JournalLock(lock_path)
        return optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(journal), lock_obj=lock)
        )
    try:
        return optuna.storages.RDBStorage(url)
    except Exception as error:  # SQLAlchemy has as many as there are databases
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"the storage {url} cannot be used ({reason}); the URL of a database that is there, or"
            " no --storage, would do"
        ) from None
