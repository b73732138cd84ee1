"""Several processes that train one network: who takes part, sums over all, and starting them here.

Every process has the whole network and a share of the data; the backend averages the gradients. A
process learns from its environment that it is one of several, whoever started it, and each backend
has words of its own for that (ranks, in its folder).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.targets.python.modules import remove_files
from archspec.errors import Problem, SpecError, UsageError
from archspec.machine import usable_cpus
from archspec.processes import end_with_parent, python_command, start_process, wait_for_end
from archspec.training.backend import Backend
from archspec.training.signals import Stop
from archspec.writing import write_whole

INDEX, COUNT = "ARCHSPEC_WORKER", "ARCHSPEC_WORKERS"
"""Set in the processes that `launch` starts: which one it is, of how many."""
HERE = "127.0.0.1"
"""Where processes of one machine find each other."""
PARENT = "ARCHSPEC_LAUNCHER"
LOGS = "ARCHSPEC_LOGS"
"""The launcher's process, and the folder that it wants to find markers in."""
GRACE = 5.0
"""Seconds that the others have to end by themselves once one has ended."""
LOOK_EVERY = 0.1
"""Seconds between two looks at whether someone wishes to stop."""
PASSED_ON = signal.SIGTERM
"""What workers are sent for either signal: SIGINT is a KeyboardInterrupt until they can save, which
an import or a callback may swallow."""
LAST_LINES = 4


