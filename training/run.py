"""The run folder: what a training was asked to do, and all that it has done so far.

    run.json         network, recipe, data, seed, command, versions, fingerprints
    spec.json        the network's normal form, which is what is trained; spec_given.json as given
    recipe.yaml      the recipe with every setting in it
    metrics.jsonl    a line for each epoch, and about twenty within it
    events/          the same for TensorBoard
    checkpoints/     the whole state, from which --resume goes on
    best.safetensors, last.safetensors
    curves.png, report.md
    logs/            what the processes say, where there are several

A folder is made whole, with run.json last, before the first step; whoever trains reads it from
there. So a run that is taken up again is the same run, whatever became of the spec since.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.document import read_document
from archspec.errors import Problem, SpecError, UsageError, did_you_mean
from archspec.graph import Graph
from archspec.loading import load
from archspec.training.checkpoint import sync_folder
from archspec.training.plan import Plan, data_fingerprint, read_splits, scan_splits
from archspec.training.recipe import Recipe, read_recipe
from archspec.training.recipe import written as written_recipe
from archspec.training.yaml_document import read_yaml
from archspec.writing import write_whole, written_json

if TYPE_CHECKING:
    from archspec.training.data import Source

VERSION = 1
FACTS, SPEC, GIVEN, RECIPE = "run.json", "spec.json", "spec_given.json", "recipe.yaml"
METRICS, EVENTS, CHECKPOINTS, LOGS = "metrics.jsonl", "events", "checkpoints", "logs"
BEST, LAST = "best.safetensors", "last.safetensors"
CURVES, REPORT, LOCK = "curves.png", "report.md", ".lock"
PACKAGES = ("archspec-nn", "mindspore", "numpy", "pillow")


class RunError(SpecError):
    """A training that cannot go on."""


# Making and finding runs.


@dataclass(frozen=True)
class Run:
    """A run folder that is there; `facts` is its run.json."""

    path: Path
    facts: Mapping[str, Any]

    @cached_property
    def recipe(self) -> Recipe:
        recipe = read_recipe(str(self.path / RECIPE))
        if recipe.ema is not None and "warmup" not in read_yaml(self.path / RECIPE).data["ema"]:
            # written before there was such a setting, and resumed as it began
            return replace(recipe, ema=replace(recipe.ema, warmup=False))
        return recipe

    @cached_property
    def networks(self) -> tuple[Graph, ...]:
        """The graphs that learn, the first being the one that was asked for."""
        return tuple(self._graph(entry) for entry in self.facts["networks"])

    @cached_property
    def teacher(self) -> Graph | None:
        entry = self.facts["teacher"]
        return None if entry is None else self._graph(entry)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.facts["classes"])

    @property
    def classes_as_text(self) -> str:
        """For the metadata of files of weights."""
        return json.dumps(list(self.classes), ensure_ascii=False)

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    @property
    def resume_command(self) -> str:
        return f"archspec train --resume {self.path}"

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last one that a crash cut short is left out."""
        try:
            text = (self.path / METRICS).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        lines = text.split("\n")
        return [json.loads(line) for line in lines[:-1] if line]

    def add_metrics(self, line: Mapping[str, Any]) -> None:
        with open(self.path / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def forget_metrics_after(self, step: int, epochs: int) -> None:
        """Leave out what was written after a checkpoint of this many steps and whole epochs: it
        will be written again."""
        kept = [
            line
            for line in self.metrics()
            if line["step"] <= step and (line["kind"] != "epoch" or line["epoch"] <= epochs)
        ]
        write_whole(self.path / METRICS, "".join(json.dumps(line) + "\n" for line in kept))

    def _graph(self, entry: Mapping[str, str]) -> Graph:
        graph = load(self.path / entry["file"])
        if graph.fingerprint != entry["fingerprint"]:
            raise SpecError(
                Problem(
                    f"this is no longer the network of the run ({entry['fingerprint'][:12]}); the"
                    " file as the run wrote it would do",
                    str(self.path / entry["file"]),
                )
            )
        return graph


def check_free(out: str | os.PathLike[str]) -> None:
    """Raises UsageError where a run, or anything else, is in the way of a new one."""
    path = Path(out)
    if (path / FACTS).exists():
        raise UsageError(
            f"{path} is a run already; --resume {path} would continue it, and another --out would"
            " start a new one"
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is there already and is no run; another --out would do")


def create_run(plan: Plan, out: str | os.PathLike[str], command: Sequence[str]) -> Run:
    """Make the folder of a new run. Raises UsageError where something else is there."""
    check_free(out)
    path = Path(out)
    for folder in (CHECKPOINTS, LOGS):
        (path / folder).mkdir(parents=True, exist_ok=True)
    entries = [
        _write_spec(path, SPEC if index == 0 else f"spec_{index + 1}.json", graph)
        for index, graph in enumerate(plan.networks)
    ]
    teacher = None if plan.teacher is None else _write_spec(path, "teacher.json", plan.teacher)
    if plan.given:
        write_whole(path / GIVEN, plan.given)
    write_whole(path / RECIPE, written_recipe(plan.recipe))
    facts = {
        "run": VERSION,
        "name": plan.name,
        "networks": entries,
        "teacher": teacher,
        "recipe": plan.recipe.name,
        "seed": plan.recipe.seed,
        "data": str(plan.data.resolve()),
        "data_fingerprint": plan.data_fingerprint,
        "data_workers": plan.data_workers,
        "images": {"train": len(plan.train.labels), "val": len(plan.val.labels)},
        "classes": list(plan.train.classes),
        "weights": None if plan.weights is None else str(Path(plan.weights).resolve()),
        "device": plan.device,
        "workers": plan.workers,
        "command": list(command),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}",
    }
    write_whole(path / FACTS, written_json(facts) + "\n")
    sync_folder(path)
    return Run(path, facts)


def open_run(path: str | os.PathLike[str]) -> Run:
    """The run in a folder. Raises UsageError where there is none."""
    folder = Path(path)
    if not (folder / FACTS).is_file():
        hint = ""
        if folder.parent.is_dir():
            hint = did_you_mean(folder.name, (other.name for other in folder.parent.iterdir()))
        raise UsageError(f"{folder} is no run folder, for it has no {FACTS}{hint}")
    facts = read_document(folder / FACTS).data
    if not isinstance(facts, dict) or facts.get("run") != VERSION:
        raise SpecError(
            Problem(f"this is no run of version {VERSION}, which is known here", str(folder))
        )
    return Run(folder, facts)


def move_data(run: Run, data: str) -> Run:
    """The run with its images in another place, written to its folder."""
    facts = {**run.facts, "data": str(Path(data).resolve())}
    write_whole(run.path / FACTS, written_json(facts) + "\n")
    return Run(run.path, facts)


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Keep a second training out of the folder. The lock ends with the process, however that ends.

    Raises UsageError where another process has it."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where two would have to take care
        yield
        return
    with open(run.path / LOCK, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{run.path} is being trained by another process; its end, or another --out, would"
                " do"
            ) from None
        yield


def free_name(name: str, recipe: str) -> Path:
    """A new folder below runs/, named by network, recipe and time."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    base = Path("runs") / f"{name}-{recipe}-{stamp}"
    names = (
        base if count == 1 else base.with_name(f"{base.name}-{count}") for count in range(1, 99)
    )
    return next(path for path in names if not path.exists())


def check_data(run: Run) -> tuple[Source, Source]:
    """The train and val images of a run. Raises UsageError where they are no longer those that the
    run began with."""
    train, val = read_splits(scan_splits(Path(run.facts["data"])), run.recipe.data.workers)
    if data_fingerprint(train, val) != run.facts["data_fingerprint"]:
        then = run.facts["images"]
        raise UsageError(
            f"{run.facts['data']} is not the data that {run.path} was trained on ({then['train']:,}"
            f" train and {then['val']:,} val images then, {len(train.labels):,} and"
            f" {len(val.labels):,} now); the same files under the same names would do"
        )
    return train, val


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _write_spec(path: Path, file: str, graph: Graph) -> dict[str, str]:
    write_whole(path / file, written_json(graph.normal_form()) + "\n")
    return {"name": graph.name, "fingerprint": graph.fingerprint, "file": file}
