"""All that is wrong with a spec, a space or a library, and what in it has no effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archspec.document import At, Document
from archspec.errors import Problem, SpecError
from archspec.graph import Graph
from archspec.library import Library, read_library
from archspec.loading import build
from archspec.names import check_names
from archspec.observer import Observer
from archspec.program import Program, place_text, program_of
from archspec.referring import read_spec
from archspec.sources import ProjectLike
from archspec.space import Space
from archspec.syntax import Sequence as Nodes
from archspec.warn import find_library_warnings, find_warnings, sample_networks


@dataclass(frozen=True)
class Verdict:
    """`problems` are errors, empty where the text may be used. It then is a network, whose `graph`
    this is, a search space (`program` alone) or a `library`."""

    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    graph: Graph | None = None
    program: Program | None = None
    library: Library | None = None

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong; warnings may be there."""
        return not self.problems


def judge(name: str) -> Verdict:
    """The verdict on the spec at a path, or on the shipped one of that name."""
    try:
        return _judge(read_spec(name))
    except SpecError as error:
        return Verdict(error.problems)


def judge_text(
    text: str,
    *,
    name: str = "<text>",
    project: ProjectLike = None,
    observer: Observer | None = None,
) -> Verdict:
    """The verdict on a text; `name` and `project` are as for archspec.loads. An `observer` is told
    of each step of a network's expansion."""
    try:
        return _judge(place_text(text, name, project), observer)
    except SpecError as error:
        return Verdict(error.problems)


def _judge(document: Document, observer: Observer | None = None) -> Verdict:
    if "templates" in document.data and not {"body", "extends"} & set(document.data):
        return _judge_library(document)
    program = program_of(document)
    if program.has_choice:
        networks = sample_networks(Space(program))
        return Verdict((), find_warnings(program, networks), program=program)
    graph = build(program, observer=observer)
    return Verdict((), find_warnings(program, [graph]), graph, program)


def _judge_library(document: Document) -> Verdict:
    library = read_library(document)
    at = At(document)
    problems = check_names(Nodes(at, ()), {}, {}, library, at)
    if problems:
        raise SpecError(problems)
    return Verdict((), find_library_warnings(library), library=library)
