"""From modules to a spec: templates where they are alike, one entry for calls in a row."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from typing import Any

from archspec.compiler.importing.folding.elements import CALL, Element
from archspec.compiler.importing.folding.known import DEFAULTS, name_templates
from archspec.compiler.importing.folding.templates import (
    Table,
    as_residual,
    skeleton,
    wrap,
)

LONGEST_PERIOD = 6


def fold(body: list[Element], table: Table) -> list[Element]:
    """The body with its modules made templates, or opened where there is one of a kind."""
    deepest = max((element.depth for element in _scopes(body)), default=-1)
    for depth in range(deepest, -1, -1):
        _simplify_all(body)
        _fold_level(body, depth, table)
    _simplify_all(body)
    whole = shorten(find_runs(name_templates(body), table))
    name_apart(whole)
    return whole


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
            inner[:] = name_templates(inner)


def _fold_level(body: list[Element], depth: int, table: Table) -> None:
    scopes = [element for element in _scopes(body) if element.depth == depth]
    for scope in scopes:
        inner = find_runs(scope.node["scope"], table)
        scope.node["scope"] = shorten(inner) if _is_stage(inner, table) else inner
    groups: dict[Any, list[Element]] = defaultdict(list)
    for scope in scopes:
        inner = scope.node["scope"]
        if _is_stage(inner, table) and not names_sources(inner):
            continue
        if len(inner) > 1 or as_residual(inner):
            groups[skeleton(scope.node["scope"], loose=True)].append(scope)
    for group in groups.values():
        if len(group) < 2 and not names_sources([*group, *group[0].node["scope"]]):
            continue
        _make_one(group, table)
    _open(body, depth)


def _is_stage(body: list[Element], table: Table) -> bool:
    """Blocks one behind another and nothing else."""
    return all(element.op in (*table.templates, "Bottleneck", "BasicBlock") for element in body)


def names_sources(body: list[Element]) -> bool:
    """Whether somebody in it says what it reads, which is known by that name here alone."""
    return any(
        "from" in element.node or any(names_sources(inner) for inner in element.lists())
        for element in body
    )


def _make_one(group: list[Element], table: Table) -> None:
    bodies = [element.node["scope"] for element in group]
    if any(as_residual(body) for body in bodies):
        bodies = [body if as_residual(body) else wrap(body) for body in bodies]
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
    kept = read_names(body)
    _shorten_names(body, kept, set(kept))


def read_names(body: list[Element]) -> set[str]:
    """What elements say that they read."""
    found: set[str] = set()
    for element in body:
        sources = element.node.get("from", [])
        for source in [sources] if isinstance(sources, str) else sources:
            found.add(source.partition(".")[0])
        for inner in element.lists():
            found |= read_names(inner)
    return found


def _shorten_names(body: list[Element], kept: set[str], taken: set[str]) -> None:
    for element in body:
        for inner in element.lists():
            _shorten_names(inner, kept, taken)
        if element.name and element.name not in kept:
            short = re.sub(r"^(.*_)?(?=[A-Za-z])", "", element.name)
            own_name(element, short if short[:1].isalpha() else f"part{short}", taken)


def own_name(element: Element, wanted: str, taken: set[str]) -> None:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}{'_' if wanted[-1].isdigit() else ''}{number}"
    taken.add(name)
    element.node["name"] = name


def name_apart(body: list[Element]) -> None:
    """Names that are alike made different: residuals and branches share those of their body."""
    kept = read_names(body)
    bases = {re.sub(r"\d+$", "", element.name) for element in _list_named(body)}
    _part_names(body, kept, set(kept), bases)


def _part_names(body: list[Element], kept: set[str], taken: set[str], bases: set[str]) -> None:
    for element in body:
        for inner in element.lists():
            _part_names(inner, kept, taken, bases)
        if element.name and element.name not in kept:
            name = element.name if not element.name[0].isdigit() else f"n{element.name}"
            several = "repeat" in element.node or "each" in element.node
            if several and (name[-1].isdigit() or name in bases):  # copies are name1, name2
                name = f"{name}_"
            own_name(element, name, taken)


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
            if one is inner[-1] and (len(inner) == 1 or "from" in element.node):
                if one.op or "from" in element.node:
                    one.node["name"] = element.name
            elif one.op:
                gap = "" if one.name[:1].isdigit() else "_"
                one.node["name"] = f"{element.name}{gap}{one.name}"
        if "from" in element.node:
            inner[0].node["from"] = element.node["from"]
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
        title = _prefix([element.name for element in _list_named(parts[0])])
        for part in parts:
            name_inside(part)
        calls = table.add(title or "Block", parts)
        for call in calls:
            call.node["name"] = title or "block"
        result += calls
        index += length
    return result


def _list_named(body: list[Element]) -> list[Element]:
    found: list[Element] = []
    for element in body:
        found += [element] if element.name else []
        for inner in element.lists():
            found += _list_named(inner)
    return found


def _prefix(names: list[str]) -> str:
    first = [name.partition("_")[0] for name in names]
    return re.sub(r"_?\d+$", "", first[0]) if first and len(set(first)) == 1 else ""


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
    return sum(len(list(element.flat_names())) for element in part) >= 3


def shorten(body: list[Element]) -> list[Element]:
    """Calls in a row as one entry: repeat, first, or a row for each."""
    result: list[Element] = []
    index = 0
    while index < len(body):
        run = [body[index]]
        while index + len(run) < len(body) and _follows(run[0], body[index + len(run)]):
            run.append(body[index + len(run)])
        result += _entries(run)
        index += len(run)
    return result


def _follows(first: Element, other: Element) -> bool:
    if not first.op or not first.op[0].isupper() or first.op in ("Classifier", "SqueezeExcite"):
        return False
    blocking = ("from", "repeat", "each", "first")
    if any(key in element.node for element in (first, other) for key in blocking):
        return False
    if other.op != first.op or other.node.keys() != first.node.keys():
        return False
    alike = ("kernel", "groups", "act") if first.op == CALL else ()
    return all(other.node[key] == first.node[key] for key in alike)


SINGLE, REPEATED, ROWS = 1.2, 1.5, 2.5
"""What reading an entry costs: one call, one that is repeated, one with rows beside its rows."""


def _entries(run: list[Element]) -> list[Element]:
    """Calls of one template in as few entries as read well, cut where that is cheapest."""
    rows = [{k: v for k, v in e.node.items() if k not in ("op", "name")} for e in run]
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(run) + 1):
        ways: list[tuple[float, int]] = []
        for start in range(end):
            count = end - start
            is_even = all(row == rows[end - 1] for row in rows[start + 1 : end])
            price = SINGLE if count == 1 else REPEATED if is_even else ROWS + count
            ways.append((best[start][0] + price, start))
        best.append(min(ways))
    cuts = [len(run)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    cuts.reverse()
    return [
        _entry(run[start:end], rows[start:end]) if end - start > 1 else run[start]
        for start, end in pairwise(cuts)
    ]


def _entry(run: list[Element], rows: list[dict[str, Any]]) -> Element:
    name = re.sub(r"\d+$", "", run[0].name) or run[0].name or "block"
    if not all(re.sub(r"\d+$", "", element.name) == name for element in run):
        name = run[0].name
    node: dict[str, Any] = {"op": run[0].op, "name": name}
    leaves = [leaf for element in run for leaf in element.flat_names()]
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
