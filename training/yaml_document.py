"""YAML text that remembers where each value stands, for files that people write by hand.

It is the part of YAML that maps to JSON, read as YAML 1.2 reads it: `1e-3` is a number, and `no`
and `on` are words. Anchors, tags and keys that stand twice are refused. A document here behaves as
archspec.document's does, so archspec.check says what is wrong with either.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from archspec.document import DEEPEST_NESTING, LARGEST_INTEGER, Pointer, read_text
from archspec.errors import Problem, SpecError

LARGEST_FILE = 2**16
"""Bytes; a recipe has two thousand."""


@dataclass(frozen=True, eq=False)
class YamlDocument:
    """Parsed YAML. `shown` is its path as the user wrote it, `places` says where every value
    stands: "file:line:col", or the setting of a command that gave it."""

    shown: str
    data: Any = field(repr=False)
    places: Mapping[Pointer, str] = field(repr=False)

    def where(self, pointer: Pointer) -> str:
        """The place of the value at the pointer, or of its nearest ancestor that is there."""
        while pointer not in self.places:
            pointer = pointer[:-1]
        return self.places[pointer]

    def over(self, base: YamlDocument) -> YamlDocument:
        """The base with this document's values in it: objects meet key by key, anything else takes
        the other's place whole, and so does an object that says its `name`, for then its other keys
        are those of another kind."""
        data, places = _merge(base, self, ())
        return YamlDocument(self.shown, data, places)

    def with_value(self, pointer: Pointer, value: Any, place: str) -> YamlDocument:
        """The same document with another value in one place; objects missing on the way are made.
        Raises SpecError where the way leads through a value that has no such key or item."""
        places = {
            other: where for other, where in self.places.items() if other[: len(pointer)] != pointer
        }
        data = self._set(self.data, pointer, (), value, place, places)
        for inner in _pointers(value):
            places[pointer + inner] = place
        return YamlDocument(self.shown, data, places)

    def without(self, key: str) -> YamlDocument:
        """The same document less one key of its outermost object."""
        data = {other: value for other, value in self.data.items() if other != key}
        places = {pointer: p for pointer, p in self.places.items() if pointer[:1] != (key,)}
        return YamlDocument(self.shown, data, places)

    def _set(
        self,
        data: Any,
        rest: Pointer,
        done: Pointer,
        value: Any,
        place: str,
        places: dict[Pointer, str],
    ) -> Any:
        if not rest:
            return value
        step, *following = rest
        if data is None:
            data = {}
            places[done] = place
        if isinstance(data, list) and str(step).isdigit() and int(step) < len(data):
            index = int(step)
            inner = self._set(data[index], tuple(following), (*done, index), value, place, places)
            return [*data[:index], inner, *data[index + 1 :]]
        if not isinstance(data, dict):
            met = f"a list of {len(data)}" if isinstance(data, list) else "not an object"
            name = ".".join(map(str, done)) or "the file"
            raise SpecError(Problem(f"{name} is {met} and has no {step!r}", place))
        inner = self._set(data.get(step), tuple(following), (*done, step), value, place, places)
        return {**data, step: inner}


def read_yaml(path: str | os.PathLike[str], shown: str | None = None) -> YamlDocument:
    """Read a YAML file. Raises SpecError where it is not there, not text, not YAML or too large."""
    name = shown if shown is not None else os.fspath(path)
    return parse_yaml(read_text(path, name, "a YAML file", LARGEST_FILE), name)


def parse_yaml(text: str, shown: str = "<text>") -> YamlDocument:
    """Parse YAML text. Raises SpecError with the place of what is not YAML, or is refused."""
    places: dict[Pointer, str] = {}
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            raise _refusal(shown, "the file is empty; use keys and values")
        data = _value(node, (), shown, places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        is_yaml = isinstance(error, _Refused)
        message = str(error.problem) if is_yaml else f"this is not YAML: {_not_yaml(error)}"
        raise _refusal(shown, message, mark) from None
    except yaml.YAMLError as error:
        # the reader's own, which has a position and no mark
        position = getattr(error, "position", 0)
        before = text[:position]
        line, column = before.count("\n") + 1, position - before.rfind("\n")
        met = repr(text[position : position + 1])
        raise SpecError(
            Problem(f"{met} is not a character that YAML takes", f"{shown}:{line}:{column}")
        ) from None
    return YamlDocument(shown, data, places)


def parse_value(text: str) -> Any:
    """The value that a command's KEY=VALUE means: YAML, or else the words themselves."""
    try:
        return parse_yaml(text).data
    except SpecError:
        return text


_CORE = (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
)
"""YAML 1.2's core schema, in JSON's spelling: no .inf, no hexadecimal."""


class _Refused(yaml.MarkedYAMLError):
    """YAML that is right and not taken."""


