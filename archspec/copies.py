"""How often a node stands in sequence, what each copy is given, and how paths meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.document import At
from archspec.errors import did_you_mean, listed
from archspec.feeding import takes_nothing
from archspec.json_values import shown
from archspec.limits import MAX_NODES
from archspec.scope import Body
from archspec.syntax import JOINS, Arguments, Call, Copies, Modifiers, Value, constant


def rows_of(copies: Copies, body: Body) -> Sequence[Arguments]:
    """The row of each copy, empty ones where a node is only repeated. Raises SpecError."""
    if copies.rows is not None:
        return copies.rows
    if copies.repeat is not None:
        count = copies.repeat.evaluate(body)
        if copies.are_lanes and isinstance(count, list):
            return _rows_from(count, copies.repeat.at, "parallel")
        word, least = ("parallel", 1) if copies.are_lanes else ("repeat", 0)
        if type(count) is not int or not least <= count <= MAX_NODES:
            raise copies.repeat.at.error(
                f"{word} must be a whole number from {least} to {MAX_NODES:,}, not {shown(count)}"
            )
        return ({},) * count
    assert copies.computed_rows is not None
    return _rows_from(copies.computed_rows.evaluate(body), copies.computed_rows.at, "each")


def _rows_from(rows: Any, at: At, word: str) -> Sequence[Arguments]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise at.error(f"{word} must be a list of objects with arguments, not {shown(rows)}")
    if not rows and word == "parallel":
        raise at.error("parallel needs one row of arguments or more, and the list is empty")
    return [
        {name: constant(value, at, f"row {number} of {word}") for name, value in row.items()}
        for number, row in enumerate(rows, 1)
    ]


def arguments_of(
    copies: Copies, base: Arguments, rows: Sequence[Arguments], index: int
) -> Arguments:
    """What the copy of this number is given; `base` itself where that is all."""
    arguments = base
    if rows[index]:
        arguments = {**base, **rows[index]}
    if index == 0 and copies.first:
        arguments = {**arguments, **copies.first}
    if index == len(rows) - 1 and copies.last:
        arguments = {**arguments, **copies.last}
    return arguments


def is_steady(body: Body, node: Modifiers) -> bool:
    """Whether copies with equal arguments and inputs are equal, each made of the one before it: a
    call that counts nothing and decides nothing."""
    if not isinstance(node, Call) or not node.is_steady or node.computed is not None:
        return False
    if node.is_op:
        return not takes_nothing(node)
    definition = body.library.find(node.target)
    return definition is not None and not definition.has_choice


def holds(when: Value, body: Body) -> bool:
    """Whether a copy is there. Raises SpecError."""
    value = when.evaluate(body)
    if not isinstance(value, bool):
        raise when.at.error(f"when must be true or false, not {shown(value)}")
    return value


def join_of(join: Value, body: Body) -> str:
    """The op that joins paths, or NOTHING. Raises SpecError."""
    kind = join.evaluate(body)
    if kind not in JOINS:
        raise join.at.error(
            f"join must be {listed(JOINS)}, not {shown(kind)}"
            f"{did_you_mean(kind, JOINS) if isinstance(kind, str) else ''}"
        )
    return kind
