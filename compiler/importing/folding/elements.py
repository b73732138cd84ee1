"""Pieces of a spec's body, with the nodes of the flat graph that each expands to."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from archspec.graph import Graph
from archspec.node import Node
from archspec.ops.base import as_json

CALL = "ConvNormAct"
USUAL: dict[str, Any] = {
    "kernel": 3, "stride": 1, "padding": "half", "dilation": 1, "groups": 1, "bias": False,
    "norm": "batch_norm", "act": "relu",
}  # fmt: skip
"""What ConvNormAct's arguments are where a call does not write them."""
STRUCTURE = (
    "op", "name", "from", "residual", "shortcut", "branches", "body", "when", "scope", "repeat",
    "each", "first",
)  # fmt: skip


@dataclass(eq=False)
class Element:
    """One node of a body as JSON, all its attributes written. In `residual`, `shortcut` and
    `branches` stand lists of Elements in place of nodes; `scope` is a list of them for a module
    that is not a template yet. `channels` are those of what it takes."""

    node: dict[str, Any]
    leaves: list[str] = field(default_factory=list)
    channels: int = 0
    depth: int = 0

    @property
    def op(self) -> str:
        return self.node.get("op", "")

    @property
    def name(self) -> str:
        return self.node.get("name", "")

    def lists(self) -> Iterator[list[Element]]:
        """The bodies inside it."""
        for key in ("scope", "residual", "shortcut"):
            if isinstance(self.node.get(key), list):
                yield self.node[key]
        yield from self.node.get("branches", ())

    def flat_names(self) -> Iterator[str]:
        """The flat nodes it becomes, in the order in which a spec's expansion gives them."""
        for body in self.lists():
            for element in body:
                yield from element.flat_names()
        yield from self.leaves

    def copy_whole(self) -> Element:
        return copy.deepcopy(self)


def leaf(graph: Graph, node: Node, name: str) -> Element:
    """An op with every attribute written."""
    op = node.op
    attributes = {item.name: getattr(op, item.name) for item in op.attributes()}
    written = {key: as_json(value) for key, value in attributes.items()}
    if "shape" in written:
        written["shape"] = list(attributes["shape"])
    shape = graph.shape(node.inputs[0]) if node.inputs else (0,)
    return Element({"op": op.name, "name": name, **written}, [node.name], shape[0])


def merge_convs(body: list[Element]) -> list[Element]:
    """conv, batch_norm and act in a row as one call."""
    merged: list[Element] = []
    for element in body:
        before = merged[-1] if merged else None
        if "from" in element.node:
            merged.append(element)
        elif element.op == "conv" and not element.node["weight_standardization"]:
            merged.append(_call_of(element))
        elif before and _takes(before, element):
            key = "act" if element.op == "act" else "norm"
            before.node[key] = element.node["function"] if element.op == "act" else "batch_norm"
            before.leaves += element.leaves
        else:
            merged.append(element)
    return merged


def _call_of(conv: Element) -> Element:
    node = dict(conv.node)
    del node["weight_standardization"]
    node.update(op=CALL, norm="none", act="none")
    return Element(node, list(conv.leaves), conv.channels)


def _takes(call: Element, after: Element) -> bool:
    if call.op != CALL or call.node["act"] != "none" or "from" in call.node:
        return False
    if after.op == "batch_norm":
        is_usual = (after.node["epsilon"], after.node["momentum"]) == (1e-5, 0.9)
        return call.node["norm"] == "none" and is_usual
    return after.op == "act" and not after.node["approximate"] and after.node["alpha"] is None
