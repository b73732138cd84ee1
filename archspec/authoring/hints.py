"""What a network comes to, shown between the words of its text: shapes and totals."""

from __future__ import annotations

from archspec.authoring.draft import Draft
from archspec.authoring.roles import NODE, role_of
from archspec.authoring.values import Hint
from archspec.shapes import written
from archspec.tables import shown_amount

MAX_SHAPES = 3
"""Shapes of one node that are told; a template's nodes have one for each call."""


def find_hints(draft: Draft) -> tuple[Hint, ...]:
    """The shape behind each node, of each where they are several, and what the network has behind
    `body`. Of a text that goes wrong somewhere, shapes up to there."""
    found: list[Hint] = []
    for pointer, shapes in draft.shapes.items():
        item = draft.tree.get(*pointer)
        if item is None or role_of(item) != NODE or item.kind not in ("object", "string"):
            continue
        told = [", ".join(map(written, results)) for results in shapes]
        more = f" or {len(told) - MAX_SHAPES} more" if len(told) > MAX_SHAPES else ""
        found.append(Hint(item.end, " or ".join(told[:MAX_SHAPES]) + more, "output shape"))
    graph, body = draft.graph, draft.tree.get("body")
    if graph is not None and body is not None:
        label = f"{shown_amount(graph.params)} parameters, {shown_amount(graph.macs)} MACs"
        tooltip = f"{graph.params:,} parameters, {graph.macs:,} MACs, {len(graph.nodes):,} nodes"
        found.append(Hint(body.start + 1, label, tooltip))
    return tuple(sorted(found, key=lambda hint: hint.offset))
