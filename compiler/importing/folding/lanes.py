"""Branches that are one call each, of one op, as lanes of one call.

[[CNA 3], [CNA 3], [CNA 1]] joined by add    becomes
{"op": "ConvNormAct", "parallel": [{"kernel": 3}, {"kernel": 3}, {"kernel": 1}], "join": "add"}
"""

from __future__ import annotations

import re
from typing import Any

from archspec.compiler.importing.folding.elements import Element
from archspec.compiler.importing.folding.folded import own_name
from archspec.compiler.importing.folding.templates import Table


def write_lanes(body: list[Element], table: Table) -> None:
    """Wherever the body has such branches, and the templates that it calls."""
    for part in (body, *(template["body"] for template in table.templates.values())):
        _write_lanes(part, _names_in(part))


def _write_lanes(body: list[Element], taken: set[str]) -> None:
    for element in body:
        for inner in element.lists():
            _write_lanes(inner, taken)
        branches = element.node.get("branches", ())
        if len(branches) > 1 and _are_lanes(branches):
            _write(element, [branch[0] for branch in branches], taken)


def _are_lanes(branches: list[list[Element]]) -> bool:
    if any(len(branch) != 1 or not branch[0].op for branch in branches):
        return False
    first, *others = [branch[0].node for branch in branches]
    is_plain = not first.keys() & {"from", "repeat", "each", "first", "parallel"}
    return is_plain and all(
        other["op"] == first["op"] and other.keys() == first.keys() for other in others
    )


def _write(element: Element, lanes: list[Element], taken: set[str]) -> None:
    rows = [{k: v for k, v in lane.node.items() if k not in ("op", "name")} for lane in lanes]
    same = {key: value for key, value in rows[0].items() if all(row[key] == value for row in rows)}
    if not element.name:
        bases = {re.sub(r"[\d_]+$", "", lane.name) for lane in lanes}
        base = bases.pop() if len(bases) == 1 else ""
        own_name(element, base if len(base) > 1 else "branch", taken)
    node: dict[str, Any] = {"op": lanes[0].op, "name": element.name, **element.node, **same}
    del node["branches"], node["join"]
    own = [{key: value for key, value in row.items() if key not in same} for row in rows]
    node["parallel"] = own if any(own) else len(rows)
    node["join"] = element.node["join"]
    leaves = list(element.flat_names())
    element.node = node
    element.leaves = leaves


def _names_in(body: list[Element]) -> set[str]:
    found: set[str] = set()
    for element in body:
        found.add(element.name)
        for inner in element.lists():
            found |= _names_in(inner)
    return found
