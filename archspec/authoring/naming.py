"""The names of nodes in each body of a text, and which node a name means: as the expansion gives
them (archspec.scope), but from the text alone, which need not be right yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archspec.authoring.known import Known
from archspec.authoring.roles import NODE, kind_of, role_of
from archspec.authoring.tree import Item
from archspec.ops import FUNCTIONS, OPS
from archspec.syntax import COPYING, INPUT, JOINS, LIST, MODIFIERS, NOTHING, snake_case

MAX_COPIES = 64
"""Copies whose names are told; a body has seldom as many."""


@dataclass(eq=False)
class Part:
    """A node as written, or a branch, in its body: `path` is its name there, `name` where that is
    written; `began` counts the parts known before it, which are those that it can take."""

    item: Item
    path: str
    prefix: str
    kind: str
    """The op or template that is called, or "residual"..., "branch"."""
    name: tuple[int, int] | None
    began: int
    copies: int | None = None
    """How often it stands: 0 where that is not known, None for a node that is not a copy."""
    outputs: tuple[str, ...] = ()
    number: int = -1


class Found(NamedTuple):
    """The part that a name means, the full path that it stands for, and how much of that is the
    scope's and not written."""

    part: Part
    path: str
    hidden: int


@dataclass(eq=False)
class Body:
    """The body of the network, of one of its templates, or a node that a call passes on, which
    names its own."""

    item: Item
    template: str | None
    inputs: tuple[str, ...]
    parts: list[Part] = field(default_factory=list)
    """In the order in which their results are there."""
    names: dict[str, Part] = field(default_factory=dict)

    @property
    def owner(self) -> Item:
        """What declares its arguments: the document, or a template."""
        assert self.item.parent is not None
        return self.item.parent

    def find(self, name: str, prefix: str, before: int | None = None) -> Found | None:
        """What a name means within a scope, the innermost first; of the parts that were there
        `before`, if that is given."""
        base = name.partition("[")[0]
        while True:
            for candidate in (prefix + base, (prefix + base).rpartition(".")[0]):
                part = self.names.get(candidate) or self._in_copy(candidate)
                is_whole = candidate == prefix + base
                if part is None or (not is_whole and not _gives(part, base.rpartition(".")[2])):
                    continue
                if before is None or part.number < before:
                    return Found(part, candidate, len(prefix))
            if not prefix:
                return None
            prefix = prefix[: prefix.rstrip(".").rfind(".") + 1]

    def _in_copy(self, path: str) -> Part | None:
        """What stands in the second copy of a node or a later one: the text has it once."""
        for part in self.parts:
            if part.copies is None or not path.startswith(part.path):
                continue
            number, dot, rest = path[len(part.path) :].partition(".")
            if number.isdecimal() and dot and int(number) > 1:
                return self.names.get(f"{part.path}1.{rest}")
        return None

    def part_of(self, item: Item) -> Part | None:
        """The part that a node is."""
        return next((p for p in self.parts if p.item is item and p.kind != "branch"), None)


def _gives(part: Part, output: str) -> bool:
    return output in part.outputs or output.isdecimal() or not part.outputs


def read_bodies(root: Item, known: Known) -> list[Body]:
    """Every body of a text, with the names in it."""
    found: list[Body] = []
    templates = root.get("templates")
    for template in templates.items if templates is not None else ():
        item = template.get("body")
        if item is not None:
            inputs = template.get("inputs")
            names = inputs.items if inputs is not None and inputs.kind == "array" else ()
            streams = tuple(str(each.value).removesuffix(LIST) for each in names) or (INPUT,)
            found.append(Body(item, str(template.key), streams))
    item = root.get("body")
    if item is not None:
        found.append(Body(item, None, (INPUT,)))
    for body in found:
        namer = _Namer(body, known)
        namer.walk(body.item, "")
        found += [Body(passed, body.template, (INPUT,)) for passed in namer.passed]
    return found


