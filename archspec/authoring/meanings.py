"""What the word at a position is the name of: a node, a template, an argument, another text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from archspec.authoring.draft import Draft
from archspec.authoring.expression_words import scope_owner
from archspec.authoring.naming import Body, Found, Part, target_of
from archspec.authoring.roles import (
    ARG,
    ARGUMENT,
    BRANCHES,
    NODE,
    OP,
    ROW,
    SOURCE,
    VALUE,
    nodes_around,
    role_of,
)
from archspec.authoring.tree import Item
from archspec.functions import NODE_FUNCTIONS

_NODE_CALL = re.compile(rf"\b(?:{'|'.join(NODE_FUNCTIONS)})\(\s*'(?P<name>[^']*)'")
_TOKEN = re.compile(r"'[^']*'|(?<![\w.])(?P<name>[A-Za-z_]\w*)(?!\w)(?!\s*\()")
_BOUND = re.compile(r"\bfor\s+(\w+)\s+in\b")


@dataclass(frozen=True, eq=False)
class NodeName:
    """A node of a body, or a branch."""

    body: Body
    part: Part


@dataclass(frozen=True)
class TemplateName:
    name: str


@dataclass(frozen=True, eq=False)
class ArgName:
    """An argument of the document, or of the template called `target`."""

    target: str | None
    name: str


@dataclass(frozen=True)
class TextName:
    """A reference to another text."""

    reference: str
    is_import: bool


Meaning = NodeName | TemplateName | ArgName | TextName


class Word(NamedTuple):
    """A word of the text with what it means."""

    start: int
    end: int
    meaning: Meaning


def word_at(draft: Draft, offset: int) -> Word | None:
    """The word at an offset that is a name of something, or None."""
    item = draft.tree.innermost(offset)
    for child in item.items:
        if 0 <= child.key_start <= offset <= child.key_end:
            meaning = _meaning_of_key(draft, child)
            return None if meaning is None else Word(*key_inner(child), meaning)
    if item.kind != "string":
        return None
    if is_expression(item):
        words = words_in_expression(draft, item)
        return next((word for word in words if word.start <= offset <= word.end), None)
    meaning = _meaning_of_string(draft, item)
    return None if meaning is None else Word(*item.inner, meaning)


def key_inner(item: Item) -> tuple[int, int]:
    """A key without its quotes."""
    return item.key_start + 1, item.key_end - 1


def is_expression(item: Item) -> bool:
    """Whether a string is an expression, or has one in it as "levels[=lane]" has."""
    if item.kind != "string":
        return False
    return item.value.startswith("=") or (role_of(item) == SOURCE and "[=" in item.value)


def _meaning_of_key(draft: Draft, item: Item) -> Meaning | None:
    assert item.parent is not None
    role, name = role_of(item), str(item.key)
    if role == "template":
        return TemplateName(name)
    if role == ROW and role_of(item.parent) == "defaults":
        return TemplateName(name) if name in draft.known.templates else None
    if role_of(item.parent) == "args" and role in (ARG, VALUE):
        owner = item.parent.parent
        return ArgName(template_name(owner), name)
    if role == NODE and role_of(item.parent) == BRANCHES:
        body = draft.body_at(item)
        parts = () if body is None else body.parts
        part = next((p for p in parts if p.item is item and p.kind == "branch"), None)
        return None if body is None or part is None else NodeName(body, part)
    if role == ARGUMENT:
        target = call_target(item)
        callee = None if target is None else draft.known.templates.get(target)
        if callee is not None and name in callee.args:
            return ArgName(target, name)
    return TextName(str(item.value), True) if role == "reference" else None


def call_target(argument: Item) -> str | None:
    """The op or template that an argument is given to, in its node, a row of it, or `defaults`."""
    return None if argument.parent is None else row_target(argument.parent)


def row_target(row: Item) -> str | None:
    """The op or template that a row's arguments are given to; a node is its own first row."""
    if row.parent is not None and role_of(row.parent) == "defaults":
        return str(row.key)
    node = next(nodes_around(row), None)
    return None if node is None else target_of(node)


