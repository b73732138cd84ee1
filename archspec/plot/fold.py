"""Neighbours that are equal, drawn once with how many there are.

Two items are equal when their ops, attributes, wiring and output shapes are; names do not count. A
chain of three or more that differ only in how many channels they carry (the layers of a dense
block) folds too: its rows then show the first copy and the edge after it the last one's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from archspec.node import Node, Tensor
from archspec.plot.outline import Block, Item, Join, Reader, Row

FEWEST_ALIKE = 3


class Folder:
    def __init__(self, reader: Reader):
        self._reader = reader
        self._numbers: dict[Hashable, int] = {}

    def fold(self, items: list[Item]) -> list[Item]:
        """The items with equal neighbours folded, within each block first."""
        for item in items:
            if isinstance(item, Block):
                item.items = self.fold(item.items)
        items = self._runs(items, lambda item: self._signature(item, exact=True), fewest=2)
        return self._runs(items, lambda item: self._signature(item, exact=False), FEWEST_ALIKE)

    def _runs(self, items: list[Item], key: Callable[[Item], Hashable], fewest: int) -> list[Item]:
        folded: list[Item] = []
        index = 0
        keys = [None if isinstance(item, Join) else key(item) for item in items]
        while index < len(items):
            stop = index + 1
            while (
                stop < len(items)
                and keys[index] is not None
                and keys[stop] == keys[index]
                and self._is_chained(items[stop - 1], items[stop])
            ):
                stop += 1
            if stop - index >= fewest:
                folded.append(_as_one(items[index:stop]))
            else:
                folded += items[index:stop]
            index = stop
        return folded

    def _is_chained(self, first: Item, second: Item) -> bool:
        """Whether the second takes all that the first gives, and nobody else takes any of it."""
        last_use = self._reader.last_use
        return set(second.inputs) == set(first.outputs) and all(
            last_use[tensor] < second.end for tensor in first.outputs
        )

    def _signature(self, item: Item, exact: bool) -> int:
        """A number that equal items share."""
        content: Any
        if isinstance(item, Row):
            content = tuple(
                (_describe(node), self._shapes(node.results, exact)) for node in item.nodes
            )
        elif isinstance(item, Block):
            content = self._block_content(item, exact)
        else:
            content = (getattr(item, "kind", ""), self._shapes(item.outputs, exact))
        whole = (type(item).__name__, item.copies, len(item.inputs), content)
        return self._numbers.setdefault(whole, len(self._numbers))

    def _block_content(self, block: Block, exact: bool) -> Any:
        wires: dict[Tensor, Any] = {tensor: k for k, tensor in enumerate(block.inputs)}
        parts: list[Any] = []
        for index, item in enumerate(block.items):
            sources = tuple(wires.get(tensor) for tensor in item.inputs)
            parts.append((self._signature(item, exact), sources))
            wires.update({tensor: (index, k) for k, tensor in enumerate(item.outputs)})
        results = tuple(wires.get(tensor) for tensor in block.inner_outputs)
        return (block.template, tuple(parts), results)

    def _shapes(self, tensors: tuple[Tensor, ...], exact: bool) -> Any:
        shapes = [self._reader.graph.shape(tensor) for tensor in tensors]
        return tuple(shapes) if exact else tuple(shape[1:] for shape in shapes)


def _describe(node: Node) -> Any:
    """What of an op the picture tells: not the rate of drop path, which grows with depth."""
    op = node.op.name if node.op.name == "drop_path" else node.op
    return (op, node.owner) if node.borrows else op


def _as_one(copies: list[Item]) -> Item:
    """The first copy, standing for all: what comes out of it is what comes out of the last."""
    first, last = copies[0], copies[-1]
    for other in copies[1:]:
        _add_costs(first, other)
    first.copies *= len(copies)
    first.end = last.end
    first.last = last.last or last.name
    if isinstance(first, Block):
        inner = [first.inner_outputs[k] for k in range(len(last.outputs))]
        first.inner_outputs = tuple(inner)
    first.outputs = last.outputs
    return first


def _add_costs(item: Item, other: Item) -> None:
    item.macs += other.macs
    item.params += other.params
    item.spans += other.spans
    if isinstance(item, Block) and isinstance(other, Block):
        for mine, its in zip(item.items, other.items, strict=True):
            _add_costs(mine, its)
