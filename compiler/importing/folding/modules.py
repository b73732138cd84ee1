"""A flat graph as a tree of the modules that its names say, each with one way in and one way out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from archspec.compiler.importing.folding.elements import Element, leaf
from archspec.compiler.importing.folding.sequences import Tangled, Unit, body_of
from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor


def read_modules(graph: Graph) -> list[Element]:
    """The body of the whole, modules as elements that hold their bodies in `scope`. Raises Tangled
    where not even the whole is one body."""
    if len(graph.outputs) != 1:
        raise Tangled
    readers: dict[Tensor, list[str]] = defaultdict(list)
    for node in graph.nodes.values():
        for tensor in node.inputs:
            readers[tensor].append(node.name)
    (result,) = graph.outputs.values()
    reading = _Reading(graph, readers, result)
    units = reading.units(list(graph.nodes.values()), 0, ())
    return body_of(units, Tensor(INPUT), result)


class _Reading(NamedTuple):
    graph: Graph
    readers: dict[Tensor, list[str]]
    result: Tensor

    def units(self, nodes: Sequence[Node], depth: int, above: tuple[str, ...]) -> list[Unit]:
        """The nodes, those of a module together where that is one body."""
        groups: dict[str, list[Node]] = {}
        for node in nodes:
            groups.setdefault(node.name.split(".")[depth], []).append(node)
        units: list[Unit] = []
        for segment, group in groups.items():
            if len(group) == 1:
                units.append(self._leaf(group[0], depth))
                continue
            inner = [node for node in group if node.name.count(".") > depth]
            if len(inner) < len(group):  # a module that is a node as well: no body of its own
                units += [self._leaf(node, depth) for node in group]
                continue
            module = self._module(group, depth, (*above, segment))
            units += [module] if module else self._opened(group, depth, above, segment)
        return units

    def _opened(
        self, group: list[Node], depth: int, above: tuple[str, ...], segment: str
    ) -> list[Unit]:
        units = self.units(group, depth + 1, (*above, segment))
        for unit in units:
            unit.name = f"{segment}_{unit.name}"
            unit.element.node["name"] = unit.name
        return units

    def _leaf(self, node: Node, depth: int) -> Unit:
        name = "_".join(node.name.split(".")[depth:])
        name = name if not name[0].isdigit() else f"n{name}"
        return Unit(name, node.inputs, node.results, leaf(self.graph, node, name))

    def _module(self, group: list[Node], depth: int, path: tuple[str, ...]) -> Unit | None:
        inside = {node.name for node in group}
        entering = {t for node in group for t in node.inputs if t.node not in inside}
        leaving = {
            tensor
            for node in group
            for tensor in node.results
            if tensor == self.result or any(r not in inside for r in self.readers[tensor])
        }
        if len(entering) != 1 or len(leaving) != 1:
            return None
        (entry,), (result,) = entering, leaving
        try:
            body = body_of(self.units(group, depth + 1, path), entry, result)
        except Tangled:
            return None
        channels = self.graph.shape(entry)[0]
        element = Element({"name": path[-1], "scope": body}, [], channels, depth)
        return Unit(path[-1], (entry,), (result,), element)
