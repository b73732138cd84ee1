"""Trials that several processes and machines share, in an Optuna storage.

What a worker is about to try stands there as a running trial, with the process that tries it. A
trial whose process is gone is taken up again by another. A finished one carries its record, the
line of trials.jsonl, so that a machine with a folder of its own learns it too.

A process is known by an identity of its own, whatever its host and its folder are called. Whether
it is gone tells the lock that it holds, to those that see the very same folder; others go by its
signs of life, a number that changes, for clocks of machines differ.
"""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.errors import UsageError
from archspec.training.search.patience import Patience
from archspec.training.search.proposers import Proposal, Proposer, optuna_package
from archspec.training.search.storage import exclusive, redact
from archspec.training.search.trials import Trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SIGN_EVERY, DEAD_AFTER = 10.0, 60.0
"""Seconds between signs of life, and without one until a process elsewhere is taken to be gone."""
LONG_AGO = 10 * DEAD_AFTER
"""By which no two clocks differ."""
RECORD, ROW, ORIGIN, TIMES = "record", "row", "origin", "times"
WORKER, HOST, ALIVE = "worker", "host", "alive"
IDENTITY, PLACE = "identity", "place"


@dataclass(frozen=True)
class Self:
    """The process that works at a study: its number in its folder, and its identity."""

    number: int
    identity: str


