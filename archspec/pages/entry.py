"""One page: its parts, as lines for a terminal and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archspec.graph import Graph
from archspec.shapes import written
from archspec.tables import WIDEST, markdown_text

LABEL = 12
"""Columns of a fact's name."""


class Argument(NamedTuple):
    """An attribute of an op, or an argument of a template; `default` is "required" for none."""

    name: str
    values: str
    default: str
    doc: str


class Fact(NamedTuple):
    label: str
    text: str


@dataclass(frozen=True)
class Entry:
    """What a page says: `facts` that hold always, then the example with those worked out of it."""

    name: str
    doc: str
    facts: Sequence[Fact]
    arguments: Sequence[Argument]
    arguments_are: str
    """What the arguments are called: attributes of an op."""
    example: str = ""
    worked_out: Sequence[Fact] = field(default_factory=tuple)


def counts(graph: Graph) -> Iterator[Fact]:
    """What a graph gives and costs."""
    shapes = graph.output_shapes
    one = len(shapes) == 1
    named = (written(s) if one else f"{name} {written(s)}" for name, s in shapes.items())
    yield Fact("output", ", ".join(named))
    yield Fact("parameters", f"{graph.params:,}")
    yield Fact("MACs", f"{graph.macs:,}")


def as_lines(entry: Entry) -> Iterator[str]:
    """The page within WIDEST columns, but for the example and code."""
    yield from _wrap(f"{entry.name}: {entry.doc}", "", "  ")
    yield from _facts(entry.facts)
    if entry.arguments:
        yield from ("", entry.arguments_are)
        width = max(len(argument.name) for argument in entry.arguments)
        for argument in entry.arguments:
            text = "; ".join(filter(None, [argument.doc, argument.values, _default(argument)]))
            yield from _wrap(f"{argument.name:<{width}}  {text}", "  ", " " * (width + 4))
    if entry.example:
        yield from ("", "example", *(f"  {line}" for line in entry.example.splitlines()))
        yield from _facts(entry.worked_out)


def as_markdown(entry: Entry) -> Iterator[str]:
    """The page as a section."""
    yield from (f"### {entry.name}", "", markdown_text(entry.doc), "")
    yield from _items(entry.facts)
    if entry.arguments:
        yield from ("", f"| {entry.arguments_are} | value | default | what it is |")
        yield "|---|---|---|---|"
        for name, *rest in entry.arguments:
            yield f"| `{name}` | {' | '.join(map(markdown_text, rest))} |"
    if entry.example:
        yield from ("", "```json", entry.example, "```", "", *_items(entry.worked_out))
    yield ""


def _default(argument: Argument) -> str:
    required = argument.default == "required"
    return "required" if required else f"default: {argument.default}"


def _facts(facts: Iterable[Fact]) -> Iterator[str]:
    for label, text in facts:
        yield from _wrap(f"{label:<{LABEL}}{text}", "  ", " " * (LABEL + 2))


def _items(facts: Iterable[Fact]) -> Iterator[str]:
    for label, text in facts:
        yield f"- {label}: {text if text.startswith('`') else markdown_text(text)}"


def _wrap(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDEST,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
