"""Texts as an editor has them open, before they are saved, in place of their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from archspec.sources import FILES, Folder


class OpenFiles(Folder):
    """Files by their real paths, each in the project that it lies in; of one that is open, what the
    editor has of it."""

    def __init__(self, find_open: Callable[[str], str | None]):
        self.root = Path()
        self._find_open = find_open

    def read(self, name: str) -> str:
        """The text of a file. Raises SpecError where it cannot be read."""
        text = self._find_open(name)
        return FILES.read(name) if text is None else text

    def names(self) -> Iterable[str]:
        return ()

    def boundary(self, home: Path) -> Path:
        return FILES.boundary(home)
