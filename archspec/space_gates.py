"""The decisions of a space, where all its networks settle the same ones.

They do where no choice stands under anything that could depend on a decision: a `when`, a number
of copies, a join, or another choice. Then the space has as many assignments as the product of its
decisions' options, however large it is. Found from the text alone, by following which arguments
could carry a decision; a shape always could.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from archspec.errors import SpecError
from archspec.functions import NODE_FUNCTIONS
from archspec.library import Definition
from archspec.names import INPUT_NAMES
from archspec.program import Program
from archspec.space import Space
from archspec.syntax import (
    INPUT,
    Arguments,
    Branches,
    Call,
    Choice,
    Decision,
    Node,
    Residual,
    Sequence,
    Template,
    Value,
    children,
    holds_choice,
    is_op,
    values,
    walk,
)

MAX_WRONG = 200
"""Networks of a space in a row that are wrong, until all are taken to be."""


def common_decisions(space: Space) -> dict[str, tuple[Any, ...]] | None:
    """The decisions of every network of a space with their options, or None where some could settle
    others. Raises SpecError where networks are wrong, its first and those drawn after it."""
    if not _settles_the_same(space.program):
        return None
    found: dict[str, tuple[Any, ...]] = {}
    generator = random.Random(0)
    wrong: list[SpecError] = []
    while len(wrong) < MAX_WRONG:

        def decide(key: str, decision: Decision, is_first: bool = not wrong) -> int:
            found[key] = decision.options
            return 0 if is_first else generator.randrange(len(decision.options))

        try:
            space.settle(decide)
        except SpecError as error:
            wrong.append(error)
        else:
            return found
    raise wrong[0]


def assignments_of(space: Space) -> int | None:
    """How many assignments a space has, or None where its networks could settle different
    decisions. Raises SpecError as common_decisions."""
    common = common_decisions(space)
    return None if common is None else prod(map(len, common.values()))


def _settles_the_same(program: Program) -> bool:
    body = Template(program.name, program.at, "", program.parameters, (INPUT,), program.body, {})
    definitions = [*Definition(body, program.library).reach()]
    carried = _find_carried(definitions, program.defaults)
    return not any(
        _has_nested_default(definition)
        or any(
            _is_gated(node, definition, carried[definition])
            or (
                _settles(definition.template.body, definition)
                and _renames(node, carried[definition])
            )
            for node in walk(definition.template.body)
        )
        for definition in definitions
    )


def _find_carried(
    definitions: list[Definition], defaults: Mapping[str, Arguments]
) -> dict[Definition, set[str]]:
    """Of each template the arguments that could carry a decision."""
    carried: dict[Definition, set[str]] = {definition: set() for definition in definitions}
    for definition in definitions:
        for target, arguments in defaults.items():
            if not is_op(target) and definition.library.find(target) in carried:
                callee = definition.library.find(target)
                assert callee is not None
                carried[callee] |= arguments.keys()
    while True:
        before = sum(map(len, carried.values()))
        for definition in definitions:
            names = carried[definition]
            for name, parameter in definition.template.parameters.items():
                if parameter.default is not None and _carries(parameter.default, names):
                    names.add(name)
            for call, callee in _calls(definition):
                carried[callee] |= _find_carrying(call, names, callee)
        if sum(map(len, carried.values())) == before:
            return carried


def _calls(definition: Definition) -> Iterator[tuple[Call, Definition]]:
    for node in walk(definition.template.body):
        if isinstance(node, Call) and not node.is_op:
            callee = definition.library.find(node.target)
            if callee is not None:
                yield node, callee


def _find_carrying(call: Call, names: set[str], callee: Definition) -> set[str]:
    """The arguments of a call that could carry a decision."""
    layers = [call.arguments]
    if call.copies is not None:
        copies = call.copies
        layers += [copies.first, copies.last, *(copies.rows or ())]
        if copies.computed_rows is not None and _carries(copies.computed_rows, names):
            return {*callee.template.parameters}
    return {name for layer in layers for name, value in layer.items() if _carries(value, names)}


def _carries(value: Value, names: set[str]) -> bool:
    """Whether a value could depend on a decision."""
    return value.has_choice or _sees_shapes(value) or not names.isdisjoint(value.names)


def _sees_shapes(value: Value) -> bool:
    if not value.names.isdisjoint(INPUT_NAMES):
        return True
    text = str(value.raw).replace(" ", "")
    return any(f"{function}(" in text for function in NODE_FUNCTIONS)


def _has_nested_default(definition: Definition) -> bool:
    parameters = definition.template.parameters.values()
    return any(p.default is not None and _is_nested(p.default) for p in parameters)


def _is_gated(node: Node, definition: Definition, names: set[str]) -> bool:
    """Whether a decision in a node, or in a template it calls, could be met in some networks
    only."""
    if any(_is_nested(value) for value in values(node)):
        return True
    if not _settles(node, definition):
        return False
    if isinstance(node, Choice):
        return any(_settles(option, definition) for option in children(node))
    return any(_carries(control, names) for control in _controls(node))


def _controls(node: Node) -> Iterator[Value]:
    """The values that say whether a node is there, how often, and whether its shortcut is."""
    if isinstance(node, Sequence):
        return
    if isinstance(node, (Residual, Branches)):
        yield node.join
    copies = node.copies
    written = [node.when, *([copies.repeat, copies.computed_rows] if copies is not None else [])]
    yield from (value for value in written if value is not None)


def _renames(node: Node, names: set[str]) -> bool:
    """Whether unnamed nodes after this one could have another number with another decision, and so
    their decisions another key."""
    if isinstance(node, Sequence) or node.name is not None:
        return False
    is_one_call = isinstance(node, Call) and node.copies is None
    return not is_one_call and any(_carries(control, names) for control in _controls(node))


def _is_nested(value: Value) -> bool:
    """Whether a choice stands in an option of another."""
    return value.has_choice and _depth(value.raw) > 1


def _depth(raw: Any) -> int:
    if isinstance(raw, dict) and "choice" in raw:
        return 1 + max(map(_depth, raw["choice"]), default=0)
    parts = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    return max(map(_depth, parts), default=0)


def _settles(node: Node, definition: Definition) -> bool:
    """Whether a choice stands in a node or in a template that it calls."""
    if holds_choice(node):
        return True
    return any(
        callee.has_choice
        for inner in walk(node)
        if isinstance(inner, Call) and not inner.is_op
        for callee in (definition.library.find(inner.target),)
        if callee is not None
    )
