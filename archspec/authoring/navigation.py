"""From a name to where it is defined and used, and another name in its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from archspec.authoring.draft import Draft
from archspec.authoring.expression_words import scope_owner
from archspec.authoring.linking import place_at, place_of_text
from archspec.authoring.meanings import (
    ArgName,
    Meaning,
    NodeName,
    TemplateName,
    call_target,
    is_expression,
    key_inner,
    names_in_expression,
    template_name,
    uses_of_nodes,
    word_at,
)
from archspec.authoring.naming import Found, Part
from archspec.authoring.roles import ARGUMENT, NODE, OP, ROW, VALUE, role_of
from archspec.authoring.tree import Item
from archspec.authoring.values import Edit, Place, apply_edits
from archspec.document import At
from archspec.errors import SpecError
from archspec.json_values import shown
from archspec.names import INPUT_NAMES
from archspec.schema import IDENTIFIER, NODE_NAME, RESERVED_NAMES
from archspec.verdict import judge_text

Span = tuple[int, int]


def find_definition(draft: Draft, offset: int) -> Place | None:
    """Where the name at an offset is given, in this text or in one that it refers to."""
    word = word_at(draft, offset)
    return None if word is None else _definition(draft, word.meaning)


def find_references(draft: Draft, offset: int) -> tuple[Place, ...]:
    """Each place in this text that has the name at an offset, where it is given among them."""
    word = word_at(draft, offset)
    if word is None:
        return ()
    return tuple(Place(draft.name, *span) for span in _spans(draft, word.meaning))


def find_name(draft: Draft, offset: int) -> Place | None:
    """The name at an offset that rename() gives another, or None where there is none."""
    word = word_at(draft, offset)
    if word is None or not _is_own(draft, word.meaning):
        return None
    spans = _spans(draft, word.meaning)
    span = next(((s, e) for s, e in spans if s <= offset <= e), None)
    return None if span is None else Place(draft.name, *span)


def rename(draft: Draft, offset: int, new: str) -> tuple[Edit, ...]:
    """The edits that give what is named at an offset another name wherever this text has it. Raises
    SpecError where there is nothing to rename, the name cannot be one, or another network would
    come of it."""
    word = word_at(draft, offset)
    if word is None or not _is_own(draft, word.meaning):
        raise SpecError("nothing is here that can be renamed; use the name of a node, a template or"
                        " an argument of this text")  # fmt: skip
    _check_name(draft, word.meaning, new)
    written = json.dumps(new, ensure_ascii=False)[1:-1]
    edits = tuple(Edit(*span, written) for span in _spans(draft, word.meaning))
    _check_network(draft, apply_edits(draft.text, edits), new)
    return edits


def _definition(draft: Draft, meaning: Meaning) -> Place | None:
    if isinstance(meaning, NodeName):
        part = meaning.part
        return Place(draft.name, *(part.name or part.item.span))
    if isinstance(meaning, TemplateName):
        return _template_place(draft, meaning.name, ())
    if isinstance(meaning, ArgName):
        if meaning.target is not None:
            return _template_place(draft, meaning.target, ("args", meaning.name))
        item = draft.tree.get("args", meaning.name)
        return None if item is None else Place(draft.name, *key_inner(item))
    return place_of_text(draft, meaning.reference, meaning.is_import)


def _template_place(draft: Draft, name: str, inside: tuple[str, ...]) -> Place | None:
    """Where a template is written, or what is inside it."""
    callee = draft.known.templates.get(name)
    if callee is None:
        return None
    if callee.at is not None:
        at = At(callee.at.document, (*callee.at.pointer, *inside))
        return place_at(draft, at)
    item = draft.tree.get("templates", name, *inside)
    return None if item is None else Place(draft.name, *key_inner(item))


def _is_own(draft: Draft, meaning: Meaning) -> bool:
    """Whether what is named is given its name in this text."""
    if isinstance(meaning, NodeName):
        return meaning.part.name is not None
    if isinstance(meaning, TemplateName):
        return draft.tree.get("templates", meaning.name) is not None
    if isinstance(meaning, ArgName):
        owner = () if meaning.target is None else ("templates", meaning.target)
        return draft.tree.get(*owner, "args", meaning.name) is not None
    return False


def _spans(draft: Draft, meaning: Meaning) -> list[Span]:
    """Each place that has a name, in the order of the text."""
    if isinstance(meaning, NodeName):
        spans = _node_spans(draft, meaning)
    elif isinstance(meaning, TemplateName):
        spans = _template_spans(draft, meaning.name)
    elif isinstance(meaning, ArgName):
        spans = _arg_spans(draft, meaning)
    else:
        spans = iter(())
    return sorted(set(spans))


def _node_spans(draft: Draft, meaning: NodeName) -> Iterator[Span]:
    part = meaning.part
    if part.name is not None:
        yield part.name
    for start, body, found in uses_of_nodes(draft):
        if body is meaning.body:
            span = _span_in_use(part, found)
            if span is not None:
                yield start + span[0], start + span[1]


def _span_in_use(part: Part, found: Found) -> Span | None:
    """Where in a written name a part's own name stands, of it or of what is inside it."""
    own = part.path[len(part.prefix) :]
    outer = re.sub(r"\d+(?=\.)", r"\\d+", re.escape(part.prefix).replace(r"\.", "."))
    copy = r"\d*" if part.copies is not None else ""
    pattern = re.compile(rf"{outer}(?P<name>{re.escape(own)}){copy}(?:\.|\Z)")
    met = pattern.match(found.path)
    if met is None or met.start("name") < found.hidden:
        return None
    is_itself = found.part is part
    is_inside = not is_itself and found.part.path.startswith(part.path)
    return (
        (met.start("name") - found.hidden, met.end("name") - found.hidden)
        if is_itself or is_inside
        else None
    )


