"""Ops, templates and nodes as arguments: what a call gives its template to place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from archspec.check import check_node
from archspec.document import At
from archspec.errors import SpecError, did_you_mean
from archspec.faults import suggest_call
from archspec.grammar import WORDS
from archspec.json_values import freeze, shown
from archspec.library import Definition, Library
from archspec.names import check_passed
from archspec.ops import FUNCTIONS, OPS
from archspec.reader import Reader
from archspec.syntax import INPUT, NOTHING, Arguments, Parameter, Template, constant


class Word(str):
    """The name of an op or a template, with the library in which the name means something."""

    library: Library

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        is_same = isinstance(other, str) and str.__eq__(self, other)
        return is_same and (not isinstance(other, Word) or self.library is other.library)

    def __ne__(self, other: object) -> bool:
        return not self == other


@dataclass(frozen=True, eq=False)
class PassedNode:
    """A node as JSON, its expressions evaluated where it was written; `at` is that place, `library`
    the one in which its names mean something."""

    node: Any
    library: Library
    at: At

    def __hash__(self) -> int:
        return hash(freeze(self.node))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PassedNode)
            and self.library is other.library
            and freeze(self.node) == freeze(other.node)
        )

    def __str__(self) -> str:
        return shown(self.node)


class Target(NamedTuple):
    """What a name stands for in a place: an op with the arguments that the name says, or a
    template; neither is the word "none"."""

    op: str = ""
    definition: Definition | None = None
    arguments: Arguments = {}


def pass_on(parameter: Parameter, value: Any, library: Library, at: At) -> Any:
    """The value of an argument that is an op, a template or a node, with the library in which it
    was written; what was passed before stays as it is. Raises SpecError."""
    if isinstance(value, (Word, PassedNode)):
        return value
    if parameter.passes == "node":
        problems = check_node(value, at)
        if problems:
            raise SpecError(problems)
        return PassedNode(value, library, at)
    if not isinstance(value, str):
        raise at.error(
            f"{parameter.name} must be the name of {_ARTICLES[parameter.passes]}, not"
            f" {shown(value)}"
        )
    word = Word(value)
    word.library = library
    is_template = value not in OPS and find_target(word, library, at).definition is not None
    if parameter.passes == "template" and not is_template:
        raise at.error(f"{parameter.name} must be the name of a template, not {shown(value)}")
    return word


_ARTICLES: Mapping[str | None, str] = {"op": "an op or a template", "template": "a template"}


def find_target(name: str, library: Library, at: At) -> Target:
    """What a computed name stands for. Raises SpecError where it is nothing's."""
    library = name.library if isinstance(name, Word) else library
    if name == NOTHING:
        return Target()
    if name in OPS:
        return Target(op=str(name))
    if name in FUNCTIONS:
        return Target("act", None, {"function": constant(str(name), at, "node")})
    definition = library.find(name)
    if definition is None:
        known = [*WORDS, *library.names()]
        hint = suggest_call(name, known) or did_you_mean(name, known)
        raise at.error(f"{shown(str(name))} is not an op or a template{hint}")
    return Target(definition=definition)


class Nodes:
    """Passed nodes as templates of one input, each read once."""

    def __init__(self) -> None:
        self._definitions: dict[PassedNode, Definition] = {}

    def definition_of(self, passed: PassedNode, name: str) -> Definition:
        """The template, called `name`, whose body is the node. Raises SpecError."""
        known = self._definitions.get(passed)
        if known is None:
            reader = Reader()
            node = reader.node(passed.node, passed.at)
            problems = reader.problems or check_passed(node, passed.library)
            if problems:
                raise SpecError(problems)
            template = Template(name, passed.at, "", {}, (INPUT,), node, {})
            known = self._definitions[passed] = Definition(template, passed.library)
        return known
