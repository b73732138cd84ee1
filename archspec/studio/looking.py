"""What one keystroke asks: marks, then numbers, then the picture, then times, each as soon as it is
known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from archspec.graph import Graph
from archspec.plot.display import Arrangement, Picture
from archspec.plot.page import draw
from archspec.plot.svg import render_svg
from archspec.studio import figures, places, times
from archspec.studio.editing import draft_of, marks
from archspec.studio.questions import Pause, Question
from archspec.studio.subject import Settings, make_subject, read_settings, read_subject

MAX_TABS = 8
"""Pages of which something is remembered; one that is loaded again is another."""


class Looker:
    """Looks at texts. It knows how the last picture of each page was laid out, so that the next one
    does not jump, and the totals of what was saved."""

    def __init__(self) -> None:
        self._arrangements: dict[str, Arrangement | None] = {}
        self._saved: dict[str, tuple[Any, Graph | None]] = {}

    def look(self, question: Question, pause: Pause) -> Iterator[Mapping[str, Any]]:
        """The parts of a look, each with its `part`: marks, figures, picture, times."""
        settings = read_settings(question.get("settings") or {})
        draft = draft_of(question)
        subject = make_subject(draft.name, draft.verdict, settings)
        yield {
            "part": "marks",
            "kind": subject.kind,
            "marks": marks(draft),
            "settings_problems": [problem.message for problem in subject.problems],
        }
        graph = subject.graph
        if graph is None:
            return
        pause()
        saved = self._saved_graph(question, settings)
        totals = None if saved is None else _totals(saved, settings.batch)
        yield {"part": "figures", **figures.figures(subject, settings), "saved": totals}
        pause()
        picture = self._draw(question, graph, settings)
        described = places.boxes(graph, picture, subject.name, settings.batch)
        yield {
            "part": "picture",
            "svg": render_svg(picture),
            "width": picture.width,
            "height": picture.height,
            **described,
        }
        if settings.device:
            pause()
            yield {"part": "times", **times.times(graph, saved, picture, settings)}

    def _draw(self, question: Question, graph: Graph, settings: Settings) -> Picture:
        tab = question["tab"]
        before = None if question.get("fresh") else self._arrangements.get(tab)
        picture = draw(graph, settings.folded, before)
        _remember(self._arrangements, tab, picture.arrangement)
        return picture

    def _saved_graph(self, question: Question, settings: Settings) -> Graph | None:
        """The network of the saved text under the same settings, None where it gives none or the
        text is what was saved."""
        text = question.get("saved")
        if not isinstance(text, str):
            return None
        key = (question["name"], text, repr(replace(settings, batch=1, device="", folded=())))
        known = self._saved.get(question["tab"])
        if known is None or known[0] != key:
            root = Path(question["root"])
            subject = read_subject(root, question["name"], text, settings, is_brief=True)
            known = (key, subject.graph)
            _remember(self._saved, question["tab"], known)
        return known[1]


@lru_cache(MAX_TABS)
def _totals(saved: Graph, batch: int) -> dict[str, Any]:
    return figures.totals(saved, saved.stats(batch))


def _remember(kept: dict[str, Any], tab: str, value: Any) -> None:
    kept.pop(tab, None)
    kept[tab] = value
    if len(kept) > MAX_TABS:
        del kept[next(iter(kept))]
