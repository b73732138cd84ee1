"""The parameters of a class: which arguments differ between its uses, and what they are called.

Places in a class that hold the same value in every use are one parameter. It bears the name of the
template's argument that has that value too, else the name of what it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from archspec.compiler.targets.python.names import identifier, is_safe
from archspec.compiler.targets.python.patterns import (
    Key,
    Loop,
    Parameter,
    Part,
    Pattern,
    Ref,
    Use,
    Values,
    strict,
)
from archspec.compiler.targets.python.spelling import Spelling

_DEFAULTS: Mapping[str, Any] = {
    "stride": 1, "dilation": 1, "groups": 1, "padding": 0, "bias": False,
}  # fmt: skip
_FIRST = ("in_channels", "channels")
"""Parameters that a class takes first, by position."""


class Slot(NamedTuple):
    """A place in a class where an argument stands: what it is called there, by which part, and
    its value in one use; `is_entry` where it is the number of channels of the class's input."""

    role: str
    owner: str
    value: Any
    is_entry: bool


def slots_of(pattern: Pattern, use: Use) -> Iterator[Slot]:
    """Every place of the class where an argument stands, with its value in one use."""
    entering: set[Ref] = {-1}  # values with the channels of the class's input
    count = 0
    for part, values in zip(pattern.parts, use.values, strict=True):
        is_entry = not entering.isdisjoint(part.inputs)
        if part.reuses is None:
            yield from _slots(part, part.name, values, is_entry)
        if part.is_live:
            if is_entry and part.spelling is not None and _keeps_channels(part.spelling):
                entering.add(count)
            count += part.results


def _keeps_channels(spelling: Spelling) -> bool:
    """Whether it is a cell that gives as many channels as it takes, such as a pool."""
    roles = [argument.role for argument in spelling.arguments]
    return bool(spelling.cell) and "in_channels" not in roles


def _slots(part: Part, owner: str, values: Values, is_entry: bool) -> Iterator[Slot]:
    if isinstance(values, Loop):
        assert part.unit is not None
        yield Slot("first", owner, values.first, False)
        yield Slot("last", owner, values.last, False)
        yield from _slots(part.unit, owner, values.unit, is_entry)
    elif isinstance(values, Use):
        roles = [parameter.name for parameter in values.pattern.parameters]
        entry = _entry(roles) if is_entry else ""
        for role, value in zip(roles, values.arguments, strict=True):
            yield Slot(role, owner, value, role == entry)
    elif part.chain is not None:
        for index, (link, inner) in enumerate(zip(part.chain, values, strict=True)):
            yield from _slots(link, f"{owner}_{link.name}", inner, is_entry and index == 0)
    else:
        spelling = part.spelling
        assert spelling is not None
        roles = [argument.role for argument in spelling.arguments]
        if spelling.is_bare:
            roles = [part.name]
        entry = _entry(roles) if is_entry else ""
        for role, value in zip(roles, values, strict=True):
            yield Slot(role, owner, value, role == entry)


def _entry(roles: Sequence[str]) -> str:
    """What a part calls the channels that it takes: one that keeps them has but one name."""
    return next((role for role in _FIRST if role in roles), "")


class _Column(NamedTuple):
    """Slots that hold the same values in all uses, and so are one parameter."""

    slots: list[int]
    values: tuple[Any, ...]


def parametrize(pattern: Pattern, reserved: Set[str]) -> None:
    """Find the parameters of a class whose parts' classes have theirs, and the arguments of every
    use. No parameter bears a reserved word."""
    rows = [list(slots_of(pattern, use)) for use in pattern.uses]
    slots = rows[0]
    columns: dict[Key, _Column] = {}
    for index in range(len(slots)):
        values = tuple(row[index].value for row in rows)
        key = tuple(map(strict, values))
        if len(set(key)) > 1:
            columns.setdefault(key, _Column([], values)).slots.append(index)
    words: list[str | None] = [None] * len(slots)
    split = [part for column in columns.values() for part in _split(pattern, column, slots)]
    chosen = _name_columns(pattern, split, slots, reserved)
    for name, column in chosen.items():
        for index in column.slots:
            words[index] = name
    for name in _halves(slots, chosen, words):
        del chosen[name]
    parameters = {name: Parameter(name, _default(slots, c)) for name, c in chosen.items()}
    declared = {name: place for place, name in enumerate(pattern.uses[0].group.arguments)}
    ordered = sorted(
        chosen,
        key=lambda name: (
            parameters[name].default is not None,
            _FIRST.index(name) if name in _FIRST else len(_FIRST),
            declared.get(name, len(declared)),
            chosen[name].slots[0],
        ),
    )
    pattern.words = tuple(words)
    pattern.parameters = tuple(parameters[name] for name in ordered)
    for number, use in enumerate(pattern.uses):
        use.arguments = tuple(chosen[name].values[number] for name in ordered)


