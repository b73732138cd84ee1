"""What may be written at a position: words with their docs, and what each puts into the text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from archspec import grammar
from archspec.authoring.draft import Draft
from archspec.authoring.expression_words import complete_expression, scope_names
from archspec.authoring.hovering import argument_owner
from archspec.authoring.linking import texts_beside
from archspec.authoring.meanings import row_target
from archspec.authoring.naming import names_within, target_of
from archspec.authoring.roles import (
    ARG,
    ARGUMENT,
    NODE,
    OP,
    ROW,
    SOURCE,
    VALUE,
    fragment_of,
    kind_of,
    nodes_around,
    options_of,
    role_of,
)
from archspec.authoring.spot import Spot, find_spot
from archspec.authoring.values import Completion
from archspec.editor.words import snippets_of
from archspec.grammar import Schema
from archspec.schema import (
    COPY_PROPERTIES,
    JOIN,
    KIND_PROPERTIES,
    MODIFIER_PROPERTIES,
)
from archspec.shapes import written as shown_shape
from archspec.sources import shipped_libraries, shipped_names
from archspec.syntax import JOINS

Words = Iterator[Completion]


def complete(draft: Draft, offset: int) -> tuple[Completion, ...]:
    """What may stand at an offset, the likeliest first. An editor is left to choose among them by
    what is typed already."""
    spot = find_spot(draft, offset)
    if spot is None:
        return ()
    words = _keys(draft, spot) if spot.is_key else _values(draft, spot)
    found: dict[tuple[str, str], Completion] = {}
    for word in words:
        found.setdefault((word.label, word.insert), word)
    return tuple(found.values())


def _keys(draft: Draft, spot: Spot) -> Words:
    """Keys that an object may have and does not have yet."""
    holder = spot.holder
    role = role_of(holder)
    written = {item.key for item in holder.items if item is not spot.item}
    if role == NODE:
        yield from _node_keys(draft, spot, written)
    elif role == ROW:
        yield from _argument_keys(draft, spot, written, row_target(holder))
    elif role == "defaults":
        for name, doc in draft.known.calls.items():
            if name not in written:
                yield spot.key(name, "op" if name[:1].islower() else "template", "", doc, "{$1}")
    elif role == "args" and draft.known.base is not None:
        for name, arg in draft.known.base_args.items():
            doc = arg.get("doc", "") if isinstance(arg, dict) else ""
            if name not in written:
                yield spot.key(name, "argument", "", str(doc), "$1")
    elif role in (ARGUMENT, VALUE):
        if not holder.items or holder.get("choice") is not None:
            yield from _fragment_keys(spot, {"choice": {}, "name": {}, "share": {}}, written)
    else:
        fragment = fragment_of(holder)
        properties: dict[str, Any] = {}
        for part in options_of(fragment):
            properties |= part.get("properties", {})
        needed = fragment.get("required", ())
        yield from _fragment_keys(spot, properties, written, needed)


def _node_keys(draft: Draft, spot: Spot, written: set[str | int]) -> Words:
    holder = spot.holder
    kind = kind_of(holder)
    others = {key for key in written if isinstance(key, str)}
    if kind == "op":
        yield from _argument_keys(draft, spot, written, target_of(holder))
        beside = {**MODIFIER_PROPERTIES, **COPY_PROPERTIES}
    elif kind:
        beside = {**KIND_PROPERTIES[kind], **MODIFIER_PROPERTIES, **COPY_PROPERTIES}
    else:
        kinds = {key: KIND_PROPERTIES[key][key] for key in KIND_PROPERTIES}
        yield spot.key("op", "key", "", "an op or a template to call", '"$1"')
        yield from _fragment_keys(spot, kinds, written)
        beside = MODIFIER_PROPERTIES
    allowed = {
        key: fragment
        for key, fragment in beside.items()
        if all(rule.admits(key, others) for rule in grammar.COPY_RULES)
    }
    yield from _fragment_keys(spot, allowed, written)


def _argument_keys(draft: Draft, spot: Spot, written: set[str | int], target: str | None) -> Words:
    needed = draft.known.needs(target) if target is not None else ()
    arguments = draft.known.arguments(target)
    for name in sorted(arguments, key=lambda name: name not in needed):
        if name not in written:
            fragment = arguments[name]
            detail = "required" if name in needed else ""
            value = _starting_value(draft, name, fragment)
            yield spot.key(name, "argument", detail, fragment.get("description", ""), value)


def _starting_value(draft: Draft, name: str, fragment: Schema) -> str:
    words = [word for part in options_of(fragment) for word in part.get("enum", ())]
    if words:
        return '"$1"' if all(isinstance(word, str) for word in words) else "$1"
    if any(part.get("type") == "boolean" for part in options_of(fragment)):
        return "${1:true}"
    example = draft.known.example(name)
    return f"${{1:{example}}}" if isinstance(example, (int, float, str)) else "$1"


def _fragment_keys(
    spot: Spot,
    properties: Mapping[str, Any],
    written: set[str | int],
    needed: Any = (),
) -> Words:
    for name in sorted(properties, key=lambda name: name not in needed):
        if name not in written:
            doc = properties[name].get("description", "")
            detail = "required" if name in needed else ""
            yield spot.key(name, "key", detail, doc, _empty_value(properties[name]))


def _empty_value(fragment: Schema) -> str:
    """What a value of this kind begins with."""
    for part in options_of(fragment):
        if "const" in part:
            return json.dumps(part["const"])
        if "$ref" in part:
            return "[$1]" if "node" in part["$ref"] else "$1"
        if isinstance(part.get("type"), str) and part["type"] in _EMPTY:
            return _EMPTY[part["type"]]
        if "enum" in part:
            return '"$1"'
    return "$1"


_EMPTY = {"object": "{$1}", "array": "[$1]", "string": '"$1"', "integer": "$1", "number": "$1"}


def _values(draft: Draft, spot: Spot) -> Words:
    """What may be the value at the spot."""
    if spot.is_expression:
        yield from complete_expression(draft, spot)
        return
    role = spot.role
    if role == OP:
        for name, doc in draft.known.calls.items():
            kind = "op" if name[:1].islower() else "template"
            yield spot.string(name, kind, doc)
    elif role == NODE:
        yield from _nodes(draft, spot)
    elif role == SOURCE:
        yield from _sources(draft, spot)
    elif role == "reference":
        yield from _references(draft, spot)
    elif role in (ARGUMENT, VALUE, "modifier", ARG, ROW):
        yield from _argument_values(draft, spot)
    elif role != "name":
        yield from _fragment_values(spot, fragment_of(spot.place))


def _nodes(draft: Draft, spot: Spot) -> Words:
    """Words that are nodes, and nodes to fill in."""
    if not spot.is_in_string:
        callees = draft.known.templates.items()
        written = {name: {"doc": callee.doc, "args": callee.args} for name, callee in callees}
        for snippet in snippets_of(written)["defaultSnippets"]:
            body = snippet["body"]
            name = body if isinstance(body, str) else body.get("op", "")
            kind = "op" if name[:1].islower() else "template" if name else "snippet"
            yield spot.snippet(snippet["label"].strip('"'), kind, snippet["description"], body)
        return
    for name, doc in draft.known.words.items():
        kind = "template" if name in draft.known.templates else "op"
        kind = "function" if name not in draft.known.calls else kind
        if not draft.known.needs(name):
            yield spot.string(name, kind, doc)


def _sources(draft: Draft, spot: Spot) -> Words:
    """Names of earlier results, the nearest first."""
    body = draft.body_at(spot.place)
    if body is None:
        outputs_of = spot.place
        while outputs_of.parent is not None and outputs_of.key != "outputs":
            outputs_of = outputs_of.parent
        owner = outputs_of.parent
        body = next((b for b in draft.bodies if owner is not None and b.owner is owner), None)
        if body is None:
            return
        part, prefix = None, ""
    else:
        node = next(nodes_around(spot.place), None)
        part = None if node is None else body.part_of(node)
        prefix = part.prefix if part is not None else ""
    for name, other in names_within(body, part, prefix):
        shapes = list(draft.shapes.get(other.item.pointer, ()))
        detail = " or ".join(", ".join(map(shown_shape, each)) for each in shapes[:3])
        yield spot.string(name, "node", other.kind, detail)
    for name in body.inputs if part is not None else ():
        yield spot.string(name, "node", "the input of the template or the network")


def _references(draft: Draft, spot: Spot) -> Words:
    """Texts of the project and shipped specs."""
    is_import = spot.place.parent is not None and role_of(spot.place.parent) == "imports"
    for name in texts_beside(draft):
        yield spot.string(name, "file", "a text of this project")
    for name in shipped_libraries() if is_import else shipped_names():
        yield spot.string(name, "file", "comes with archspec")


def _argument_values(draft: Draft, spot: Spot) -> Words:
    """Values that an argument may have: words listed for it, names to pass on, expressions."""
    owner, name = _argument_of(draft, spot)
    if name == "join" and spot.role == "modifier":
        docs = dict(_described_words(JOIN))
        for word in JOINS:
            yield spot.string(word, "value", docs.get(word, ""))
        return
    fragment: Schema = {}
    if owner is not None:
        fragment = draft.known.arguments(owner).get(name, {})
        yield from _passed_names(draft, spot, owner, name)
    elif spot.role in (VALUE, "modifier") or role_of(spot.place) == "modifier":
        fragment = fragment_of(spot.place)
    yield from _fragment_values(spot, fragment)
    if not spot.is_in_string:
        for word, _ in scope_names(draft, spot.place):
            yield spot.string(f"={word}", "name", "an expression")


def _argument_of(draft: Draft, spot: Spot) -> tuple[str | None, str]:
    """The op or template that takes the value at the spot, and the name of the argument."""
    item = spot.place
    while item.parent is not None:
        role = role_of(item)
        if role == ARGUMENT and role_of(item.parent) == ROW:
            return row_target(item.parent), str(item.key)
        if role in (ARGUMENT, "modifier"):
            owner = argument_owner(item)
            return (None if owner is None else target_of(owner)), str(item.key)
        if role not in (VALUE,):
            break
        item = item.parent
    return None, str(spot.place.key)


def _passed_names(draft: Draft, spot: Spot, target: str, name: str) -> Words:
    """Ops or templates, where an argument is the name of one."""
    callee = draft.known.templates.get(target)
    arg = None if callee is None else callee.args.get(name)
    passes = arg.get("type") if isinstance(arg, dict) else None
    if passes in ("op", "template"):
        for word, doc in draft.known.calls.items():
            if word[:1].islower() == (passes == "op"):
                yield spot.string(word, str(passes), doc)


def _fragment_values(spot: Spot, fragment: Schema) -> Words:
    """Values that a schema lists."""
    for part in options_of(fragment):
        if "const" in part:
            yield spot.value(part["const"], part.get("description", ""))
        if part.get("type") == "boolean":
            yield spot.value(True, "")
            yield spot.value(False, "")
        for word, doc in _described_words(part):
            yield spot.value(word, doc)


def _described_words(fragment: Schema) -> Iterator[tuple[Any, str]]:
    for part in options_of(fragment):
        words = part.get("enum", ())
        docs = part.get("enumDescriptions", ())
        for place, word in enumerate(words):
            yield word, docs[place] if place < len(docs) else ""
