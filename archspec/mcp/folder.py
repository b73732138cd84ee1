"""What a program may name: shipped specs, files below one folder, and texts of its own."""

from __future__ import annotations

from pathlib import Path

from archspec.errors import SpecError
from archspec.library import read_library
from archspec.program import place_text
from archspec.project import ReferenceRefused
from archspec.referring import follow_extends
from archspec.sources import Folder, real_path, shipped_libraries, shipped_names


class Outside(Exception):
    """A name leads to where nothing is read or written; the message is a sentence about it."""


class Below(Folder):
    """The files below a folder; `refused` is why a reference was not followed, or None."""

    refused: str | None = None

    def resolve(self, reference: str, origin: str) -> str:
        try:
            return super().resolve(reference, origin)
        except ReferenceRefused as refusal:
            self.refused = str(refusal)
            raise


def check_spec(root: Path, name: str) -> str | Path:
    """The name of a shipped spec, or the real path of a file below the folder, that a name means.
    Raises Outside where it is elsewhere, or refers to what is elsewhere."""
    if name in (*shipped_names(), *shipped_libraries()):
        return name
    path = check_path(root, name)
    below = Below(root)
    try:
        document = place_text(below.read(str(path)), str(path), below)
        base = document
        if "extends" in document.data:
            base, _ = follow_extends(document)
        read_library(base)
    except SpecError:
        pass  # which the command says
    if below.refused is not None:
        raise Outside(f"{name} refers to what is elsewhere: {below.refused}")
    return path


def check_path(root: Path, name: str) -> Path:
    """The real path of a file below the folder, which need not be there yet. Raises Outside."""
    path = Path(real_path(root / name))
    if not name or not path.is_relative_to(root) or path == root:
        raise Outside(
            f"{name!r} is not below {root}, where this server was started; use a path inside it"
            " or the name of a shipped spec"
        )
    return path