def _default(slots: Sequence[Slot], column: _Column) -> Any:
    for index in column.slots:
        default = _DEFAULTS.get(slots[index].role)
        if default is not None and strict(default) in map(strict, column.values):
            return default
    return None


def _split(pattern: Pattern, column: _Column, slots: Sequence[Slot]) -> Iterator[_Column]:
    """What enters a block and one of its arguments can be equal by chance; they stay apart where
    some slots are the argument's by name."""
    arguments = _arguments_like(pattern, column)
    own = [index for index in column.slots if slots[index].role in arguments]
    rest = [index for index in column.slots if index not in own]
    if own and any(slots[k].is_entry for k in rest) and not _is_exit(column, slots):
        yield _Column(own, column.values)
        yield _Column(rest, column.values)
    else:
        yield column


def _is_exit(column: _Column, slots: Sequence[Slot]) -> bool:
    """Whether the column holds the channels that leave the block: the last it speaks of."""
    last = max((k for k, slot in enumerate(slots) if slot.role == "channels"), default=-1)
    return last in column.slots


def _name_columns(
    pattern: Pattern, columns: Sequence[_Column], slots: Sequence[Slot], reserved: Set[str]
) -> dict[str, _Column]:
    """A name for each column: "channels" for what leaves the block and "in_channels" for what
    enters it, else the template's argument that always has its value, else its role."""
    result: dict[str, _Column] = {}
    # arguments that a slot bears the name of go before those that are merely equal
    for is_sure in (True, False):
        for column in columns:
            if any(column is other for other in result.values()):
                continue
            name = _wish(pattern, column, slots, is_sure)
            if name and name not in result and name not in reserved and is_safe(name):
                result[name] = column
    for column in columns:
        if not any(column is other for other in result.values()):
            result[_role_name(column, slots, reserved | result.keys())] = column
    return result


def _wish(pattern: Pattern, column: _Column, slots: Sequence[Slot], is_sure: bool) -> str:
    roles = {slots[index].role for index in column.slots}
    arguments = _arguments_like(pattern, column)
    sure = [name for name in arguments if name in roles]
    if sure:
        return sure[0]
    if _is_exit(column, slots):
        return "channels"
    if any(slots[index].is_entry for index in column.slots):
        return "in_channels"
    return arguments[0] if arguments and not is_sure else ""


def _arguments_like(pattern: Pattern, column: _Column) -> list[str]:
    """Arguments of the template that have the column's value in every use."""
    return [
        name
        for name in pattern.uses[0].group.arguments
        if all(
            name in use.group.arguments
            and strict(_plain(use.group.arguments[name])) == strict(value)
            for use, value in zip(pattern.uses, column.values, strict=True)
        )
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return value[0] if len(value) == 2 and value[0] == value[1] else tuple(value)
    return value


def _role_name(column: _Column, slots: Sequence[Slot], taken: Set[str]) -> str:
    owner = slots[column.slots[0]].owner
    role = min((slots[index].role for index in column.slots), key=len)
    if role == "last":
        role = f"{owner}s"
    if role not in _FIRST and role not in taken and is_safe(role):
        return role
    return identifier(f"{owner}_{role}", taken)


def _halves(
    slots: Sequence[Slot], chosen: Mapping[str, _Column], words: list[str | None]
) -> list[str]:
    """Write a padding that is always half of a kernel as that; the parameters no longer needed."""
    owners = {index: name for name, column in chosen.items() for index in column.slots}
    for index, slot in enumerate(slots):
        if slot.role != "padding" or index not in owners:
            continue
        kernel = next(
            (k for k in range(index - 1, -1, -1) if slots[k].role == "kernel"), None
        )  # the op's own, whose arguments stand together
        if kernel is None or kernel not in owners or slots[kernel].owner != slot.owner:
            continue
        pairs = zip(chosen[owners[kernel]].values, chosen[owners[index]].values, strict=True)
        if all(isinstance(k, int) and k % 2 and p == k // 2 for k, p in pairs):
            words[index] = f"{owners[kernel]} // 2"
    return [name for name, column in chosen.items() if name not in [words[k] for k in column.slots]]
