"""The run folder of a search: what it was asked to do, and every network it has tried.

    run.json        engine, objectives, constraints, seed, command, versions
    space.json      the space, with the files it refers to beside it
    recipe.yaml     how networks are trained, where accuracy is an objective
    trials.jsonl    a line for each network tried, written as soon as it is known
    columns.json    what the numbers of a `row` in it mean
    archs/          networks as plain specs, ID.json, for stats, train and export
    pareto.csv, pareto.png, report.md
    found.json      what the single-path engine found, single_path/ its own searches
    journal.log     Optuna's, where networks are trained
    training/       their trainings; workers/ the locks of the processes that work here

A trial is {number, state, assignment, fingerprint, objectives, seconds, seed, worker, ...}, its
state "done", "failed" (then error says why) or "duplicate" (of an earlier trial, duplicate_of).
Where nothing is trained, there may be millions: a trial then has in place of its assignment a
`row`, the numbers that the engine knows it by, and a fingerprint in pareto.csv alone. The n-th of
them picks from the n-th list of columns.json the options of one or more decisions; those that the
network does not have are 0. The trials of the random baseline say so. Each line carries a
checksum (archspec.checksums), as run.json does, which has those of the space and the recipe.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from archspec.checksums import (
    DAMAGED,
    DamagedLine,
    append_lines,
    append_text,
    checksum_of_bytes,
    read_lines,
    seal_lines,
    seek_tail,
)
from archspec.errors import UsageError, did_you_mean
from archspec.graph import Graph
from archspec.locks import locked_file
from archspec.machine import machine_words
from archspec.space import Space
from archspec.training.search.facts import (
    FACTS,
    UNSEALED,
    VERSION,
    check_files,
    read_facts,
    write_facts,
)
from archspec.training.search.log import Log, is_trial
from archspec.training.search.objectives import Objective, read_objectives
from archspec.training.search.space_files import gather
from archspec.training.versions import versions
from archspec.writing import whole_folder, write_whole, written_json

SPACE, RECIPE, TRIALS = "space.json", "recipe.yaml", "trials.jsonl"
COLUMNS = "columns.json"
FRONT, PICTURE, REPORT, ARCHS = "pareto.csv", "pareto.png", "report.md", "archs"
FOUND = "found.json"
"""What the single-path engine found: assignments, with what it says of them."""
JOURNAL, TRAINING, WORKERS, LOCK = "journal.log", "training", "workers", ".lock"
PLACE = "place"
ID_LENGTH = 12
"""Characters of a fingerprint that name an architecture."""


@dataclass(frozen=True)
class Trials:
    """A run folder that is there; `facts` is its run.json. `storage` is the URL of the database
    that its trials are in, where they are in one and this process may open it."""

    path: Path
    facts: Mapping[str, Any]
    storage: str | None = field(default=None, repr=False)

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        return read_objectives(self.facts["objectives"])

    @cached_property
    def space(self) -> Space:
        return Space(self.path / SPACE)

    def read(self) -> Sequence[dict[str, Any]]:
        """All trials, in the order in which they ended, but those whose lines are damaged."""
        return self.follow().read()

    def follow(self) -> Log:
        """The file for whoever reads it again and again."""
        names = [objective.name for objective in self.objectives]
        return Log(self.path / TRIALS, names, self._is_sealed)

    @property
    def _is_sealed(self) -> bool:
        return self.facts["search"] != UNSEALED

    def damage(self) -> list[str]:
        """What is wrong with lines of trials.jsonl, a clause for each."""
        return [f"{self.path / TRIALS}:{line.number}: {line.why}" for line in self._lines()[1]]

    def mend(self, note: Callable[[str], None]) -> Trials:
        """The run with its files as this archspec writes them: what is damaged in trials.jsonl is
        set aside in trials.jsonl.damaged, and told of."""
        with self.lock():
            facts = self.facts
            records, damaged = self._lines()
            path = self.path / TRIALS
            for where in self.damage():
                note(
                    f"note: {where}; the line is set aside in {TRIALS}{DAMAGED}, and its network is"
                    " tried again where nothing else tells of it"
                )
            if damaged:
                with open(f"{path}{DAMAGED}", "ab") as file:
                    file.writelines(line.content + b"\n" for line in damaged)
            if damaged or (not self._is_sealed and path.exists()):
                write_whole(path, seal_lines(records))
            if not self._is_sealed:
                facts = {**facts, "search": VERSION, "files": _checksums(self.path)}
                write_facts(self.path, facts)
        return replace(self, facts=facts)

    def _lines(self) -> tuple[list[dict[str, Any]], list[DamagedLine]]:
        """The trials that the file has, and its damaged lines; a last line that a crash cut short
        is neither."""
        try:
            content = (self.path / TRIALS).read_bytes()
        except FileNotFoundError:
            return [], []
        found = read_lines(content, required=self._is_sealed)
        names = [objective.name for objective in self.objectives]
        good = [record for record in found.records if is_trial(record, names)]
        bad = [*found.damaged]
        if len(good) < len(found.records):
            bad += _odd_lines(content, names)
        return good, bad

    def append(self, trials: Iterable[Mapping[str, Any]]) -> None:
        """Add trials, so that they outlast this process and the machine."""
        with self.lock():
            append_lines(self.path / TRIALS, trials)

    def append_sealed(self, lines: str) -> None:
        """The same for lines that carry their checksums."""
        if lines:
            with self.lock():
                append_text(self.path / TRIALS, lines)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Wait for other processes that write in the folder, and keep them waiting."""
        with locked_file(self.path / LOCK, waits=True):
            yield

    @contextmanager
    def worker(self) -> Iterator[tuple[int, str]]:
        """The lowest number that no other process works here under, and an identity that no process
        has anywhere. The number is free again when this process ends, however it ends."""
        (self.path / WORKERS).mkdir(exist_ok=True)
        identity = uuid.uuid4().hex
        with ExitStack() as stack:
            with self.lock():
                number = 0
                while self.is_at_work(str(number)):
                    number += 1
                for name in (str(number), identity):
                    stack.enter_context(locked_file(self.worker_lock(name), waits=False))
            stack.callback(self.worker_lock(identity).unlink, missing_ok=True)
            yield number, identity

    def is_at_work(self, name: str) -> bool:
        """Whether a process that sees this folder works under that number or identity."""
        path = self.worker_lock(name)
        if not path.exists():
            return False
        try:
            with locked_file(path, waits=False):
                return False
        except BlockingIOError:
            return True

    def worker_lock(self, name: str) -> Path:
        return self.path / WORKERS / f"{name}.lock"

    @cached_property
    def place(self) -> str:
        """What this very folder, on this host, has and no copy of it: a file's number and the time
        when it was made, which cannot be copied. Processes of one place see each other's locks."""
        path = self.path / WORKERS / PLACE
        path.parent.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            path.touch(exist_ok=False)  # touched again it would be another
        status = path.stat()
        return f"{socket.gethostname()}:{status.st_ino}:{status.st_ctime_ns}"

    def settle(self, facts: Mapping[str, Any]) -> Trials:
        """The same run with these facts instead, in its run.json too."""
        whole = {**self.facts, **facts}
        with self.lock():
            write_facts(self.path, whole)
        return replace(self, facts=whole)

    def with_storage(self, url: str) -> Trials:
        return replace(self, storage=url)

    def write_columns(self, columns: Sequence[Sequence[Sequence[tuple[str, Any]]]]) -> None:
        """Write what each number of a row means, for whoever reads trials.jsonl; nothing here
        reads it."""
        text = written_json({"columns": [[dict(value) for value in column] for column in columns]})
        write_whole(self.path / COLUMNS, f"{text}\n", within=self.path)

    def write_arch(self, graph: Graph) -> Path:
        """Write a network as a plain spec under its identity, if it is not there as such."""
        path = self.path / ARCHS / f"{graph.fingerprint[:ID_LENGTH]}.json"
        text = written_json(graph.normal_form()) + "\n"
        if not path.is_file() or path.read_bytes() != text.encode():
            path.parent.mkdir(exist_ok=True)
            write_whole(path, text)
        return path


