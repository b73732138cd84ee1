"""Steps from where a checkpoint left them: the one loop of all that learns here.

A task says what a step is and what becomes of an epoch; a session makes the steps, looks at what
came of them, saves, resumes, hears who wishes to stop and refuses a loss that is not finite.

Whatever a task draws at random is drawn again from (seed, epoch or step, place), so a checkpoint is
the trainer's state, the position, and nothing else: what was killed resumes to the same bits.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from archspec.training.backend import Stateful
from archspec.training.checkpoint import Checkpoint, Refused, last_good, write_checkpoint
from archspec.training.distributed import Ranks
from archspec.training.meter import Meter, Sums
from archspec.training.run import RunError
from archspec.training.signals import Stop

LOOK_EVERY = 0.5
"""Seconds, about, between two looks at what the device has computed."""
MAX_UNSEEN = 50
"""Steps between two looks."""
CHECKPOINT_EVERY = 600.0
"""Seconds that are lost at most, however long an epoch takes."""
REMEDY = (
    "try a smaller learning rate (--set optimizer.lr=...) or clipped gradients"
    " (--set optimizer.clip_norm=1); the last good checkpoint is kept"
)
"""Of a training that diverges."""


@dataclass
class Progress:
    """How far something has come. A checkpoint keeps it, and a session moves it; tasks add what
    they also want to know."""

    epoch: int = 0
    """Epochs that are over."""
    position: int = 0
    """Steps that are over of the next one."""
    step: int = 0
    """Steps that are over of all."""
    seconds: float = 0.0
    is_over: bool = False
    """Whether a task has found that it learns no more, before all its epochs."""


Kind = TypeVar("Kind", bound=Progress)


def read_progress(checkpoint: Checkpoint, kind: type[Kind]) -> Kind:
    """The progress that a checkpoint was written with."""
    data: dict[str, Any] = {**checkpoint.progress, "step": checkpoint.step}
    for entry in fields(kind):
        if entry.default_factory is Sums:
            data[entry.name] = Sums(**data[entry.name])
    return kind(**data)


def restore(
    trainer: Stateful, folder: Path, kind: type[Kind], ranks: Ranks | None = None
) -> tuple[Kind | None, tuple[Refused, ...]]:
    """Set the state to that of the last good checkpoint in a folder; the progress it was at, None
    where there is none, and the newer checkpoints that had to be refused. Raises RunError where
    processes found different ones."""
    ranks = ranks or Ranks()
    checkpoint, refused = last_good(folder, trainer.state())
    found = 0 if checkpoint is None else checkpoint.step
    if ranks.sum([found])[0] != found * ranks.ranks:
        raise RunError(
            f"the processes found different checkpoints in {folder}, this one that of step {found};"
            " use one folder that all of them see"
        )
    if checkpoint is None:
        return None, refused
    trainer.set_state(checkpoint.arrays)
    return read_progress(checkpoint, kind), refused


class Task(Protocol):
    """What a session makes steps of."""

    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def meters(self) -> Sequence[Meter]:
        """Of its steps first; the others' steps go along with those."""
        ...

    def steps(self) -> Generator[None, None, None]:
        """Begin one step each time it is asked, from the progress's position on."""
        ...

    def wants_look(self) -> bool:
        """Whether to look now, whatever the clock says."""
        ...

    def take(self, sums: Sequence[Sums]) -> None:
        """Take in what the steps since the last look came to, for each meter."""
        ...

    def after_look(self) -> None:
        """Tell of it."""
        ...

    def end_epoch(self) -> bool:
        """Close an epoch all of whose steps are over; whether its end is to be kept."""
        ...

    def after_save(self) -> None:
        """An epoch is over, and is kept where it is to be."""
        ...


