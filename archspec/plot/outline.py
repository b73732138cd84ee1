"""From a graph to a nested outline: blocks by the paths of names, runs of ops fused into rows.

Nodes stand in execution order and an item is a run of them, so what is inside, before or after an
item is a comparison of positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor
from archspec.plot.words import is_heavy

END = 1 << 60
"""The position after all nodes: where the network's results are used."""


@dataclass(eq=False)
class Item:
    """Something to draw. `start` and `end` are the positions of the nodes it stands for, `inputs`
    the tensors it takes from outside and `outputs` those used outside; `macs` and `params` are of
    all its copies."""

    name: str
    start: int
    end: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    macs: int = 0
    params: int = 0
    copies: int = 1
    last: str = ""
    """The name of the last copy, where there are several."""
    spans: tuple[tuple[int, int], ...] = ()
    """The runs of nodes that it and its copies stand for."""

    def __post_init__(self) -> None:
        self.spans = self.spans or ((self.start, self.end),)

    @property
    def title(self) -> str:
        """The last part of its name, "block2-4" where it stands for several."""
        first, last = self.name.rpartition(".")[2], self.last.rpartition(".")[2]
        stem = first.rstrip("0123456789")
        number = last.removeprefix(stem)
        return f"{first}-{number}" if stem != first and number.isdigit() else first


@dataclass(eq=False)
class Row(Item):
    """A run of ops, at most one of them heavy."""

    nodes: tuple[Node, ...] = ()
    named: bool = False
    words: str = ""
    """What to write instead of the ops, where the row stands for many."""
    shows_name: bool = False
    is_folded: bool = False
    """Whether it stands for a block because a reader asked for that."""


@dataclass(eq=False)
class Join(Item):
    """Several streams into one: add, mul or concat."""

    kind: str = "add"


@dataclass(eq=False)
class Block(Item):
    """A group of items. `inner_outputs` are the outputs as its own items know them: other than
    `outputs` where several copies are drawn as the first of them. `inner_inputs`, where it is not
    None, stands for `inputs` inside: an inset takes nothing from outside."""

    template: str = ""
    items: list[Item] = field(default_factory=list)
    inner_outputs: tuple[Tensor, ...] = ()
    inner_inputs: tuple[Tensor, ...] | None = None
    framed: bool = True


@dataclass(eq=False)
class Port(Item):
    """An end of a level where streams come in or go out; it has no size of its own, or is the pill
    that shows the network's input or a result."""

    incoming: bool = True
    words: str = ""


