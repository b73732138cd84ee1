"""Parts of a text that have no effect, whatever the values of its args."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from archspec import syntax
from archspec.document import At
from archspec.errors import Problem, SpecError
from archspec.expressions import ExpressionError
from archspec.json_values import freeze, shown
from archspec.library import Library
from archspec.shapes import Shape
from archspec.syntax import (
    NOTHING,
    Arguments,
    Branches,
    Call,
    Choice,
    Copies,
    Decision,
    Group,
    Modifiers,
    Parameter,
    Residual,
    Template,
    Value,
    sources_of,
    values,
    walk,
)
from archspec.syntax import Node as Written


def find_in_templates(library: Library, bodies: list[Written]) -> Iterator[Problem]:
    """Nodes of these bodies and of a file's templates, their arguments and streams; imports."""
    bodies = [*bodies]
    for name in library.own_names:
        definition = library.own(name)
        assert definition is not None
        template = definition.template
        bodies.append(template.body)
        yield from find_unread(template.parameters, template.body, name)
        yield from _unread_inputs(template)
    namespaces: set[str] = set()
    for body in bodies:
        for node in walk(body):
            if not isinstance(node, syntax.Sequence):
                yield from _in_node(node)
            if isinstance(node, Call):
                namespaces.add(node.target.rpartition(".")[0])
            for value in values(node):
                namespaces |= set(re.findall(r"\b(\w+)\.[A-Z]", json.dumps(value.raw)))
    for namespace in library.imports:
        if namespace not in namespaces:
            yield (At(library.document) / "import" / namespace).problem(
                f"nothing calls a template of the import {namespace}; call one or remove it"
            )


def find_unread(
    parameters: Mapping[str, Parameter], body: Written, owner: str, more: Iterable[Value] = ()
) -> Iterator[Problem]:
    read = {name for value in more for name in value.names}
    for node in walk(body):
        for value in values(node):
            read |= value.names
    # A default reads arguments before it, which counts where it is itself read.
    for parameter in reversed(list(parameters.values())):
        if parameter.name in read and parameter.default is not None:
            read |= parameter.default.names
    for name, parameter in parameters.items():
        if parameter.default is not None:
            yield from find_in_value(parameter.default)
        if name not in read:
            yield parameter.at.problem(
                f'nothing in {owner} reads its argument {name}; use "={name}" or remove it'
            )


def _unread_inputs(template: Template) -> Iterator[Problem]:
    """Of several streams those that no node takes; a single one flows into the body's first."""
    if len(template.inputs) < 2:
        return
    taken = _named_by(itertools.chain.from_iterable(template.outputs.values()))
    for node in walk(template.body):
        taken |= _named_by(sources_of(node))
        for value in values(node):
            text = json.dumps(value.raw)
            taken |= {name for name in template.inputs if f"'{name}'" in text}
    for place, name in enumerate(template.inputs):
        if name not in taken:
            yield (template.at / "inputs" / place).problem(
                f'no node of {template.name} takes its input {name}; take it by a "from" or'
                " remove it"
            )


def _named_by(sources: Iterable[Value]) -> set[str]:
    """The names that a `from`, or an output, may lead to."""
    names: set[str] = set()
    for value in sources:
        options = value.raw["choice"] if isinstance(value.raw, dict) else [value.raw]
        if isinstance(options, list):
            names |= {each.partition("[")[0] for each in options if isinstance(each, str)}
    return names


def _in_node(node: Call | Group | Residual | Branches | Choice) -> Iterator[Problem]:
    for value in values(node):
        yield from find_in_value(value)
    when = None if node.when is None else _fixed_value(node.when)
    if node.when is not None and isinstance(when, bool):
        effect = "as without it" if when else "so the node is never there"
        yield node.when.at.problem(f"when is always {shown(when)}, {effect}; remove it")
    if node.copies is not None:
        yield from _in_copies(node, node.copies)
    if isinstance(node, Branches) and len(node.branches) == 1 and not _is_nothing(node.join):
        yield node.join.at.problem("one branch has nothing to join; use a body in its place")
    if isinstance(node, Residual) and node.shortcut is not None and _is_nothing(node.join):
        yield node.shortcut.at.problem(
            f"the join {NOTHING!r} leaves the shortcut out; use another join or remove it"
        )
    if isinstance(node, Choice):
        yield from _in_choice(node.at, list(node.decision.options))


def _is_nothing(join: Value) -> bool:
    return _fixed_value(join) == NOTHING


class _NoScope:
    """For values that depend on nothing."""

    names: Mapping[str, Any] = {}

    def shapes_of(self, name: str) -> Shape:
        raise ExpressionError(f"the shape of {name} is not known here")

    def decide(self, decision: Decision) -> int:
        raise ExpressionError(f"{decision.key} is not decided here")