def template_name(owner: Item | None) -> str | None:
    """The template that an item is; None for the document."""
    return None if owner is None or owner.parent is None else str(owner.key)


def _meaning_of_string(draft: Draft, item: Item) -> Meaning | None:
    role = role_of(item)
    if role == "name":
        body = draft.body_at(item)
        part = None if body is None or item.parent is None else body.part_of(item.parent)
        return None if body is None or part is None else NodeName(body, part)
    if role == SOURCE:
        found = source_meaning(draft, item)
        return None if found is None else NodeName(found[0], found[1].part)
    if role == "reference":
        is_import = item.parent is not None and role_of(item.parent) == "imports"
        return TextName(item.value, is_import)
    if role in (OP, NODE, ARGUMENT, VALUE) and item.value in draft.known.templates:
        return TemplateName(item.value)
    return None


def source_meaning(draft: Draft, item: Item) -> tuple[Body, Found] | None:
    """The node that a name in `from` or `outputs` means."""
    return _find(draft, item, str(item.value))


def _find(draft: Draft, item: Item, name: str) -> tuple[Body, Found] | None:
    """What a name means that stands in a value."""
    body = draft.body_at(item)
    if body is None:
        owner = next((above.parent for above in item.ancestors() if above.key == "outputs"), None)
        body = next((each for each in draft.bodies if each.owner is owner), None)
        found = None if body is None else body.find(name, "")
    else:
        part = next(filter(None, map(body.part_of, nodes_around(item))), None)
        found = None if part is None else body.find(name, part.prefix, part.began)
    return None if body is None or found is None else (body, found)


def expressions_in(item: Item) -> Iterator[tuple[int, str]]:
    """The expressions of a string, each with where it starts in the text; none where the text has
    escapes, since offsets in it are others then."""
    start, end = item.inner
    if end - start != len(item.value):
        return
    if item.value.startswith("="):
        yield start + 1, item.value[1:]
    else:
        for match in re.finditer(r"\[=([^\]]*)\]", item.value):
            yield start + match.start(1), match[1]


def names_in_expression(item: Item) -> Iterator[tuple[int, int, str]]:
    """Where each name of an expression stands, but those that it binds itself."""
    for start, text in expressions_in(item):
        own = set(_BOUND.findall(text))
        for token in _TOKEN.finditer(text):
            name = token["name"]
            if name and name not in own:
                yield start + token.start(), start + token.end(), name


def nodes_in_expression(item: Item) -> Iterator[tuple[int, int, str]]:
    """Where each name of a node stands in an expression."""
    for start, text in expressions_in(item):
        for call in _NODE_CALL.finditer(text):
            yield start + call.start("name"), start + call.end("name"), call["name"]


def words_in_expression(draft: Draft, item: Item) -> Iterator[Word]:
    """The words of an expression that mean something: arguments and nodes."""
    owner = scope_owner(item)
    args = None if owner is None else owner.get("args")
    for start, end, name in names_in_expression(item):
        if args is not None and args.get(name) is not None:
            yield Word(start, end, ArgName(template_name(owner), name))
    for start, end, name in nodes_in_expression(item):
        found = _find(draft, item, name)
        if found is not None:
            yield Word(start, end, NodeName(found[0], found[1].part))
    if role_of(item) == SOURCE and not item.value.startswith("="):
        found = source_meaning(draft, item)
        if found is not None:
            yield Word(*item.inner, NodeName(found[0], found[1].part))


def uses_of_nodes(draft: Draft) -> Iterator[tuple[int, Body, Found]]:
    """Every name of a node in `from`, in `outputs` and in expressions, with where it starts."""
    for item in draft.tree.walk():
        if item.kind != "string":
            continue
        if role_of(item) == SOURCE and not item.value.startswith("="):
            found = source_meaning(draft, item)
            if found is not None:
                yield item.inner[0], *found
        if is_expression(item):
            for start, _, name in nodes_in_expression(item):
                found = _find(draft, item, name)
                if found is not None:
                    yield start, *found
