"""Words inside of "=..." values: the names that are in scope there, and functions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archspec.authoring.draft import Draft
from archspec.authoring.naming import names_within
from archspec.authoring.roles import nodes_around, role_of
from archspec.authoring.spot import Spot
from archspec.authoring.tree import Item
from archspec.authoring.values import Completion
from archspec.expressions import CONSTANTS
from archspec.functions import FUNCTIONS, NODE_FUNCTIONS
from archspec.names import INPUT_NAMES
from archspec.syntax import INDEX, INPUT, LANE, is_declaration

_WORD = re.compile(r"[A-Za-z_]\w*\Z")
_REST = re.compile(r"\w*")
_IN_QUOTES = re.compile(r"(?:channels|height|width|count)\(\s*'([^']*)\Z")
_NAME_REST = re.compile(r"[\w.]*")
INPUT_DOCS = ("channels of the input", "height of the input", "width of the input")
DOCS = {
    "min": "the smallest of its arguments, or of a list",
    "max": "the largest of its arguments, or of a list",
    "floor": "the whole number at or below",
    "ceil": "the whole number at or above",
    "round": "the nearest whole number, a half upwards",
    "abs": "without its sign",
    "sqrt": "the square root",
    "log": "the natural logarithm",
    "sum": "the sum of a list",
    "len": "how many items a list has",
    "range": "0, 1, 2... up to a number, or between two",
    "divisible": "the nearest multiple, at least one and not below 0.9 of the value",
    "channels": "the channels of an earlier node, by its name in quotes",
    "height": "the height of an earlier node, by its name in quotes",
    "width": "the width of an earlier node, by its name in quotes",
    "count": "how many results are in a list, by its name in quotes",
}
"""What each function of the language gives."""


def complete_expression(draft: Draft, spot: Spot) -> Iterator[Completion]:
    """Names in scope, functions and, within quotes behind one of a node's, names of nodes."""
    before = draft.plain[spot.start : spot.offset]
    quoted = _IN_QUOTES.search(before)
    if quoted is not None:
        yield from _node_names(draft, spot, quoted[1])
        return
    typed = _WORD.search(before)
    start = spot.offset - (len(typed[0]) if typed is not None else 0)
    rest = _REST.match(draft.plain, spot.offset)
    end = rest.end() if rest is not None else spot.offset
    for name, doc in scope_names(draft, spot.place):
        yield Completion(name, "name", "", doc, name, start, end)
    for name in (*FUNCTIONS, *NODE_FUNCTIONS):
        argument = "'${1:node}'" if name in NODE_FUNCTIONS else "$1"
        yield Completion(
            name, "function", "", DOCS.get(name, ""), f"{name}({argument})", start, end, True
        )
    for name in CONSTANTS:
        yield Completion(name, "value", "", "", name, start, end)


def _node_names(draft: Draft, spot: Spot, typed: str) -> Iterator[Completion]:
    body = draft.body_at(spot.place)
    if body is None:
        return
    node = next(nodes_around(spot.place), None)
    part = None if node is None else body.part_of(node)
    start = spot.offset - len(typed)
    rest = _NAME_REST.match(draft.plain, spot.offset)
    end = rest.end() if rest is not None else spot.offset
    for name, other in names_within(body, part, "" if part is None else part.prefix):
        yield Completion(name, "node", "", other.kind, name, start, end)


def scope_names(draft: Draft, item: Item) -> Iterator[tuple[str, str]]:
    """The names that an expression in a value may use, with their docs."""
    owner = scope_owner(item)
    if owner is None:
        return
    args = owner.get("args")
    for arg in args.items if args is not None and args.kind == "object" else ():
        if args is not None and _is_before(arg, item, args):
            yield str(arg.key), _doc_of(arg)
    inputs = owner.get("inputs")
    if inputs is None or inputs.plain() == [INPUT]:
        yield from zip(INPUT_NAMES, INPUT_DOCS, strict=True)
    for node in nodes_around(item):
        if node.get("repeat") is not None or node.get("each") is not None:
            yield INDEX, "the number of the copy, from 0"
        if node.get("parallel") is not None:
            yield LANE, "the number of the copy beside others, from 0"


def scope_owner(item: Item) -> Item | None:
    """What declares the names of a value's expressions: its template, or the document."""
    for above in item.ancestors():
        if above.parent is None or role_of(above) == "template":
            return above
    return None


def _is_before(arg: Item, item: Item, args: Item) -> bool:
    """Whether an arg is known at a value: a default knows those before it."""
    around = list(item.ancestors())
    if not any(above is args for above in around):
        return True
    return arg.start < item.start and not any(above is arg for above in around)


def _doc_of(arg: Item) -> str:
    written = arg.plain()
    if is_declaration(written):
        return str(written.get("doc", "")) or "an argument"
    return f"an argument, {written!r} unless given"