class Reader:
    """Reads a graph into items."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.nodes: Sequence[Node] = tuple(graph.nodes.values())
        self.position: Mapping[str, int] = {node.name: k for k, node in enumerate(self.nodes)}
        self.last_use: dict[Tensor, int] = {}
        self.uses: dict[Tensor, int] = {}
        for index, node in enumerate(self.nodes):
            for tensor in node.inputs:
                self.last_use[tensor] = index
                self.uses[tensor] = self.uses.get(tensor, 0) + 1
        for tensor in graph.outputs.values():
            self.last_use[tensor] = END

    def items(self) -> list[Item]:
        """The top level, nothing folded."""
        return self._level("", 0, len(self.nodes))

    def _level(self, prefix: str, start: int, end: int) -> list[Item]:
        """Items of the nodes at [start, end), whose names all begin with the prefix."""
        items: list[Item] = []
        index = start
        while index < end:
            part, is_block = self._part(prefix, index)
            stop = index + 1
            if is_block:
                inside = f"{prefix}{part}."
                while stop < end and self.nodes[stop].name.startswith(inside):
                    stop += 1
                items.append(self._block(prefix + part, index, stop))
            else:
                items.append(self._leaf(index))
            index = stop
        return fuse_rows(items, self, only_leaves=not prefix)

    def _part(self, prefix: str, index: int) -> tuple[str, bool]:
        part, dot, _ = self.nodes[index].name[len(prefix) :].partition(".")
        return part, bool(dot)

    def _leaf(self, index: int) -> Item:
        node = self.nodes[index]
        inputs, outputs = self.ends(index, index + 1)
        common = (node.name, index, index + 1, inputs, outputs, node.layer.macs, node.layer.params)
        if node.op.category == "merge" and len(node.inputs) > 1:
            return Join(*common, kind=node.op.name)
        return Row(*common, nodes=(node,), named=_is_named(node))

    def _block(self, name: str, start: int, end: int) -> Item:
        items = self._level(f"{name}.", start, end)
        call = self.graph.calls.get(name)
        if len(items) == 1 and not isinstance(items[0], Block):
            only = items[0]
            only.name = name
            if isinstance(only, Row):
                only.named = True
            return only
        if len(items) == 1 and isinstance(items[0], Block):
            # A block around one block is that block under the outer name.
            items = items[0].items
        return self.block(name, items, call.template if call else "")

    def block(self, name: str, items: list[Item], template: str = "") -> Block:
        """A block of these items, which must follow each other."""
        start, end = items[0].start, items[-1].end
        inputs, outputs = self.ends(start, end)
        if call := self.graph.calls.get(name):
            taken, given = tuple(call.inputs.values()), tuple(call.outputs.values())
        else:
            taken = tuple(tensor for item in items for tensor in item.inputs)
            given = tuple(tensor for item in items for tensor in item.outputs)
        inputs, outputs = _in_order(inputs, taken), _in_order(outputs, given)
        return Block(
            name,
            start,
            end,
            inputs,
            outputs,
            sum(item.macs for item in items),
            sum(item.params for item in items),
            template=template.rpartition(".")[2],
            items=items,
            inner_outputs=outputs,
        )

    def ends(self, start: int, end: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """What the nodes at [start, end) take from outside, and what of theirs is used outside."""
        inputs: dict[Tensor, None] = {}
        outputs: list[Tensor] = []
        for node in self.nodes[start:end]:
            for tensor in node.inputs:
                if tensor.node == INPUT or not start <= self.position[tensor.node] < end:
                    inputs[tensor] = None
            outputs += [t for t in node.results if self.last_use.get(t, -1) >= end]
        return tuple(inputs), tuple(outputs)


def _in_order(tensors: tuple[Tensor, ...], declared: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors in the order of those declared, the others last."""
    first = dict.fromkeys(tensor for tensor in declared if tensor in tensors)
    return tuple({**first, **dict.fromkeys(tensors)})


def fuse_rows(items: list[Item], reader: Reader, only_leaves: bool) -> list[Item]:
    """Rows in sequence as one where at most one of their ops is heavy: conv, norm and activation.

    With `only_leaves` rows that came from a block keep to themselves, for they have a name to show.
    """
    fused: list[Item] = []
    for item in items:
        last = fused[-1] if fused else None
        if (
            isinstance(last, Row)
            and isinstance(item, Row)
            and not (only_leaves and (last.named or item.named))
            and _in_sequence(last, item, reader)
            and not (any(map(is_heavy, last.nodes)) and any(map(is_heavy, item.nodes)))
        ):
            fused[-1] = _fuse(last, item)
        else:
            fused.append(item)
    return fused


def _in_sequence(first: Item, second: Item, reader: Reader) -> bool:
    if len(first.outputs) != 1 or second.inputs != first.outputs:
        return False
    return reader.last_use[first.outputs[0]] < second.end


def _fuse(first: Row, second: Row) -> Row:
    return Row(
        first.name,
        first.start,
        second.end,
        first.inputs,
        second.outputs,
        first.macs + second.macs,
        first.params + second.params,
        nodes=(*first.nodes, *second.nodes),
        named=first.named,
    )


def _is_named(node: Node) -> bool:
    """Whether the spec's author gave the node a name of its own."""
    written = getattr(node.origin, "node", None)
    return getattr(written, "name", None) is not None
