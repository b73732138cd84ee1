"""Bodies that differ in numbers alone become calls of one template; calls in a row one entry.

[CNA 16, CNA 16 s2], [CNA 32, CNA 32 s1]    becomes    "Block": args channels, stride
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from typing import Any

from archspec.compiler.importing.folding.elements import STRUCTURE, Element

Path = tuple[Any, ...]
REQUIRED: dict[str, Any] = {}
"""Of an argument that each call has to give, as a spec says it."""


def skeleton(body: list[Element], *, loose: bool = False) -> Hashable:
    """What bodies have in common that differ in numbers alone. Loosely, whether all of it is
    residual does not count."""
    if loose and (inner := as_residual(body)) is not None:
        body = inner[0].node["residual"]
    return tuple(_bones(element) for element in body)


def _bones(element: Element) -> Hashable:
    node = element.node
    parts: list[Hashable] = [node.get("op"), node.get("join")]
    parts.append(tuple(sorted(key for key in node if key not in STRUCTURE)))
    parts.append(json.dumps([node.get(key) for key in ("repeat", "each", "first")]))
    source = node.get("from")
    if source is not None:
        parts.append(json.dumps([source, node.get("name")]))
    parts += [skeleton(body) for body in element.lists()]
    return tuple(parts)


def as_residual(body: list[Element]) -> list[Element] | None:
    """A body that is one residual over nothing but an identity, by addition."""
    if len(body) == 1 and body[0].node.get("join") in ("add", "none"):
        node = body[0].node
        if "residual" in node and "shortcut" not in node:
            return body
    return None


def wrap(body: list[Element]) -> list[Element]:
    """The body as a residual whose shortcut is left out."""
    return [Element({"residual": body, "join": "none"}, [], body[0].channels)]


def values(body: list[Element], path: Path = ()) -> Iterator[tuple[Path, str, Any]]:
    """Every attribute: its place, the name of what it belongs to, and its value."""
    for index, element in enumerate(body):
        here = (*path, index)
        for key, value in element.node.items():
            if key not in STRUCTURE and key != "scope":
                yield (*here, key), element.name, value
        for number, inner in enumerate(element.lists()):
            yield from values(inner, (*here, number))


class Table:
    """The templates of a spec, by their names."""

    def __init__(self) -> None:
        self.templates: dict[str, dict[str, Any]] = {}
        self.defaults: dict[str, dict[str, Any]] = {}
        self._known: dict[str, str] = {}

    def add(self, wanted: str, bodies: list[list[Element]]) -> list[Element]:
        """A template for bodies of one skeleton, and the calls that give each."""
        calls, args, pattern = unify(bodies)
        known = self._known.setdefault(repr((_bare(pattern), list(args))), self._free(wanted))
        name = known
        if name in self.templates:
            args = {key: self.templates[name]["args"][key] for key in args}
        self.templates[name] = {"args": args, "body": pattern}
        self.defaults[name] = {key: value for key, value in args.items() if value != REQUIRED}
        elements: list[Element] = []
        for body, own in zip(bodies, calls, strict=True):
            leaves = [leaf for element in body for leaf in element.flat_names()]
            elements.append(Element({"op": name, "name": "block", **own}, leaves, body[0].channels))
        return elements

    def add_over_list(self, wanted: str, pattern: list[Element], given: list[str]) -> str:
        """The name of a template that takes a list `streams` and gives the one of `given`."""
        name = self._free(wanted)
        self.templates[name] = {
            "inputs": ["streams[]"], "args": {}, "body": pattern, "outputs": {"streams[]": given},
        }  # fmt: skip
        self.defaults[name] = {}
        return name

    def _free(self, wanted: str) -> str:
        name = re.sub(r"[^A-Za-z0-9]", " ", wanted).title().replace(" ", "")
        name = re.sub(r"\d+$", "", name) or "Block"
        name = name if name[0].isalpha() else f"Block{name}"
        taken, number = name, 1
        while name in self.templates or name in RESERVED:
            number += 1
            name = f"{taken}{number}"
        return name


def _bare(body: list[Element]) -> list[Any]:
    """What is written of a body, without what it came from."""
    bare: list[Any] = []
    for element in body:
        node = {
            k: v for k, v in element.node.items() if k not in ("residual", "shortcut", "branches")
        }
        bare.append((node, [_bare(inner) for inner in element.lists()], [*element.node]))
    return bare


RESERVED = (
    "ConvNormAct", "DepthwiseConvNormAct", "SqueezeExcite", "MBConv", "BasicBlock", "Bottleneck",
    "Classifier", "Network",
)  # fmt: skip


def unify(
    bodies: list[list[Element]],
) -> tuple[list[dict[str, Any]], dict[str, Any], list[Element]]:
    """For each body its arguments, what each argument is by default (or REQUIRED), and the body
    that has them."""
    pattern = [element.copy_whole() for element in bodies[0]]
    places = {place: (owner, key_of(place)) for place, owner, _ in values(pattern)}
    columns: dict[Path, list[Any]] = defaultdict(list)
    for body in bodies:
        for place, _, value in values(body):
            columns[place].append(value)
    entering = [body[0].channels for body in bodies]
    named: dict[str, list[Any]] = {}
    for place, (owner, key) in sorted(places.items(), key=lambda item: item[1][1] == "join"):
        column = columns[place]
        if all(value == column[0] for value in column):
            continue
        if key == "join":
            _put(pattern, place, _skip(column, entering, named))
            continue
        spelt = _spell(column, entering, named)
        if spelt is None:
            name = _argument(key, owner, named)
            named[name] = column
            spelt = f"={name}"
        _put(pattern, place, spelt)
    args: dict[str, Any] = {}
    for name, column in named.items():
        usual, count = Counter(map(json.dumps, column)).most_common(1)[0]
        is_usual = 2 * count >= len(column) and not name.endswith("channels")
        is_left_out = any(value is None for value in column)  # null is nobody's argument
        args[name] = None if is_left_out else json.loads(usual) if is_usual else REQUIRED
    calls = [{name: column[i] for name, column in named.items()} for i in range(len(bodies))]
    return calls, args, pattern


def _skip(column: list[Any], entering: list[int], named: dict[str, list[Any]]) -> str:
    """Where the input is added, by what it hangs on, or by an argument of its own."""
    is_added = [value == "add" for value in column]
    strides = named.get("stride", [1] * len(column))
    for name, other in named.items():
        alike = [s == 1 and e == o for s, e, o in zip(strides, entering, other, strict=True)]
        if alike == is_added and name != "stride":
            when = "stride == 1 and " if "stride" in named else ""
            return f"='add' if {when}in_channels == {name} else 'none'"
    if is_added == [stride == 1 for stride in strides]:
        return "='add' if stride == 1 else 'none'"
    named["skip"] = is_added
    return "='add' if skip else 'none'"


def key_of(place: Path) -> str:
    return place[-1]


def _spell(column: list[Any], entering: list[int], named: dict[str, list[Any]]) -> str | None:
    """A column by the template's own channels, or by one that is an argument already."""
    if column == entering:
        return "=in_channels"
    for name, other in named.items():
        if other == column:
            return f"={name}"
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in column):
        return None
    for name, other in [("in_channels", entering), *named.items()]:
        if name == "in_channels" and len(set(entering)) < 2:
            continue
        if not all(type(value) is int and value > 0 for value in other):
            continue
        for factor in (2, 3, 4, 6):
            if [factor * value for value in other] == column:
                return f"={factor} * {name}"
            if [value * factor for value in column] == other and name != "stride":
                return f"={name} // {factor}"
    return None


def _argument(key: str, owner: str, named: dict[str, list[Any]]) -> str:
    name = key
    if name in named:
        name = re.sub(r"[^A-Za-z0-9_]", "_", f"{owner}_{key}" if owner else f"{key}2")
    number = 2
    while name in named or name in ("in", "index", "lane"):
        name, number = f"{key}{number}", number + 1
    return name if name[0].isalpha() else f"n{name}"


def _put(body: list[Element], place: Path, value: Any) -> None:
    *path, key = place
    element = body[path[0]]
    for number, index in zip(path[1::2], path[2::2], strict=True):
        element = list(element.lists())[number][index]
    element.node[key] = value
