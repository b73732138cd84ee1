"""best.safetensors and last.safetensors: the weights that a run leaves behind."""

from __future__ import annotations

from typing import Any, Protocol

from archspec.checksums import set_aside
from archspec.compiler.weights.files import open_tensors
from archspec.compiler.weights.loading import save_weights
from archspec.errors import SpecError
from archspec.training.backend import Trainer
from archspec.training.checkpoint import sync_folder
from archspec.training.progress import Display
from archspec.training.run import BEST, LAST, Run


class Reached(Protocol):
    """How far a run has come: epochs that are over, steps of the next one, the best epoch so far,
    and the lines of metrics.jsonl of those that are over."""

    epoch: int
    position: int
    best_epoch: int
    epochs: list[dict[str, Any]]


class SavedWeights:
    """The two files. What is there is not replaced by what is worse or earlier: a run that resumes
    from an older checkpoint comes to it again."""

    def __init__(self, run: Run, trainer: Trainer, display: Display):
        self.run = run
        self.trainer = trainer
        self.display = display
        self._there = {name: self._look(name) for name in (BEST, LAST)}

    def write(self, name: str, epoch: int, top1: float) -> None:
        """Save the weights that an epoch ended with, unless there are better or later ones."""
        epoch_there, top1_there = self._there[name]
        if (epoch < epoch_there) if name == LAST else (round(top1, 6) < top1_there):
            self.display.say(
                f"note: {name} is of epoch {epoch_there} ({top1_there:.2%}) and stays, for this is"
                f" epoch {epoch} ({top1:.2%})"
            )
            return
        notes = {
            "epoch": str(epoch),
            "top1": f"{top1:.6f}",
            "recipe": self.run.facts["recipe"],
            "classes": self.run.classes_as_text,
            **self.trainer.notes(),
        }
        path = self.run.path / name
        if path.is_symlink():
            path.unlink()  # or what it leads to would be written
        save_weights(path, self.run.networks[0], self.trainer.weights(), notes)
        sync_folder(self.run.path)
        self._there[name] = (epoch, round(top1, 6))

    def write_again(self, progress: Reached) -> None:
        """Save what is lost of them and is in the state of a checkpoint just taken up."""
        at_end = progress.epochs[-1] if progress.position == 0 and progress.epochs else None
        if at_end is None or at_end["epoch"] != progress.epoch:
            return
        for name in (BEST, LAST):
            is_in_state = name == LAST or progress.best_epoch == progress.epoch
            if is_in_state and not (self.run.path / name).exists():
                with self.trainer.serving():
                    self.write(name, progress.epoch, at_end["top1"])
                self.display.say(f"note: {name} is written again from the checkpoint")

    def _look(self, name: str) -> tuple[int, float]:
        """The epoch and the top-1 of a file, which is set aside where it is damaged."""
        path = self.run.path / name
        if not path.exists():
            return 0, -1.0
        try:
            with open_tensors(path) as file:
                return int(file.metadata["epoch"]), float(file.metadata["top1"])
        except (SpecError, KeyError, ValueError) as error:
            why = (
                str(error).removeprefix(f"{path}: ") if isinstance(error, SpecError) else "damaged"
            )
            self.display.say(f"note: {path} is set aside as {set_aside(path).name}: {why}")
            return 0, -1.0
