"""Texts by the names that the page has for them: files below the folder that was opened, read and
written, and shipped specs, read alone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from archspec.document import read_text
from archspec.errors import UsageError
from archspec.project import Project
from archspec.sources import Folder, Installed
from archspec.studio.opening import RUN_FACTS, SHIPPED
from archspec.writing import write_whole

MAX_LISTED = 2000
MAX_LOOKED_AT = 20_000
"""Files and folders passed on the way to those."""
HEAD = 4096
"""Bytes of a JSON file in which a spec says that it is one."""
SAYS = re.compile(rb'"archspec"\s*:\s*\d')


class Outside(UsageError):
    """A name that leads out of the folder that was opened."""


@dataclass(frozen=True)
class Text:
    """A text as it is on disk, and the sum by which a change of it is noticed."""

    text: str
    sum: str


class Changed(Exception):
    """A file is not any more what it was when it was read; `found` is what it is."""

    def __init__(self, found: Text):
        super().__init__("the file was changed by another program meanwhile")
        self.found = found


def sum_of(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def locate(root: Path, name: str) -> Path:
    """The file of a name, links followed. Raises Outside where it leads out of the folder."""
    if not name or not name.isprintable() or "\\" in name or Path(name).is_absolute():
        raise Outside(
            f"{name[:200]!r} is not the name of a file in this folder; use a path below it"
        )
    path = Path(os.path.realpath(root / name))
    if not path.is_relative_to(root) or path == root:
        raise Outside(f"{name} leads out of the folder {root}; use a path below it")
    return path


def home_of(root: Path, name: str) -> tuple[Project, str]:
    """The project of a text, in which what it refers to is looked for, and its name there."""
    if name.startswith(SHIPPED):
        return Installed(), f"{name.removeprefix(SHIPPED)}.json"
    return Folder(root), name


def read(root: Path, name: str) -> Text:
    """The text of a name. Raises Outside, and SpecError where it cannot be read."""
    if name.startswith(SHIPPED):
        text = Installed().read(name.removeprefix(SHIPPED))
    else:
        text = read_text(locate(root, name), name)
    return Text(text, sum_of(text))


def save(root: Path, name: str, text: str, known: str | None) -> Text:
    """Write a file whole. `known` is the sum of what the page last knew it to be, None for one that
    is not there yet. Raises Changed where it is another, UsageError where it cannot be written."""
    if name.startswith(SHIPPED):
        raise UsageError("this is a shipped spec, which is not written over; save it as another")
    if not name.endswith(".json"):
        raise UsageError(f"{name}: a spec's name ends in .json; use {name}.json")
    path = locate(root, name)
    if path.exists() or path.is_symlink():
        found = read(root, name)
        if found.sum != known:
            raise Changed(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text, within=root)
    return Text(text, sum_of(text))


def list_specs(root: Path) -> Iterator[str]:
    """Names of the files that say they are specs, folders that are hidden or links left out."""
    found = (
        path.relative_to(root).as_posix()
        for path in _walk(root)
        if path.name.endswith(".json") and _is_spec(path)
    )
    return islice(found, MAX_LISTED)


def list_runs(root: Path) -> Iterator[str]:
    """Names of the folders of trainings and searches, "." for the one that was opened."""
    found = (
        path.parent.relative_to(root).as_posix() for path in _walk(root) if path.name == RUN_FACTS
    )
    return islice(found, MAX_LISTED)


def _walk(root: Path) -> Iterator[Path]:
    """The files below a folder, those nearest first."""
    waiting, looked = [root], 0
    while waiting:
        folder = waiting.pop(0)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            looked += 1
            if looked > MAX_LOOKED_AT:
                return
            if entry.name.startswith(".") or entry.is_symlink() or entry.name == "node_modules":
                continue
            if entry.is_dir():
                waiting.append(Path(entry.path))
            elif entry.is_file():
                yield Path(entry.path)


def _is_spec(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return SAYS.search(file.read(HEAD)) is not None
    except OSError:
        return False
