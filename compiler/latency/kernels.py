"""How the nodes of a graph become kernels on the device.

    conv --> batch_norm --> add --> relu --> max_pool        ==>     one kernel, and the pool's
                             ^
               shortcut -----+   (read once more)

Ascend's compiler puts an op into the kernel before it where that works for this op alone: a batch
norm into a convolution that nothing else was done to yet, a ReLU into any kernel, a sum into the
convolution that gives one of its inputs. What is done to a result before it is stored costs no
time of its own here; the further inputs of a sum must be read.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from heapq import heapify, heappop, heappush
from typing import Literal, TypeAlias

from archspec.graph import Graph
from archspec.node import INPUT, Layer, Node, Tensor
from archspec.ops.activation import Act
from archspec.shapes import elements

RECTIFIERS = frozenset({"relu", "relu6", "leaky_relu", "prelu"})
"""Activations of a few comparisons and products, done to a result before it is stored."""

MAX_LAYERS = 2**13
"""Remembered for the next network of a search, most of whose layers were met before."""

Role: TypeAlias = Literal["kernel", "fused", "read", "view"]
"""What a node is on the device: a kernel of its own; done by the kernel before it; a sum done by
the kernel of one of its inputs, which reads the others; or nothing, for its bytes are its input's.
"""

_Nature: TypeAlias = Literal["conv", "affine", "rectifier", "sum", "view", "other"]
"""What an op is as to kernels, whatever stands before it."""

_NATURES: Mapping[str, _Nature] = {"convolve": "conv", "scale": "affine", "sum": "sum"}

_Source: TypeAlias = Literal["conv", "conv and more", "kernel", "closed"]
"""What a result comes from, as to what that kernel may still take in: a convolution to which at
most batch norms were put; one with a ReLU or a sum; any other kernel. Into what is closed nothing
goes: the network's input, and a result that others read too."""


def roles(graph: Graph) -> dict[str, Role]:
    """The role of every node, by name, in execution order."""
    return _place_all(graph)[0]


def _place_all(graph: Graph) -> tuple[dict[str, Role], dict[str, _Source], dict[Tensor, int]]:
    """Roles and sources of all nodes, and how many read each tensor; the world outside is one."""
    readers: dict[Tensor, int] = dict.fromkeys(graph.outputs.values(), 1)
    for node in graph.nodes.values():
        for tensor in node.inputs:
            readers[tensor] = readers.get(tensor, 0) + 1
    sources: dict[str, _Source] = {INPUT: "closed"}
    found: dict[str, Role] = {}
    for name, node in graph.nodes.items():
        nature = _nature(node.layer)
        source: _Source = "closed"
        if nature not in ("conv", "other"):
            source = _source_of(
                node.inputs if nature == "sum" else node.inputs[:1], readers, sources
            )
        found[name], sources[name] = _place(nature, source)
    return found, sources, readers


def _source_of(
    tensors: tuple[Tensor, ...], readers: Mapping[Tensor, int], sources: Mapping[str, _Source]
) -> _Source:
    """The first of the tensors that is a convolution's own, else the last that is a kernel's."""
    source: _Source = "closed"
    for tensor in tensors:
        if readers[tensor] == 1 and source not in ("conv", "conv and more"):
            source = sources[tensor.node]
    return source


