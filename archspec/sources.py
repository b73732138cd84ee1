"""Which file a name means: a path, a shipped spec, or a reference from one spec to another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from archspec.check import shown
from archspec.document import At
from archspec.errors import Problem, SpecError, find_close, find_slip

PROJECT_MARKERS = (".git", "pyproject.toml", ".archspec")
"""A folder that holds one of these is a project; no spec below it reaches outside."""

LONGEST_REFERENCE = 1000

BLOCKS = "blocks/"
SPACES = "spaces/"

_PACKAGE = Path(__file__).parent


@cache
def shipped_folder() -> Path:
    """The specs that come with archspec: beside the package in a checkout, inside it installed."""
    inside = _PACKAGE / "specs"
    return inside if inside.is_dir() else _PACKAGE.parent / "specs"


@cache
def shipped_names() -> tuple[str, ...]:
    """Names of every shipped network and space, such as "isynet_n1" and "spaces/isynet"."""
    return tuple(name for name in _all_names() if not name.startswith(BLOCKS))


@cache
def shipped_libraries() -> tuple[str, ...]:
    """Names of every shipped library of templates, such as "blocks/isynet"."""
    return tuple(name for name in _all_names() if name.startswith(BLOCKS))


def _all_names() -> list[str]:
    folder = shipped_folder()
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.json")
    )


def spec_path(name: str) -> Path:
    """The file a user means by a path or by a shipped spec's bare name. Raises SpecError."""
    path = Path(name)
    if name.endswith(".json") or os.path.lexists(path):
        return path
    shipped = _shipped(name)
    if shipped is None:
        hint = _suggest(name, shipped_names())
        raise SpecError(
            Problem(
                f"there is no file and no shipped spec of this name{hint}"
                " (`archspec list` shows the shipped ones)",
                name[:200],
            )
        )
    return shipped


def referenced_path(reference: str, at: At, is_import: bool = False) -> Path:
    """The file a spec means by `extends` or `import`: a path relative to it and inside its project,
    or a shipped name, of a library first where something is imported. Raises SpecError."""
    if len(reference) > LONGEST_REFERENCE or not reference.isprintable():
        raise at.error(
            f"{shown(reference)} is no usable path; at most {LONGEST_REFERENCE:,} printable"
            " characters would do"
        )
    if not reference.endswith(".json"):
        shipped = _shipped(reference, (BLOCKS, SPACES) if is_import else (SPACES,))
        if shipped is None:
            known = shipped_libraries() if is_import else shipped_names()
            raise at.error(
                f"{reference!r} is neither the name of a shipped spec nor a relative path ending in"
                f" .json{_suggest(reference, known)}"
            )
        return shipped
    home = at.document.path.resolve().parent
    if Path(reference).is_absolute():
        raise at.error(f"{reference!r} is absolute; a path relative to this file would do")
    try:
        path = (home / reference).resolve()
    except (OSError, RuntimeError):
        raise at.error(
            f"{reference!r} is a link that leads to itself; a path to a file would do"
        ) from None
    project = project_folder(home)
    if not path.is_relative_to(project):
        raise at.error(
            f"{reference!r} leads outside the project {project}, where no file is read; a path"
            " inside it would do (a folder holding an empty file .archspec is a project)"
        )
    return path


def project_folder(home: Path) -> Path:
    """The nearest folder at or above `home` that is marked as a project, else `home` itself."""
    shipped = shipped_folder().resolve()
    if home.is_relative_to(shipped):
        return shipped
    for folder in (home, *home.parents):
        if any((folder / marker).exists() for marker in PROJECT_MARKERS):
            return folder
    return home


def shown_path(path: Path) -> str:
    """A path as a person would write it from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _suggest(name: str, known: Iterable[str]) -> str:
    """A shipped name near to one that does not exist, and not another network: resnet18 is not
    what resnet101 means."""
    whole = {short: name for name in known for short in (name.rpartition("/")[2], name)}
    if f"{BLOCKS}{name}" in shipped_libraries():
        return f"; {BLOCKS + name!r} is a library of templates, which an import brings in"
    numbers = re.findall(r"\d+", re.sub(r"(?<=\d)[oO]", "0", name))
    fitting = [
        short
        for short in whole
        if not numbers or short.startswith(name) or re.findall(r"\d+", short) == numbers
    ]
    begun = [short for short in fitting if short.startswith(name)]
    close = find_close(name, begun or fitting)
    return f"; did you mean {whole[close]!r}?" if close else find_slip(name, whole, 1)


def _shipped(name: str, folders: Sequence[str] = (SPACES,)) -> Path | None:
    if not all(
        part and part.replace("_", "").replace("-", "").isalnum() for part in name.split("/")
    ):
        return None
    for candidate in (name, *(f"{folder}{name}" for folder in folders)):
        path = shipped_folder() / f"{candidate}.json"
        if path.is_file():
            return path
    return None
