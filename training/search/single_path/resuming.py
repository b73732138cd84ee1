"""How far a search has come, saved in checkpoints, and taken up again.

What of a search is damaged is set aside under another name and told of. One whose checkpoints are
all lost is never begun again by itself, for that would replace what it has learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec.checksums import DamagedLine, seal_line, seal_lines
from archspec.training.backend import Stateful
from archspec.training.checkpoint import Refused, set_refused_aside, sweep, sync_folder
from archspec.training.meter import Sums
from archspec.training.metrics import epoch_lines, set_lines_aside
from archspec.training.run import RunError
from archspec.training.search.single_path.folder import (
    CHECKPOINTS,
    LOG,
    is_epoch,
    log_lines,
    read_log,
    sweep_home,
)
from archspec.training.session import Progress, restore
from archspec.writing import command_line, write_whole

CHECKPOINTS_KEPT = 2
EARLIER = ".earlier"
"""The ending of the folder where what was learned before stands."""


@dataclass
class SearchProgress(Progress):
    """How far a search has come. Its steps are those of the weights; sums are over the epoch so
    far."""

    of_weights: Sums = field(default_factory=Sums)
    of_thresholds: Sums = field(default_factory=Sums)
    lines: list[dict[str, Any]] = field(default_factory=list)
    """Of the log, for each epoch that is over; checkpoints of an earlier archspec have none."""


@dataclass(frozen=True)
class Resuming:
    """How searches of a run are taken up. One that has lost its checkpoints is begun again where it
    `restarts`; `say` is told what was amiss."""

    run: Path
    restarts: bool
    say: Callable[[str], None]

    def resume(self, trainer: Stateful, home: Path, epochs: range) -> SearchProgress | None:
        """Set the state to that of the last good checkpoint; None where there was never one. Of the
        log what was written since is left out; `epochs` are those that it is of. Raises RunError
        where all checkpoints are lost."""
        checkpoints = home / CHECKPOINTS
        checkpoints.mkdir(parents=True, exist_ok=True)
        sweep(checkpoints)
        sweep_home(home)
        progress, refused = restore(trainer, checkpoints, SearchProgress)
        if progress is None:
            if self._is_lost(home, refused):
                self._restart(home, refused)
            (home / LOG).unlink(missing_ok=True)
            return None
        for note in (*set_refused_aside(refused), *_rewind(home / LOG, progress, epochs)):
            self.say(f"note: {note}")
        return progress

    def _is_lost(self, home: Path, refused: Sequence[Refused]) -> bool:
        """Whether there was a checkpoint. The log's first line is written before the first one."""
        lines = log_lines(home / LOG)
        count = len(lines.records) + len(lines.damaged)
        return bool(refused) or count > 1 or any((home / CHECKPOINTS).iterdir())

    def _restart(self, home: Path, refused: Sequence[Refused]) -> None:
        """Keep what a search had learned under another name, where nothing takes it up. Raises
        RunError where that was not asked for."""
        target, count = home.with_name(f"{home.name}{EARLIER}"), 1
        while target.exists():
            count += 1
            target = home.with_name(f"{home.name}{EARLIER}-{count}")
        if not self.restarts:
            why = f": {refused[0]} ({len(refused)} in all)" if refused else ""
            epochs = max((line["epoch"] for line in read_log(home / LOG)), default=0)
            reached = f", and it has come to epoch {epochs}" if epochs else ""
            again = command_line("archspec", "search", "--resume", self.run, "--restart")
            raise RunError(
                f"{home} has no good checkpoint left{why}{reached}; nothing was changed; put back a"
                f" copy of one, or begin this one again with {again}, which keeps what there is in"
                f" {target}"
            )
        home.rename(target)
        (home / CHECKPOINTS).mkdir(parents=True)
        sync_folder(home.parent)
        self.say(f"note: {home.name} begins again; what it had learned is kept in {target}")


def _rewind(path: Path, progress: SearchProgress, epochs: range) -> tuple[str, ...]:
    """Leave out of a log what was written after a checkpoint, for it will be written again; what
    was amiss, in sentences."""
    found = log_lines(path)
    odd = [
        DamagedLine(number, seal_line(line).rstrip("\n").encode(), "it is not a line of this log")
        for number, line in enumerate(found.records, 1)
        if not is_epoch(line)
    ]
    here = [line for line in found.records if is_epoch(line)]
    over = [number for number in epochs if number <= progress.epoch]
    kept, notes = epoch_lines(path, here, progress.lines, over)
    notes = (*set_lines_aside(path, [*found.damaged, *odd]), *notes)
    write_whole(path, seal_lines(kept), within=path.parent)
    return notes
