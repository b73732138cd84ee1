"""How the wires of a placed level run, as paths in the level's coordinates."""

from __future__ import annotations

from archspec.plot.boxes import CIRCLE, Box
from archspec.plot.display import Point, Segment, round_corners, smooth
from archspec.plot.level import BUS, Level
from archspec.plot.outline import Join, Port
from archspec.plot.structure import Wire

ABOVE, BELOW = 9.0, 8.0
"""How far from the boxes above and below them wires turn sideways."""
ALIGNED = 0.6


def routes(level: Level) -> list[tuple[Wire, tuple[Segment, ...], bool]]:
    """Every wire with its path and whether it ends in an arrow."""
    passes = {wire: spots for knot in level.knots for wire, spots in knot.passes.items()}
    bands = {index: band for knot in level.knots for index, band in knot.bands.items()}
    found: list[tuple[Wire, tuple[Segment, ...], bool]] = []
    for wire in level.wires:
        if wire.kind == "knot":
            path = _through_knot(level, wire, passes.get(wire, []), bands)
        else:
            path = _path(level, wire)
        target = level.boxes[wire.target].item
        found.append((wire, path, not isinstance(target, Port)))
    return found


def start_of(box: Box, wire: Wire) -> Point:
    return (box.x + box.outputs[wire.tensor], box.bottom)


def end_of(box: Box, wire: Wire) -> Point:
    return (box.x + box.inputs[wire.tensor], box.y)


def _path(level: Level, wire: Wire) -> tuple[Segment, ...]:
    source, target = level.boxes[wire.source], level.boxes[wire.target]
    start, end = start_of(source, wire), end_of(target, wire)
    several = len(source.outputs) > 1 or len(target.inputs) > 1
    if wire.kind == "direct" and several and not isinstance(target.item, Join):
        if abs(start[0] - end[0]) > ALIGNED:
            return (("M", (start,)), smooth(start, end))
        return round_corners([start, end])
    column = start[0] if wire.kind in ("exit", "direct") else end[0]
    if wire.kind == "skip":
        column = level.lanes[wire]
    turn = start[1] + BELOW + BUS * _rank(source.outputs, wire)
    head: list[Point] = [start]
    if abs(column - start[0]) > ALIGNED:
        head += [(start[0], turn), (column, turn)]
    return round_corners(head + arrival(target, wire, column))


def arrival(target: Box, wire: Wire, column: float) -> list[Point]:
    """The last points of a wire that comes down at x = column."""
    end = end_of(target, wire)
    if isinstance(target.item, Join):
        reach = target.left if column < target.x else target.right
        if abs(column - target.x) <= (reach - 4 if target.item.kind == "concat" else ALIGNED):
            return [(column, end[1])]
        side = target.x - target.left if column < target.x else target.x + target.right
        return [(column, target.center), (side, target.center)]
    if abs(column - end[0]) <= ALIGNED:
        return [end]
    turn = end[1] - ABOVE - BUS * _rank(target.inputs, wire)
    return [(column, turn), (end[0], turn), end]


def _rank(ports: dict, wire: Wire) -> int:
    return list(ports).index(wire.tensor) if len(ports) > 1 else 0


def _through_knot(
    level: Level,
    wire: Wire,
    passes: list[tuple[float, float, float]],
    bands: dict[int, tuple[float, float]],
) -> tuple[Segment, ...]:
    source, target = level.boxes[wire.source], level.boxes[wire.target]
    start, end = start_of(source, wire), end_of(target, wire)
    column = passes[0][0] if passes else end[0]
    segments: list[Segment] = []
    at = start
    if wire.source in bands:
        segments.append(("M", (start,)))
        at = (start[0], bands[wire.source][1])
        segments.append(("L", (at,)))
    else:
        turn = start[1] + BELOW + BUS * _rank(source.outputs, wire)
        first = (column, passes[0][1] if passes else end[1])
        bend = abs(column - start[0]) > ALIGNED
        points = [start, (start[0], turn), (column, turn), first] if bend else [start, first]
        segments += round_corners(points)
        at = first
    for x, top, bottom in passes:
        if abs(at[0] - x) > ALIGNED or abs(at[1] - top) > ALIGNED:
            segments.append(smooth(at, (x, top)))
        segments.append(("L", ((x, bottom),)))
        at = (x, bottom)
    if wire.target in bands:
        tip = _knot_tip(target, at, end)
        # down from the layer's top, for what stands beside the item may be taller than it
        top = (tip[0], min(bands[wire.target][0], tip[1]))
        if top != at:
            segments.append(smooth(at, top))
        if tip != top:
            segments.append(("L", (tip,)))
        return tuple(segments)
    last = arrival(target, wire, at[0])
    return (*segments, *round_corners([at, *last])[1:])


def _knot_tip(target: Box, at: Point, end: Point) -> Point:
    """Where a wire meets an item in a knot: joins are met where the wire comes from."""
    if not isinstance(target.item, Join):
        return end
    if target.item.kind == "concat":
        low, high = target.x - target.left + 6, target.x + target.right - 6
        return (min(max(at[0], low), high), end[1])
    shift = max(-0.75, min(0.75, (at[0] - target.x) / 40)) * CIRCLE
    return (target.x + shift, target.center - (CIRCLE**2 - shift**2) ** 0.5)
