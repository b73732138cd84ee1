"""Texts that refer to each other by name, and who has them.

A spec may extend or import others. Where those come from is its project: the folder around a file
(archspec.sources.Folder), a dict of texts, the specs that archspec ships, or a class of yours.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from archspec.errors import Problem, SpecError, did_you_mean


class ReferenceRefused(Exception):
    """A reference means nothing that may be read; the message is a sentence about it."""


class Project(Protocol):
    """Texts by name. Names have "/" between their parts, as paths have, and end in ".json".

    Subclass it and write `read`: what else is asked of a project then follows. Nothing is read
    that `resolve` refuses.
    """

    def read(self, name: str) -> str:
        """The text of this name. Raises SpecError where there is none."""
        ...

    def names(self) -> Iterable[str]:
        """Names to suggest where another is not found; not all of them need be told."""
        return ()

    def resolve(self, reference: str, origin: str) -> str:
        """The name of the text that a relative reference in the text called `origin` means. Equal
        names are one text. Raises ReferenceRefused where it leads out of the project."""
        name = posixpath.normpath(posixpath.join(posixpath.dirname(origin), reference))
        if name.startswith(("/", "../")) or name == "..":
            raise ReferenceRefused(
                f"{reference!r} leads outside the project, where no text is read; use a name"
                " inside it"
            )
        return name

    def shown(self, name: str) -> str:
        """The name as errors have it."""
        return name


class Source(NamedTuple):
    """Where a text is from: its project and what it is called there. Two are equal where they are
    one text: of one project, whatever that project says of equality."""

    project: Project
    name: str

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Source) and self.project is other.project and self.name == other.name
        )

    def __hash__(self) -> int:
        return hash(self.name)


class Texts(Project):
    """A dict of texts, or any other mapping from names to texts."""

    def __init__(self, texts: Mapping[str, str]):
        self._texts = texts

    def read(self, name: str) -> str:
        """The text of this name. Raises SpecError where there is none, TypeError where it is not a
        str."""
        if name not in self._texts:
            raise SpecError(
                Problem(
                    "there is no text of this name in the project"
                    f"{did_you_mean(name, self._texts)}",
                    name,
                )
            )
        text = self._texts[name]
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the text {name!r} of a project must be a str, not {type(text)}")
        return text

    def names(self) -> Iterable[str]:
        """All of them."""
        return self._texts


class _Alone(Project):
    def read(self, name: str) -> str:
        raise SpecError(Problem("this text has no project", name))

    def resolve(self, reference: str, origin: str) -> str:
        raise ReferenceRefused(
            f"{reference!r} is another text and this one has no project; use a project that has it"
            " (a folder, or a dict of texts)"
        )


ALONE: Project = _Alone()
"""The project of a text that is the only one."""
