"""The run folder: what a training was asked to do, and all that it has done so far.

    run.json         network, recipe, data, seed, command, versions: all that was asked for
    spec.json        the network's normal form, which is what is trained; spec_given.json as given
    recipe.yaml      the recipe with every setting in it
    metrics.jsonl    a line for each epoch, and about twenty within it
    events/          the same for TensorBoard
    checkpoints/     the whole state, from which --resume continues
    best.safetensors, last.safetensors
    curves.png, report.md
    logs/            what the processes say, where there are several

A folder appears whole, before the first step; whoever trains reads it from there. So a run that is
taken up again is the same run, whatever became of the spec since. Every file that is read again
carries a checksum or is held against run.json, which does: what is damaged is named, nothing that
is good is replaced or deleted, and no run starts again from nothing unless it is told to. What
happens to a folder apart from training is in training.upkeep.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.checksums import damage_error
from archspec.document import read_document
from archspec.errors import Problem, SpecError, UsageError, did_you_mean
from archspec.graph import Graph
from archspec.identity import is_of
from archspec.loading import load_normal_form
from archspec.locks import locked_file
from archspec.training.backend import FIRST
from archspec.training.facts import (
    FACTS,
    FIRST_VERSION,
    MAX_NETWORKS,
    check_same,
    read_facts,
    write_facts,
)
from archspec.training.metrics import add_metrics, read_metrics
from archspec.training.plan import data_fingerprint, read_splits, scan_splits
from archspec.training.recipe import Recipe
from archspec.training.recipe_files import as_data, read_recipe, recipe_of
from archspec.training.recipe_files import as_yaml as written_recipe
from archspec.training.yaml_document import read_yaml
from archspec.writing import command_line, write_whole, written_json

if TYPE_CHECKING:
    from archspec.training.data import Source

SPEC, GIVEN, RECIPE, TEACHER = "spec.json", "spec_given.json", "recipe.yaml", "teacher.json"
METRICS, EVENTS, CHECKPOINTS, LOGS = "metrics.jsonl", "events", "checkpoints", "logs"
BEST, LAST = "best.safetensors", "last.safetensors"
CURVES, REPORT, LOCK = "curves.png", "report.md", ".lock"
EARLIER = "earlier"
"""Where a restart puts what was there."""
NAMES = frozenset(
    (
        FACTS, SPEC, GIVEN, RECIPE, TEACHER, METRICS, EVENTS, CHECKPOINTS, LOGS, BEST, LAST, CURVES,
        REPORT, LOCK, EARLIER, *(f"spec_{number}.json" for number in range(2, MAX_NETWORKS + 1)),
    )
)  # fmt: skip


class RunError(SpecError):
    """A training that cannot continue."""


# Making and finding runs.


@dataclass(frozen=True)
class Run:
    """A run folder that is there; `facts` is its run.json, `notes` are sentences about what was
    amiss when it was opened and is mended."""

    path: Path
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @cached_property
    def recipe(self) -> Recipe:
        if not self.is_old:
            return recipe_of(self.facts["settings"], str(self.path / FACTS))
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
    def backend(self) -> str:
        """Who trains it, by the names of training.backend."""
        return self.facts.get("backend", FIRST)

    @property
    def is_old(self) -> bool:
        """Whether an archspec made it that wrote no checksums."""
        return self.facts["run"] == FIRST_VERSION

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
        return command_line("archspec", "train", "--resume", self.path)

    @property
    def is_unused(self) -> bool:
        """Whether nothing was learned in it so far, and nothing would be lost with it."""
        kept = (self.path / BEST, self.path / LAST, self.path / EARLIER)
        metrics = self.path / METRICS
        has_metrics = os.path.lexists(metrics) and metrics.stat().st_size > 0
        has_checkpoints = self.checkpoints.is_dir() and any(self.checkpoints.iterdir())
        return not (has_metrics or has_checkpoints or any(map(os.path.lexists, kept)))

    def metrics(self) -> list[dict[str, Any]]:
        """The good lines of metrics.jsonl."""
        return [*read_metrics(self.path / METRICS, not self.is_old).records]

    def add_metrics(self, line: Mapping[str, Any]) -> None:
        add_metrics(self.path / METRICS, line)

    def _graph(self, entry: Mapping[str, Any]) -> Graph:
        graph = load_normal_form(self.path / entry["file"])
        if self.is_old and not is_of(graph, entry):
            raise damage_error(
                self.path / entry["file"], "it is not the network that the run began with"
            )
        return graph


def open_run(path: str | os.PathLike[str]) -> Run:
    """The run in a folder, all that it was asked to do checked. A spec.json or a recipe.yaml that
    was moved away is written again. Raises UsageError where there is no run, SpecError where a
    file of it is damaged or was edited."""
    folder = Path(path)
    if not (folder / FACTS).is_file():
        hint = ""
        if folder.parent.is_dir():
            hint = did_you_mean(folder.name, (other.name for other in folder.parent.iterdir()))
        raise UsageError(f"{folder} is not a run folder, because it has no {FACTS}{hint}")
    run = Run(folder, read_facts(folder))
    if run.is_old:
        _check_old(run)
        return run
    return replace(run, notes=tuple(_mend_copies(run)))


def _mend_copies(run: Run) -> Iterator[str]:
    """Hold what people read of a run against run.json. Raises SpecError where it differs."""
    again = f"move it away and {run.resume_command} writes it again"
    copies: list[tuple[Path, str, Callable[[Path], Any], Any, str]] = [
        (
            run.path / RECIPE, written_recipe(run.recipe),
            lambda path: as_data(read_recipe(str(path))), as_data(run.recipe),
            f"a run keeps the recipe it began with, so {again}, or begin a new run with --set",
        )
    ]  # fmt: skip
    teacher = run.facts["teacher"]
    for entry in (*run.facts["networks"], *([] if teacher is None else [teacher])):
        path = run.path / entry["file"]
        copies.append(
            (
                path, written_json(entry["spec"]) + "\n",
                lambda path: read_document(path).data, entry["spec"],
                f"a run keeps the network it began with, so {again}, or begin a new run with the"
                " other network",
            )
        )  # fmt: skip
    for path, text, read, wanted, remedy in copies:
        if not os.path.lexists(path):
            write_whole(path, text, within=run.path)
            yield f"{path} was missing and is written again"
            continue
        try:
            found = read(path)
        except SpecError as error:
            first = error.problems[0]
            raise SpecError(
                Problem(f"the file is damaged ({first.message}); {again}", first.where or str(path))
            ) from None
        check_same(path, found, wanted, remedy)


def _check_old(run: Run) -> None:
    """Raises SpecError where files without checksums contradict each other."""
    for entry in run.facts["networks"]:
        if not (run.path / entry["file"]).is_file():
            raise damage_error(run.path / entry["file"], "it does not exist")
    recipe, facts = run.recipe, run.facts
    for key, found in (("recipe", recipe.name), ("seed", recipe.seed)):
        if facts[key] != found:
            raise damage_error(
                run.path / RECIPE, f"{key} is {found!r} and {FACTS} has {facts[key]!r}"
            )
    _ = run.networks


def move_data(run: Run, data: str) -> Run:
    """The run with its images in another place, written to its folder. Raises UsageError where
    they are not those that the run began with."""
    moved = replace(run, facts={**run.facts, "data": str(Path(data).resolve())})
    check_data(moved)
    write_facts(run.path, moved.facts)
    return moved


@contextmanager
def lock(run: Run) -> Iterator[None]:
    """Keep a second training out of the folder. The lock ends with the process, however that ends.

    Raises UsageError where another process has it."""
    path = run.path / LOCK
    if path.is_symlink():
        path.unlink()
    with ExitStack() as stack:
        try:
            stack.enter_context(locked_file(path, waits=False))
        except BlockingIOError:
            raise UsageError(
                f"{run.path} is being trained by another process; wait for its end, or use"
                " another --out"
            ) from None
        yield


def check_data(run: Run) -> tuple[Source, Source]:
    """The train and val images of a run. Raises UsageError where they are no longer those that the
    run began with."""
    train, val = read_splits(scan_splits(Path(run.facts["data"])), run.recipe.data.workers)
    if data_fingerprint(train, val) != run.facts["data_fingerprint"]:
        then = run.facts["images"]
        raise UsageError(
            f"{run.facts['data']} is not the data that {run.path} was trained on ({then['train']:,}"
            f" train and {then['val']:,} val images then, {len(train.labels):,} and"
            f" {len(val.labels):,} now); use the same files under the same names"
        )
    if train.classes != run.classes:
        raise damage_error(run.path / FACTS, "its classes are not those of its data")
    return train, val


def changed_images(run: Run, train: Source, val: Source) -> str | None:
    """In words, that files of a run's images are no longer as they were when it began."""
    then = run.facts.get("data_stamps")
    if then is None or then == [dict(source.stamps) for source in (train, val)]:
        return None
    sizes = [stamps["sizes"] for stamps in then]
    how = (
        "were written to or copied"
        if sizes == [source.stamps["sizes"] for source in (train, val)]
        else "have another size"
    )
    return (
        f"note: images in {run.facts['data']} {how} since {run.path} began; where they are other"
        " pictures, it goes on with those"
    )


def entry_of(file: str, graph: Graph) -> dict[str, Any]:
    """What run.json says of a network."""
    return {
        "name": graph.name,
        "fingerprint": graph.fingerprint,
        "file": file,
        "spec": graph.normal_form(),
    }