def cut_damaged_line(file: IO[bytes]) -> None:
    """Cut off what follows the last line break of a file open for appending and reading: a process
    that was killed left it."""
    start = seek_tail(file)
    if file.read(1):
        file.truncate(start)


def create_trials(
    out: str | os.PathLike[str], space: str, facts: Mapping[str, Any], recipe: str | None = None
) -> Trials:
    """Make the folder of a new search; `facts` are those of its run.json that are its own. Raises
    UsageError where something else is there."""
    check_free(out)
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    with nullcontext(path) if path.exists() else whole_folder(path) as folder:
        for name, text in gather(space, SPACE).items():
            write_whole(folder / name, text)
        if recipe is not None:
            write_whole(folder / RECIPE, recipe)
        whole = {
            "search": VERSION,
            "name": Space(folder / SPACE).program.name,
            **facts,
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
            "versions": versions(),
            "machine": machine_words(),
            "files": _checksums(folder),
        }
        write_facts(folder, whole)
    return Trials(path, whole)


def _checksums(folder: Path) -> dict[str, str]:
    """Of the files that a search begins with, which are never written again."""
    return {
        path.name: checksum_of_bytes(path.read_bytes())
        for path in sorted(folder.iterdir())
        if path.name == RECIPE or (path.name.startswith("space") and path.suffix == ".json")
    }


def _odd_lines(content: bytes, names: Sequence[str]) -> list[DamagedLine]:
    """Lines that are whole and say something that is not a trial."""
    found: list[DamagedLine] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        records = read_lines(line).records
        if records and not is_trial(records[0], names):
            found.append(DamagedLine(number, line, "this line is not a trial"))
    return found


def check_free(out: str | os.PathLike[str]) -> None:
    """Raises UsageError where a search, or anything else, is in the way of a new one."""
    path = Path(out)
    if (path / FACTS).exists():
        raise UsageError(
            f"{path} is a run already; use --resume to continue the search, or another --out to"
            " start a new one"
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} exists already and is not a search; use another --out")


def open_trials(path: str | os.PathLike[str]) -> Trials:
    """The search in a folder. Raises UsageError where there is none."""
    folder = Path(path)
    if not (folder / FACTS).is_file():
        hint = ""
        if folder.parent.is_dir():
            hint = did_you_mean(folder.name, (other.name for other in folder.parent.iterdir()))
        raise UsageError(f"{folder} is not a folder of a search, because it has no {FACTS}{hint}")
    facts = read_facts(folder)
    check_files(folder, facts)
    return Trials(folder, facts)
