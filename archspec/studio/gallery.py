"""What there is to begin with: runs, and specs with what each costs and its picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from archspec.document import read_text
from archspec.errors import SpecError
from archspec.plot.page import draw
from archspec.plot.svg import render_svg
from archspec.sources import shipped_names
from archspec.studio.files import list_runs, list_specs, read
from archspec.studio.opening import RUN_FACTS, SHIPPED, SPACE
from archspec.studio.questions import Part, Pause, Question
from archspec.studio.subject import Settings, read_subject

MAX_OWN = 100
"""Of the folder: runs, and specs that are counted and drawn."""


def list_cards(question: Question, pause: Pause) -> Iterator[Part]:
    """{name, kind, params, macs, doc} of each run and each spec of the folder, then of the shipped
    specs. A space's figures are those of every choice's first option."""
    root = Path(question["root"])
    yield from (_run_card(root, name) for name in islice(list_runs(root), MAX_OWN))
    own = list(list_specs(root))[:MAX_OWN]
    for name in (*own, *(f"{SHIPPED}{name}" for name in shipped_names())):
        pause()
        yield _card(root, name)


def draw_card(question: Question, _pause: Pause) -> Iterator[Part]:
    """{svg}: the picture of a spec as it is on disk. Raises SpecError where it has none."""
    root, name = Path(question["root"]), question["name"]
    subject = read_subject(root, name, read(root, name).text, Settings())
    if subject.graph is None:
        raise SpecError(f"{name} has no network to draw")
    yield {"svg": render_svg(draw(subject.graph))}


def _run_card(root: Path, name: str) -> dict[str, Any]:
    """Of a training or a search, by what its run.json says before anything of it is checked."""
    folder = root / name
    kind = "search" if (folder / SPACE).is_file() else "training"
    card = {"name": name, "kind": kind, "params": None, "macs": None, "doc": ""}
    with suppress(SpecError, OSError, ValueError, RecursionError, LookupError, TypeError):
        facts = json.loads(read_text(folder / RUN_FACTS, RUN_FACTS))
        by = facts["engine" if kind == "search" else "recipe"]
        card["doc"] = f"{facts['name']}, {'searched' if kind == 'search' else 'trained'} by {by}"
    return card


def _card(root: Path, name: str) -> dict[str, Any]:
    card: dict[str, Any] = {"name": name, "kind": "broken", "params": None, "macs": None, "doc": ""}
    try:
        subject = read_subject(root, name, read(root, name).text, Settings(), is_brief=True)
    except (SpecError, OSError):
        return card
    graph, program = subject.graph, subject.verdict.program
    card["kind"] = subject.kind
    if program is not None:
        card["doc"] = program.doc
    if graph is not None:
        card.update(params=graph.params, macs=graph.macs)
    return card
