"""Two networks side by side: the words of `archspec diff`, and which boxes of both pictures they
are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from archspec.diff import Change, changes, find_renamed, signed_amount
from archspec.errors import SpecError, UsageError
from archspec.graph import Graph
from archspec.plot.page import draw
from archspec.plot.svg import render_svg
from archspec.studio.files import read
from archspec.studio.questions import Part, Pause, Question
from archspec.studio.subject import Settings, read_settings, read_subject
from archspec.tables import shown_amount

MAX_CHANGES = 500


def compare(question: Question, _pause: Pause) -> Iterator[Part]:
    """{old, new, changes, total}: the network of a text as `new`, that of `other` as `old`, which
    is the name of a spec on disk and where `before` is a text, that text. Each side has its picture
    and by box what became of it: "changed", "added" or "removed"."""
    root = Path(question["root"])
    other, before = question.get("other"), question.get("before")
    if not isinstance(other, str):
        raise UsageError("other must be the name of a spec")
    settings = read_settings(question.get("settings") or {})
    new = _network(root, question["name"], question["text"], settings)
    # args and choices are this text's own; another spec is taken as it is written
    of_old = settings if other == question["name"] else Settings()
    text = before if isinstance(before, str) else read(root, other).text
    old = _network(root, other, text, of_old)
    found = changes(old, new)
    yield {
        "old": _side(old, new, found, "removed"),
        "new": _side(new, old, found, "added"),
        "changes": [{"where": one.where, "text": str(one)} for one in found[:MAX_CHANGES]],
        "left_out": max(0, len(found) - MAX_CHANGES),
        "total": _total(old, new, found),
    }


def _network(root: Path, name: str, text: str, settings: Settings) -> Graph:
    subject = read_subject(root, name, text, settings, is_brief=True)
    if subject.graph is None:
        problems = (*subject.verdict.problems, *subject.problems)
        raise SpecError(problems or f"{name} is not a network; there is nothing to compare")
    return subject.graph


def _side(graph: Graph, other: Graph, found: Sequence[Change], alone: str) -> dict[str, Any]:
    """`marks` says of a box what became of it, `about` which changes it is in."""
    picture = draw(graph)
    names = tuple(graph.nodes)
    known = [*map(_prefixes, other.nodes)]
    there = {prefix for prefixes in known for prefix in prefixes}
    places = {change.where: place for place, change in reversed([*enumerate(found)])}
    marks: dict[str, str] = {}
    about: dict[str, list[int]] = {}
    for box, drawn in picture.boxes.items():
        if drawn.is_block:
            continue
        inside = [name for start, end in drawn.spans for name in names[start:end]]
        hits = {at for name in inside for at in _prefixes(name) if at in places}
        if not hits:
            continue
        marks[box] = alone if all(at not in there for at in hits) else "changed"
        about[box] = sorted({places[at] for at in hits})
    return {
        "name": graph.name,
        "svg": render_svg(picture),
        "width": picture.width,
        "height": picture.height,
        "marks": marks,
        "about": about,
    }


def _prefixes(name: str) -> list[str]:
    """a.b.c, a.b, a."""
    steps = name.split(".")
    return [".".join(steps[:size]) for size in range(len(steps), 0, -1)]


def _total(old: Graph, new: Graph, found: Sequence[Change]) -> str:
    if not found:
        renamed = find_renamed(old, new)
        more = f"; {len(renamed):,} nodes have other names" if renamed else ""
        return f"{old.name} and {new.name} are one architecture{more}"
    return (
        f"{old.params:,} → {new.params:,} parameters ({new.params - old.params:+,}),"
        f" {shown_amount(old.macs)} → {shown_amount(new.macs)} MACs"
        f" ({signed_amount(new.macs - old.macs)})"
    )
