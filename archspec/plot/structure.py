"""How the items of one level stand to each other: in series, in parallel, or in a knot.

An item that every path passes is a cut. Cuts stand above each other; what lies between two of them
falls into components that know nothing of one another, the branches, and a wire that goes from one
cut straight to the next beside them is a skip. A component without a cut of its own is a knot,
whose items are laid out in layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from archspec.node import Tensor
from archspec.plot.outline import Item


@dataclass(eq=False)
class Wire:
    """One use of a tensor: from the item that gives it to the one that takes it, by index.

    `kind` is how it runs: "direct" from a cut to the next, "entry" into a branch and "exit" out of
    it, "skip" in a lane beside branches, "knot" through layers.
    """

    tensor: Tensor
    source: int
    target: int
    kind: str = "direct"


@dataclass(eq=False)
class Parallel:
    branches: list[Branch]
    skips: list[Wire]


@dataclass(eq=False)
class Series:
    parts: list[int | Parallel] = field(default_factory=list)


@dataclass(eq=False)
class Knot:
    """Items in layers. A column is an item, or a wire on its way past the layer."""

    layers: list[list[int | Wire]]
    wires: list[Wire]


Branch: TypeAlias = "Series | Knot"


def wires_between(items: Sequence[Item]) -> list[Wire]:
    """All wires of a level; every tensor an item takes must come from an earlier item."""
    givers: dict[Tensor, int] = {}
    wires: list[Wire] = []
    for index, item in enumerate(items):
        wires += [Wire(tensor, givers[tensor], index) for tensor in item.inputs]
        givers.update(dict.fromkeys(item.outputs, index))
    return wires


def series_of(count: int, wires: list[Wire]) -> Series:
    """The structure of a level of so many items in execution order. Sets each wire's kind."""
    return _series(list(range(count)), wires)


def _series(nodes: list[int], wires: list[Wire]) -> Series:
    rank = {node: k for k, node in enumerate(nodes)}
    cuts = _cuts(nodes, wires, rank)
    result = Series()
    bounds = [-1, *cuts, len(nodes)]
    groups = _by_gap(bounds, wires, rank, len(nodes))
    for k, (low, high) in enumerate(itertools.pairwise(bounds)):
        between = nodes[low + 1 : high]
        mine = groups[k]
        if between:
            result.parts.append(_parallel(between, mine))
        else:
            kind = "entry" if low < 0 else "exit" if high == len(nodes) else "direct"
            for wire in mine:
                wire.kind = kind
        if high < len(nodes):
            result.parts.append(nodes[high])
    return result


def _cuts(nodes: list[int], wires: list[Wire], rank: dict[int, int]) -> list[int]:
    """Ranks of the nodes that no wire jumps over."""
    count = len(nodes)
    jumps = [0] * (count + 2)
    has_input, has_output = [False] * count, [False] * count
    for wire in wires:
        low, high = rank.get(wire.source, -1), rank.get(wire.target, count)
        if high < count:
            has_input[high] = True
        if low >= 0:
            has_output[low] = True
        jumps[low + 2] += 1
        jumps[high + 1] -= 1
    for k in range(count):
        if not has_input[k]:
            _jump(jumps, -1, k)
        if not has_output[k]:
            _jump(jumps, k, count)
    cuts: list[int] = []
    above = 0
    for k in range(count):
        above += jumps[k + 1]
        if above == 0:
            cuts.append(k)
    return cuts


def _jump(jumps: list[int], low: int, high: int) -> None:
    jumps[low + 2] += 1
    jumps[high + 1] -= 1


def _by_gap(
    bounds: list[int], wires: list[Wire], rank: dict[int, int], count: int
) -> list[list[Wire]]:
    """Wires sorted by the gap between two cuts that each lies in."""
    gap_from = [0] * (count + 1)
    gap = 0
    for k in range(count):
        if gap + 1 < len(bounds) and bounds[gap + 1] == k:
            gap += 1
        gap_from[k] = gap
    groups: list[list[Wire]] = [[] for _ in bounds[1:]]
    for wire in wires:
        source = rank.get(wire.source)
        groups[0 if source is None else gap_from[source]].append(wire)
    return groups


