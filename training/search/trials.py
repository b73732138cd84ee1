"""The run folder of a search: what it was asked to do, and every network it has tried.

    run.json        engine, objectives, constraints, seed, command, versions
    space.json      the space, with the files it refers to beside it
    recipe.yaml     how networks are trained, where accuracy is an objective
    trials.jsonl    a line for each network tried, written as soon as it is known
    archs/          networks as plain specs, ID.json, for stats, train and export
    pareto.csv, pareto.png, report.md
    found.json      what the single-path engine found, single_path/ its own searches
    journal.log     Optuna's, where networks are trained
    training/       their trainings; workers/ the locks of the processes that work here

A trial is {number, state, assignment, fingerprint, objectives, seconds, seed, worker, ...}, its
state "done", "failed" (then error says why) or "duplicate" (of an earlier trial, duplicate_of).
Where nothing is trained, a trial has the values of run.json's columns (`row`) in place of the
assignment, and a fingerprint in pareto.csv alone. The trials of the random baseline say so.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from archspec.document import read_document
from archspec.errors import Problem, SpecError, UsageError, did_you_mean
from archspec.graph import Graph
from archspec.locks import locked_file
from archspec.space import Space
from archspec.training.run import versions
from archspec.training.search.objectives import Objective, read_objectives
from archspec.training.search.space_files import gathered
from archspec.writing import write_whole, written_json

VERSION = 1
FACTS, SPACE, RECIPE, TRIALS = "run.json", "space.json", "recipe.yaml", "trials.jsonl"
FRONT, PICTURE, REPORT, ARCHS = "pareto.csv", "pareto.png", "report.md", "archs"
FOUND = "found.json"
"""What the single-path engine found: assignments, with what it says of them."""
JOURNAL, TRAINING, WORKERS, LOCK = "journal.log", "training", "workers", ".lock"
ID_LENGTH = 12
"""Characters of a fingerprint that name an architecture."""


@dataclass(frozen=True)
class Trials:
    """A run folder that is there; `facts` is its run.json."""

    path: Path
    facts: Mapping[str, Any]

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        return read_objectives(self.facts["objectives"])

    @cached_property
    def space(self) -> Space:
        return Space(self.path / SPACE)

    def read(self) -> list[dict[str, Any]]:
        """All trials, in the order in which they ended; a last line that a crash cut short is left
        out. Raises SpecError where another is damaged."""
        try:
            lines = (self.path / TRIALS).read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        found: dict[tuple[bool, int], dict[str, Any]] = {}
        for number, line in enumerate(lines, 1):
            try:
                trial = json.loads(line)
                # two workers may have heard of one from another machine
                found.setdefault((trial.get("baseline", False), trial["number"]), trial)
            except (ValueError, KeyError, AttributeError):
                raise SpecError(
                    Problem("this line is no trial", f"{self.path / TRIALS}:{number}")
                ) from None
        return [*found.values()]

    def append(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Add trials, so that they outlast this process and the machine."""
        self.append_lines([json.dumps(trial, ensure_ascii=False) for trial in trials])

    def append_lines(self, lines: Sequence[str]) -> None:
        """Add trials that are JSON already."""
        if not lines:
            return
        text = "".join(f"{line}\n" for line in lines)
        with self.locked(), open(self.path / TRIALS, "ab+") as file:
            cut_damaged_line(file)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for other processes that write in the folder, and keep them waiting."""
        with locked_file(self.path / LOCK, waits=True):
            yield

    @contextmanager
    def worker(self) -> Iterator[int]:
        """The lowest number that no other process works here under. It is free again when this
        process ends, however it ends."""
        (self.path / WORKERS).mkdir(exist_ok=True)
        with ExitStack() as stack:
            with self.locked():
                number = 0
                while self.is_at_work(number):
                    number += 1
                stack.enter_context(locked_file(self.worker_lock(number), waits=False))
            yield number

    def is_at_work(self, number: int) -> bool:
        """Whether a process of this machine works under that number."""
        try:
            with locked_file(self.worker_lock(number), waits=False):
                return False
        except BlockingIOError:
            return True

    def worker_lock(self, number: int) -> Path:
        return self.path / WORKERS / f"{number}.lock"

    def settled(self, facts: Mapping[str, Any]) -> Trials:
        """The same run with these facts instead, in its run.json too."""
        whole = {**self.facts, **facts}
        with self.locked():
            write_whole(self.path / FACTS, written_json(whole) + "\n")
        return Trials(self.path, whole)

    def write_arch(self, graph: Graph) -> Path:
        """Write a network as a plain spec under its identity, if it is not there already."""
        path = self.path / ARCHS / f"{graph.fingerprint[:ID_LENGTH]}.json"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_whole(path, written_json(graph.normal_form()) + "\n")
        return path


def cut_damaged_line(file: IO[bytes]) -> None:
    """Cut off what follows the last line break of a file open for appending and reading: a process
    that was killed left it."""
    size = file.seek(0, os.SEEK_END)
    start = size
    while start:
        step = min(start, 4096)
        start -= step
        file.seek(start)
        end = file.read(step).rfind(b"\n")
        if end >= 0:
            start += end + 1
            break
    if start != size:
        file.truncate(start)
    file.seek(0, os.SEEK_END)


def create_trials(
    out: str | os.PathLike[str], space: str, facts: Mapping[str, Any], recipe: str | None = None
) -> Trials:
    """Make the folder of a new search; `facts` are those of its run.json that are its own. Raises
    UsageError where something else is there."""
    check_free(out)
    path = Path(out)
    path.mkdir(parents=True, exist_ok=True)
    for name, text in gathered(space, SPACE).items():
        write_whole(path / name, text)
    if recipe is not None:
        write_whole(path / RECIPE, recipe)
    whole = {
        "search": VERSION,
        "name": Space(path / SPACE).program.name,
        **facts,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}",
    }
    write_whole(path / FACTS, written_json(whole) + "\n")
    return Trials(path, whole)


def check_free(out: str | os.PathLike[str]) -> None:
    """Raises UsageError where a search, or anything else, is in the way of a new one."""
    path = Path(out)
    if (path / FACTS).exists():
        raise UsageError(
            f"{path} is a run already; --resume would go on with a search, and another --out would"
            " start a new one"
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is there already and is no search; another --out would do")


def open_trials(path: str | os.PathLike[str]) -> Trials:
    """The search in a folder. Raises UsageError where there is none."""
    folder = Path(path)
    if not (folder / FACTS).is_file():
        hint = ""
        if folder.parent.is_dir():
            hint = did_you_mean(folder.name, (other.name for other in folder.parent.iterdir()))
        raise UsageError(f"{folder} is no folder of a search, for it has no {FACTS}{hint}")
    facts = read_document(folder / FACTS).data
    if not isinstance(facts, dict) or facts.get("search") != VERSION:
        raise SpecError(
            Problem(f"this is no search of version {VERSION}, which is known here", str(folder))
        )
    return Trials(folder, facts)
