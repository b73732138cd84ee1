"""From a graph's dotted names to nested groups, each of which can be one cell.

A group is a cell only if nothing of it waits for what itself feeds outside. Where names cut the
dataflow so that groups wait for each other in a circle, those groups are opened: their members
stand in the level above under longer names ("main.enter").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor


@dataclass(frozen=True, eq=False)
class Leaf:
    """A node; `name` is relative to the group it stands in. `is_live` is False for a node that no
    output needs: it owns its weights and is never run. `alone` says of each input whether no image
    takes part in it."""

    name: str
    node: Node
    is_live: bool
    alone: tuple[bool, ...]

    @property
    def path(self) -> str:
        return self.node.name


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes under one name. `inputs` are the tensors it takes from outside, in order of first use,
    and `made_at` tells where in the graph each is made; `outputs` are its own that are used
    outside, in the template's order. `template` is what the spec calls there, `arguments` with
    what, and `origin` where it says so, as far as that is known; `input_names` and `output_names`
    are what the template calls the tensors."""

    name: str
    path: str
    items: tuple[Item, ...]
    inputs: tuple[Tensor, ...]
    made_at: tuple[int, ...]
    outputs: tuple[Tensor, ...]
    template: str
    arguments: Mapping[str, Any]
    origin: Any
    input_names: Mapping[Tensor, str] = field(default_factory=dict)
    output_names: Mapping[Tensor, str] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        return bool(self.outputs)


Item: TypeAlias = "Leaf | Group"


def outline_graph(graph: Graph, opened: Set[str] = frozenset()) -> Group:
    """The whole graph as a group without a name, its outputs those of the graph in their order;
    groups of the paths that are `opened` are none."""
    return _Outline(graph, opened).root()


DEEPEST = 40
"""Groups within groups; what lies deeper keeps its long names. Nobody writes such a spec by hand,
and Python's own stack ends somewhere."""


class _Outline:
    def __init__(self, graph: Graph, opened: Set[str]):
        self.graph = graph
        self.opened = opened
        self.position = {name: index for index, name in enumerate(graph.nodes)}
        self.segments = {name: name.split(".") for name in graph.nodes}
        self.live = self._live_nodes()
        self.users: dict[Tensor, list[str]] = {}
        for name, node in graph.nodes.items():
            for tensor in node.inputs if name in self.live else ():
                self.users.setdefault(tensor, []).append(name)
        self.results = set(graph.outputs.values())

    def root(self) -> Group:
        items = self._level(list(self.graph.nodes), 0) if self.graph.nodes else ()
        inputs = (Tensor(INPUT),)
        outputs = tuple(self.graph.outputs.values())
        return Group("", "", items, inputs, (-1,), outputs, "", {}, None)

    def _live_nodes(self) -> set[str]:
        """Names of the nodes that an output needs."""
        needed = {tensor.node for tensor in self.graph.outputs.values()}
        for node in reversed(list(self.graph.nodes.values())):
            if node.name in needed:
                needed.update(tensor.node for tensor in node.inputs)
        return needed

    def _level(self, names: Sequence[str], depth: int) -> tuple[Item, ...]:
        """Items of nodes that share their first `depth` segments, in an order they can run in."""
        parts, ordered = self._parts(names, depth)
        prefix = sum(len(segment) + 1 for segment in self.segments[names[0]][:depth])
        items: list[Item] = []
        for path, is_leaf in ordered:
            if is_leaf:
                node = self.graph.nodes[path]
                alone = tuple(tensor.node in self.graph.without_image for tensor in node.inputs)
                items.append(Leaf(path[prefix:], node, path in self.live, alone))
            else:
                items.append(self._group(path[prefix:], path, parts[path, False]))
        return tuple(items)

    def _parts(
        self, names: Sequence[str], depth: int
    ) -> tuple[dict[tuple[str, bool], list[str]], list[tuple[str, bool]]]:
        """The nodes by (path, whether the path is a node's own), groups in circles opened."""
        opened = set(self.opened)
        while True:
            parts: dict[tuple[str, bool], list[str]] = {}
            owner: dict[str, tuple[str, bool]] = {}
            is_contiguous, last = True, None
            for name in names:
                key = owner[name] = self._key(name, depth, opened)
                is_contiguous = is_contiguous and (key == last or key not in parts)
                parts.setdefault(key, []).append(name)
                last = key
            if is_contiguous:
                return parts, list(parts)
            circles, ordered = self._arrange(parts, owner)
            if not circles:
                return parts, ordered
            opened |= circles

    def _key(self, name: str, depth: int, opened: set[str]) -> tuple[str, bool]:
        segments = self.segments[name]
        for stop in range(depth + 1, min(len(segments), DEEPEST + 1)):
            path = ".".join(segments[:stop])
            if path not in opened:
                return path, False
        return name, True

    def _arrange(
        self, parts: Mapping[tuple[str, bool], list[str]], owner: Mapping[str, tuple[str, bool]]
    ) -> tuple[set[str], list[tuple[str, bool]]]:
        """Paths of groups that wait for each other in circles; without any, an order to run in."""
        import networkx

        waits = networkx.DiGraph()
        waits.add_nodes_from(parts)
        for name, key in owner.items():
            for tensor in self.graph.nodes[name].inputs:
                source = owner.get(tensor.node, key)
                if source != key:
                    waits.add_edge(source, key)
        circles = {
            path
            for component in networkx.strongly_connected_components(waits)
            for path, is_leaf in component
            if len(component) > 1 and not is_leaf
        }
        if circles:
            return circles, []
        first = {key: self.position[members[0]] for key, members in parts.items()}
        return set(), list(networkx.lexicographical_topological_sort(waits, first.__getitem__))

    def _group(self, name: str, path: str, names: Sequence[str]) -> Group:
        inside = set(names)
        inputs: dict[Tensor, None] = {}
        outputs: list[Tensor] = []
        for member in filter(self.live.__contains__, names):
            node = self.graph.nodes[member]
            inputs.update((tensor, None) for tensor in node.inputs if tensor.node not in inside)
            outputs += [tensor for tensor in node.results if self._leaves(tensor, inside)]
        call = self.graph.calls.get(path)
        template = "" if call is None else call.template
        taken = {} if call is None else {tensor: key for key, tensor in call.inputs.items()}
        given = {} if call is None else {tensor: key for key, tensor in call.outputs.items()}
        outputs = [*filter(outputs.__contains__, given), *(t for t in outputs if t not in given)]
        return Group(
            name,
            path,
            self._level(names, path.count(".") + 1),
            tuple(inputs),
            tuple(self.position.get(tensor.node, -1) for tensor in inputs),
            tuple(outputs),
            template,
            {} if call is None else call.arguments,
            None if call is None else call.origin,
            taken,
            given,
        )

    def _leaves(self, tensor: Tensor, inside: set[str]) -> bool:
        return tensor in self.results or any(
            user not in inside for user in self.users.get(tensor, ())
        )