def _parallel(between: list[int], wires: list[Wire]) -> Parallel:
    inside = set(between)
    parent = {node: node for node in between}

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for wire in wires:
        if wire.source in inside and wire.target in inside:
            first, second = sorted((root(wire.source), root(wire.target)))
            parent[second] = first
    components: dict[int, list[int]] = {}
    own: dict[int, list[Wire]] = {}
    skips: list[Wire] = []
    for node in between:
        components.setdefault(root(node), []).append(node)
    for wire in wires:
        end = wire.source if wire.source in inside else wire.target
        if end in inside:
            own.setdefault(root(end), []).append(wire)
        else:
            wire.kind = "skip"
            skips.append(wire)
    return Parallel([_branch(n, own.get(key, [])) for key, n in components.items()], skips)


def _branch(nodes: list[int], wires: list[Wire]) -> Branch:
    if not _cuts(nodes, wires, {node: k for k, node in enumerate(nodes)}):
        return _knot(nodes, wires)
    return _series(nodes, wires)


def _knot(nodes: list[int], wires: list[Wire]) -> Knot:
    givers: dict[int, list[int]] = {}
    for wire in wires:
        givers.setdefault(wire.target, []).append(wire.source)
    layer: dict[int, int] = {}
    for node in nodes:
        layer[node] = max((layer[k] for k in givers.get(node, ()) if k in layer), default=-1) + 1
    count = max(layer.values()) + 1
    # A stream that leaves ends beneath all items, with a place of its own in each layer it passes.
    feeding = {wire.source for wire in wires}
    layer.update((node, count - 1) for node in nodes if node not in feeding)
    layers: list[list[int | Wire]] = [[] for _ in range(count)]
    for node in nodes:
        layers[layer[node]].append(node)
    for wire in wires:
        wire.kind = "knot"
        for k in range(layer.get(wire.source, -1) + 1, layer.get(wire.target, count)):
            layers[k].append(wire)
    ends = {node for node in nodes if node not in feeding or node not in givers}
    return Knot(_untangle(layers, wires, layer, ends), wires)


def _untangle(
    layers: list[list[int | Wire]], wires: list[Wire], layer: dict[int, int], ends: set[int]
) -> list[list[int | Wire]]:
    """Order within layers that has few crossings: sweeps by the mean place of neighbours. The
    `ends`, where streams come in and go out, keep their order among themselves."""
    above: dict[int | Wire, list[int | Wire]] = {}
    below: dict[int | Wire, list[int | Wire]] = {}
    count = len(layers)
    for wire in wires:
        first = layer.get(wire.source, -1)
        last = layer.get(wire.target, count)
        upper: int | Wire = wire.source if first >= 0 else wire
        lower: int | Wire = wire.target if last < count else wire
        passes = last - first > 1
        if first >= 0:
            below.setdefault(upper, []).append(wire if passes else lower)
        if last < count:
            above.setdefault(lower, []).append(wire if passes else upper)
        if passes and first >= 0:
            above.setdefault(wire, []).append(upper)
        if passes and last < count:
            below.setdefault(wire, []).append(lower)
    for sweep in range(8):
        order = range(count) if sweep % 2 == 0 else range(count - 1, -1, -1)
        near = above if sweep % 2 == 0 else below
        step = -1 if sweep % 2 == 0 else 1
        for k in order:
            if not 0 <= k + step < count:
                continue
            size = max(len(layers[k + step]), 1)
            place = {entry: (p + 0.5) / size for p, entry in enumerate(layers[k + step])}
            layers[k] = _with_ends(_sort_by_neighbours(layers[k], near, place), ends)
    return layers


def _with_ends(entries: list[int | Wire], ends: set[int]) -> list[int | Wire]:
    ordered = iter(sorted(entry for entry in entries if isinstance(entry, int) and entry in ends))
    return [next(ordered) if entry in ends else entry for entry in entries]


def _sort_by_neighbours(
    entries: list[int | Wire],
    near: dict[int | Wire, list[int | Wire]],
    place: dict[int | Wire, float],
) -> list[int | Wire]:
    keys: list[tuple[float, int]] = []
    for k, entry in enumerate(entries):
        # A wire on its way stands in the next layer too, as itself.
        found = [place[entry]] if entry in place else []
        found += [place[other] for other in near.get(entry, ()) if other in place]
        keys.append((sum(found) / len(found) if found else (k + 0.5) / len(entries), k))
    return [entries[k] for _, k in sorted(keys)]