class _Namer:
    """Walks through one body as archspec.walk does, and gives the names that it would."""

    def __init__(self, body: Body, known: Known):
        self.body = body
        self.known = known
        self.taken: set[str] = set()
        self.ordinals: dict[str, int] = {}
        self.passed: list[Item] = []
        """Nodes that are arguments."""

    def walk(self, node: Item, prefix: str) -> None:
        if node.kind == "array":
            for child in node.items:
                self.walk(child, prefix)
        elif node.kind == "string":
            self._word(node, prefix)
        elif node.kind == "object":
            self._node(node, prefix)

    def _word(self, node: Item, prefix: str) -> None:
        word = node.value
        if word == NOTHING or not word:
            return
        is_function = word in FUNCTIONS and word not in OPS
        name = "act" if is_function else _default_name(word)
        path = self._ordinal(prefix + name)
        self._add(Part(node, path, prefix, word, None, len(self.body.parts)))

    def _node(self, node: Item, prefix: str) -> None:
        kind = kind_of(node) or "op"
        called = node.text("op")
        word = called if kind == "op" and called is not None else kind
        named = node.get("name")
        name = named.value if named is not None and named.kind == "string" else None
        base = prefix + (name or (_default_name(word) if kind == "op" else _GROUPS.get(kind, kind)))
        copies = _copies(node)
        began = len(self.body.parts)
        outputs: tuple[str, ...] = ()
        if kind == "op" and word in self.known.templates:
            outputs = self.known.templates[word].outputs
        paths = [base]
        if copies is None:
            if name is None:
                paths = [self._ordinal(base)]
        elif name is None:
            paths = [self._ordinal(base, True) for _ in range(max(1, min(copies, MAX_COPIES)))]
        else:
            paths = [f"{base}{copy + 1}" for copy in range(max(1, min(copies, MAX_COPIES)))]
        self.taken.update(paths)
        is_scope = name is not None or copies is not None
        self._inside(node, kind, f"{paths[0]}." if is_scope else prefix, paths[0], prefix)
        span = named.inner if name and named is not None else None
        part = Part(node, base if name else paths[0], prefix, word, span, began, copies, outputs)
        self._add(part, paths if name is None else [base, *(paths if copies is not None else ())])

    def _inside(self, node: Item, kind: str, inner: str, path: str, prefix: str) -> None:
        """The nodes within a node: `inner` is their scope, `path` the name of its first copy."""
        body = node.get(kind)
        if kind == "op":
            own = (item for item in node.items if str(item.key) not in MODIFIERS)
            self.passed += [item for item in own if role_of(item) == NODE]
        if body is None or kind == "op":
            return
        if kind == "branches":
            for child in body.items:
                own = str(child.key) if isinstance(child.key, str) else f"branch{child.key + 1}"
                scope = self._ordinal(inner + own)
                began = len(self.body.parts)
                self.walk(child, f"{scope}.")
                span = (child.key_start + 1, child.key_end - 1) if child.key_start >= 0 else None
                self._add(Part(child, scope, inner, "branch", span, began))
        elif kind == "choice":
            for number, child in enumerate(body.items if body.kind == "array" else ()):
                self.walk(child, f"{path}.option{number + 1}.")
        else:
            self.walk(body, inner)
            shortcut = node.get("shortcut")
            if shortcut is not None:
                scope = self._ordinal(f"{inner}shortcut")
                self.walk(shortcut, f"{scope}.")
        if kind in ("residual", "branches"):
            join = node.text("join") or ("add" if kind == "residual" else "")
            if join in JOINS and join != NOTHING:
                self._ordinal(inner + join)

    def _ordinal(self, path: str, is_copy: bool = False) -> str:
        while True:
            count = self.ordinals[path] = self.ordinals.get(path, 0) + 1
            numbered = path if count == 1 and not is_copy else f"{path}{count}"
            if numbered not in self.taken:
                self.taken.add(numbered)
                return numbered

    def _add(self, part: Part, paths: list[str] | None = None) -> None:
        part.number = len(self.body.parts)
        self.body.parts.append(part)
        for path in paths or [part.path]:
            self.body.names.setdefault(path, part)


_GROUPS = {"body": "group"}


def _default_name(word: str) -> str:
    name = word.removeprefix("=").strip()
    return snake_case(name) if not word.startswith("=") or name.isidentifier() else "op"


def _copies(node: Item) -> int | None:
    """How many copies of a node there are; 0 where an expression says it."""
    for key in COPYING:
        item = node.get(key)
        if item is not None:
            if item.kind == "array":
                return len(item.items)
            return item.value if type(item.value) is int and item.value > 0 else 0
    return None


def target_of(node: Item) -> str | None:
    """What a node calls, as its text says; None where it is computed or calls nothing."""
    word: Any = node.value if node.kind == "string" else node.text("op")
    if not isinstance(word, str) or word.startswith("="):
        return None
    return "act" if node.kind == "string" and word in FUNCTIONS and word not in OPS else word


def names_within(body: Body, part: Part | None, prefix: str) -> Iterator[tuple[str, Part]]:
    """The names that can be taken in a scope: as short as they may be written, the nearest first;
    of the parts that are there before `part`."""
    last = len(body.parts) if part is None else part.began
    seen: set[str] = set()
    for other in reversed(body.parts[:last]):
        written = _shorten(other.path, prefix)
        if written not in seen:
            seen.add(written)
            yield written, other
            for output in other.outputs:
                yield f"{written}.{output}", other


def _shorten(path: str, prefix: str) -> str:
    """A path without the scopes that it shares with where it is written."""
    scope = prefix
    while scope:
        if path.startswith(scope):
            return path[len(scope) :]
        scope = scope[: scope.rstrip(".").rfind(".") + 1]
    return path
