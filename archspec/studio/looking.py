"""What one keystroke asks: marks, then numbers, then the picture, then times, each as soon as it is
known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.errors import Problem
from archspec.graph import Graph
from archspec.plot.display import Arrangement
from archspec.plot.page import draw
from archspec.plot.svg import render_svg
from archspec.studio import figures, places
from archspec.studio.questions import Pause, Question
from archspec.studio.subject import Settings, Subject, read_settings, read_subject


class Looker:
    """Looks at texts. It knows how the last picture of each page was laid out, so that the next one
    does not jump, and the totals of what was saved."""

    def __init__(self) -> None:
        self._arrangements: dict[str, Arrangement | None] = {}
        self._saved: dict[str, tuple[Any, Mapping[str, Any]]] = {}

    def look(self, request: Question, pause: Pause) -> Iterator[Mapping[str, Any]]:
        """The parts of a look, each with its `part`: marks, figures, picture, times."""
        settings = read_settings(request.get("settings") or {})
        root, name, text = Path(request["root"]), request["name"], request["text"]
        subject = read_subject(root, name, text, settings)
        yield {"part": "marks", "kind": subject.kind, **_marks(subject)}
        if subject.graph is None:
            return
        pause()
        saved = self._saved_totals(request, settings)
        yield {"part": "figures", **figures.figures(subject, settings), "saved": saved}
        pause()
        yield {"part": "picture", **self._picture(request, subject.graph, subject.name, settings)}
        if settings.device:
            pause()
            yield {"part": "times", **figures.times(subject.graph, settings)}

    def _picture(
        self, request: Question, graph: Graph, name: str, settings: Settings
    ) -> dict[str, Any]:
        tab = request["tab"]
        before = None if request.get("fresh") else self._arrangements.get(tab)
        picture = draw(graph, settings.folded, before)
        self._arrangements[tab] = picture.arrangement
        return {
            "svg": render_svg(picture),
            "width": picture.width,
            "height": picture.height,
            **places.boxes(graph, picture, name, settings.batch),
        }

    def _saved_totals(self, request: Question, settings: Settings) -> Mapping[str, Any] | None:
        """The totals of the saved text under the same settings, None where it gives no network."""
        text = request.get("saved")
        if text is None:
            return None
        key = (request["name"], text, repr(settings))
        known = self._saved.get(request["tab"])
        if known is not None and known[0] == key:
            return known[1] or None
        subject = read_subject(Path(request["root"]), request["name"], text, settings)
        totals = {} if subject.graph is None else figures.totals(subject.graph, settings)
        self._saved[request["tab"]] = (key, totals)
        return totals or None


def _marks(subject: Subject) -> dict[str, Any]:
    verdict = subject.verdict
    marks = [_mark(problem, "error") for problem in verdict.problems]
    marks += [_mark(problem, "warning") for problem in verdict.warnings]
    return {
        "marks": marks,
        "settings_problems": [problem.message for problem in subject.problems],
    }


def _mark(problem: Problem, severity: str) -> dict[str, Any]:
    parts = problem.where.rsplit(":", 2)
    is_placed = len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit()
    return {
        "severity": severity,
        "message": problem.message,
        "where": problem.where,
        "line": int(parts[1]) if is_placed else 1,
        "column": int(parts[2]) if is_placed else 1,
        "stack": list(problem.stack),
    }
