"""Which text a name means: a path, a shipped spec, or a reference from one spec to another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

from archspec.document import At, read_text
from archspec.errors import Problem, SpecError, find_close, find_slip
from archspec.json_values import shown
from archspec.project import ALONE, Project, ReferenceRefused, Source, Texts

PROJECT_MARKERS = (".git", "pyproject.toml", ".archspec")
"""A folder that holds one of these is a project; no spec below it reaches outside."""

MAX_REFERENCE = 1000

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
    shipped = _find_shipped(name)
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


def find_reference(reference: str, at: At, is_import: bool = False) -> Source:
    """What a spec means by `extends` or `import`: a path relative to it and inside its project, or
    a shipped name, of a library first where something is imported. Raises SpecError."""
    if len(reference) > MAX_REFERENCE or not reference.isprintable():
        raise at.error(
            f"{shown(reference)} is not a usable path; use at most {MAX_REFERENCE:,}"
            " printable characters"
        )
    origin = at.document.source
    if not reference.endswith(".json"):
        shipped = _find_shipped(reference, (BLOCKS, SPACES) if is_import else (SPACES,))
        if shipped is None:
            known = shipped_libraries() if is_import else shipped_names()
            hint = _suggest(reference, known)
            if f"{reference}.json" in origin.project.names():
                hint = f"; did you mean {f'{reference}.json'!r}?"
            raise at.error(
                f"{reference!r} is neither the name of a shipped spec nor a relative path ending in"
                f" .json{hint}"
            )
        return Source(FILES, real_path(shipped))
    if Path(reference).is_absolute():
        raise at.error(f"{reference!r} is absolute; use a path relative to this file")
    try:
        return Source(origin.project, origin.project.resolve(reference, origin.name))
    except ReferenceRefused as refusal:
        raise at.error(str(refusal)) from None


class Folder(Project):
    """The files of a folder, at any depth, and no others. Names are paths from that folder on."""

    note = ""
    """What else a refusal says."""

    def __init__(self, root: str | os.PathLike[str]):
        """Raises SpecError where this is not a folder."""
        self.root = Path(real_path(root))
        if not self.root.is_dir():
            raise SpecError(Problem("this project is not a folder", os.fspath(root)))

    def read(self, name: str) -> str:
        """The text of a file. Raises SpecError where it cannot be read or is not in the folder."""
        path = self.root / name
        if not Path(real_path(path)).is_relative_to(self.root):
            raise SpecError(
                Problem(f"this leads outside the project {self.root}", self.shown(name))
            )
        return read_text(path, self.shown(name))

    def names(self) -> Iterable[str]:
        """Of the files that stand in the folder itself."""
        return sorted(path.name for path in self.root.glob("*.json"))

    def resolve(self, reference: str, origin: str) -> str:
        """The real path of a file, every link followed."""
        try:
            home = (self.root / Path(origin).parent).resolve()
            path = (home / reference).resolve()
        except ValueError:
            raise ReferenceRefused(f"{reference!r} is not a usable path") from None
        except (OSError, RuntimeError):
            raise ReferenceRefused(
                f"{reference!r} is a link that leads to itself; use a path to a file"
            ) from None
        boundary = self.boundary(home)
        if not path.is_relative_to(boundary):
            raise ReferenceRefused(
                f"{reference!r} leads outside the project {boundary}, where no file is read; use a"
                f" path inside it{self.note}"
            )
        return str(path)

    def shown(self, name: str) -> str:
        """A path from the working folder on."""
        return shown_path(self.root / name)

    def boundary(self, home: Path) -> Path:
        """The folder that no file in `home` refers out of."""
        return self.root


class Installed(Folder):
    """The specs that archspec ships, by their bare names: "resnet50", "blocks/isynet"."""

    def __init__(self) -> None:
        super().__init__(shipped_folder())

    def read(self, name: str) -> str:
        """The text of a shipped spec. Raises SpecError."""
        return super().read(name if name.endswith(".json") else f"{name}.json")

    def names(self) -> Iterable[str]:
        """Of networks, spaces and libraries."""
        return (*shipped_names(), *shipped_libraries())


class _Files(Folder):
    """Files by their real paths, each in the project that it lies in."""

    note = " (a folder that holds an empty file .archspec is a project)"

    def __init__(self) -> None:
        self.root = Path()

    def read(self, name: str) -> str:
        return read_text(name, self.shown(name))

    def names(self) -> Iterable[str]:
        return ()

    def boundary(self, home: Path) -> Path:
        return project_folder(home)


FILES = _Files()
"""The project of what is given by its path."""

ProjectLike: TypeAlias = "Project | Mapping[str, str] | str | os.PathLike[str] | None"
"""A project, a dict of texts, the path of a folder, or nothing."""


def project_of(given: ProjectLike) -> Project:
    """The project that a caller means. Raises SpecError where a path is not a folder's."""
    if given is None:
        return ALONE
    if isinstance(given, (str, os.PathLike)):
        return Folder(given)
    return Texts(given) if isinstance(given, Mapping) else given


def shipped_name(source: Source) -> str | None:
    """The bare name of a shipped spec, or None for any other."""
    folder = shipped_folder().resolve()
    if not isinstance(source.project, Folder):
        return None
    path = Path(real_path(source.project.root / source.name))
    return path.relative_to(folder).with_suffix("").as_posix() if folder in path.parents else None


def real_path(path: str | os.PathLike[str]) -> str:
    """A path without links; as it stands where that cannot be found out."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return os.fspath(path)


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
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):  # the working folder does not exist, or is on another drive
        return str(path)
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


def _find_shipped(name: str, folders: Sequence[str] = (SPACES,)) -> Path | None:
    if not all(
        part and part.replace("_", "").replace("-", "").isalnum() for part in name.split("/")
    ):
        return None
    for candidate in (name, *(f"{folder}{name}" for folder in folders)):
        path = shipped_folder() / f"{candidate}.json"
        if path.is_file():
            return path
    return None