class Placement:
    """The roles of a graph's nodes, and what becomes of them where some nodes are others, in time
    that grows with what changes and not with the graph."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self.roles, self._sources, self._counts = _place_all(graph)
        self._order = {name: index for index, name in enumerate(graph.nodes)}
        self._readers: dict[Tensor, list[str]] = {}
        for node in graph.nodes.values():
            for tensor in set(node.inputs):
                self._readers.setdefault(tensor, []).append(node.name)
        self._outputs = frozenset(graph.outputs.values())

    def without(self, name: str, instead: Tensor) -> dict[str, Node]:
        """Who reads a node's result, reading another tensor of the same shape."""
        (result,) = self._graph.nodes[name].results
        return {
            reader: replace_input(self._graph.nodes[reader], result, instead)
            for reader in self._readers.get(result, ())
        }

    def is_output(self, name: str) -> bool:
        return not self._outputs.isdisjoint(self._graph.nodes[name].results)

    def only_reader(self, name: str) -> Node | None:
        """The node that alone reads a node's one result, if that is not an output."""
        results = self._graph.nodes[name].results
        if len(results) != 1 or self._counts.get(results[0]) != 1 or self.is_output(name):
            return None
        return self._graph.nodes[self._readers[results[0]][0]]

    def list_changes(
        self, edits: Mapping[str, Node], moved: Tensor | None = None, instead: Tensor | None = None
    ) -> tuple[list[tuple[Node, Role]], list[tuple[Node, Role]]]:
        """The nodes whose role or layer changes, with their roles before and after, where `edits`
        stand in the place of the nodes of their names and what nobody reads is gone. An output
        that was `moved` is `instead`."""
        nodes = self._graph.nodes
        counts: dict[Tensor, int] = {}
        touched: set[Tensor] = set()

        def count(tensor: Tensor, more: int) -> int:
            counts[tensor] = counts.get(tensor, self._counts.get(tensor, 0)) + more
            touched.add(tensor)
            return counts[tensor]

        for name, node in edits.items():
            for tensor in node.inputs:
                count(tensor, 1)
            for tensor in nodes[name].inputs:
                count(tensor, -1)
        if moved in self._outputs and moved is not None and instead is not None:
            count(moved, -1)
            if instead not in self._outputs:
                count(instead, 1)
        gone = self._unread(edits, count, [*touched])
        dirty = {*edits} - gone
        readers = dict[Tensor, list[str]]()
        for name, node in edits.items():
            for tensor in node.inputs:
                readers.setdefault(tensor, []).append(name)

        def readers_of(tensor: Tensor) -> Iterator[str]:
            yield from (name for name in self._readers.get(tensor, ()) if name not in edits)
            yield from readers.get(tensor, ())

        for tensor in touched:
            dirty.update(name for name in readers_of(tensor) if name not in gone)
        after = self._place_again(dirty, gone, edits, counts, readers_of)
        others = (*sorted(gone, key=self._order.__getitem__), *after)
        before: list[tuple[Node, Role]] = [(nodes[name], self.roles[name]) for name in others]
        return before, list(after.values())

    def _unread(
        self, edits: Mapping[str, Node], count: Callable[[Tensor, int], int], waiting: list[Tensor]
    ) -> set[str]:
        """The nodes that nobody reads any more."""
        gone: set[str] = set()
        while waiting:
            name = waiting.pop().node
            if name == INPUT or name in gone:
                continue
            node = edits.get(name, self._graph.nodes[name])
            if any(count(tensor, 0) for tensor in node.results):
                continue
            gone.add(name)
            for tensor in node.inputs:
                count(tensor, -1)
                waiting.append(tensor)
        return gone

    def _place_again(
        self,
        dirty: set[str],
        gone: set[str],
        edits: Mapping[str, Node],
        counts: Mapping[Tensor, int],
        readers_of: Callable[[Tensor], Iterator[str]],
    ) -> dict[str, tuple[Node, Role]]:
        sources: ChainMap[str, _Source] = ChainMap({}, self._sources)
        readers = ChainMap(dict(counts), self._counts)
        heap = [(self._order[name], name) for name in dirty]
        heapify(heap)
        after: dict[str, tuple[Node, Role]] = {}
        while heap:
            _, name = heappop(heap)
            if name in after:
                continue
            node = edits.get(name, self._graph.nodes[name])
            nature = _nature(node.layer)
            tensors = node.inputs if nature == "sum" else node.inputs[:1]
            role, source = _place(nature, _source_of(tensors, readers, sources))
            after[name] = (node, role)
            if source != self._sources[name]:
                sources[name] = source
                for tensor in node.results:
                    for reader in readers_of(tensor):
                        if reader not in gone and reader not in after:
                            heappush(heap, (self._order[reader], reader))
        return after


def replace_input(node: Node, tensor: Tensor, instead: Tensor) -> Node:
    """The node, reading another tensor of the same shape."""
    inputs = tuple(instead if one == tensor else one for one in node.inputs)
    return Node(node.name, node.layer, inputs, node.origin, node.owner)


def _place(nature: _Nature, source: _Source) -> tuple[Role, _Source]:
    """A node's role after its source, and what it is as a source itself."""
    if nature == "conv":
        return "kernel", "conv"
    if nature == "view":
        return "view", source
    if nature == "affine" and source == "conv":
        return "fused", "conv"
    if nature == "rectifier" and source != "closed":
        return "fused", "conv and more" if source == "conv" else source
    if nature == "sum" and source in ("conv", "conv and more"):
        return "read", "conv and more"
    return "kernel", "kernel"


@lru_cache(maxsize=MAX_LAYERS)
def _nature(layer: Layer) -> _Nature:
    op = layer.op
    nature = _NATURES.get(op.work().kind, "other")
    if nature == "sum" and set(layer.input_shapes) != {layer.output_shapes[0]}:
        return "other"  # a kernel that repeats one input along another is of its own
    if nature != "other":
        return nature
    if isinstance(op, Act) and op.function in RECTIFIERS:
        return "rectifier"
    if not layer.input_shapes:
        return "view"  # of a weight, which lies there
    # flattening an image takes its channels out of their blocks
    shape = layer.input_shapes[0]
    keeps_blocks = layer.output_shapes[0] == shape or elements(shape[1:]) == 1
    return "view" if op.is_view and keeps_blocks else "other"
