"""Which weights tell whether a gate is worth its cost: what thresholds are compared with.

A weight is cut into cells, one for each group of its channels and each ring of its kernel, so that
what any gate is measured by is a set of cells:

                      core   rim
    first channels  |  0  |   1  |      rim of the kernel     1 and 3
    further ones    |  2  |   3  |      further channels      2, and 3 where the rim is open
                                        the whole block       0, and 1 where the rim is open
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from archspec.compiler.model import node_of, weights_of
from archspec.compiler.supernet import Choice, Nested, Supernet, regions_of
from archspec.compiler.weights.arrays import Array
from archspec.graph import Graph
from archspec.shapes import Shape, elements


@dataclass(frozen=True, eq=False)
class Part:
    """One weight. `axis` is that of the channels that are told apart: 0 those given, 1 those read.

    `channels` (groups, channels) and `taps` (taps, rings) are 1 within a group or ring, else 0.
    `groups` has the gates that each group is measured for, `rings` the gates that each ring is
    behind; `counts` are the numbers in each cell, group by group.
    """

    path: str
    axis: int
    channels: Array
    taps: Array
    groups: tuple[tuple[int, ...], ...]
    rings: tuple[tuple[int, ...], ...]
    counts: Array


@dataclass(frozen=True, eq=False)
class Norms:
    """What the norms of all gates are computed from. The cells are those of the parts, one after
    the other.

    `counts` (cells,): the numbers in each. `members` and `wholes` (gates, cells): 1 where a gate is
    measured by a cell, and where by the cell or another of its part. `rims`, int32 (cells,) each:
    a gate that each cell lies behind, `of_kernels` where there is none more; that is how many of
    the gates, the first ones, are those of kernels.
    """

    parts: tuple[Part, ...]
    counts: Array
    members: Array
    wholes: Array
    rims: tuple[Array, ...]
    of_kernels: int


def norms_of(supernet: Supernet) -> Norms:
    """All that thresholds are compared with."""
    parts = parts_of(supernet)
    of_kernels = sum(len(choice.gates) for choice in supernet.choices if choice.decides_kernels)
    members, wholes = members_of(supernet, parts)
    counts = np.concatenate([part.counts for part in parts])
    return Norms(parts, counts, members, wholes, tuple(rims_of(parts, of_kernels)), of_kernels)


def parts_of(supernet: Supernet) -> tuple[Part, ...]:
    """The weights that gates are measured by: for a kernel its own; for a width or a block that can
    be left out the depthwise kernels of those channels, or where there are none the weights that
    read them, or all of the block."""
    shapes = {path: weight.shape for path, weight in weights_of(supernet.graph).items()}
    found: dict[tuple[str, int], list[Choice]] = {}
    for choice in supernet.choices:
        for place in _places(supernet, choice, shapes):
            found.setdefault(place, []).append(choice)
    return tuple(
        _part(supernet, path, axis, shapes[path], choices)
        for (path, axis), choices in found.items()
    )


def members_of(supernet: Supernet, parts: Sequence[Part]) -> tuple[Array, Array]:
    """1 where a gate (row) is measured by a cell (column) of the parts, and where it is measured by
    the cell or another of its part, else 0."""
    members = np.zeros((supernet.gates, sum(len(part.counts) for part in parts)), np.float32)
    wholes = np.zeros_like(members)
    first = 0
    for part in parts:
        cells = [(group, ring) for group in part.groups for ring in part.rings]
        for cell, (group, ring) in enumerate(cells, first):
            members[[*group, *ring[-1:]], cell] = 1
        last = first + len(cells)
        wholes[:, first:last] = members[:, first:last].max(axis=1, keepdims=True)
        first = last
    return members, wholes


def rims_of(parts: Sequence[Part], nothing: int) -> list[Array]:
    """Gates that each cell of the parts lies behind, in as many arrays as there are at most; of
    those that lie behind fewer the rest is `nothing`."""
    behind = [ring for part in parts for _ in part.groups for ring in part.rings]
    return [
        np.array([ring[depth] if depth < len(ring) else nothing for ring in behind], np.int32)
        for depth in range(max(map(len, behind)))
    ]


def _places(
    supernet: Supernet, choice: Choice, shapes: Mapping[str, Shape]
) -> list[tuple[str, int]]:
    """The weights that a choice's gates are measured by, and the axis of its channels."""
    if choice.decides_kernels:
        return [(path, 0) for path, kernel in supernet.kernels.items() if kernel.choice is choice]
    own = [path for path, rows in supernet.rows.items() if rows.choice is choice]
    inside = [path for path in shapes if node_of(path) in choice.left_out]
    depthwise = [path for path in {*own, *inside} if _is_depthwise(supernet.graph, path)]
    if depthwise:
        return [(path, 0) for path in sorted(depthwise)]
    read = [(path, 1) for path, columns in supernet.columns.items() if columns.choice is choice]
    return read or [(path, 0) for path in inside if path.endswith(".weight")]


def _is_depthwise(graph: Graph, path: str) -> bool:
    node, _, weight = path.rpartition(".")
    op = graph.nodes[node].op
    return op.work().groups > 1 and weight == "weight"


def _part(
    supernet: Supernet, path: str, axis: int, shape: Shape, choices: Sequence[Choice]
) -> Part:
    node = node_of(path)
    nested = (supernet.rows, supernet.columns)[axis].get(path)
    if nested is not None and nested.choice not in choices:
        nested = None
    groups = [[choice.gates[0] for choice in choices if node in choice.left_out]]
    edges: list[Any] = [0, shape[axis]]
    if nested is not None:
        groups += [[gate] for gate in nested.gates]
        edges = [0, *nested.sizes]
    number = np.arange(shape[axis])
    channels = np.array([(low <= number) & (number < high) for low, high in pairwise(edges)])
    kernel = supernet.kernels.get(path)
    taps, rings = _rings(kernel, shape)
    others = elements(shape[:2]) // shape[axis]
    counts = np.outer(channels.sum(axis=1), taps.sum(axis=0)) * others
    return Part(
        path, axis, channels.astype(np.float32), taps, tuple(map(tuple, groups)), rings,
        counts.reshape(-1).astype(np.float32),
    )  # fmt: skip


def _rings(kernel: Nested | None, shape: Shape) -> tuple[Array, tuple[tuple[int, ...], ...]]:
    if kernel is None:
        return np.ones((elements(shape[2:]), 1), np.float32), ((),)
    taps = np.stack([region.reshape(-1) for region in regions_of(kernel, shape)], axis=1)
    return taps, tuple(tuple(kernel.gates[:number]) for number in range(taps.shape[1]))
