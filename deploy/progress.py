"""How far long work has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from archspec.terminal import unguard

SOON = 2.0
"""Seconds that nothing is shown for: what is over by then needs no bar."""
LINE_EVERY = 30.0


class Progress:
    """A context manager to be called with things done and things in all; shows on standard error.

    The bar is gone when the work is done: what it came to is said by others.
    """

    def __init__(self, what: str):
        self.what = what
        self._began = time.monotonic()
        self._lined_at = self._began
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._began < SOON:
            return
        if not sys.stderr.isatty():
            if now - self._lined_at > LINE_EVERY:
                self._lined_at = now
                rate = done / (now - self._began)
                line = f"{self.what}: {done:,} of {total:,}, {rate:,.0f} a second"
                print(line, file=sys.stderr, flush=True)
            return
        if self._bar is None:
            self._bar = _bar()
            self._task = self._bar.add_task(self.what, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Remaining(),
        console=Console(file=unguard(sys.stderr)),
        transient=True,
    )
