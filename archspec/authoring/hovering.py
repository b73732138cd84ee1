"""What is known of the value under a position: its doc, and what it comes to in the network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from archspec.authoring.draft import Draft
from archspec.authoring.known import Callee
from archspec.authoring.linking import nodes_of, values_of
from archspec.authoring.meanings import source_meaning
from archspec.authoring.naming import target_of
from archspec.authoring.roles import (
    ARGUMENT,
    DOCUMENT,
    NODE,
    OP,
    SOURCE,
    fragment_of,
    nodes_around,
    role_of,
)
from archspec.authoring.tree import Item
from archspec.authoring.values import Hover
from archspec.grammar import WORDS
from archspec.graph import Graph
from archspec.ops import OPS
from archspec.shapes import Shape, written
from archspec.tables import shown_amount

MAX_NAMES = 3
MAX_VALUES = 8


def hover(draft: Draft, offset: int) -> Hover | None:
    """What to show of the word at an offset, or None."""
    item = draft.tree.innermost(offset)
    for child in item.items:
        if child.key_start >= 0 and child.key_start <= offset <= child.key_end:
            return _hover_key(draft, child)
    role = role_of(item)
    if item.kind == "string" and role in (OP, NODE):
        return _hover_call(draft, item)
    if item.kind == "string" and role == SOURCE:
        return _hover_source(draft, item)
    if item.kind == "object" and role == NODE:
        return Hover(item.start, item.start + 1, _title(draft, item), "", _rows(draft, item))
    if role == ARGUMENT and item.key_start >= 0:
        return _hover_key(draft, item, item.span)
    return None


def _hover_key(draft: Draft, item: Item, span: tuple[int, int] | None = None) -> Hover | None:
    """What a key means: an argument of what is called, or a word of the language."""
    start, end = span or item.key_span
    doc = key_doc(draft, item)
    rows: tuple[tuple[str, str], ...] = tuple(_values(draft, item))
    if item.key == "body" and item.parent is not None and role_of(item.parent) == DOCUMENT:
        rows = tuple(_totals(draft))
    if not doc and not rows:
        return None
    return Hover(start, end, str(item.key), doc, rows)


def _values(draft: Draft, item: Item) -> Iterator[tuple[str, str]]:
    """What an argument that an expression gives comes to."""
    node = argument_owner(item)
    if node is None or item.kind != "string" or not item.value.startswith("="):
        return
    found = [json.dumps(value, default=str) for value in values_of(draft, node, str(item.key))]
    more = f" or {len(found) - MAX_VALUES} more" if len(found) > MAX_VALUES else ""
    if found:
        yield "comes to", " or ".join(found[:MAX_VALUES]) + more


def key_doc(draft: Draft, item: Item) -> str:
    """The doc of an entry's key."""
    node = argument_owner(item)
    if node is not None:
        arguments = draft.known.arguments(target_of(node))
        if str(item.key) in arguments:
            return arguments[str(item.key)].get("description", "")
    return fragment_of(item).get("description", "")


def argument_owner(item: Item) -> Item | None:
    """The call that an argument is given to, in its node or in a row of it."""
    if role_of(item) not in (ARGUMENT, "modifier"):
        return None
    return next((node for node in nodes_around(item) if node is not item), None)


def _hover_call(draft: Draft, item: Item) -> Hover | None:
    """An op or a template with the node that calls it."""
    word = item.value
    node = item if role_of(item) == NODE else item.parent
    while node is not None and role_of(node) != NODE:
        node = node.parent
    rows = () if node is None else _rows(draft, node)
    callee = draft.known.templates.get(word)
    if callee is not None:
        return Hover(*item.span, word, callee.doc, (*_signature(callee), *rows))
    if word in OPS:
        page = OPS[word].page
        return Hover(*item.span, word, OPS[word].doc, (("shape", page.shape), *rows))
    if word in WORDS:
        return Hover(*item.span, word, WORDS[word], rows)
    return Hover(*item.span, word, "", rows) if rows else None


def _signature(callee: Callee) -> Iterator[tuple[str, str]]:
    if callee.args:
        yield "arguments", ", ".join(callee.args)
    if callee.outputs:
        yield "results", ", ".join(callee.outputs)


def _hover_source(draft: Draft, item: Item) -> Hover | None:
    """The node that a name means."""
    meaning = source_meaning(draft, item)
    if meaning is None:
        return None
    part = meaning[1].part
    return Hover(*item.span, part.path, part.kind, _rows(draft, part.item))


def _title(draft: Draft, node: Item) -> str:
    return node.text("name") or target_of(node) or "node"


def _rows(draft: Draft, node: Item) -> tuple[tuple[str, str], ...]:
    """What a node comes to: where it is in the graph, its shapes and its cost."""
    rows: list[tuple[str, str]] = []
    shapes = list(draft.shapes.get(node.pointer, ()))
    graph = draft.graph
    origin = nodes_of(draft, node) if graph is not None else None
    if graph is not None and origin is not None and origin.nodes:
        names = [*(origin.calls or origin.nodes)]
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        rows.append(("in the graph", ", ".join(names[:MAX_NAMES]) + more))
        rows.append(("input", ", ".join(map(written, _entering(graph, origin.nodes)))))
    if shapes:
        told = [", ".join(map(written, results)) for results in shapes[:MAX_NAMES]]
        rows.append(("output", " or ".join(told)))
    if graph is not None and origin is not None and origin.nodes:
        layers = [graph.nodes[name].layer for name in origin.nodes]
        rows.append(("parameters", f"{sum(layer.params for layer in layers):,}"))
        macs = sum(layer.macs for layer in layers)
        share = f" ({100 * macs / graph.macs:.1f}% of the network's)" if graph.macs else ""
        rows.append(("MACs", f"{macs:,}{share}"))
    return tuple(rows)


def _entering(graph: Graph, names: Sequence[str]) -> list[Shape]:
    """The shapes of what nodes take from outside of them, each once."""
    inside = set(names)
    taken = (tensor for name in names for tensor in graph.nodes[name].inputs)
    return list(dict.fromkeys(graph.shape(t) for t in taken if t.node not in inside))


def _totals(draft: Draft) -> Iterator[tuple[str, str]]:
    graph = draft.graph
    if graph is not None:
        yield "nodes", f"{len(graph.nodes):,}"
        yield "parameters", f"{graph.params:,}"
        yield "MACs", f"{graph.macs:,} ({shown_amount(graph.macs)})"
        yield "output", ", ".join(map(written, graph.output_shapes.values()))