def _fixed_value(value: Value) -> Any:
    """The value that stands there whatever the arguments, or None."""
    if value.is_constant:
        return value.raw
    if value.names or value.has_choice:
        return None
    try:
        return value.evaluate(_NoScope())
    except (SpecError, ExpressionError):
        return None


def _in_copies(node: Modifiers, copies: Copies) -> Iterator[Problem]:
    """Values that another replaces in every copy, where the number of copies is written; and a join
    of one lane."""
    lanes = len(copies.rows or ()) if copies.repeat is None else _fixed_value(copies.repeat)
    if copies.join is not None and not _is_nothing(copies.join) and lanes == 1:
        yield copies.join.at.problem("one lane has nothing to join; leave the join out")
    written = node.arguments if isinstance(node, Call) else {}
    if copies.rows is not None:
        rows: Sequence[Arguments] = copies.rows
        place = copies.at / "each"
    elif copies.repeat is not None and type(count := _fixed_value(copies.repeat)) is int:
        rows = [{}] * min(count, 3)  # of more than three the middle ones are alike
        place = copies.at / "repeat"
    else:
        return
    if not rows:
        yield place.problem("there are no copies, so the node is never there; remove it")
        return
    last = len(rows) - 1
    used: set[int] = set()
    for index, row in enumerate(rows):
        arguments = {**written, **row}
        if index == 0:
            arguments |= copies.first
        if index == last:
            arguments |= copies.last
        used |= set(map(id, arguments.values()))
    for arguments in [written, *rows, copies.first, copies.last]:
        for name, value in arguments.items():
            if id(value) not in used:
                yield value.at.problem(
                    f"every copy that this {name} is for is given another; remove it"
                )


def find_in_value(value: Value) -> Iterator[Problem]:
    if value.has_choice:
        yield from _choices_in(value.raw, value.at)


def _choices_in(raw: Any, at: At) -> Iterator[Problem]:
    if isinstance(raw, dict) and isinstance(raw.get("choice"), list):
        yield from _in_choice(at, raw["choice"])
        raw, at = raw["choice"], at / "choice"
    if isinstance(raw, (dict, list)):
        for key, item in raw.items() if isinstance(raw, dict) else enumerate(raw):
            yield from _choices_in(item, at / key)


def _in_choice(at: At, options: list[Any]) -> Iterator[Problem]:
    if len(options) == 1:
        yield (at / "choice").problem(
            "a choice of one option decides nothing; use the option alone"
        )
    met: set[Any] = set()
    for place, option in enumerate(options):
        if freeze(option) in met:
            yield (at / "choice" / place).problem(
                f"{shown(option)} is an option of this choice already; remove it"
            )
        met.add(freeze(option))


def find_unused_in(template: Template) -> Iterator[Problem]:
    """Nodes that feed nothing in a template that nobody expands here: another starts from elsewhere
    after them, and no name leads to them."""
    named = _named_by(itertools.chain.from_iterable(template.outputs.values()))
    for node in walk(template.body):
        named |= _named_by(sources_of(node))
        for value in values(node):
            named |= set(_QUOTED.findall(json.dumps(value.raw)))
    words = {_numberless(part) for name in named for part in name.split(".")}

    def is_named(node: Written) -> bool:
        return any(
            _numberless(inner.name or inner.default_name) in words
            for inner in walk(node)
            if isinstance(inner, Modifiers)
        )

    for node in walk(template.body):
        nodes = list(node.nodes) if isinstance(node, syntax.Sequence) else [node]
        is_end = node is template.body and bool(template.outputs)
        if len(nodes) == 1 and not is_end:
            continue
        for place, child in enumerate(nodes):
            taken = next(filter(None, map(_start, nodes[place + 1 :])), None)
            is_dead = taken == "elsewhere" or (taken is None and is_end)
            if is_dead and _start(child) is not None and not is_named(child):
                yield child.at.problem(
                    f"nothing in {template.name} uses the result of this node; name it in a from or"
                    " in outputs, or remove it"
                )


_QUOTED = re.compile("'([^']+)'")


def _numberless(name: str) -> str:
    """A name without the number that tells copies and unnamed nodes apart."""
    return name.rstrip("0123456789.")


def _start(node: Written) -> str | None:
    """Whether a node starts from the result before it, from elsewhere, or passes it on (None)."""
    if isinstance(node, syntax.Sequence):
        return next(filter(None, map(_start, node.nodes)), None)
    return "before" if node.sources is None else "elsewhere"
