"""What searches leave behind, below the run's folder:

    single_path/settings.json      what is searched and how
    single_path/seed1-warmup/      checkpoints/ and log.jsonl of the warm-up
    single_path/seed1-target79.5/  the same of a search, found.json, the network's weights
    single_path/....earlier/       what one that was begun again had learned

All searches of a seed share its warm-up. Objects and lines carry checksums (archspec.checksums);
those of an archspec that wrote none get them when their search is resumed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from archspec.checksums import (
    Lines,
    append_lines,
    damage_error,
    read_lines,
    read_sealed,
    seal,
    seal_lines,
    set_aside,
)
from archspec.document import read_document
from archspec.errors import Problem, SpecError, UsageError
from archspec.locks import locked_file
from archspec.training.backend import FIRST
from archspec.training.search.single_path.found import FOLDER, Found
from archspec.training.search.single_path.plan import SearchPlan
from archspec.training.upkeep import check_inside
from archspec.writing import is_unfinished, write_whole, written_json

SETTINGS, LOG, FOUND, CHECKPOINTS = "settings.json", "log.jsonl", "found.json", "checkpoints"
LOCK = ".lock"
VERSION_KEY, VERSION = "single_path", 2
"""In settings.json, of folders whose files carry checksums; the first version had neither."""
MOVABLE = ("data", "device")
"""Settings that may change when a search is resumed."""


@contextmanager
def open_folder(run: Path, plan: SearchPlan, say: Callable[[str], None]) -> Iterator[Path]:
    """The folder of a run's searches, for one process at a time, as this archspec writes it.

    Raises UsageError where another process searches in it or its searches were begun with other
    settings, SpecError where those are damaged, RunError where something leads out of the run.
    """
    folder = run / FOLDER
    check_inside(folder, run)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked_file(folder / LOCK, waits=False):
            for home in _homes(folder):
                check_inside(home, run)
                check_inside(home / CHECKPOINTS, run)
            keep_settings(folder, plan, say)
            yield folder
    except BlockingIOError:
        raise UsageError(f"{folder} is being searched in by another process; wait for it") from None


def keep_settings(folder: Path, plan: SearchPlan, say: Callable[[str], None]) -> None:
    """Write what is searched and how, or hold what was written against it."""
    supernet = plan.supernet
    facts = {
        **asdict(plan.settings),
        "data_fingerprint": plan.data_fingerprint,
        "largest": supernet.graph.fingerprint,
        "choices": {choice.key: choice.options for choice in supernet.choices},
    }
    facts = json.loads(json.dumps(facts))  # with lists for tuples, as it will be read
    path = folder / SETTINGS
    if path.is_file():
        then, is_sealed = _read_settings(path)
        then = {"backend": FIRST, **then}  # those of before there were several
        for key, value in facts.items():
            if key not in MOVABLE and then.get(key) != value:
                raise UsageError(
                    f"{folder} has searches that were begun with {key} {then.get(key)}, and this is"
                    f" {value}; use another folder"
                )
        if is_sealed:
            return
        _seal_homes(folder)
        facts = then
    elif _homes(folder):
        say(f"note: {path} was missing and is written again")
    text = written_json(seal({VERSION_KEY: VERSION, **facts})) + "\n"
    write_whole(path, text, within=folder)


def _read_settings(path: Path) -> tuple[dict[str, Any], bool]:
    """What searches were begun with, and whether the folder's files carry checksums."""
    try:
        then, is_sealed = read_sealed(path)
        if VERSION_KEY in then and not is_sealed:
            raise damage_error(path, "its checksum is missing")
    except SpecError as error:
        why = error.problems[0].message
        raise SpecError(
            Problem(f"{why}, or move it away and it is written again", str(path))
        ) from None
    return then, is_sealed


def _homes(folder: Path) -> list[Path]:
    """The folders of searches and warm-ups."""
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _seal_homes(folder: Path) -> None:
    """Give checksums to what was written without, but to what is damaged."""
    for home in _homes(folder):
        if (home / LOG).is_file():
            lines = read_lines((home / LOG).read_bytes())
            if not lines.damaged:
                write_whole(home / LOG, seal_lines(lines.records), within=home)
        if (home / FOUND).is_file():
            try:
                facts = read_document(home / FOUND).data
            except SpecError:
                continue
            if isinstance(facts, dict):
                write_whole(home / FOUND, written_json(seal(facts)) + "\n", within=home)


# The log.


def log_lines(path: Path) -> Lines:
    """The lines of a log, none where there is no file."""
    return read_lines(path.read_bytes() if path.is_file() else b"")


def read_log(path: Path) -> list[dict[str, Any]]:
    """A line for each epoch; those that are damaged or not such lines are left out."""
    return [line for line in log_lines(path).records if is_epoch(line)]


def is_epoch(line: Mapping[str, Any]) -> bool:
    return type(line.get("epoch")) is int and all(
        type(line.get(name)) in (int, float) for name in ("loss", "accuracy")
    )


def add_line(home: Path, line: Mapping[str, Any]) -> None:
    append_lines(home / LOG, [line], sync=False)


# What was found.


def write_found(home: Path, facts: Mapping[str, Any]) -> None:
    write_whole(home / FOUND, written_json(seal(facts)) + "\n", within=home)


def find_result(home: Path, say: Callable[[str], None]) -> Found | None:
    """What a search has found, None where it is still under way. A result that is damaged is set
    aside and told of; the last checkpoint leads to it again."""
    path = home / FOUND
    if not path.is_file():
        return None
    try:
        found = read_found(home)
    except SpecError as error:
        say(
            f"note: {error}; it is set aside as {set_aside(path).name} and made again from the last"
            " checkpoint"
        )
        return None
    if found.weights is not None and not found.weights.is_file():
        say(f"note: {found.weights} is missing and made again from the last checkpoint")
        return None
    return found


def read_found(home: Path) -> Found:
    """Raises SpecError where the file is damaged."""
    path = home / FOUND
    facts, is_sealed = read_sealed(path)
    try:
        if not is_sealed:
            raise damage_error(path, "its checksum is missing")
        return Found(
            home.name,
            facts["assignment"],
            home / facts["weights"],
            facts["objectives"],
            home / LOG,
            facts["target"],
            facts.get("nearest"),
        )
    except (KeyError, TypeError):
        raise damage_error(path, "it is not what a search has found") from None


def sweep_home(home: Path) -> None:
    """Remove what killed processes left half-written."""
    for path in home.iterdir():
        if path.is_file() and any(is_unfinished(path.name, name) for name in (LOG, FOUND)):
            path.unlink(missing_ok=True)
