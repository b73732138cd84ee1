"""A flat graph as the tree of modules that its names say, each with one way in and one out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from archspec.compiler.importing.folding.elements import Element, leaf
from archspec.compiler.importing.folding.sequences import JOINS, Tangled, Unit, body_of
from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor


class Ways(NamedTuple):
    """What is done where there is more than one way: which says it shortest is tried."""

    keeps_mixed: bool
    """Whether a name that is a module's and a node's is a module all the same."""
    uses_lists: bool
    """Whether parts that hand on several tensors become templates over lists, and branches that
    are alike lanes."""


def read_modules(graph: Graph, ways: Ways) -> list[Element]:
    """The body of the whole, modules as elements that hold their bodies in `scope`. Raises Tangled
    where not even the whole is one body."""
    if len(graph.outputs) != 1:
        raise Tangled
    readers: dict[Tensor, list[str]] = defaultdict(list)
    for node in graph.nodes.values():
        for tensor in node.inputs:
            readers[tensor].append(node.name)
    (result,) = graph.outputs.values()
    reading = _Reading(graph, readers, result, ways)
    units = reading.units(list(graph.nodes.values()), 0, ())
    return body_of(_begin_with_letters(units), Tensor(INPUT), result)


def _begin_with_letters(units: list[Unit]) -> list[Unit]:
    for unit in units:
        if unit.name[0].isdigit():
            unit.name = unit.element.node["name"] = f"n{unit.name}"
    return units


class _Reading(NamedTuple):
    graph: Graph
    readers: dict[Tensor, list[str]]
    result: Tensor
    ways: Ways

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
            own = [node for node in group if node.name.count(".") == depth]
            if own and not self.ways.keeps_mixed:
                own, inner = group, []
            units += [self._leaf(node, depth, is_whole=False) for node in own]
            if len(inner) == 1:
                units.append(self._leaf(inner[0], depth, is_whole=False))
            elif inner:
                units += self._parts(inner, depth, above, segment)
        taken: set[str] = set()
        for unit in units:
            wanted, number = unit.name, 1
            while unit.name in taken:
                number += 1
                unit.name = f"{wanted}_{number}"
            taken.add(unit.name)
            unit.element.node["name"] = unit.name
        return units

    def _parts(
        self, group: list[Node], depth: int, above: tuple[str, ...], segment: str
    ) -> list[Unit]:
        """The module as one unit, perhaps but for a join that it begins or ends with."""
        path = (*above, segment)
        module = self._module(group, depth, path)
        if module:
            return [module]
        for join, rest in ((group[0], group[1:]), (group[-1], group[:-1])):
            if join.op.name in JOINS and len(rest) > 1:
                module = self._module(rest, depth, path)
                if module:
                    leaf_ = self._leaf(join, depth)
                    return [leaf_, module] if join is group[0] else [module, leaf_]
        return self._open_module(group, depth, above, segment)

    def _open_module(
        self, group: list[Node], depth: int, above: tuple[str, ...], segment: str
    ) -> list[Unit]:
        units = self.units(group, depth + 1, (*above, segment))
        for unit in units:
            unit.name = f"{segment}_{unit.name}"
            unit.element.node["name"] = unit.name
        return units

    def _leaf(self, node: Node, depth: int, *, is_whole: bool = True) -> Unit:
        segments = node.name.split(".")[depth:]
        if (
            is_whole
            and len(segments) > 1
            and segments[-1] in (node.op.name, getattr(node.op, "function", ""))
        ):
            segments.pop()  # the module says it well enough
        name = "_".join(segments)
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
            units = _begin_with_letters(self.units(group, depth + 1, path))
            body = body_of(units, entry, result)
        except Tangled:
            return None
        channels = self.graph.shape(entry)[0]
        element = Element({"name": path[-1], "scope": body}, [], channels, depth)
        return Unit(path[-1], (entry,), (result,), element)
