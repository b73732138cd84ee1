"""A part of a graph with one way in and one way out, as a body: sequences, residuals, branches.

    x ─┬─ a ── b ─┐
       └───────── add ── c          becomes    [{"residual": [a, b]}, c]

Where paths cross, nodes keep their names and say what they read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import networkx

from archspec.compiler.importing.folding.elements import Element, merge_convs
from archspec.node import Tensor

JOINS = ("add", "mul", "max", "min", "concat", "sub", "div")
EITHER_WAY = ("add", "mul", "max", "min")
"""Joins of which the order of inputs does not matter."""


@dataclass(eq=False)
class Unit:
    """A node, or a module that is taken as one."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    element: Element


def body_of(units: Sequence[Unit], entry: Tensor, result: Tensor) -> list[Element]:
    return _Region(units, entry).sequence(entry, result)


class _Region:
    def __init__(self, units: Sequence[Unit], entry: Tensor):
        self.units = _in_order(units)
        self.place = {unit: index for index, unit in enumerate(self.units)}
        self.maker = {tensor: unit for unit in self.units for tensor in unit.outputs}
        self.readers: dict[Tensor, list[Unit]] = defaultdict(list)
        for unit in self.units:
            for tensor in dict.fromkeys(unit.inputs):
                self.readers[tensor].append(unit)
        self.entry = entry

    def between(self, start: Tensor, end: Tensor) -> list[Unit]:
        """What lies between two tensors: whatever the second is made of, from the first on."""
        found: set[Unit] = set()
        waiting = [end]
        while waiting:
            tensor = waiting.pop()
            unit = self.maker.get(tensor)
            if tensor != start and unit is not None and unit not in found:
                found.add(unit)
                waiting += unit.inputs
        return sorted(found, key=self.place.__getitem__)

    def sequence(self, start: Tensor, end: Tensor) -> list[Element]:
        if start == end:
            return []
        units = self.between(start, end)
        ends = self._cuts(units, start, end)
        body: list[Element] = []
        for first, last in zip([start, *ends[:-1]], ends, strict=True):
            part = self.between(first, last)
            if len(part) == 1 and part[0].inputs == (first,):
                body.append(part[0].element)
                continue
            joined = self._join_paths(first, part[-1]) if part[-1].outputs == (last,) else None
            if joined:
                body.append(joined)
            else:
                body = merge_convs(body)
                body += self._crossing(part, first, body[-1] if body else None, start, last)
        return merge_convs(body)

    def _cuts(self, units: list[Unit], start: Tensor, end: Tensor) -> list[Tensor]:
        """The tensors that all paths go through, in order."""
        graph = networkx.DiGraph()
        for unit in units:
            graph.add_edges_from((tensor, unit) for tensor in unit.inputs)
            graph.add_edges_from((unit, tensor) for tensor in unit.outputs)
        sources = [node for node in list(graph) if graph.in_degree(node) == 0 and node != start]
        graph.add_edges_from((start, node) for node in sources)  # learnt tensors
        if end not in graph or start not in graph:
            return [end]
        above = networkx.immediate_dominators(graph, start)
        cuts: list[Tensor] = []
        place = end
        while place != start:
            if isinstance(place, Tensor):
                cuts.append(place)
            place = above[place]
        inside = set(units)
        kept = [end]
        for cut in cuts[1:]:
            before = set(self.between(start, cut))
            after = inside - before
            alive = {t for unit in after for t in unit.inputs if self.maker.get(t) in before}
            if alive <= {cut} and all(start not in unit.inputs for unit in after):
                kept.append(cut)
        return kept[::-1]

    def _join_paths(self, first: Tensor, join: Unit) -> Element | None:
        """Paths from one tensor that meet in one node and share nothing."""
        if join.element.op not in JOINS or len(join.inputs) < 2:
            return None
        if join.element.node.get("axis", "channels") != "channels":
            return None
        parts = [self.between(first, tensor) for tensor in join.inputs]
        if any(set(a) & set(b) for a, b in combinations(parts, 2)):
            return None
        if any(
            not part and tensor != first for part, tensor in zip(parts, join.inputs, strict=True)
        ):
            return None
        if any(unit.inputs == () for part in parts for unit in part):
            return None
        try:
            bodies = [self.sequence(first, tensor) for tensor in join.inputs]
        except Tangled:
            return None
        kind, leaves = join.element.op, list(join.element.leaves)
        channels = bodies[0][0].channels if bodies[0] else max(b[0].channels for b in bodies if b)
        if len(bodies) == 2 and kind != "concat":
            if kind in EITHER_WAY and len(parts[0]) < len(parts[1]):
                bodies.reverse()
            node = {"residual": bodies[0], **({"shortcut": bodies[1]} if bodies[1] else {})}
            return Element({**node, "join": kind}, leaves, channels)
        return Element({"branches": bodies, "join": kind}, leaves, channels)

    def _crossing(
        self, part: list[Unit], first: Tensor, before: Element | None, start: Tensor, last: Tensor
    ) -> list[Element]:
        """Units by name, each with what it reads."""
        if first == start:
            entry = "in" if start == self.entry else None
        else:
            assert before is not None
            entry = before.node.setdefault("name", "before")
        if entry is None:
            raise Tangled
        names = {first: entry}
        body: list[Element] = []
        previous = first
        for unit in part:
            unit.name = unit.name if not unit.name[0].isdigit() else f"n{unit.name}"
            several = len(unit.outputs) > 1
            for index, tensor in enumerate(unit.outputs):
                names[tensor] = f"{unit.name}.{index + 1}" if several else unit.name
            element = unit.element
            element.node["name"] = unit.name
            if unit.inputs and unit.inputs != (previous,):
                sources = [names[tensor] for tensor in unit.inputs]
                element.node["from"] = sources[0] if len(sources) == 1 else sources
            elif unit.inputs:
                element.node["from"] = names[previous]
            previous = unit.outputs[0]
            body.append(element)
        if part[-1].outputs != (last,):
            raise Tangled
        return body


def _in_order(units: Sequence[Unit]) -> list[Unit]:
    """Each behind what it reads; a module may have stood where its first node did."""
    makers = {tensor: index for index, unit in enumerate(units) for tensor in unit.outputs}
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(units)))
    for index, unit in enumerate(units):
        graph.add_edges_from((makers[t], index) for t in unit.inputs if t in makers)
    return [units[index] for index in networkx.lexicographical_topological_sort(graph)]


class Tangled(Exception):
    """Paths that no body of one way in and one way out says."""
