"""Dropout and drop_path from masks that the host makes: a run that resumes draws the same.

What a framework draws cannot be read or set everywhere (MindSpore's random state on CPU, for one).
So before each step the masks of all places are redrawn, by numpy's Philox keyed by (seed, step,
place), and a backend multiplies by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archspec.graph import Graph
from archspec.ops import Dropout, DropPath
from archspec.shapes import Shape


@dataclass(frozen=True)
class Place:
    """Where a mask goes: the node's name is what its draws are keyed by. `shape` is the mask's:
    its input's for dropout, one number for each sample for drop_path."""

    name: str
    rate: float
    shape: Shape


def places_of(graph: Graph, batch: int, prefix: str = "") -> tuple[Place, ...]:
    """The places of a graph that an output needs, for batches of this size.

    `prefix` keeps apart the nodes of networks that are trained together.
    """
    needed = {tensor.node for tensor in graph.outputs.values()}
    places: list[Place] = []
    for node in reversed(tuple(graph.nodes.values())):
        if node.name not in needed:
            continue
        needed.update(tensor.node for tensor in node.inputs)
        if isinstance(node.op, (Dropout, DropPath)):
            (shape,) = node.layer.input_shapes
            sample = (1,) * len(shape) if isinstance(node.op, DropPath) else shape
            places.append(Place(prefix + node.name, node.op.rate, (batch, *sample)))
    return tuple(reversed(places))


def draw_masks(
    places: Sequence[Place], seed: int, step: int, rank: int = 0, ranks: int = 1
) -> dict[str, np.ndarray]:
    """The masks of one step, by place. Several processes draw what one would for all their batches,
    and each takes its rows, in the order in which a pipeline shares images out."""
    masks: dict[str, np.ndarray] = {}
    for place in places:
        rows, *rest = place.shape
        whole = draw_mask(place.rate, (rows * ranks, *rest), seed, step, place.name)
        masks[place.name] = whole[rank * rows : (rank + 1) * rows]
    return masks


def draw_mask(rate: float, shape: Shape, seed: int, step: int, name: str) -> np.ndarray:
    """float32: 0 with probability `rate`, else 1 / (1 - rate); the same for the same arguments."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    key = np.frombuffer(digest[:16], "<u8").astype(np.uint64)
    counter = np.array([0, 0, 0, step], np.uint64)  # 2**192 draws of a step before the next one's
    random = np.random.Generator(np.random.Philox(key=key, counter=counter))
    kept = random.random(shape, np.float32) >= np.float32(rate)
    return kept * np.float32(1 / (1 - rate) if rate < 1 else 0)