def _template_spans(draft: Draft, name: str) -> Iterator[Span]:
    for item in draft.tree.walk():
        role = role_of(item)
        is_key = item.key == name and item.key_start >= 0 and item.parent is not None
        if is_key and (role == "template" or (role == ROW and _is_default(item))):
            yield key_inner(item)
        if item.kind == "string" and item.value == name and role in (OP, NODE, ARGUMENT, VALUE):
            yield item.inner


def _is_default(row: Item) -> bool:
    return row.parent is not None and role_of(row.parent) == "defaults"


def _arg_spans(draft: Draft, meaning: ArgName) -> Iterator[Span]:
    target, name = meaning.target, meaning.name
    owner = () if target is None else ("templates", target)
    declared = draft.tree.get(*owner, "args", name)
    if declared is not None:
        yield key_inner(declared)
    for item in draft.tree.walk():
        if is_expression(item) and template_name(scope_owner(item)) == target:
            yield from ((s, e) for s, e, word in names_in_expression(item) if word == name)
        is_key = item.key == name and item.key_start >= 0
        is_given = is_key and target is not None and role_of(item) == ARGUMENT
        if is_given and call_target(item) == target:
            yield key_inner(item)


def _check_name(draft: Draft, meaning: Meaning, new: str) -> None:
    """Raises SpecError where what is renamed cannot be called so."""
    if isinstance(meaning, NodeName):
        pattern, form = NODE_NAME, "letters, digits and _, with dots between its parts"
        part = meaning.part
        others = {path for path, other in meaning.body.names.items() if other is not part} | set(
            meaning.body.inputs
        )
        is_taken = part.prefix + new in others
    elif isinstance(meaning, TemplateName):
        pattern, form = "^[A-Z][A-Za-z0-9_]*$", "letters, digits and _ that start with a capital"
        is_taken = new in draft.known.templates
    else:
        assert isinstance(meaning, ArgName)
        pattern, form = f"^{IDENTIFIER}$", "letters, digits and _, and no word of the language"
        owner = () if meaning.target is None else ("templates", meaning.target)
        is_taken = draft.tree.get(*owner, "args", new) is not None or new in INPUT_NAMES
        if new in RESERVED_NAMES:
            pattern = "$."
    if re.fullmatch(pattern.strip("^$"), new) is None or len(new) > 200:
        raise SpecError(f"{shown(new)} cannot be a name here; it must be {form}")
    if is_taken:
        raise SpecError(f"the name {shown(new)} is taken already here; use another name")


def _check_network(draft: Draft, text: str, new: str) -> None:
    """Raises SpecError where a text that was right is not any more, or is another network."""
    if not draft.verdict.is_ok:
        return
    after = judge_text(text, name=draft.name, project=draft.project)
    graph = draft.graph
    is_same = graph is None or (
        after.graph is not None and after.graph.fingerprint == graph.fingerprint
    )
    if not after.is_ok or not is_same:
        why = f" ({after.problems[0].message})" if after.problems else ""
        raise SpecError(
            f"the name {shown(new)} would make another network of this text{why}; use another name"
        )
