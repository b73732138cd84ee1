"""The folder of a new run: where it may be made, what it holds at first, and how it goes again
where it is refused before anything was learned."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from archspec.errors import SpecError, UsageError
from archspec.graph import Graph
from archspec.machine import machine_words
from archspec.training.checkpoint import sync_folder
from archspec.training.distributed import Job, WorkerDied
from archspec.training.facts import FACTS, VERSION, read_facts, write_facts
from archspec.training.plan import Plan
from archspec.training.recipe_files import as_data
from archspec.training.recipe_files import as_yaml as written_recipe
from archspec.training.run import (
    CHECKPOINTS,
    GIVEN,
    LOGS,
    NAMES,
    RECIPE,
    SPEC,
    TEACHER,
    Run,
    RunError,
    entry_of,
    lock,
    open_run,
)
from archspec.training.versions import versions
from archspec.writing import command_line, is_unfinished, whole_folder, write_whole, written_json


def check_free(out: str | os.PathLike[str]) -> None:
    """Raises UsageError where a run in which something was learned, or anything else, is in the way
    of a new one."""
    path = Path(out)
    if os.path.lexists(path / FACTS):
        if not _is_free(path):
            raise UsageError(
                f"{path} is a run already; use archspec train --resume {command_line(path)} to"
                " continue it, or another --out to start a new one"
            )
    elif os.path.lexists(path) and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} exists already and is not a run; use another --out")


def create_run(plan: Plan, out: str | os.PathLike[str], command: Sequence[str]) -> Run:
    """Make the folder of a new run, in the place of one in which nothing was learned. It appears
    whole: whoever is killed before leaves none. Raises UsageError where something else is there."""
    check_free(out)
    path = Path(out)
    place = Path(os.path.realpath(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep_beside(place)
    if place.exists():
        discard(place)
    with whole_folder(place) as home:
        facts = _fill(home, plan, command)
    return Run(path, facts)


def _fill(home: Path, plan: Plan, command: Sequence[str]) -> dict[str, Any]:
    for folder in (CHECKPOINTS, LOGS):
        (home / folder).mkdir()
    entries = [
        _write_spec(home, SPEC if index == 0 else f"spec_{index + 1}.json", graph)
        for index, graph in enumerate(plan.networks)
    ]
    teacher = None if plan.teacher is None else _write_spec(home, TEACHER, plan.teacher)
    if plan.given:
        write_whole(home / GIVEN, plan.given)
    write_whole(home / RECIPE, written_recipe(plan.recipe))
    facts = {
        "run": VERSION,
        "name": plan.name,
        "recipe": plan.recipe.name,
        "seed": plan.recipe.seed,
        "data": str(plan.data.resolve()),
        "data_fingerprint": plan.data_fingerprint,
        "data_stamps": [dict(source.stamps) for source in (plan.train, plan.val)],
        "data_workers": plan.data_workers,
        "images": {"train": len(plan.train.labels), "val": len(plan.val.labels)},
        "classes": list(plan.train.classes),
        "weights": None if plan.weights is None else str(Path(plan.weights).resolve()),
        "device": plan.device,
        "workers": plan.workers,
        "command": list(command),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "backend": plan.backend,
        **({"switches": dict(plan.switches)} if plan.switches else {}),
        **({"reset": list(plan.reset)} if plan.reset else {}),
        "versions": versions(plan.backend),
        "machine": machine_words(),
        "extended_from": [],
        "settings": as_data(plan.recipe),
        "networks": entries,
        "teacher": teacher,
    }
    write_facts(home, facts)
    sync_folder(home)
    return facts


def _write_spec(folder: Path, file: str, graph: Graph) -> dict[str, Any]:
    entry = entry_of(file, graph)
    write_whole(folder / file, written_json(entry["spec"]) + "\n")
    return entry


def made_by(job: Job, out: str | os.PathLike[str] | None) -> Run | None:
    """The run that an earlier process of the same job made for this --out, where it is still there:
    that is what the job resumes, once its launcher has started its processes again."""
    path = job.read(_name_of(out))
    return open_run(path) if path and os.path.lexists(Path(path) / FACTS) else None


def note_made(job: Job, out: str | os.PathLike[str] | None, path: str | os.PathLike[str]) -> None:
    """Let later processes of the job know that this one makes the run."""
    job.note(_name_of(out), str(Path(path).absolute()))


def _name_of(out: str | os.PathLike[str] | None) -> str:
    return f"run {'' if out is None else Path(out).absolute()}"


@contextmanager
def remove_if_refused(run: Run) -> Iterator[None]:
    """A first training of a new run: where it is refused before it has learned anything, nothing
    is left of it that a corrected command would meet."""
    try:
        yield
    except (SpecError, UsageError) as error:
        if not isinstance(error, (RunError, WorkerDied)) and _is_free(run.path):
            discard(run.path)
        raise


def discard(folder: Path) -> None:
    """Remove a folder, so that it is whole or gone whenever this process is killed."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name[:50]}.") as gone:
        folder.rename(Path(gone) / folder.name)


def _is_free(path: Path) -> bool:
    """Whether the run of a folder may be replaced: nothing was learned in it, nobody trains it."""
    try:
        run = Run(path, read_facts(path))
        with lock(run):
            return run.is_unused
    except (SpecError, UsageError, OSError):
        return False


def _is_ours(name: str) -> bool:
    return name in NAMES or any(is_unfinished(name, target) for target in NAMES)


def _sweep_beside(place: Path) -> None:
    """Remove the folders of runs that a killed process had only begun to make."""
    for path in place.parent.iterdir():
        if is_unfinished(path.name, place.name) and path.is_dir() and not path.is_symlink():
            inner = {entry.name for entry in path.iterdir()}
            if inner <= {place.name} or all(map(_is_ours, inner)):
                shutil.rmtree(path, ignore_errors=True)


def free_name(name: str, recipe: str) -> Path:
    """A new folder below runs/, named by network, recipe and time."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    base = Path("runs") / f"{name}-{recipe}-{stamp}"
    names = (
        base if count == 1 else base.with_name(f"{base.name}-{count}") for count in range(1, 99)
    )
    return next(path for path in names if not path.exists())
