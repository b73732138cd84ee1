"""Which copies of nodes each decision of a space is confined to, seen by expanding once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from archspec.fragment import Fragment, Item, Ref
from archspec.node import Layer
from archspec.scope import Body
from archspec.shapes import Shapes
from archspec.stats import BYTES_PER_ELEMENT
from archspec.syntax import Decision, Modifiers

Frame: TypeAlias = "tuple[str, Modifiers | None]"
"""A copy of a node, or all copies of one together: its path, and the node as written (two unnamed
ones can have one path)."""
ROOT: Frame = ("", None)
Scope: TypeAlias = "tuple[Frame, ...]"
"""The frames of a part: one, or those that share a decision."""


@dataclass
class Part:
    """What a frame is in one expansion: its open decisions in the order met, those of them that it
    evaluates itself, and what it expands to."""

    open: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    costs: tuple[int, ...] = (0, 0, 0)
    shapes: Shapes = ()
    content: Any = None


class _Open(NamedTuple):
    """A frame that the expansion is in, and what of its body there was before it."""

    frame: Frame
    body: Body
    start: int
    before: tuple[float, float]


class Trace:
    """What is told of one expansion that takes the first option of every decision that is not
    `fixed`: to which copies of nodes each of those decisions is confined. Only the frames of
    `scope` are looked into. It is an archspec.observer.Observer."""

    def __init__(self, fixed: Mapping[str, int], scope: Scope):
        self.fixed = fixed
        self.met: dict[str, tuple[Any, ...]] = {}
        self.inside: set[str] = set()
        """Open decisions of the scope."""
        self.parts: dict[Frame, Part] = {}
        self.scope_parts: dict[Frame, Part] = {frame: Part() for frame in scope}
        self.places: dict[Frame, tuple[int, int]] = {}
        """Of frames with open decisions, where nothing is fixed: the number of their first node and
        of the first after."""
        self._open: list[_Open] = []
        self._depth = sum(frame == ROOT for frame in scope)
        """Frames of the scope that the expansion is in."""
        self._unit: Frame | None = None

    @property
    def _frame(self) -> Frame:
        """The innermost that the expansion is in."""
        return self._open[-1].frame if self._open else ROOT

    def decide(self, key: str, decision: Decision) -> int:
        """The option for a choice."""
        return self.fixed.get(key, 0)

    def settle(self, key: str, decision: Decision) -> None:
        self.met[key] = decision.options
        if key in self.fixed or not self._depth:
            return
        self.inside.add(key)
        if self._unit is None:
            self._unit = self._frame
        part = self.parts.setdefault(self._unit, Part())
        if key not in part.open:
            part.open.append(key)
            if self._frame == self._unit:
                part.own.append(key)

    def enter(self, body: Body, node: Modifiers, path: str) -> None:
        frame: Frame = (path, node)
        self._open.append(_Open(frame, body, len(body.items), (body.params, body.macs)))
        self._depth += frame in self.scope_parts

    def leave(self, body: Body, results: tuple[Ref, ...]) -> None:
        frame, _, start, before = self._open.pop()
        self._depth -= frame in self.scope_parts
        part = self.scope_parts.get(frame)
        if self._unit == frame:
            self._unit = None
            part = self.parts[frame]
            if not self.fixed:
                self.places[frame] = self._place(body, start)
        if part is None:
            return
        items = body.items[start:]
        params, macs = before
        part.costs = (int(body.params - params), int(body.macs - macs), stored_bytes(items))
        part.shapes = body.shapes(results)
        part.content = content_of(body.items, start, results)
        if frame in self.scope_parts:
            self.scope_parts[frame] = part

    def _place(self, body: Body, start: int) -> tuple[int, int]:
        outer = {id(one.body): one.body for one in self._open if one.body is not body}.values()
        first = sum(_nodes(one.items) for one in outer) + _nodes(body.items[:start])
        return first, first + _nodes(body.items[start:])

    def end(self, fragment: Fragment) -> None:
        """The whole spec is expanded."""
        root = self.parts.get(ROOT, self.scope_parts[ROOT])
        root.content = content_of(fragment.items, 0, fragment.outputs)
        self.scope_parts[ROOT] = root

    def groups(self) -> list[Scope]:
        """The frames with open decisions, those together that share one, in the order met."""
        found: list[tuple[list[Frame], set[str]]] = []
        for frame, part in self.parts.items():
            touching = [one for one in found if not one[1].isdisjoint(part.open)]
            found = [one for one in found if one not in touching]
            frames = [frame for one, _ in touching for frame in one]
            found.append(([*frames, frame], {*part.open}.union(*(keys for _, keys in touching))))
        return [tuple(frames) for frames, _ in found]


def stored_bytes(items: Sequence[Item]) -> int:
    """Bytes of all results, as Stats.activation_bytes."""
    return sum(layer.stored for layer in _layers(items)) * BYTES_PER_ELEMENT


def _nodes(items: Sequence[Item]) -> int:
    return sum(1 for _ in _layers(items))


def _layers(items: Sequence[Item]) -> Iterator[Layer]:
    """In any order."""
    waiting = [items]
    while waiting:
        for item in waiting.pop():
            if isinstance(item.part, Layer):
                yield item.part
            else:
                waiting.append(item.part.items)


def content_of(items: Sequence[Item], start: int, refs: tuple[Ref, ...]) -> Any:
    """The nodes of the items from `start` on without their names, and which results leave: equal
    where two parts are the same node for node."""
    values: list[Any] = []
    for item in items[:start]:
        first = len(values)
        values += [("before", first + k) for k in range(len(item.part.output_shapes))]
    nodes: list[Any] = []
    for item in items[start:]:
        sources = [_value(values, ref) for ref in item.inputs]
        values += _place(item.part, sources, nodes, item.owner is not None)
    return tuple(nodes), tuple(_value(values, ref) for ref in refs)


def _place(
    part: Layer | Fragment, inputs: Sequence[Any], nodes: list[Any], borrows: bool
) -> list[Any]:
    if isinstance(part, Layer):
        layer = part.borrowing if borrows else part
        nodes.append((layer.signature, tuple(inputs)))
        return [(len(nodes), k) for k in range(len(part.output_shapes))]
    values: list[Any] = []
    for item in part.items:
        sources = [values[r] if r >= 0 else inputs[-1 - r] for r in item.inputs]
        values += _place(item.part, sources, nodes, borrows or item.owner is not None)
    return [values[r] if r >= 0 else inputs[-1 - r] for r in part.outputs]


def _value(values: Sequence[Any], ref: Ref) -> Any:
    return values[ref] if ref >= 0 else ("in", ref)
