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

from archspec.errors import SpecError, UsageError
from archspec.training.signals import Stop
from archspec.writing import write_whole, written_json


def main(arguments: Sequence[str]) -> int:
    """Train the network that RUN/archs/ID.json is; the exit code, 128 and the signal where it was
    stopped. RUN/training/ID/accuracy.json has the accuracies once all are there, with the seconds
    of all steps and of those that this process made."""
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
    from archspec.training.distributed import join
    from archspec.training.loop import train_run
    from archspec.training.plan import plan_run
    from archspec.training.recipe import read_recipe
    from archspec.training.run import CHECKPOINTS, FACTS, create_run, open_run
    from archspec.training.search.evaluating import MEASURED
    from archspec.training.search.trials import ARCHS, RECIPE, TRAINING, open_trials

    training = open_trials(path).facts["training"]
    recipe = read_recipe(str(path / RECIPE))
    graph = load(path / ARCHS / f"{identity}.json")
    home = path / TRAINING / identity
    join(training["device"])
    found: list[float] = []
    seconds = here = 0.0
    for seed in training["seeds"]:
        folder = home / f"seed{seed}"
        if not (folder / FACTS).exists():
            shutil.rmtree(folder, ignore_errors=True)  # a process that was killed began it
            plan = plan_run(
                graph, replace(recipe, seed=seed), training["data"], device=training["device"]
            )
            create_run(plan, folder, ())
        run = open_run(folder)
        epochs = [line for line in run.metrics() if line["kind"] == "epoch"]
        before = epochs[-1]["seconds"] if epochs else 0.0
        if not epochs or epochs[-1]["epoch"] < recipe.epochs:
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
    write_whole(home / MEASURED, written_json(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
