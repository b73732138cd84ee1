"""Boxes of a picture, what they cost, and where in the text they were written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.document import At
from archspec.graph import Graph
from archspec.node import Node
from archspec.plot.display import Drawn, Picture
from archspec.shapes import written
from archspec.stats import BYTES_PER_ELEMENT


def boxes(graph: Graph, picture: Picture, name: str, batch: int) -> dict[str, Any]:
    """`boxes` by the names that shapes of the SVG have as data-node, each with its costs for a
    batch and, as indices into `places`, the places in the text called `name` that wrote it, the
    innermost first. A place is [line, column], from 1."""
    nodes = tuple(graph.nodes.values())
    known: dict[tuple[int, Any], int] = {}
    found: list[list[int]] = []

    def index_of(at: At) -> int:
        key = (id(at.document), at.pointer)
        if key not in known:
            line, column = at.where.rsplit(":", 2)[1:]
            known[key] = len(found)
            found.append([int(line), int(column)])
        return known[key]

    described: dict[str, Any] = {}
    for box, drawn in picture.boxes.items():
        first = nodes[drawn.spans[0][0]]
        places = [index_of(at) for at in _origins(graph, box, first) if _is_in(at, name)]
        described[box] = {**_costs(nodes, drawn, batch), "places": [*dict.fromkeys(places)]}
    return {"boxes": described, "places": found}


def _is_in(at: At, name: str) -> bool:
    return at.document.shown == name


def _origins(graph: Graph, box: str, first: Node) -> Iterator[At]:
    """Where a box was written: the node or the call of its name, then the calls around it."""
    steps = first.name.split(".")
    depth = len(steps) if box == first.name else min(box.count(".") + 1, len(steps))
    if depth == len(steps) and first.origin is not None:
        yield first.origin.node.at
    for size in range(depth, 0, -1):
        call = graph.calls.get(".".join(steps[:size]))
        if call is not None:
            yield call.origin.node.at


def _costs(nodes: tuple[Node, ...], drawn: Drawn, batch: int) -> dict[str, Any]:
    layers = [node.layer for start, end in drawn.spans for node in nodes[start:end]]
    last = nodes[drawn.spans[-1][1] - 1]
    return {
        "span": [nodes[drawn.spans[0][0]].name, last.name],
        "count": len(layers),
        "copies": drawn.copies,
        "block": drawn.is_block,
        "folded": drawn.is_folded,
        "output": ", ".join(map(written, last.layer.output_shapes)),
        "params": sum(layer.params for layer in layers),
        "macs": sum(layer.macs for layer in layers) * batch,
        "memory": sum(layer.stored for layer in layers) * BYTES_PER_ELEMENT * batch,
    }
