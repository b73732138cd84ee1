"""Further workers of a search, each a process of its own: `archspec search worker RUN`."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from archspec.processes import python_command, start_process, wait_for_end
from archspec.training.search.evaluating import LOOK_EVERY
from archspec.training.search.storage import VARIABLE
from archspec.training.search.trials import Trials
from archspec.training.signals import Stop

MAX_REPLACED = 5
"""Workers that are started in the place of those that were killed."""


@contextmanager
def helpers(
    trials: Trials,
    count: int,
    ends: float | None,
    allowed: Sequence[str],
    stop: Stop,
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[None]:
    """Have `count` more processes work at a search within the block, until time.monotonic() is at
    `ends`, and wait for them at its end. What stops this process stops them. One that is killed is
    told of at once, and another takes its place."""
    if not count:
        yield
        return
    crew = _Crew(trials, count, ends, allowed, say)
    watcher = threading.Thread(target=crew.watch, name="workers", daemon=True)
    watcher.start()
    try:
        yield
        while stop.number is None and (running := crew.running()):
            wait_for_end(running, LOOK_EVERY)
    finally:
        crew.end()
        watcher.join()


class _Crew:
    """The processes that help."""

    def __init__(
        self,
        trials: Trials,
        count: int,
        ends: float | None,
        allowed: Sequence[str],
        say: Callable[[str], None],
    ):
        self._trials = trials
        self._ends = ends
        self._allowed = allowed
        self._say = say
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._replaced = 0
        self._processes = [self._start_helper() for _ in range(count)]

    def running(self) -> list[subprocess.Popen[bytes]]:
        with self._lock:
            return [process for process in self._processes if process.poll() is None]

    def watch(self) -> None:
        """Replace processes that are killed, until the end."""
        while not self._is_over.is_set():
            running = self.running()
            if running:
                wait_for_end(running, LOOK_EVERY)
            else:
                self._is_over.wait(LOOK_EVERY)
            with self._lock:
                if not self._is_over.is_set():
                    self._processes = [self._in_place_of(one) for one in self._processes]

    def end(self) -> None:
        self._is_over.set()
        with self._lock:
            for process in self._processes:
                if process.poll() is None:
                    process.terminate()
            for process in self._processes:
                process.wait()

    def _in_place_of(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        code = process.poll()
        # who ends one by SIGTERM or SIGINT wishes it to end
        if code is None or code >= 0 or -code in (signal.SIGTERM, signal.SIGINT):
            return process
        if self._replaced >= MAX_REPLACED:
            return process
        self._replaced += 1
        self._say(
            f"note: a worker was killed by {signal.Signals(-code).name}; another takes its place"
        )
        return self._start_helper()

    def _start_helper(self) -> subprocess.Popen[bytes]:
        command = python_command("archspec.cli", "search", "worker", str(self._trials.path))
        for objective in self._allowed:
            command += ["--objective", objective]
        if self._ends is not None:
            command += ["--budget", f"{max(round(self._ends - time.monotonic()), 1)}s"]
        storage = self._trials.storage
        environment = {} if storage is None else {VARIABLE: storage}  # all users see a command
        # what it would print is the front, which this process prints
        return start_process(command, environment, output=subprocess.DEVNULL)