@dataclass(frozen=True)
class Ranks:
    """This process among all that train together, alone; a backend's own knows how to sum."""

    rank: int = 0
    ranks: int = 1

    @property
    def is_first(self) -> bool:
        """The one that writes."""
        return self.rank == 0

    def sum(self, numbers: Sequence[float] | np.ndarray) -> np.ndarray:
        """The sums over all processes, float64; every process has to call it, and waits."""
        exact = np.asarray(numbers, np.float64)
        if self.ranks == 1:
            return exact
        # halves of float64 as two float32, for few devices add the former
        high = exact.astype(np.float32)
        low = (exact - high).astype(np.float32)
        result = self.add_up(np.stack([high, low])).astype(np.float64)
        return result[0] + result[1]

    def add_up(self, numbers: np.ndarray) -> np.ndarray:
        """float32 numbers added up over all processes, by the backend's own messages."""
        raise NotImplementedError(f"{type(self).__name__} cannot add")

    def take_first(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The first process's arrays, float32, in all; every process has to call it, and waits."""
        if self.ranks == 1 or not arrays:
            return list(arrays)
        flat = np.concatenate([array.reshape(-1) for array in arrays])
        shared = self.sum(flat * self.is_first).astype(np.float32)
        parts = np.split(shared, np.cumsum([array.size for array in arrays])[:-1])
        return [part.reshape(a.shape) for part, a in zip(parts, arrays, strict=True)]

    def wait(self) -> None:
        """Until all processes are here."""
        self.sum([0.0])


@dataclass(frozen=True)
class Team:
    """How processes on this machine find each other: the environment that all have, that of each,
    and where the framework wants one beside them a module to run, with its environment."""

    environment: Mapping[str, str]
    workers: Sequence[Mapping[str, str]]
    helper: str | None = None
    helper_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What a launcher keeps while it starts its processes again, by name: nothing, where the
    backend's is none that does."""

    def read(self, name: str) -> str | None:
        """What an earlier process of the job noted."""
        return None

    def note(self, name: str, value: str) -> None:
        """Keep something for the processes that are started after these."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return probe.getsockname()[1]


def read_number(environment: Mapping[str, str], name: str) -> int | None:
    """A whole number of the environment, None without. Raises UsageError for anything else."""
    text = environment.get(name, "")
    if not text:
        return None
    if not text.isdigit():
        raise UsageError(f"{name} is {text!r} in the environment; it must be a whole number")
    return int(text)


def several_by(environment: Mapping[str, str], *names: str) -> str | None:
    """The first of these variables by which there is more than one process, as NAME=VALUE."""
    for name in names:
        if (read_number(environment, name) or 1) > 1:
            return f"{name}={environment[name]}"
    return None


# Starting processes on this machine.


class WorkerDied(SpecError):
    """One of several processes ended without a word; its log has what it said."""


@dataclass
class _Worker:
    index: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def marker(self) -> Path:
        return _marker(self.log.parent, self.index)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    @property
    def is_dead(self) -> bool:
        """Ended without a word."""
        return not self.is_alive and not self.marker.exists()

    @property
    def last_words(self) -> Mapping[str, Any]:
        return json.loads(self.marker.read_text())


def launch(command: Sequence[str], workers: int, logs: Path, stop: Stop, backend: Backend) -> int:
    """Run a command in this many processes that train together, and be their parent until they end.

    A wish to stop is passed on. What the processes write to standard error goes into
    `logs`/worker-N.log. The result is their exit code. Raises SpecError, once all are ended, with
    the error that one of them had, or naming the one that died.
    """
    logs.mkdir(parents=True, exist_ok=True)
    for old in logs.glob("worker-*.done"):
        old.unlink()
    team = backend.team(workers)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(_threads(workers))),
        PARENT: str(os.getpid()),
        COUNT: str(workers),
        **team.environment,
    }
    processes: list[subprocess.Popen[bytes]] = []
    crew: list[_Worker] = []
    try:
        if team.helper is not None:
            beside = {**environment, **team.helper_environment}
            processes.append(_start(python_command(team.helper), beside, logs / "scheduler.log"))
        for index, own in enumerate(team.workers):
            log = logs / f"worker-{index}.log"
            process = _start(command, {**environment, **own, INDEX: str(index)}, log)
            processes.append(process)
            crew.append(_Worker(index, process, log))
        stop.listen()
        return _watch(crew, stop)
    finally:
        for process in reversed(processes):
            if process.poll() is None:
                process.kill()
            process.wait()


def finish(code: int, error: str = "") -> None:
    """Leave word of how this worker ended, then end it. Where all went well it waits for the
    others: a framework fails in those that work on after one has gone. Does nothing in a process
    that `launch` did not start."""
    if INDEX not in os.environ:
        return
    logs = Path(os.environ[LOGS])
    words = json.dumps({"code": code, "error": error}) + "\n"
    write_whole(_marker(logs, os.environ[INDEX]), words, within=logs)
    remove_files()
    sys.stdout.flush()
    sys.stderr.flush()
    others = [_marker(logs, index) for index in range(int(os.environ[COUNT]))]
    while not error and not all(marker.exists() for marker in others):
        time.sleep(0.02)  # should one of them die, the launcher ends this one too
    os._exit(code)  # a framework takes seconds to end by itself


def _marker(logs: Path, index: int | str) -> Path:
    return logs / f"worker-{index}.done"


def _start(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    log.unlink(missing_ok=True)  # it may be a link
    with open(log, "wb") as file:
        return start_process(command, {**environment, LOGS: str(log.parent)}, errors=file)


def _watch(team: Sequence[_Worker], stop: Stop) -> int:
    is_passed_on = False
    ended_at: float | None = None
    died_at: float | None = None
    while True:
        wait_for_end([worker.process for worker in team if worker.is_alive], LOOK_EVERY)
        if stop.number is not None and not is_passed_on:
            is_passed_on = True
            for worker in team:
                if worker.is_alive:
                    worker.process.send_signal(PASSED_ON)
        # one that died leaves the others waiting for it, or makes them fail: nobody continues
        dead = [worker for worker in team if worker.is_dead]
        if dead and is_passed_on and stop.number is not None:
            # before there is something to save the signal ends a process as it always does
            if any(w.process.returncode in (128 + PASSED_ON, -PASSED_ON) for w in dead):
                return 128 + stop.number
            died_at = died_at or time.monotonic()
            if time.monotonic() - died_at < GRACE:
                continue  # this one may only have lost the other
        if dead:
            first = min(dead, key=lambda worker: worker.process.returncode)  # the killed before all
            raise WorkerDied(_epitaph(first, len(team)))
        ended = [worker for worker in team if not worker.is_alive]
        if ended and ended_at is None:
            ended_at = time.monotonic()
        if ended_at and (len(ended) == len(team) or time.monotonic() - ended_at > GRACE):
            words = [worker.last_words for worker in ended]
            errors = [word["error"] for word in words if word["error"]]
            if errors:
                usage = all(word["code"] == 2 for word in words if word["error"])
                raise (UsageError if usage else SpecError)(errors[0])
            if len(ended) == len(team):
                code = max(word["code"] for word in words)
                if stop.number is not None and code == 128 + PASSED_ON:
                    return 128 + stop.number
                return code


def _epitaph(worker: _Worker, workers: int) -> Problem:
    code = worker.process.returncode
    how = (
        f"was killed by {signal.Signals(-code).name}"
        if code < 0
        else f"ended with exit code {code} before its work was done"
    )
    lines = worker.log.read_text(errors="replace").splitlines()
    return Problem(
        f"worker {worker.index} of {workers} (process {worker.process.pid}) {how}, and the others"
        f" were stopped; its output is in {worker.log}",
        stack=tuple(line for line in lines if line.strip())[-LAST_LINES:],
    )


def _threads(workers: int) -> int:
    """CPUs for each of several processes on this machine."""
    return max(1, usable_cpus() // workers)


def follow_parent() -> None:
    """End with the process that started this one as one of its own, for nobody else would end it
    (Linux). Does nothing in a process that no other archspec started."""
    parent = os.environ.get(PARENT)
    if parent is not None and end_with_parent() and os.getppid() != int(parent):
        raise SystemExit(1)  # it was gone before we asked


__all__ = [
    "Job",
    "Ranks",
    "Team",
    "WorkerDied",
    "finish",
    "follow_parent",
    "free_port",
    "launch",
    "read_number",
    "several_by",
]
