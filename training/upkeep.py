"""What happens to a run's folder apart from training; all of it is for whoever holds its lock.

tidy        leftovers of killed processes go; links out of the folder are refused
seal_run    a run without checksums gets them
check_lost  a run whose checkpoints are lost is not begun again by itself
restart     begins it again, and keeps what was there
extend      more epochs
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.compiler.weights.files import open_tensors
from archspec.document import read_document
from archspec.errors import SpecError, UsageError
from archspec.graph import Graph
from archspec.training.checkpoint import Refused, sync_folder
from archspec.training.facts import VERSION, write_facts
from archspec.training.recipe import Constant, Exponential, Step
from archspec.training.recipe_files import as_data, recipe_of
from archspec.training.recipe_files import as_yaml as written_recipe
from archspec.training.run import (
    BEST,
    CHECKPOINTS,
    CURVES,
    EARLIER,
    EVENTS,
    LAST,
    LOGS,
    METRICS,
    NAMES,
    RECIPE,
    REPORT,
    Run,
    RunError,
    entry_of,
)
from archspec.writing import command_line, is_unfinished, write_whole

if TYPE_CHECKING:
    from archspec.training.data import Source

FREE_OF_LENGTH = (Constant, Step, Exponential)
"""Schedules whose rates do not depend on how many epochs there are."""


def tidy(run: Run) -> None:
    """Remove what killed processes left half-written. Raises RunError where a folder that is
    written to leads out of the run's."""
    for name in (CHECKPOINTS, EVENTS, LOGS):
        check_inside(run.path / name, run.path)
        (run.path / name).mkdir(exist_ok=True)
    for path in run.path.iterdir():
        if path.is_file() and any(is_unfinished(path.name, name) for name in NAMES):
            path.unlink(missing_ok=True)


def check_inside(folder: Path, run: Path) -> None:
    """Raises RunError where a folder that is written to leads out of the run's."""
    if not folder.resolve().is_relative_to(run.resolve()):
        raise RunError(
            f"{folder} is a link that leads out of {run}; use a real folder, for a run writes in"
            " its own folder alone"
        )


def seal_run(run: Run, images: Sequence[Source]) -> Run:
    """The same run with checksums, as its folder has it from now on, and with the stamps that its
    images, of both splits, have now; its metrics have checksums. Its networks stay as it wrote
    them, for its weights say what was made of that text."""
    if not run.is_old:
        return run
    teacher = run.facts["teacher"]
    facts = {
        **run.facts,
        "run": VERSION,
        "extended_from": [],
        "data_stamps": [dict(source.stamps) for source in images],
        "settings": as_data(run.recipe),
        "networks": [
            _sealed_entry(run, entry["file"], graph)
            for entry, graph in zip(run.facts["networks"], run.networks, strict=True)
        ],
        "teacher": None
        if run.teacher is None
        else _sealed_entry(run, teacher["file"], run.teacher),
    }
    write_facts(run.path, facts)
    return Run(run.path, facts, run.notes)


def _sealed_entry(run: Run, file: str, graph: Graph) -> dict[str, Any]:
    return {**entry_of(file, graph), "spec": read_document(run.path / file).data}


def check_lost(run: Run, refused: Sequence[Refused]) -> None:
    """Raises RunError where a run that no good checkpoint is found of had one: to begin it again
    would replace what it has learned."""
    again = command_line("archspec", "train", "--resume", run.path, "--restart")
    ways = (
        f"nothing was changed; put back a copy of one, or begin again with {again}, which keeps"
        f" what there is in {run.path / EARLIER}"
    )
    if refused:
        raise RunError(
            f"{run.path} has no good checkpoint left: {refused[0]} ({len(refused)} in all); {ways}"
        )
    first_saved = min(run.recipe.checkpoint.every_epochs, run.recipe.epochs)
    epochs = max([line["epoch"] for line in run.metrics()], default=0)
    epochs = max(epochs, *(_epoch_of(run.path / name) for name in (BEST, LAST)))
    is_over = epochs == run.recipe.epochs and (run.path / REPORT).exists()
    is_over |= any("stopped_early" in line for line in run.metrics())
    if any(run.checkpoints.iterdir()) or epochs > first_saved or is_over:
        raise RunError(
            f"{run.path} has come to epoch {epochs} and its checkpoints do not exist; {ways}"
        )


def restart(run: Run) -> Path:
    """Move all that a run has learned into a folder of its own, from where nothing takes it; that
    folder."""
    count = 1
    while (target := run.path / (EARLIER if count == 1 else f"{EARLIER}-{count}")).exists():
        count += 1
    target.mkdir()
    for name in (METRICS, EVENTS, BEST, LAST, CURVES, REPORT, CHECKPOINTS):
        if (run.path / name).exists():
            (run.path / name).rename(target / name)
    (run.path / CHECKPOINTS).mkdir()
    sync_folder(run.path)
    return target


def extend(run: Run, epochs: int) -> Run:
    """The run with more epochs, as its folder has it from now on; one that stopped early goes on,
    also to the epochs that it has. Raises UsageError where its schedule would have been another
    with so many."""
    recipe = run.recipe
    done = [line for line in run.metrics() if line["kind"] == "epoch"]
    goes_on = bool(done) and "stopped_early" in done[-1] and epochs == recipe.epochs
    if epochs <= recipe.epochs and not goes_on:
        raise UsageError(
            f"--epochs {epochs}: {run.path} has {recipe.epochs}; more than those extend it, and a"
            " new run takes fewer"
        )
    if not goes_on and not isinstance(recipe.schedule, FREE_OF_LENGTH):
        raise UsageError(
            f"--epochs {epochs}: the {recipe.schedule.name} schedule of {run.path} ends with epoch"
            f" {recipe.epochs}, and with {epochs} its learning rates would have been others from"
            f" the start; use a new run with --epochs {epochs}, or with --weights"
            f" {command_line(run.path / LAST)} to start from what is learned (constant, step and"
            " exponential schedules can be extended)"
        )
    settings = {**as_data(recipe), "epochs": epochs}
    extended = recipe_of(settings, "--epochs")
    facts = {
        **run.facts,
        "settings": settings,
        "extended_from": [*run.facts["extended_from"], recipe.epochs],
    }
    # without recipe.yaml it is written again, so no moment has two that differ
    (run.path / RECIPE).unlink(missing_ok=True)
    write_facts(run.path, facts)
    write_whole(run.path / RECIPE, written_recipe(extended), within=run.path)
    return Run(run.path, facts, run.notes)


def _epoch_of(path: Path) -> int:
    """The epoch that a file of weights is of, 0 where it does not say."""
    try:
        with open_tensors(path) as file:
            text = file.metadata.get("epoch", "")
    except (SpecError, UsageError):
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
