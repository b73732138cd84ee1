"""The range of what the networks of a space cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archspec.errors import SpecError
from archspec.space import Space
from archspec.space_summary import summarize
from archspec.studio.questions import Part, Pause, Question
from archspec.studio.subject import Settings, read_subject


def tell_range(question: Question, _pause: Pause) -> Iterator[Part]:
    """{assignments, networks, ranges: [[metric, least, most]], drawn}: `drawn` is how many networks
    were drawn where the range is not exact, else 0."""
    root = Path(question["root"])
    subject = read_subject(root, question["name"], question["text"], Settings(), is_brief=True)
    program = subject.verdict.program
    if program is None or not program.has_choice:
        raise SpecError("this text is not a search space; there is no range to tell")
    found = summarize(Space(program))
    yield {
        "assignments": found.assignments,
        "networks": found.networks,
        "ranges": [[one.metric, one.least, one.most] for one in found.ranges],
        "drawn": found.drawn if found.why_drawn else 0,
    }
