"""Checking a document against the schema, one object at a time.

This module walks the document, picks the piece of schema that the object's kind key calls for, and
lets jsonschema judge it. So an error never blames a kind that was not meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from archspec import grammar, schema
from archspec.document import At, Document
from archspec.errors import Problem, did_you_mean, first_problems, listed, use
from archspec.faults import (
    MAX_UNKNOWN,
    find_faults,
    first_faults,
    suggest_attribute,
    suggest_call,
)
from archspec.json_values import shown
from archspec.judging import matches
from archspec.ops import FUNCTIONS, OPS
from archspec.shallow import shallow_choice, shallow_document, shallow_node, shallow_op, shallow_row
from archspec.syntax import KINDS, MODIFIERS, is_declaration, is_op

MAX_OPTIONS = 100_000


def check_document(document: Document) -> list[Problem]:
    """Everything that is wrong with the form of a spec, an extension or a template library."""
    at = At(document)
    data = document.data
    if not isinstance(data, dict):
        return [at.problem(f"a spec must be an object, not {shown(data)}")]
    kind = next((kind for kind, key in grammar.DOCUMENT_KEYS.items() if key in data), None)
    if kind is None:
        keys = tuple(grammar.DOCUMENT_KEYS.values())
        hints = (did_you_mean(key, keys) for key in islice(data, MAX_UNKNOWN))
        hint = next(filter(None, hints), "; `archspec new NAME` writes one to start from")
        return [at.problem(f"{grammar.ONE_DOCUMENT}, and this has none of them{hint}")]
    too_many = _check_options(at, data)
    return [too_many] if too_many else first_problems(_check_whole(kind, at, data))


def _check_options(at: At, data: Mapping[str, Any]) -> Problem | None:
    """A document's choices hold no more options than a network may have nodes: each of them is
    checked, which takes time and memory."""
    if '"choice"' not in at.document.text:
        return None
    count = 0
    waiting: list[tuple[At, Any]] = [(at, data)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            options = value.get("choice")
            count += len(options) if isinstance(options, list) else 0
            if count > MAX_OPTIONS:
                return (place / "choice").problem(
                    f"the choices of this file have more than {MAX_OPTIONS:,} options; use fewer"
                )
            waiting += [(place / key, each) for key, each in value.items() if _holds(each)]
        elif isinstance(value, list):
            waiting += [(place / key, each) for key, each in enumerate(value) if _holds(each)]
    return None


def _holds(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _check_whole(kind: str, at: At, data: dict[str, Any]) -> Iterator[Problem]:
    article = "an" if kind == "extension" else "a"
    yield from find_faults(shallow_document(kind), at, data, f"{article} {kind}")
    if isinstance(data.get("templates"), dict):
        for name, template in data["templates"].items():
            if isinstance(template, dict) and "body" in template:
                yield from _check_node(template["body"], at / "templates" / name / "body")
    if kind == "spec":
        yield from _check_node(data["body"], at / "body")
    yield from _check_values_of_document(at, data)


def _check_values_of_document(at: At, data: Mapping[str, Any]) -> Iterator[Problem]:
    """The choices in args and defaults, which no node holds."""
    yield from _check_choices(data.get("defaults"), at / "defaults")
    owners = [(at, data)]
    if isinstance(data.get("templates"), dict):
        owners += [(at / "templates" / name, each) for name, each in data["templates"].items()]
    for place, owner in owners:
        args = owner.get("args") if isinstance(owner, dict) else None
        if isinstance(args, dict):
            for name, written in args.items():
                if is_declaration(written) and "extends" not in data:
                    default = written.get("default")
                    yield from _check_choices(default, place / "args" / name / "default")
                else:
                    yield from _check_choices(written, place / "args" / name)


def _check_choices(value: Any, at: At) -> Iterator[Problem]:
    """What is wrong with the choices in a value of which the schema says nothing else."""
    if isinstance(value, dict) and "choice" in value:
        wrong = first_faults(find_faults(shallow_choice(), at, value, "a choice"))
        yield from wrong
        if not wrong:
            yield from _check_choices(value["choice"], at / "choice")
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _check_choices(item, at / key)


def check_node(node: Any, at: At) -> list[Problem]:
    """Everything that is wrong with the form of one node."""
    return first_problems(_check_node(node, at))


def _check_node(node: Any, at: At) -> Iterator[Problem]:
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _check_node(child, at / index)
    elif isinstance(node, str):
        if not node.startswith("="):
            yield from _check_word(node, at, grammar.WORDS)
    elif not isinstance(node, dict):
        yield at.problem(f"{grammar.NODE_FORMS}, not {shown(node)}")
    else:
        yield from _check_node_object(node, at)


def _check_node_object(node: Mapping[str, Any], at: At) -> Iterator[Problem]:
    kinds = [kind for kind in KINDS if kind in node]
    if len(kinds) != 1:
        met = "none" if not kinds else listed(kinds, "and")
        other = next((key for key in node if key not in MODIFIERS), "")
        hint = "" if kinds else suggest_attribute(other, KINDS) or did_you_mean(other, KINDS)
        yield at.problem(f"{grammar.ONE_KIND}, and this has {met}{hint}")
        return
    kind = kinds[0]
    for rule in grammar.COPY_RULES:
        for key in rule.broken_by(node):
            yield (at / key).problem(rule.sentence)
    if kind in grammar.KIND_RULES and grammar.KIND_RULES[kind].broken_by(node):
        yield at.problem(grammar.KIND_RULES[kind].sentence)
    if kind == "op":
        yield from _check_call(node, at)
        return
    wrong = first_faults(find_faults(shallow_node(kind), at, node, f"a {kind} node"))
    yield from wrong
    if not wrong:
        for key in ("when", "repeat", "join"):
            yield from _check_choices(node.get(key), at / key)
    yield from _check_children(node, kind, at)


def _check_children(node: Mapping[str, Any], kind: str, at: At) -> Iterator[Problem]:
    inner = node[kind]
    if kind == "branches":
        pairs: Iterable[tuple[str | int, Any]] = ()
        if isinstance(inner, dict):
            pairs = inner.items()
        elif isinstance(inner, list):
            pairs = enumerate(inner)
        for key, child in pairs:
            yield from _check_node(child, at / kind / key)
        return
    yield from _check_node(inner, at / kind)
    if "shortcut" in node:
        yield from _check_node(node["shortcut"], at / "shortcut")


def _check_call(node: Mapping[str, Any], at: At) -> Iterator[Problem]:
    word = node["op"]
    wrong: list[Problem] = []
    is_computed = isinstance(word, str) and word.startswith("=")
    if isinstance(word, dict) and "choice" in word:
        is_computed, word = True, "the chosen op"
        wrong += _check_choices(node["op"], at / "op")
    if not isinstance(word, str):
        yield (at / "op").problem(f"op must be the name of an op or a template, not {shown(word)}")
        return
    if not is_computed:
        wrong += _check_word(word, at / "op", OPS)
    if wrong or is_computed or not is_op(word):
        wrong += first_faults(find_faults(shallow_node("Template"), at, node, f"a call of {word}"))
    else:
        wrong += first_faults(_check_op(node, word, at))
    yield from wrong
    if not wrong:
        for key, value in node.items():
            if isinstance(value, (dict, list)) and key != "from":
                yield from _check_choices(value, at / key)


def _check_op(node: Mapping[str, Any], word: str, at: At) -> Iterator[Problem]:
    yield from find_faults(shallow_op(word), at, node, word)
    rows: list[tuple[At, Any]] = [(at / key, node[key]) for key in ("first", "last") if key in node]
    if isinstance(node.get("each"), list):
        rows += [(at / "each" / index, row) for index, row in enumerate(node["each"])]
    for place, row in rows:
        if isinstance(row, dict):
            yield from find_faults(shallow_row(word), place, row, word)


def _check_word(word: str, at: At, known: Mapping[str, Any]) -> Iterator[Problem]:
    if word in known:
        return
    if word in FUNCTIONS:
        yield at.problem(
            f"{shown(word)} is not an op but a function of one; use"
            f' {{"op": "act", "function": "{word}"}}'
        )
    elif not word or is_op(word):
        yield at.problem(
            f"{shown(word)} is not an op"
            f"{suggest_call(word, known) or use(listed(list(OPS), most=30))}"
        )
    elif not matches(schema.TEMPLATE_NAME, word):
        yield at.problem(
            f"{shown(word)} is not the name of an op or a template{suggest_call(word, known)}"
        )
