"""One network of a search, trained with each of its seeds: python -m training.search.accuracy.

Accuracy is the top-1 on the val images after the last epoch, not the best of all epochs: that would
be the luckiest one, the more so the noisier the training.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.errors import SpecError, UsageError
from archspec.training.signals import Stop

if TYPE_CHECKING:
    from archspec.training.run import Run


def main(arguments: Sequence[str]) -> int:
    """Train the network that RUN/archs/ID.json is; the exit code, 128 and the signal where it was
    stopped. RUN/training/ID/accuracy.json has the accuracies once all are there, with the seconds
    of all steps and of those that this process made, and with what was amiss. A training whose last
    line is lost after its checkpoints were let go is made again: it comes to the same bits."""
    run, identity = arguments
    with Stop() as stop:
        try:
            return _train(Path(run), identity, stop)
        except Exception as error:
            from archspec.training.search.evaluating import TEMPORARY_FAILURE
            from archspec.training.search.patience import passing_trouble

            trouble = passing_trouble(error)
            if trouble is not None:
                print(f"error: {trouble}", file=sys.stderr)
                return TEMPORARY_FAILURE
            if not isinstance(error, (SpecError, UsageError)):
                raise
            print(f"error: {error}", file=sys.stderr)
            return 1


def _train(path: Path, identity: str, stop: Stop) -> int:
    from archspec.loading import load
    from archspec.training.backend import FIRST, find_backend
    from archspec.training.distributed import follow_parent
    from archspec.training.loop import train_run
    from archspec.training.new_run import create_run
    from archspec.training.plan import plan_run
    from archspec.training.recipe_files import read_recipe
    from archspec.training.run import CHECKPOINTS, FACTS, open_run
    from archspec.training.search.evaluating import write_measured
    from archspec.training.search.trials import ARCHS, RECIPE, TRAINING, open_trials
    from archspec.training.upkeep import restart

    follow_parent()
    training = open_trials(path).facts["training"]
    recipe = read_recipe(str(path / RECIPE))
    graph = load(path / ARCHS / f"{identity}.json")
    home = path / TRAINING / identity
    backend = training.get("backend", FIRST)
    find_backend(backend, str(path)).join(training["device"])
    found: list[float] = []
    notes: list[str] = []
    seconds = here = 0.0
    for seed in training["seeds"]:
        folder = home / f"seed{seed}"
        if not (folder / FACTS).exists():
            shutil.rmtree(folder, ignore_errors=True)  # a process that was killed began it
            plan = plan_run(
                graph, replace(recipe, seed=seed), training["data"], device=training["device"],
                backend=backend,
            )  # fmt: skip
            create_run(plan, folder, ())
        run = open_run(folder)
        if not (folder / CHECKPOINTS).exists() and not _is_over(run):
            notes.append(
                f"{folder} has lost the line of its last epoch, and its checkpoints were removed"
                " when it was over, so it is trained again; what there is of it is kept in"
                f" {restart(run)}"
            )
            print(f"note: {notes[-1]}", file=sys.stderr)
        epochs = [line for line in run.metrics() if line["kind"] == "epoch"]
        before = epochs[-1]["seconds"] if epochs else 0.0
        if not _is_over(run):
            result = train_run(run, stop, "none")
            if result.stopped_by is not None:
                return 128 + result.stopped_by
            epochs = [line for line in run.metrics() if line["kind"] == "epoch"]
        found.append(epochs[-1]["top1"])
        seconds += epochs[-1]["seconds"]
        here += epochs[-1]["seconds"] - before
        for heavy in (folder / CHECKPOINTS, *folder.glob("*.safetensors")):
            if heavy.is_dir():
                shutil.rmtree(heavy)
            else:
                heavy.unlink()
    facts = {"seeds": training["seeds"], "top1": found, "seconds": seconds, "seconds_here": here}
    write_measured(home, {**facts, "notes": notes})
    return 0


def _is_over(run: Run) -> bool:
    """Whether the last epoch's accuracy is known."""
    epochs = [line for line in run.metrics() if line["kind"] == "epoch"]
    return bool(epochs) and (
        epochs[-1]["epoch"] == run.recipe.epochs or "stopped_early" in epochs[-1]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