class Study:
    """One study of a run; `name` is "search" or "baseline". All that is asked of the storage is
    asked with patience."""

    def __init__(
        self,
        trials: Trials,
        name: str,
        proposer: Proposer,
        storage: Any,
        worker: Self,
        patience: Patience,
    ):
        self.trials = trials
        self.is_baseline = name == "baseline"
        self._proposer = proposer
        self._worker = worker
        self._patience = patience
        self._storage = storage
        self._seen: dict[tuple[int, int], tuple[Any, float]] = {}
        self._records: dict[int, dict[str, Any]] = {}
        with self.exclusive():
            self._study = patience(lambda: self._open(f"{trials.facts['study']}-{name}"))

    def _open(self, name: str) -> Any:
        optuna = optuna_package()
        try:
            return optuna.load_study(study_name=name, storage=self._storage)
        except KeyError:
            if self.trials.facts.get("is_shared") and not self.is_baseline:
                assert self.trials.storage is not None, "it is shared"
                raise UsageError(
                    f"the storage {redact(self.trials.storage)} has no study {name}; use the one"
                    f" that {self.trials.path} was begun with"
                ) from None
        return optuna.create_study(
            study_name=name,
            storage=self._storage,
            directions=["minimize"] * self._proposer.objectives,
            load_if_exists=True,
        )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other workers of the search, here and on other machines, from choosing a trial."""
        with self.trials.lock(), ExitStack() as stack:
            self._patience(
                lambda: stack.enter_context(exclusive(self._storage, self.trials.facts["study"]))
            )
            yield

    def all(self) -> list[FrozenTrial]:
        """Every trial, by number."""
        return self._patience(lambda: self._study.get_trials(deepcopy=False))

    def list_trained(self) -> list[FrozenTrial]:
        """Those that ended well."""
        return [t for t in self.all() if t.state.is_finished() and t.values is not None]

    def records(self) -> Mapping[int, dict[str, Any]]:
        """The records of those that ended, by number. None of them changes any more."""
        for trial in self.all():
            if trial.number not in self._records and trial.state.is_finished():
                record = trial.user_attrs.get(RECORD)
                if record is not None:
                    self._records[trial.number] = json.loads(record)
        return self._records

    def begin(self, proposal: Proposal) -> FrozenTrial:
        """Register a trial as running here."""
        optuna = optuna_package()
        token = uuid.uuid4().hex
        trial = optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=self._proposer.params(proposal.row),
            distributions=self._proposer.distributions,
            user_attrs={
                "token": token,
                ROW: proposal.row.tolist(),
                ORIGIN: proposal.origin,
                TIMES: 1,
                **self._here(),
            },
        )

        def find_added() -> FrozenTrial | None:
            trials = reversed(self._study.get_trials(deepcopy=False))
            return next((one for one in trials if one.user_attrs.get("token") == token), None)

        def add() -> FrozenTrial:
            found = find_added()  # the answer may be all that was lost
            if found is None:
                self._study.add_trial(trial)
                found = find_added()
            assert found is not None, "it was added"
            return found

        return self._patience(add)

    def running(self) -> list[FrozenTrial]:
        """Trials that are under way in processes that live."""
        return [t for t in self.all() if not t.state.is_finished() and self._is_alive(t)]

    def stale(self) -> list[FrozenTrial]:
        """Running trials whose process is gone; this one, which asks, runs none."""
        return [t for t in self.all() if not t.state.is_finished() and not self._is_alive(t)]

    def take_up(self, trial: FrozenTrial) -> int:
        """Register a stale trial as running here; how often it is begun with this time."""
        times = trial.user_attrs.get(TIMES, 1) + 1
        for key, value in {**self._here(), TIMES: times}.items():
            self._patience(lambda key=key, value=value: self._set(trial, key, value))
        return times

    def put_back(self, trial: FrozenTrial, times: int) -> None:
        """Leave a trial to be taken up, as if it had not been begun this time, the `times`th. A
        process that ends does not wait for a storage; then it counts as begun."""
        with suppress(Exception):
            self._set(trial, TIMES, times - 1)

    def is_mine(self, trial: FrozenTrial) -> bool:
        """Whether a trial is still this process's, which others may have taken to be gone."""
        now = next((one for one in self.all() if one.number == trial.number), None)
        if now is None or now.state.is_finished():
            return False
        return now.user_attrs.get(IDENTITY) == self._worker.identity

    @contextmanager
    def signing(self, trial: FrozenTrial) -> Iterator[None]:
        """Give signs of life within the block, whatever it does."""
        is_over = threading.Event()

        def sign() -> None:
            while not is_over.wait(SIGN_EVERY):
                with suppress(Exception):  # a storage that is away is waited for elsewhere
                    self._set(trial, ALIVE, time.time())

        thread = threading.Thread(target=sign, name="signs of life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def end(
        self, trial: FrozenTrial, record: Mapping[str, Any], values: Sequence[float] | None
    ) -> None:
        """Keep the record of a trial that ended, `values` each as something to be made small or
        None where it failed."""
        state = optuna_package().trial.TrialState
        self._patience(lambda: self._set(trial, RECORD, json.dumps(record)))
        if values is None:
            self._patience(
                lambda: self._study.tell(trial.number, state=state.FAIL, skip_if_finished=True)
            )
        else:
            self._patience(lambda: self._study.tell(trial.number, [*values], skip_if_finished=True))

    def _set(self, trial: FrozenTrial, key: str, value: Any) -> None:
        # another process may have ended a trial that it took to be left; Optuna has no other way to
        # what an earlier process began
        with suppress(optuna_package().exceptions.UpdateFinishedTrialError):
            self._study._storage.set_trial_user_attr(trial._trial_id, key, value)

    def _here(self) -> dict[str, Any]:
        return {
            WORKER: self._worker.number,
            IDENTITY: self._worker.identity,
            PLACE: self.trials.place,
            HOST: socket.gethostname(),
            ALIVE: time.time(),
        }

    def _is_alive(self, trial: FrozenTrial) -> bool:
        said = trial.user_attrs
        identity = said.get(IDENTITY)
        if identity == self._worker.identity:
            return False
        if identity is None and said.get(HOST) == socket.gethostname():
            # of an archspec without identities
            worker = said.get(WORKER, self._worker.number)
            return worker != self._worker.number and self.trials.is_at_work(str(worker))
        if identity is not None and said.get(PLACE) == self.trials.place:
            return self.trials.is_at_work(identity)
        return self._gives_signs(trial)

    def _gives_signs(self, trial: FrozenTrial) -> bool:
        """Of a process elsewhere, whose clock may be another."""
        sign = trial.user_attrs.get(ALIVE, 0.0)
        if abs(time.time() - sign) > LONG_AGO:
            return False
        now = time.monotonic()
        key = (trial.number, self._patience.waited)  # while the storage was away nobody could sign
        known, since = self._seen.get(key, (None, now))
        if known != sign:
            since = now
        self._seen[key] = (sign, since)
        return now - since < DEAD_AFTER
