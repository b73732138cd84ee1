"""What a template's arguments may be by what its body passes them to: of `"padding": "=padding"`
the ranges of a convolution's padding hold, which the op declares.

Where a condition says whether a node is there at all, the arguments that it speaks of are left out:
`"when": "=squeeze > 0"` lets squeeze be 0, whatever is made of it behind that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from archspec import schema
from archspec.ops import OPS
from archspec.schema import Schema
from archspec.syntax import PASSED_TYPES, is_declaration

Template: TypeAlias = "Mapping[str, Any]"
Find: TypeAlias = "Callable[[str], tuple[Template, Find] | None]"
"""The template that a name means in some body, and what names mean in its own."""

DEEPEST = 8


class Place(NamedTuple):
    """Where an argument is passed to: an attribute of an op or a template, as an item of a list or
    alone, and whether that is there whatever the conditions are."""

    target: str
    attribute: str
    is_item: bool
    is_certain: bool


_NULL: Schema = {"type": "null"}
"""An argument that is null leaves what it is passed to as if it had not been written."""
COUNTS: Schema = {"repeat": schema.REPEATS, "parallel": schema.LANES}
"""What every node may have, with numbers of copies."""
_HIGHEST = ("minimum", "exclusiveMinimum", "minItems")
_LOWEST = ("maximum", "exclusiveMaximum", "maxItems")


def values_of(template: Template, argument: str, find: Find, depth: int = 0) -> Schema:
    """The literal values that an argument may have; {} where any may do."""
    written = template.get("args", {}).get(argument)
    own: Schema = {}
    if is_declaration(written):
        if written.get("type") in PASSED_TYPES:
            return {}
        own = {key: value for key, value in written.items() if key not in ("doc", "default")}
    passed: Schema = {}
    either: list[Schema] = []
    for place in _passes(template.get("body"), argument):
        asked = _asked_by(place, find, depth) if place.target else COUNTS[place.attribute]
        if place.is_certain:
            passed = _meet(passed, asked)
        else:
            either += [asked]
    if either and all(either):  # one of them may be there, and another not
        passed = _meet(passed, _any([option for asked in either for option in _options(asked)]))
    if not passed:
        return own
    return _meet(own, _any([*_options(passed), _NULL]))


def _asked_by(place: Place, find: Find, depth: int) -> Schema:
    """The literal values that an argument may have there; {} where that is not known."""
    if place.target in OPS:
        asked = schema.literal_properties(OPS[place.target]).get(place.attribute, {})
    else:
        inner = find(place.target) if depth < DEEPEST else None
        asked = {} if inner is None else values_of(inner[0], place.attribute, inner[1], depth + 1)
    items = [option["items"] for option in _options(asked) if "items" in option]
    return asked if not place.is_item else items[0] if items else {}


def _passes(node: Any, argument: str, is_certain: bool = True) -> Iterator[Place]:
    """Where an argument is passed to as it is."""
    if isinstance(node, list):
        for one in node:
            yield from _passes(one, argument, is_certain)
    if not isinstance(node, dict):
        return
    condition = node.get("when", True)
    if isinstance(condition, str) and argument in re.findall(schema.IDENTIFIER, condition):
        return
    is_certain = is_certain and condition is True
    for key in ("body", "residual", "shortcut", "choice"):
        yield from _passes(node.get(key), argument, is_certain and key != "choice")
    branches = node.get("branches")
    inner = [*branches.values()] if isinstance(branches, dict) else branches
    yield from _passes(inner, argument, is_certain)
    target, word = node.get("op"), f"={argument}"
    for key in COUNTS:
        if node.get(key) == word:
            yield Place("", key, False, is_certain)
    if not isinstance(target, str) or target == word:
        return
    for values in (node, node.get("first"), node.get("last")):
        for key, value in values.items() if isinstance(values, dict) else ():
            if value == word or (isinstance(value, list) and word in value):
                yield Place(target, key, value != word, is_certain)


def _meet(one: Schema, other: Schema) -> Schema:
    """What both allow; the first where that is nothing, for then it is not known what they are."""
    if not one or not other:
        return one or other
    pairs = [_meet_options(a, b) for a in _options(one) for b in _options(other)]
    return _any([option for option in pairs if option]) or one


def _any(options: Sequence[Schema]) -> Schema:
    different = [option for place, option in enumerate(options) if option not in options[:place]]
    return {"anyOf": different} if len(different) > 1 else different[0] if different else {}


def _options(fragment: Schema) -> list[Schema]:
    if isinstance(fragment.get("type"), list):
        return [{**fragment, "type": kind} for kind in fragment["type"]]
    return fragment.get("anyOf", [fragment])


def _meet_options(one: Schema, other: Schema) -> dict[str, Any]:
    kinds = {kind for kind in (_kind(one), _kind(other)) if kind}
    if kinds == {"integer", "number"}:
        kinds = {"integer"}
    if len(kinds) > 1:
        return {}
    met = {**one, **other}
    if kinds and "type" in met:
        met["type"] = kinds.pop()
    for keys, choose in ((_HIGHEST, max), (_LOWEST, min)):
        met |= {key: choose(one[key], other[key]) for key in keys if key in one and key in other}
    if "items" in one and "items" in other:
        met["items"] = _meet(one["items"], other["items"])
    if "enum" in one and "enum" in other and one["enum"] != other["enum"]:
        met["enum"] = [value for value in one["enum"] if value in other["enum"]]
        met.pop("enumDescriptions", None)
    return {} if met.get("enum") == [] or met.get("items") == {} else met


def _kind(option: Schema) -> str | None:
    """The type of an option's values, where that is known."""
    texts = "enum" in option and all(isinstance(value, str) for value in option["enum"])
    return option.get("type") or ("string" if texts else None)
