"""What the services of this room give: plain values whose offsets count characters of the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True)
class Edit:
    """`text` in place of what stands from `start` up to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Fix:
    """What one click mends; the edits do not overlap."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Diagnostic:
    """A problem and the part of the text to mark. `where` is "name:line:col" as the commands print
    it, which may be in another text that this one refers to; `stack` the template calls that led
    there, innermost first."""

    start: int
    end: int
    severity: Severity
    message: str
    fixes: tuple[Fix, ...] = ()
    where: str = ""
    pointer: str | None = None
    stack: tuple[str, ...] = ()


@dataclass(frozen=True)
class Completion:
    """A word to put in place of what stands from `start` up to `end`; `insert` has the quotes that
    JSON asks for. Where it `is_snippet`, places to fill in are written ${1:example} in it.

    `kind` is "op", "template", "function", "argument", "key", "value", "node", "name", "snippet" or
    "file".
    """

    label: str
    kind: str
    detail: str
    doc: str
    insert: str
    start: int
    end: int
    is_snippet: bool = False


@dataclass(frozen=True)
class Hover:
    """What is known of a part of the text, as plain text: a title, a doc, and rows of a label with
    its value."""

    start: int
    end: int
    title: str
    doc: str = ""
    rows: tuple[tuple[str, str], ...] = ()

    @property
    def plain(self) -> str:
        """All of it as lines."""
        rows = (f"{label}: {value}" for label, value in self.rows)
        return "\n".join(filter(None, (self.title, self.doc, *rows)))

    @property
    def markdown(self) -> str:
        """All of it for an editor. What a spec's author wrote is shown as written."""
        parts = [f"**{escape_markdown(self.title)}**", escape_markdown(self.doc)]
        parts += [
            "\n".join(
                f"- {escape_markdown(label)}: {escape_markdown(value)}"
                for label, value in self.rows
            )
        ]
        return "\n\n".join(filter(None, parts))


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&-])", r"\\\1", text)


@dataclass(frozen=True)
class Place:
    """A part of a text of the project: of the one at hand, where it `is_here`, or of another, which
    is then given whole. `name` is what the project calls it, of a folder a path."""

    name: str
    start: int
    end: int
    is_here: bool = True
    text: str = field(default="", repr=False)


@dataclass(frozen=True)
class Symbol:
    """An entry of the outline: its whole span, and that of its name."""

    name: str
    kind: str
    detail: str
    start: int
    end: int
    name_start: int
    name_end: int
    children: tuple[Symbol, ...] = ()


@dataclass(frozen=True)
class Hint:
    """Words to show at an offset that are not in the text."""

    offset: int
    label: str
    tooltip: str = ""


@dataclass(frozen=True)
class Link:
    """A reference to another text; `target` is its path, or its name in the project."""

    start: int
    end: int
    target: str
    is_file: bool


@dataclass(frozen=True)
class Origin:
    """The node, or template, that a position is in, and what it leaves in the graph: names of
    nodes, and of template calls."""

    start: int
    end: int
    pointer: str
    nodes: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits that do not overlap."""
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


_STOP = re.compile(r"\$\{\d+:([^}]*)\}|\$\{\d+\|([^,|]*)[^}]*\}|\$\{?\d+\}?")


def plain_insert(completion: Completion) -> str:
    """What a completion puts in where there are no places to fill in: its examples."""
    if not completion.is_snippet:
        return completion.insert
    text = _STOP.sub(lambda stop: stop[1] or stop[2] or "", completion.insert)
    return text.replace("\\$", "$").replace("\\}", "}").replace("\\\\", "\\")
