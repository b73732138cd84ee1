"""Dropout and drop_path from masks that the host makes: a run taken up again draws the same.

MindSpore's own random state on CPU can be neither read nor set. So before a network is compiled its
noise cells give way to cells that multiply by a mask, a parameter that no optimizer sees; before
each step the masks are drawn anew, by numpy's Philox keyed by (seed, step, place).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor, nn

from archspec.compiler.targets.mindspore.replacing import cell_at, put_cell
from archspec.compiler.targets.python.outline import Group, Leaf, outlined
from archspec.graph import Graph
from archspec.ops import Dropout, DropPath
from archspec.shapes import Shape

PREFIX = "noise."
"""What the names of mask parameters begin with; they are no state, for any step can draw them."""


class HostNoise(nn.Cell):
    """x times a mask of x's shape, or of one number a sample, in training; else x."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.mask = Parameter(Tensor(np.ones(shape, np.float32)), requires_grad=False)

    def construct(self, x):
        if not self.training:
            return x
        return x * self.mask.astype(x.dtype)


@dataclass(frozen=True)
class Place:
    """Where masks go: the node's name is what their draws are keyed by."""

    name: str
    rate: float
    shape: Shape
    cell: HostNoise


def take_over(network: Any, graph: Graph, batch: int, prefix: str = "") -> tuple[Place, ...]:
    """Replace every noise cell of a network that was built from a graph, for batches of this size.

    `prefix` keeps apart the nodes of networks that are trained together.
    """
    nodes = [leaf.node for leaf in _leaves(outlined(graph)) if _is_noise(leaf)]
    cells = [path for path, cell in network.cells_and_names() if _kind(cell)]
    # a DropPath holds a Dropout of its own
    cells = [path for path in cells if not any(path.startswith(f"{other}.") for other in cells)]
    if len(nodes) != len(cells):
        raise AssertionError(f"{len(nodes)} nodes of {graph.name} are noise and {len(cells)} cells")
    places = []
    for node, path in zip(nodes, cells, strict=True):
        (shape,) = node.layer.input_shapes
        if node.op.name != _kind(cell_at(network, path)):
            raise AssertionError(f"{node.name} is {node.op.name}, and its cell {path} is not")
        sample = (1,) * len(shape) if isinstance(node.op, DropPath) else shape
        cell = HostNoise((batch, *sample))
        put_cell(network, path, cell)
        cell.mask.name = f"{PREFIX}{prefix}{node.name}"  # a cell's new parent renames what it has
        places.append(Place(prefix + node.name, node.op.rate, (batch, *sample), cell))
    return tuple(places)


def draw_masks(
    places: Sequence[Place], seed: int, step: int, rank: int = 0, ranks: int = 1
) -> None:
    """Set the masks of one step. Several processes draw what one would for all their batches, and
    each takes its rows, in the order in which TrainPipeline shares images out."""
    for place in places:
        rows, *rest = place.shape
        whole = mask(place.rate, (rows * ranks, *rest), seed, step, place.name)
        place.cell.mask.set_data(Tensor(whole[rank * rows : (rank + 1) * rows]))


def mask(rate: float, shape: Shape, seed: int, step: int, name: str) -> np.ndarray:
    """float32: 0 with probability `rate`, else 1 / (1 - rate); the same for the same arguments."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    key = np.frombuffer(digest[:16], "<u8").astype(np.uint64)
    counter = np.array([0, 0, 0, step], np.uint64)  # 2**192 draws of a step before the next one's
    random = np.random.Generator(np.random.Philox(key=key, counter=counter))
    kept = random.random(shape, np.float32) >= np.float32(rate)
    return kept * np.float32(1 / (1 - rate) if rate < 1 else 0)


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
