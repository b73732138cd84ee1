"""A part that several tensors pass, standing several times in a row, as one template over a list.

    a1, b1 from a, b       a2, b2 from a1, b1       becomes
    {"op": "Stage", "from": ["a", "b"], "repeat": 2}, whose results are read as stage[0], stage[1]

What such a part reads is what the one before it gives, tensor for tensor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.compiler.importing.folding.elements import Element
from archspec.compiler.importing.folding.folded import names_sources, read_names
from archspec.compiler.importing.folding.templates import Table

LONGEST_PART = 100
LEAST_SAVED = 6
"""Entries that a template has to save, having lines of its own."""


@dataclass
class _Part:
    """Elements in a row, with what each reads: (place in the part, suffix), or (-1 - stream, "")
    for what stands before it."""

    elements: list[Element]
    reads: list[list[tuple[int, str]]]
    streams: list[str]


def join_streams(body: list[Element], table: Table) -> list[Element]:
    """The body with its longest such runs made calls."""
    body = list(body)
    start = 0
    while start < len(body):
        length, count = _find_longest(body, start)
        if length:
            body = _join(body, start, length, count, table)
        start += 1
    return body


def _find_longest(body: list[Element], start: int) -> tuple[int, int]:
    best = (0, 0, 0)
    for length in range(2, min(LONGEST_PART, (len(body) - start) // 2) + 1):
        if _bones(body[start]) != _bones(body[start + length]):
            continue
        count = _count(body, start, length)
        best = max(best, ((count - 1) * length, length, count))
    saved, length, count = best
    return (length, count) if saved >= LEAST_SAVED else (0, 0)


def _count(body: list[Element], start: int, length: int) -> int:
    """How many parts stand in a row that are alike and hand on all they read."""
    first = _part(body, start, length)
    if first is None or len(first.streams) < 2:
        return 0
    bones = [_bones(element) for element in first.elements]
    before, given, count = first, None, 1
    while True:
        part = _part(body, start + count * length, length)
        if part is None or part.reads != first.reads:
            break
        if [_bones(element) for element in part.elements] != bones:
            break
        names = [element.name for element in before.elements]
        if not set(part.streams) <= set(names):
            break
        places = [names.index(stream) for stream in part.streams]
        if given is not None and places != given:
            break
        before, given, count = part, places, count + 1
    end = start + count * length
    if given is None:
        return 0
    read = read_names(body[end:]) | ({body[end - 1].name} if end == len(body) else set())
    inside = {element.name for element in body[start:end]}
    is_whole = end == len(body) or "from" in body[end].node
    handed = {before.elements[place].name for place in given}
    return count if is_whole and read & inside <= handed else 0


def _part(body: list[Element], start: int, length: int) -> _Part | None:
    elements = body[start : start + length]
    if len(elements) < length or not all(element.name for element in elements):
        return None
    places = {element.name: place for place, element in enumerate(elements)}
    streams: list[str] = []
    reads: list[list[tuple[int, str]]] = []
    for place, element in enumerate(elements):
        if any(names_sources(inner) for inner in element.lists()):
            return None
        mine: list[tuple[int, str]] = []
        for source in _sources(element, elements[place - 1].name if place else ""):
            base, _, suffix = source.partition(".")
            if base in places and places[base] < place:
                mine.append((places[base], suffix))
                continue
            if not source:
                return None
            if source not in streams:
                streams.append(source)
            mine.append((-1 - streams.index(source), ""))
        reads.append(mine)
    return _Part(elements, reads, streams)


def _sources(element: Element, before: str) -> list[str]:
    source = element.node.get("from", before)
    return [source] if isinstance(source, str) else list(source)


def _bones(element: Element) -> str:
    return json.dumps(_bare(element), sort_keys=True)


def _bare(element: Element, *, is_inside: bool = False) -> dict[str, Any]:
    """All that is written of an element but its names and what it reads."""
    hidden = ("name", "residual", "shortcut", "branches") + (() if is_inside else ("from",))
    own = {key: value for key, value in element.node.items() if key not in hidden}
    own["inner"] = [[_bare(one, is_inside=True) for one in inner] for inner in element.lists()]
    own["keys"] = sorted(key for key in element.node if key in ("residual", "shortcut", "branches"))
    return own


def _join(body: list[Element], start: int, length: int, count: int, table: Table) -> list[Element]:
    end = start + count * length
    first, second = _part(body, start, length), _part(body, start + length, length)
    assert first and second
    names = [element.name for element in first.elements]
    prefix = _common_prefix(names)
    short = {name: _short(name, prefix) for name in names}
    pattern = [element.copy_whole() for element in first.elements]
    for element, reads in zip(pattern, first.reads, strict=True):
        sources = [_say(read, names, short) for read in reads]
        element.node["name"] = short[element.name]
        if sources:
            element.node["from"] = sources[0] if len(sources) == 1 else sources
    handed = _find_handed(first, second)
    given = [short[names[place]] for place in handed]
    title = re.sub(r"_?\d+_?$", "", prefix) or "part"
    template = table.add_over_list(title, pattern, given)
    taken = {element.name for element in body[:start] + body[end:]}
    name = f"{title}_" if title[-1].isdigit() else title
    while name in taken or any(re.fullmatch(rf"{re.escape(name)}\d+", one) for one in taken):
        name = f"{name}part_"
    leaves = [leaf for one in body[start:end] for leaf in one.flat_names()]
    node = {"op": template, "name": name, "repeat": count, "from": first.streams}
    call = Element(node, leaves, first.elements[0].channels)
    last = body[end - length : end]
    moved = {last[place].name: f"{name}[{index}]" for index, place in enumerate(handed)}
    for element in body[end:]:
        _redirect(element, moved)
    return [*body[:start], call, *body[end:]]


def _common_prefix(names: list[str]) -> str:
    """What all names begin with, up to an underscore."""
    pieces = [name.split("_")[:-1] for name in names]
    count = 0
    while all(len(one) > count and one[count] == pieces[0][count] for one in pieces):
        count += 1
    return "".join(f"{piece}_" for piece in pieces[0][:count])


def _find_handed(first: _Part, second: _Part) -> list[int]:
    names = [element.name for element in first.elements]
    return [names.index(stream) for stream in second.streams]


def _short(name: str, prefix: str) -> str:
    short = name.removeprefix(prefix)
    return short if short[:1].isalpha() else f"n{short}"


def _say(read: tuple[int, str], names: list[str], short: Mapping[str, str]) -> str:
    place, suffix = read
    if place < 0:
        return f"streams[{-1 - place}]"
    return short[names[place]] + (f".{suffix}" if suffix else "")


def _redirect(element: Element, moved: Mapping[str, str]) -> None:
    source = element.node.get("from")
    if isinstance(source, str):
        element.node["from"] = moved.get(source, source)
    elif source is not None:
        element.node["from"] = [moved.get(one, one) for one in source]
