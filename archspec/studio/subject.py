"""A text as the page shows it: read, and with the page's settings made into one network."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archspec.errors import Problem, SpecError
from archspec.graph import Graph
from archspec.loading import build
from archspec.program import parse_program
from archspec.project import Project
from archspec.space import Space, place_of
from archspec.studio.files import home_of
from archspec.syntax import Decision
from archspec.verdict import Verdict, judge_text

FIRST, RANDOM = "first", "random:"
LARGEST_EXTENT = 100_000
LARGEST_BATCH = 1_000_000


@dataclass(frozen=True)
class Settings:
    """What the page's controls say: values for args, an input shape or None for the spec's own, a
    batch, a device's name or "", options by decision or "first" or "random:SEED", and the names of
    blocks that are drawn as one row."""

    args: Mapping[str, Any] = field(default_factory=dict)
    input: tuple[int, ...] | None = None
    batch: int = 1
    device: str = ""
    decisions: Mapping[str, Any] | str = FIRST
    folded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """A text with its `verdict` and, where it gives one, the network that the settings make of it.
    `decisions` are the options taken of a space, `options` what there was to take; `problems` say
    why the settings give no network."""

    name: str
    verdict: Verdict
    graph: Graph | None = None
    decisions: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    problems: Sequence[Problem] = ()

    @property
    def kind(self) -> str:
        if not self.verdict.is_ok:
            return "broken"
        if self.verdict.library is not None:
            return "library"
        return "space" if self.verdict.graph is None else "network"


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Settings from what the page sends, which is taken where it can be meant. Raises SpecError."""
    shape = given.get("input")
    if shape is not None and not (
        isinstance(shape, list)
        and len(shape) == 3
        and all(type(extent) is int and 1 <= extent <= LARGEST_EXTENT for extent in shape)
    ):
        raise SpecError("the input must be channels, height and width, each 1 or more")
    batch = given.get("batch", 1)
    if type(batch) is not int or not 1 <= batch <= LARGEST_BATCH:
        raise SpecError(f"the batch must be 1 to {LARGEST_BATCH:,}")
    return Settings(
        dict(given.get("args") or {}),
        None if shape is None else tuple(shape),
        batch,
        str(given.get("device") or ""),
        given.get("decisions") or FIRST,
        tuple(map(str, given.get("folded") or ())),
    )


def read_subject(
    root: Path, name: str, text: str, settings: Settings, is_brief: bool = False
) -> Subject:
    """The subject of a text; what is wrong is said by it and not raised. Where it `is_brief`,
    warnings are not looked for."""
    project, place = home_of(root, name)
    judge = _judge_briefly if is_brief else judge_text
    return make_subject(place, judge(text, name=place, project=project), settings)


def _judge_briefly(text: str, *, name: str, project: Project) -> Verdict:
    try:
        program = parse_program(text, name=name, project=project)
        graph = None if program.has_choice else build(program)
        return Verdict((), (), graph, program)
    except SpecError as error:
        return Verdict(error.problems)


def make_subject(name: str, verdict: Verdict, settings: Settings) -> Subject:
    """The subject of a text that was judged already."""
    program = verdict.program
    if program is None:
        return Subject(name, verdict)
    if verdict.graph is None:
        return _settle(name, verdict, settings)
    given = {key: value for key, value in settings.args.items() if key in program.parameters}
    shape = settings.input
    if not given and shape in (None, verdict.graph.input_shape):
        return Subject(name, verdict, verdict.graph)
    try:
        return Subject(name, verdict, build(program, given, shape))
    except SpecError as error:
        return Subject(name, verdict, problems=error.problems)


def _settle(name: str, verdict: Verdict, settings: Settings) -> Subject:
    """One network of a space: with the options of the settings where they are met and still there,
    and the first where not."""
    assert verdict.program is not None
    space = Space(verdict.program)
    options: dict[str, Sequence[Any]] = {}
    wanted = settings.decisions
    draw = random.Random(wanted).randrange if isinstance(wanted, str) else None

    def decide(key: str, decision: Decision) -> int:
        options[key] = decision.options
        if isinstance(wanted, str):
            return draw(len(decision.options)) if draw and wanted != FIRST else 0
        return place_of(wanted.get(key), decision.options) or 0

    try:
        decisions = space.settle(decide)[0]
        return Subject(name, verdict, space.assign(decisions), decisions, options)
    except SpecError as error:
        return Subject(name, verdict, None, {}, options, error.problems)
