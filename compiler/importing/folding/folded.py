"""From the tree of modules to a spec: templates where modules are alike, entries where calls are."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from archspec.compiler.importing.folding.elements import Element
from archspec.compiler.importing.folding.known import DEFAULTS, name_known
from archspec.compiler.importing.folding.templates import (
    Table,
    as_residual,
    skeleton,
    wrapped,
)

LONGEST_PERIOD = 6


def fold(body: list[Element], table: Table) -> list[Element]:
    """The body with its modules made templates, or opened where there is one of a kind."""
    deepest = max((element.depth for element in _scopes(body)), default=-1)
    for depth in range(deepest, -1, -1):
        _simplify_all(body)
        _fold_level(body, depth, table)
    _simplify_all(body)
    return shorten(find_runs(name_known(body), table))


def _scopes(body: list[Element]) -> list[Element]:
    found: list[Element] = []
    for element in body:
        for inner in element.lists():
            found += _scopes(inner)
        if "scope" in element.node:
            found.append(element)
    return found


def _simplify_all(body: list[Element]) -> None:
    for element in body:
        for inner in element.lists():
            _simplify_all(inner)
            inner[:] = name_known(inner)


def _fold_level(body: list[Element], depth: int, table: Table) -> None:
    scopes = [element for element in _scopes(body) if element.depth == depth]
    for scope in scopes:
        scope.node["scope"] = shorten(find_runs(scope.node["scope"], table))
    groups: dict[Any, list[Element]] = defaultdict(list)
    for scope in scopes:
        if len(scope.node["scope"]) > 1 or as_residual(scope.node["scope"]):
            groups[skeleton(scope.node["scope"], loose=True)].append(scope)
    for group in groups.values():
        if len(group) < 2 and "from" not in group[0].node:
            continue
        _make_one(group, table)
    _open(body, depth)


def _make_one(group: list[Element], table: Table) -> None:
    bodies = [element.node["scope"] for element in group]
    if any(as_residual(body) for body in bodies):
        bodies = [body if as_residual(body) else wrapped(body) for body in bodies]
    for body in bodies:
        name_inside(body)
    calls = table.add(_title(group), bodies)
    for element, call in zip(group, calls, strict=True):
        own = {key: element.node[key] for key in ("name", "from") if key in element.node}
        element.node.clear()
        element.node.update({**call.node, **own})
        element.leaves = call.leaves


def _title(group: list[Element]) -> str:
    names = [re.sub(r"\d+$", "", element.name) for element in group]
    named = [name for name in names if name]
    return max(set(named), key=named.count) if named else "Block"


def name_inside(body: list[Element]) -> None:
    """Names as short as they can be while each is its own; those that others read stay."""
    taken = {element.name for element in body if "from" in element.node}
    for element in body:
        for inner in element.lists():
            name_inside(inner)
        if "from" in element.node or not element.name:
            continue
        short = re.sub(r"^(.*_)?(?=[A-Za-z])", "", element.name) or element.name
        name, number = short, 1
        while name in taken:
            number += 1
            name = f"{short}{number}"
        taken.add(name)
        element.node["name"] = name


def _open(body: list[Element], depth: int) -> None:
    """Put what a module holds in its place, where it has not become a call."""
    for element in body:
        for inner in element.lists():
            _open(inner, depth)
    opened: list[Element] = []
    for element in body:
        if "scope" not in element.node or element.depth != depth:
            opened.append(element)
            continue
        inner = element.node["scope"]
        for one in inner:
            if len(inner) == 1 and one.op:
                one.node["name"] = element.name
            elif one.op:
                one.node["name"] = f"{element.name}_{one.name}"
        opened += inner
    body[:] = opened


def find_runs(body: list[Element], table: Table) -> list[Element]:
    """Elements that stand in a row several times, but for their numbers, as calls of a template."""
    index = 0
    result: list[Element] = []
    while index < len(body):
        best = (0, 0)
        for period in range(1, LONGEST_PERIOD + 1):
            count = _repeats(body, index, period)
            if count >= 2 and _is_worth(body[index : index + period]) and count * period > best[0]:
                best = (count * period, period)
        length, period = best
        if not length:
            result.append(body[index])
            index += 1
            continue
        parts = [body[at : at + period] for at in range(index, index + length, period)]
        title = _prefix([element.name for element in _named(parts[0])])
        for part in parts:
            name_inside(part)
        calls = table.add(title or "Block", parts)
        for call in calls:
            call.node["name"] = title or "block"
        result += calls
        index += length
    return result


def _named(body: list[Element]) -> list[Element]:
    found: list[Element] = []
    for element in body:
        found += [element] if element.name else []
        for inner in element.lists():
            found += _named(inner)
    return found


def _prefix(names: list[str]) -> str:
    first = [name.partition("_")[0] for name in names]
    return re.sub(r"\d+$", "", first[0]) if first and len(set(first)) == 1 else ""


def _repeats(body: list[Element], start: int, period: int) -> int:
    first = body[start : start + period]
    if len(first) < period or any("from" in element.node for element in first):
        return 0
    if period == 1 and not any(True for _ in first[0].lists()):
        return 0  # calls in a row, which are one entry anyway
    bones, count = skeleton(first), 1
    while True:
        part = body[start + count * period : start + (count + 1) * period]
        if len(part) < period or skeleton(part) != bones:
            return count
        if any("from" in element.node for element in part):
            return count
        count += 1


def _is_worth(part: list[Element]) -> bool:
    if len({element.op for element in part}) == 1 and len(part) > 1:
        return False
    return sum(len(list(element.expanded())) for element in part) >= 3


def shorten(body: list[Element]) -> list[Element]:
    """Calls in a row as one entry: repeat, first, or a row for each."""
    result: list[Element] = []
    index = 0
    while index < len(body):
        run = [body[index]]
        while index + len(run) < len(body) and _follows(run[0], body[index + len(run)]):
            run.append(body[index + len(run)])
        result.append(_entry(run) if len(run) > 1 else run[0])
        index += len(run)
    return result


def _follows(first: Element, other: Element) -> bool:
    if not first.op or not first.op[0].isupper() or first.op in ("Classifier", "SqueezeExcite"):
        return False
    blocking = ("from", "repeat", "each", "first")
    if any(key in element.node for element in (first, other) for key in blocking):
        return False
    return other.op == first.op and other.node.keys() == first.node.keys()


def _entry(run: list[Element]) -> Element:
    rows = [{k: v for k, v in e.node.items() if k not in ("op", "name")} for e in run]
    name = re.sub(r"\d+$", "", run[0].name) or "block"
    if not all(re.sub(r"\d+$", "", element.name) == name for element in run):
        name = run[0].name
    node: dict[str, Any] = {"op": run[0].op, "name": name}
    leaves = [leaf for element in run for leaf in element.expanded()]
    if all(row == rows[1] for row in rows[1:]):
        first = {key: value for key, value in rows[0].items() if value != rows[1][key]}
        node.update(rows[1])
        node["repeat"] = len(run)
        if first:
            node["first"] = first
    else:
        same = {k: v for k, v in rows[0].items() if all(row[k] == v for row in rows)}
        node.update(same)
        node["each"] = [{k: v for k, v in row.items() if k not in same} for row in rows]
    return Element(node, leaves, run[0].channels)


__all__ = ["DEFAULTS", "fold", "shorten"]
