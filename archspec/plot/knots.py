"""Where the items of a knot stand: in layers, each as near to its neighbours as there is room."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from archspec.plot.boxes import Box
from archspec.plot.structure import Knot, Wire

LAYER_GAP = 34.0
SIDE_GAP = 14.0
WIRE_WIDTH = 9.0
SWEEPS = 24


@dataclass(eq=False)
class KnotPlace:
    """A placed knot. `passes` are, per wire, the (x, top, bottom) of each layer it goes past, and
    `bands` the top and bottom of the layer each item stands in."""

    knot: Knot
    left: float
    right: float
    height: float
    spots: dict[int, tuple[float, float]]
    bands: dict[int, tuple[float, float]]
    passes: dict[Wire, list[tuple[float, float, float]]]
    top: float = 0.0
    moved_boxes: list[Box] = field(default_factory=list)

    def move(self, x: float, y: float, boxes: list[Box]) -> KnotPlace:
        """Put the knot's boxes where they belong, with its trunk at x and its top at y."""
        for index, (dx, dy) in self.spots.items():
            boxes[index].x, boxes[index].y = x + dx, y + dy
        self.passes = {
            wire: [(x + px, y + top, y + bottom) for px, top, bottom in spots]
            for wire, spots in self.passes.items()
        }
        self.bands = {index: (y + high, y + low) for index, (high, low) in self.bands.items()}
        self.top = y
        return self


def place_knot(knot: Knot, boxes: list[Box]) -> KnotPlace:
    sides = [[_sides(entry, boxes) for entry in layer] for layer in knot.layers]
    xs = _columns(knot, sides)
    edges = [
        (x - left, x + right)
        for row, widths in zip(xs, sides, strict=True)
        for x, (left, right) in zip(row, widths, strict=True)
    ]
    low, high = min(e[0] for e in edges), max(e[1] for e in edges)
    middle = (low + high) / 2
    spots: dict[int, tuple[float, float]] = {}
    bands: dict[int, tuple[float, float]] = {}
    passes: dict[Wire, list[tuple[float, float, float]]] = {}
    y = 0.0
    for layer, row in zip(knot.layers, xs, strict=True):
        tall = max((boxes[e].height for e in layer if isinstance(e, int)), default=0.0)
        for entry, x in zip(layer, row, strict=True):
            if isinstance(entry, int):
                spots[entry] = (x - middle, y + (tall - boxes[entry].height) / 2)
                bands[entry] = (y, y + tall)
            else:
                passes.setdefault(entry, []).append((x - middle, y, y + tall))
        y += tall + LAYER_GAP
    return KnotPlace(knot, middle - low, high - middle, y - LAYER_GAP, spots, bands, passes)


def _sides(entry: int | Wire, boxes: list[Box]) -> tuple[float, float]:
    if isinstance(entry, int):
        return boxes[entry].left + SIDE_GAP / 2, boxes[entry].right + SIDE_GAP / 2
    return WIRE_WIDTH / 2, WIRE_WIDTH / 2


def _columns(knot: Knot, sides: list[list[tuple[float, float]]]) -> list[list[float]]:
    """The x of every entry: sweeps that draw each to the mean of its neighbours, exactly spaced."""
    xs: list[list[float]] = []
    for widths in sides:
        row: list[float] = []
        edge = 0.0
        for left, right in widths:
            row.append(edge + left)
            edge += left + right
        xs.append([x - edge / 2 for x in row])
    links = _links(knot)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for k in range(len(xs)) if down else range(len(xs) - 1, -1, -1):
            wanted: list[float] = []
            for p, x in enumerate(xs[k]):
                near = [xs[j][q] for j, q in links.get((k, p), ()) if (j < k) == down]
                wanted.append(sum(near) / len(near) if near else x)
            xs[k] = _space_out(wanted, sides[k])
    return xs


def _links(knot: Knot) -> dict[tuple[int, int], list[tuple[int, int]]]:
    spots: dict[int | Wire, list[tuple[int, int]]] = {}
    for k, layer in enumerate(knot.layers):
        for p, entry in enumerate(layer):
            spots.setdefault(entry, []).append((k, p))
    links: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for wire in knot.wires:
        chain = [
            *spots.get(wire.source, ()),
            *spots.get(wire, ()),
            *spots.get(wire.target, ()),
        ]
        for upper, lower in itertools.pairwise(chain):
            links.setdefault(upper, []).append(lower)
            links.setdefault(lower, []).append(upper)
    return links


def _space_out(wanted: list[float], widths: list[tuple[float, float]]) -> list[float]:
    """The places nearest to those wanted (least squares) that keep order and distance."""
    offsets: list[float] = []
    total = 0.0
    for k in range(len(wanted)):
        if k:
            total += widths[k - 1][1] + widths[k][0]
        offsets.append(total)
    pools: list[tuple[float, int]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        mean, count = place - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]
