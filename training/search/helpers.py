"""Further workers of a search, each a process of its own: `archspec search worker RUN`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from archspec.processes import python_command, wait_for_end
from archspec.training.search.evaluating import LOOK_EVERY
from archspec.training.search.trials import Trials
from archspec.training.signals import Stop


@contextmanager
def helpers(
    trials: Trials, count: int, ends: float | None, allowed: Sequence[str], stop: Stop
) -> Iterator[None]:
    """Have `count` more processes work at a search within the block, until time.monotonic() is at
    `ends`, and wait for them at its end. What stops this process stops them."""
    command = python_command("archspec.cli", "search", "worker", str(trials.path))
    for objective in allowed:
        command += ["--objective", objective]
    if ends is not None:
        command += ["--budget", f"{max(round(ends - time.monotonic()), 1)}s"]
    processes = [
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the front, which this process prints
            start_new_session=True,  # Ctrl-C is for this process, which passes it on
        )
        for _ in range(count)
    ]
    try:
        yield
        while stop.number is None:
            running = [process for process in processes if process.poll() is None]
            if not running:
                break
            wait_for_end(running, LOOK_EVERY)
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            process.wait()
