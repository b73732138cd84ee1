"""Cells that multiply by the masks of training.noise, in the place of MindSpore's dropout.

A mask is a parameter that no optimizer sees, so that a step is compiled once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor, nn

from archspec.compiler.targets.mindspore.replacing import cell_at, put_cell
from archspec.compiler.targets.python.outline import Group, Leaf, outline_graph
from archspec.graph import Graph
from archspec.ops import Dropout, DropPath
from archspec.shapes import Shape
from archspec.training.noise import places_of

PREFIX = "noise."
"""What the names of mask parameters begin with; they are not state, for any step can draw them."""


class HostNoise(nn.Cell):
    """x times a mask of x's shape, or of one number a sample, in training; else x."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.mask = Parameter(Tensor(np.ones(shape, np.float32)), requires_grad=False)

    def construct(self, x):
        if not self.training:
            return x
        return x * self.mask.astype(x.dtype)


def take_over(network: Any, graph: Graph, batch: int, prefix: str = "") -> dict[str, HostNoise]:
    """Replace every noise cell of a network that was built from a graph, for batches of this size;
    the cells that take masks, by the names of training.noise.places_of."""
    shapes = {place.name: place.shape for place in places_of(graph, batch, prefix)}
    nodes = [leaf.node for leaf in _leaves(outline_graph(graph)) if _is_noise(leaf)]
    cells = [path for path, cell in network.cells_and_names() if _kind(cell)]
    # a DropPath holds a Dropout of its own
    cells = [path for path in cells if not any(path.startswith(f"{other}.") for other in cells)]
    if not len(nodes) == len(cells) == len(shapes):
        raise AssertionError(f"{len(nodes)} nodes of {graph.name} are noise and {len(cells)} cells")
    found: dict[str, HostNoise] = {}
    for node, path in zip(nodes, cells, strict=True):
        if node.op.name != _kind(cell_at(network, path)):
            raise AssertionError(f"{node.name} is {node.op.name}, and its cell {path} is not")
        name = prefix + node.name
        cell = HostNoise(shapes[name])
        put_cell(network, path, cell)
        cell.mask.name = PREFIX + name  # a cell's new parent renames what it has
        found[name] = cell
    return found


def set_masks(cells: Mapping[str, HostNoise], masks: Mapping[str, np.ndarray]) -> None:
    """Give every cell its mask for the next step."""
    for name, cell in cells.items():
        cell.mask.set_data(Tensor(masks[name]))


def drop_nothing(cells: Mapping[str, HostNoise]) -> None:
    """Let everything pass in the next step."""
    for cell in cells.values():
        cell.mask.set_data(Tensor(np.ones(cell.mask.shape, np.float32)))


def _leaves(group: Group) -> Iterator[Leaf]:
    for item in group.items:
        if isinstance(item, Leaf):
            yield item
        else:
            yield from _leaves(item)


def _is_noise(leaf: Leaf) -> bool:
    return isinstance(leaf.node.op, (Dropout, DropPath)) and leaf.is_live


def _kind(cell: Any) -> str:
    """The op that a noise cell stands for, or an empty string."""
    if isinstance(cell, nn.Dropout):
        return "dropout"
    return "drop_path" if type(cell).__name__ == "DropPath" else ""
