"""Python laid out as a formatter does it: on one line where it fits, else an argument a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from archspec.compiler.targets.python.spelling import Symbol

WIDEST = 100
INDENT = "    "


@dataclass(frozen=True)
class Invocation:
    """A call: `head` with what opens it ("nn.Conv2d(" or "**{"), its parts and what closes it."""

    head: str
    parts: tuple[Piece, ...]
    tail: str = ")"
    separator: str = ","
    """Between parts; "" where each part is its own clause, as in a comprehension."""


@dataclass(frozen=True)
class Prefixed:
    """A piece behind some text, such as `stride=`."""

    prefix: str
    piece: Piece


Piece: TypeAlias = "str | Invocation | Prefixed"


def call(head: str, *parts: Piece) -> Invocation:
    return Invocation(f"{head}(", parts)


def lines_of(piece: Piece, indent: int, before: str = "", after: str = "") -> list[str]:
    """The piece between two texts, `indent` levels deep."""
    margin = INDENT * indent
    line = f"{margin}{before}{_flat(piece)}{after}"
    if isinstance(piece, Prefixed):
        return lines_of(piece.piece, indent, before + piece.prefix, after)
    if len(line) <= WIDEST or isinstance(piece, str) or not piece.parts:
        return [line]
    result = [f"{margin}{before}{piece.head}"]
    # a formatter tries all arguments on one line before it gives each its own
    together = f"{margin}{INDENT}{_join(piece)}"
    if piece.separator and len(together) <= WIDEST:
        return [*result, together, f"{margin}{piece.tail}{after}"]
    for part in piece.parts:
        result += lines_of(part, indent + 1, "", piece.separator)
    return [*result, f"{margin}{piece.tail}{after}"]


def _flat(piece: Piece) -> str:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Prefixed):
        return piece.prefix + _flat(piece.piece)
    return f"{piece.head}{_join(piece)}{piece.tail}"


def _join(piece: Invocation) -> str:
    return f"{piece.separator} ".join(map(_flat, piece.parts))


def literal(value: Any) -> str:
    """A value as Python writes it. Raises TypeError for what is not a plain value."""
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, float):
        return repr(value) if value - value == 0 else f'float("{value!r}")'
    if isinstance(value, str):
        text = ascii(value)
        return text if '"' in text or "\\" in text else f'"{text[1:-1]}"'
    if value is None or isinstance(value, (bool, int)):
        return repr(value)
    if isinstance(value, tuple):
        return f"({_list(map(literal, value))})"
    raise TypeError(f"{type(value).__name__} is not a value of a spec")


def _list(words: Iterable[str]) -> str:
    found = list(words)
    return f"{found[0]}," if len(found) == 1 else ", ".join(found)
