"""What a person sees of a running training: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from archspec.terminal import harmless, unguard

LINE_EVERY = 30.0
"""Seconds between two lines within an epoch, where there is no terminal."""


@dataclass(frozen=True)
class Pulse:
    """How it goes: means since the epoch began, images of all processes a second, and the seconds
    that are left at this pace."""

    epoch: int
    position: int
    loss: float
    accuracy: float
    images_per_second: float
    seconds_left: float

    def __str__(self) -> str:
        return (
            f"loss {self.loss:.4f}  accuracy {self.accuracy:6.2%}"
            f"  {self.images_per_second:,.0f} images/s"
        )


class Display:
    """Shows pulses and notes. `style` is "auto", "lines" or "none"."""

    def __init__(self, epochs: int, steps: int, style: str = "auto"):
        self.epochs = epochs
        self.steps = steps
        self.style = "bar" if style == "auto" and sys.stdout.isatty() else style
        self._shown_at = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Display:
        if self.style == "bar":
            self._bar = _bar()
            self._task = self._bar.add_task("", total=self.epochs * self.steps, figures="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def pulse(self, pulse: Pulse) -> None:
        if self._bar is not None:
            figures = f"{pulse}  ETA {clock(pulse.seconds_left)}"
            done = pulse.epoch * self.steps + pulse.position
            label = f"epoch {pulse.epoch + 1}/{self.epochs}"
            self._bar.update(self._task, completed=done, description=label, figures=figures)
        elif time.monotonic() - self._shown_at > LINE_EVERY:
            self.say(
                f"{self._label(pulse.epoch)}  step {pulse.position}/{self.steps}  {pulse}"
                f"  ETA {clock(pulse.seconds_left)}"
            )

    def epoch(self, epoch: int, words: str) -> None:
        """One epoch is over."""
        self.say(f"{self._label(epoch)}  {words}")

    def say(self, line: str) -> None:
        self._shown_at = time.monotonic()
        if self._bar is not None:
            self._bar.console.print(harmless(line), markup=False, highlight=False, soft_wrap=True)
        elif self.style != "none":
            print(line, flush=True)

    def _label(self, epoch: int) -> str:
        return f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"


def clock(seconds: float) -> str:
    """1:02:03, or 2:03 for less than an hour."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[figures]}"),
        console=Console(file=unguard(sys.stdout)),
    )
