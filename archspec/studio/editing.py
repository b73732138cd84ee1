"""What the page's editor asks of archspec.authoring: marks, completions, what is under the cursor.
Offsets on the page count UTF-16 units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from archspec import authoring
from archspec.project import Project
from archspec.studio.files import home_of
from archspec.studio.opening import find_shipped
from archspec.studio.questions import Part, Pause, Question

MAX_COMPLETIONS = 400
MAX_HINTS, MAX_SYMBOLS = 5000, 2000
"""Of one text that are sent; it is written by hand, and has seldom as many."""


def draft_of(question: Question) -> authoring.Draft:
    """The text of a question as a draft in its project."""
    root, name = Path(question["root"]), question["name"]
    project, place = _home_of(root, name)
    return authoring.read_draft(question["text"], name=place, project=project)


@lru_cache(64)
def _home_of(root: Path, name: str) -> tuple[Project, str]:
    return home_of(root, name)  # one object each time, by which authoring knows what it has read


def marks(draft: authoring.Draft) -> list[dict[str, Any]]:
    """Problems and warnings, each with its place and what one click mends."""
    units = draft.lines.units
    return [
        {
            "from": units(found.start),
            "to": units(found.end),
            "severity": found.severity,
            "message": found.message,
            "where": found.where,
            "line": draft.lines.position(found.start)[0] + 1,
            "stack": list(found.stack),
            "fixes": [
                {
                    "title": fix.title,
                    "edits": [_edit(edit, units) for edit in fix.edits],
                }
                for fix in found.fixes
            ],
        }
        for found in authoring.diagnose(draft)
    ]


def complete(question: Question, _pause: Pause) -> Iterator[Part]:
    """{options}: what may stand at an offset."""
    draft = draft_of(question)
    units = draft.lines.units
    found = authoring.complete(draft, draft.lines.from_units(question["at"]))
    yield {
        "options": [
            {
                "label": one.label,
                "kind": one.kind,
                "detail": one.detail,
                "doc": one.doc,
                "insert": one.insert,
                "plain": authoring.plain_insert(one),
                "snippet": one.is_snippet,
                "from": units(one.start),
                "to": units(one.end),
            }
            for one in found[:MAX_COMPLETIONS]
        ]
    }


def hover(question: Question, _pause: Pause) -> Iterator[Part]:
    """{found}: what is known of what stands at an offset, or null."""
    draft = draft_of(question)
    found = authoring.hover(draft, draft.lines.from_units(question["at"]))
    if found is None:
        yield {"found": None}
        return
    yield {
        "found": {
            "from": draft.lines.units(found.start),
            "to": draft.lines.units(found.end),
            "title": found.title,
            "doc": found.doc,
            "rows": [list(row) for row in found.rows],
        }
    }


def define(question: Question, _pause: Pause) -> Iterator[Part]:
    """{name, at}: the text and the offset where what stands at an offset is defined, or {}."""
    draft = draft_of(question)
    place = authoring.find_definition(draft, draft.lines.from_units(question["at"]))
    if place is None:
        yield {}
        return
    if place.is_here:
        yield {"name": question["name"], "at": draft.lines.units(place.start)}
        return
    name = _name_of(Path(place.name), Path(question["root"]))
    yield {"name": name, "at": authoring.Lines(place.text).units(place.start)} if name else {}


def locate(question: Question, _pause: Pause) -> Iterator[Part]:
    """{at}: the offset where a node of the graph, or a block, was written in this text; or {}."""
    draft = draft_of(question)
    places = authoring.find_places(draft, str(question.get("node", "")))
    here = next((place for place in places if place.is_here), None)
    yield {} if here is None else {"at": draft.lines.units(here.start)}


def tell_hints(question: Question, _pause: Pause) -> Iterator[Part]:
    """{hints}: shapes and totals to show at offsets."""
    draft = draft_of(question)
    units = draft.lines.units
    found = authoring.find_hints(draft)
    yield {
        "hints": [
            {"at": units(hint.offset), "label": hint.label, "tooltip": hint.tooltip}
            for hint in found[:MAX_HINTS]
        ]
    }


def outline(question: Question, _pause: Pause) -> Iterator[Part]:
    """{symbols}: args, templates and nodes in their order, each with how deep it is."""
    draft = draft_of(question)

    def flat(symbols: Sequence[authoring.Symbol], depth: int) -> Iterator[Part]:
        for symbol in symbols:
            quote = draft.text.startswith('"', symbol.name_start)
            yield {
                "name": symbol.name,
                "kind": symbol.kind,
                "detail": symbol.detail,
                "at": draft.lines.units(symbol.name_start + quote),
                "depth": depth,
            }
            yield from flat(symbol.children, depth + 1)

    yield {"symbols": [*islice(flat(authoring.outline(draft), 0), MAX_SYMBOLS)]}


def rename(question: Question, _pause: Pause) -> Iterator[Part]:
    """{old}: the name at an offset that can be another, or {}; with `new` given, {edits} that make
    it that. Raises SpecError where they cannot be made."""
    draft = draft_of(question)
    units, at = draft.lines.units, draft.lines.from_units(question["at"])
    if "new" in question:
        edits = authoring.rename(draft, at, str(question["new"]))
        yield {"edits": [_edit(edit, units) for edit in edits]}
        return
    place = authoring.find_name(draft, at)
    yield {} if place is None else {"old": draft.text[place.start : place.end]}


def _edit(edit: authoring.Edit, units: Callable[[int], int]) -> Part:
    return {"from": units(edit.start), "to": units(edit.end), "insert": edit.text}


def _name_of(path: Path, root: Path) -> str:
    """What the page calls a file, "" where it may not be opened."""
    path = path if path.is_absolute() else root / path
    own = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
    return find_shipped(path, root) or own