class Session:
    """The steps of a trainer, up to wherever `learn` is told, with checkpoints in `folder`.

    `what` names the loss in an error. Only the first process writes; at each look all agree on what
    to do. Everyone stops once someone wishes to, or at time.monotonic() = `ends`.
    """

    def __init__(
        self,
        trainer: Stateful,
        progress: Progress,
        folder: Path,
        keep: int,
        stop: Stop,
        ranks: Ranks | None = None,
        what: str = "the loss",
        ends: float = math.inf,
    ):
        self.trainer = trainer
        self.progress = progress
        self.folder = folder
        self.keep = keep
        self.stop = stop
        self.ranks = ranks or Ranks()
        self.what = what
        self.ends = ends
        self.stopped_by: int | None = None
        self.images_per_second = 0.0
        self.seconds_a_step = 0.0
        self._seconds_unsaved = 0.0
        self._unseen = 1
        self._saved_at = self._looked_at = self._counted_at = time.monotonic()

    def learn(self, task: Task, until: int) -> bool:
        """Make steps until so many epochs are over, or the task finds that it learns no more; False
        where they were stopped before. Raises
        RunError, and keeps the last checkpoint, where a loss or the state is not finite."""
        progress = self.progress
        while progress.epoch < until and not progress.is_over:
            self._restart_clock()
            with closing(task.steps()) as steps:
                for _ in islice(steps, task.steps_per_epoch - progress.position):
                    progress.step += 1
                    progress.position += 1
                    is_over = progress.position == task.steps_per_epoch
                    if not (is_over or task.wants_look() or self._is_due(task)):
                        continue
                    self._look(task)
                    if self.stopped_by is not None:
                        break
                    if self._seconds_unsaved > CHECKPOINT_EVERY:
                        self.save()
            if self.stopped_by is not None:
                self.save()
                return False

            self.check_finite()
            is_kept = task.end_epoch()
            progress.epoch, progress.position = progress.epoch + 1, 0
            if is_kept or self._seconds_unsaved > CHECKPOINT_EVERY:
                self.save()
            task.after_save()
        return True

    def save(self) -> None:
        """Write a checkpoint, by the first process. Raises RunError, and writes nothing, where the
        state is no longer finite."""
        arrays = self.check_finite()
        if self.ranks.is_first:
            said = {name: value for name, value in asdict(self.progress).items() if name != "step"}
            write_checkpoint(self.folder, Checkpoint(self.progress.step, arrays, said), self.keep)
        self._saved_at = time.monotonic()
        self._seconds_unsaved = 0.0

    def check_finite(self) -> dict[str, np.ndarray]:
        """The state that the next step depends on, by name. Raises RunError where it is not finite,
        as after a step whose own loss still was."""
        arrays = self.trainer.state()
        for name, array in arrays.items():
            if not np.isfinite(array.sum(dtype=np.float64)):
                raise RunError(
                    f"{name} became infinite by step {self.progress.step} (epoch"
                    f" {self.progress.epoch + 1}); {REMEDY}"
                )
        return arrays

    def count_seconds(self) -> None:
        """Add the time since it was counted last to the progress."""
        now = time.monotonic()
        self.progress.seconds += now - self._counted_at
        self._counted_at = now

    def _restart_clock(self) -> None:
        """What comes before a step's data is asked for is not part of the pace."""
        self.count_seconds()
        self._looked_at = time.monotonic()

    def _wants_to_stop(self) -> bool:
        return self.stop.number is not None or time.monotonic() > self.ends

    def _is_due(self, task: Task) -> bool:
        # alone one can stop at once; several have to agree first
        is_asked = self.ranks.ranks == 1 and self._wants_to_stop()
        return is_asked or len(task.meters[0].waiting) >= self._unseen

    def _look(self, task: Task) -> None:
        """Take in the steps since the last look, which is when all processes agree on what to do.
        Raises RunError where their loss is not finite."""
        steps = len(task.meters[0].waiting)
        first_step = self.progress.step - steps + 1
        read = [meter.read() for meter in task.meters]
        now = time.monotonic()
        is_first = self.ranks.is_first
        *numbers, bads, stops, seconds, unsaved = self.ranks.sum(
            [
                *(number for sums, _ in read for number in sums.numbers),
                any(bad >= 0 for _, bad in read),
                self._wants_to_stop(),
                (now - self._looked_at) * is_first,
                (now - self._saved_at) * is_first,
            ]
        )
        summed = [Sums(*numbers[start : start + 4]) for start in range(0, len(numbers), 4)]
        if bads and not (self.trainer.skips_steps and summed[0].steps):
            bad = read[0][1]
            where = f"step {first_step + bad}" if bad >= 0 else f"steps up to {self.progress.step}"
            raise RunError(
                f"{self.what} became infinite at {where} (epoch {self.progress.epoch + 1});"
                f" {REMEDY}"
            )
        task.take(summed)
        self.count_seconds()
        if stops:
            self.stopped_by = self.stop.number or signal.SIGTERM
        self._seconds_unsaved = unsaved
        self.images_per_second = summed[0].images / max(seconds, 1e-9)
        self.seconds_a_step = seconds / steps
        self._unseen = min(MAX_UNSEEN, max(1, round(LOOK_EVERY / max(self.seconds_a_step, 1e-9))))
        self._looked_at = now
        task.after_look()


__all__ = ["Progress", "Session", "Task", "read_progress", "restore"]