class _Loader(yaml.SafeLoader):
    """Composes nodes by YAML 1.2's core schema, and refuses anchors: a few lines of them can stand
    for gigabytes, and nobody needs them in a page of settings."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if self.depth > DEEPEST_NESTING:
            raise _Refused(
                problem=f"values are nested too deeply; use at most {DEEPEST_NESTING} levels",
                problem_mark=event.start_mark,
            )
        if getattr(event, "anchor", None) is not None:
            sign = "*" if self.check_event(yaml.AliasEvent) else "&"
            raise _Refused(
                problem=f"{sign}{event.anchor} is an anchor; use the value itself",
                problem_mark=event.start_mark,
            )
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _kind, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _value(node: Node, pointer: Pointer, shown: str, places: dict[Pointer, str]) -> Any:
    """The value of a node; where it and its parts stand goes to `places`."""
    places[pointer] = _place(shown, node)
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if isinstance(node, MappingNode) and kind == "map":
        return _object(node, pointer, shown, places)
    if isinstance(node, SequenceNode) and kind == "seq":
        return [
            _value(item, (*pointer, number), shown, places)
            for number, item in enumerate(node.value)
        ]
    if isinstance(node, ScalarNode) and kind in _SCALARS:
        try:
            return _SCALARS[kind](node.value)
        except ValueError as error:
            raise _refusal(shown, str(error), node.start_mark) from None
    raise _refusal(
        shown, f"the tag {node.tag} has no meaning here; use the value alone", node.start_mark
    )


def _object(
    node: MappingNode, pointer: Pointer, shown: str, places: dict[Pointer, str]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, inner in node.value:
        if not isinstance(key, ScalarNode) or not key.tag.endswith(":str"):
            raise _refusal(shown, "a key is a word; quotes make one of anything", key.start_mark)
        if key.value in result:
            raise _refusal(
                shown,
                f"the key {key.value!r} appears twice in one object; keep one",
                key.start_mark,
            )
        result[key.value] = _value(inner, (*pointer, key.value), shown, places)
    return result


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > LARGEST_INTEGER:
        raise ValueError(f"the number {text[:20]} is too large; use at most 2**53")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:20]} is too large; use less than 1.8e308")
    return value


_SCALARS = {
    "null": lambda text: None,
    "bool": lambda text: text == "true",
    "int": _integer,
    "float": _float,
    "str": str,
}

_WANTED = {
    "mapping values are not allowed here": "a second ':' in one line; use quotes around the text,"
    " or a line of its own",
    "could not find expected ':'": "a key without its ':'",
    "but found another document": "a second document starts here; use one",
}
"""What to say for what the parser says."""


def _not_yaml(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "it cannot be read"
    if problem in _WANTED:
        return _WANTED[problem]
    if problem.startswith("found character '\\t'"):
        return "a tab stands where spaces are expected"
    if problem.startswith(("found character", "expected alphabetic")):
        return "a sign stands here that starts no plain text; use quotes around the text"
    if problem.startswith("expected <block end>"):
        return (
            "this line is set in neither as its neighbours nor as their values; use two spaces more"
            " or fewer"
        )
    if problem.startswith("expected ',' or"):
        return f"use {problem[9:].partition(', but got')[0]} here"
    if "end of stream" in problem:
        return f"the file ends {error.context or 'here'}; use its closing sign"
    return problem


def _place(shown: str, node: Node) -> str:
    return f"{shown}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _refusal(shown: str, message: str, mark: Any = None) -> SpecError:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return SpecError(Problem(message, f"{shown}:{line}:{column}"))


def _pointers(value: Any) -> list[Pointer]:
    """The pointers of a value and of all its parts, from the value on."""
    if isinstance(value, dict):
        parts: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        parts = []
    return [(), *((step, *inner) for step, part in parts for inner in _pointers(part))]


def _merge(
    base: YamlDocument, over: YamlDocument, pointer: Pointer
) -> tuple[Any, dict[Pointer, str]]:
    below, above = _at(base.data, pointer), _at(over.data, pointer)
    joins = isinstance(below, dict) and isinstance(above, dict)
    if not joins or (pointer and "name" in above):
        return above, _places_under(over, pointer)
    data: dict[str, Any] = {}
    places = {pointer: over.places[pointer]}
    for key in {**below, **above}:
        inner = (*pointer, key)
        if key not in above:
            data[key], found = below[key], _places_under(base, inner)
        elif key not in below:
            data[key], found = above[key], _places_under(over, inner)
        else:
            data[key], found = _merge(base, over, inner)
        places.update(found)
    return data, places


def _at(data: Any, pointer: Pointer) -> Any:
    for step in pointer:
        data = data[step]
    return data


def _places_under(document: YamlDocument, pointer: Pointer) -> dict[Pointer, str]:
    count = len(pointer)
    return {other: p for other, p in document.places.items() if other[:count] == pointer}


class _Dumper(yaml.SafeDumper):
    """Quotes what _Loader would take for something other than text."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        return True


def written_yaml(data: Any) -> str:
    """Plain data as YAML that `parse_yaml` reads again, the innermost lists and objects on a line
    each."""
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )
