"""The inside of a block on paper: where its items stand and how its wires run.

Coordinates are the level's own: y from its top, x from wherever its first trunk fell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archspec.graph import Graph
from archspec.node import Tensor
from archspec.plot.boxes import (
    LABEL_SIZE,
    PAD,
    PORT_ROOM,
    STRIP,
    TITLE_SIZE,
    Box,
    Style,
    badge_width,
    even_frames,
    simple_box,
)
from archspec.plot.knots import KnotPlace, place_knot
from archspec.plot.metrics import text_width
from archspec.plot.outline import Block, Item, Join, Port, Row
from archspec.plot.structure import Branch, Knot, Parallel, Series, Wire, series_of, wires_between
from archspec.plot.words import shape_words

GAP = 13.0
LABEL_GAP = 21.0
FORK_GAP = 16.0
BRANCH_GAP = 12.0
LANE = 11.0
BUS = 5.0
"""Distance between two wires that run side by side."""


@dataclass(eq=False)
class Extent:
    """What a part of a level takes: to the left and right of its trunk, and its height."""

    left: float
    right: float
    height: float


@dataclass(eq=False)
class Level:
    """Placed items. `lanes` are the x of skips, `knots` what the wires of knots pass through."""

    boxes: list[Box]
    wires: list[Wire]
    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    lanes: dict[Wire, float] = field(default_factory=dict)
    knots: list[KnotPlace] = field(default_factory=list)
    labels: dict[Wire, str] = field(default_factory=dict)
    insides: dict[int, Level] = field(default_factory=dict)
    """Levels inside the items that are blocks, by index."""


class Placer:
    """Places the levels of one graph."""

    def __init__(self, graph: Graph, style: Style):
        self.graph = graph
        self.style = style

    def block(self, block: Block) -> tuple[Box, Level]:
        """A block's box and its inside."""
        level = self.level(with_ports(block))
        count_in, count_out = len(block.inputs), len(block.outputs)
        ports_in, ports_out = level.boxes[:count_in], level.boxes[len(level.boxes) - count_out :]
        pad, strip = (PAD, STRIP) if block.framed else (0.0, 0.0)
        box = Box(block, level.left + pad, level.right + pad, level.height + strip)
        box.inputs = {t: port.x for t, port in zip(block.inputs, ports_in, strict=True)}
        box.outputs = {t: port.x for t, port in zip(block.outputs, ports_out, strict=True)}
        if block.framed:
            _widen(box, title_width(block) + badge_width(block) + 16)
        return box, level

    def level(self, items: Sequence[Item]) -> Level:
        boxes: list[Box] = []
        insides: dict[int, Level] = {}
        for index, item in enumerate(items):
            if isinstance(item, Block):
                box, insides[index] = self.block(item)
            else:
                box = simple_box(item, self.style)
            boxes.append(box)
        level = Level(boxes, wires_between(items), insides=insides)
        _Layout(level, self.graph).place()
        return level


def with_ports(block: Block) -> list[Item]:
    """A block's items between the ends of its streams."""
    inputs = block.inputs if block.inner_inputs is None else block.inner_inputs
    ins: list[Item] = [Port("", block.start, block.start, (), (t,)) for t in inputs]
    outs: list[Item] = [
        Port("", block.end, block.end, (t,), (), incoming=False) for t in block.inner_outputs
    ]
    return [*ins, *block.items, *outs]


def title_width(block: Block) -> float:
    width = text_width(block.title, TITLE_SIZE, bold=True)
    return width + (text_width(block.template, TITLE_SIZE) + 6 if block.template else 0)


def _widen(box: Box, width: float) -> None:
    missing = width - box.width
    if missing > 0:
        box.left += missing / 2
        box.right += missing / 2


class _Layout:
    """Measures and places one level."""

    def __init__(self, level: Level, graph: Graph):
        self.level = level
        self.graph = graph
        self.into: dict[int, list[Wire]] = {}
        self.out: dict[int, list[Wire]] = {}
        for wire in level.wires:
            self.into.setdefault(wire.target, []).append(wire)
            self.out.setdefault(wire.source, []).append(wire)
        self.extents: dict[object, Extent] = {}
        self.gaps: dict[Series, list[float]] = {}
        self.knot_places: dict[Knot, KnotPlace] = {}

    def place(self) -> None:
        level = self.level
        series = series_of(len(level.boxes), level.wires)
        self.arrange_ports()
        extent = self.measure(series)
        ports = [box.item for box in level.boxes if isinstance(box.item, Port)]
        if sum(port.incoming for port in ports) > 1:
            # several streams have no trunk in common that boxes above each other could share
            shift = (extent.left - extent.right) / 2
            extent = Extent(extent.left - shift, extent.right + shift, extent.height)
            self.put_series(series, shift, 0.0)
        else:
            self.put_series(series, 0.0, 0.0)
        level.left, level.right, level.height = extent.left, extent.right, extent.height
        for box in level.boxes:
            if isinstance(box.item, Port) and not box.item.words:
                box.y = 0.0 if box.item.incoming else extent.height
        self.stretch_concats()

    def arrange_ports(self) -> None:
        """What continues straight beneath leaves at the middle, what takes a lane to its right."""
        for index, box in enumerate(self.level.boxes):
            if isinstance(box.item, Block) or len(box.outputs) < 2:
                continue
            beside = {wire.tensor for wire in self.out.get(index, ()) if wire.kind == "skip"}
            ahead = [tensor for tensor in box.outputs if tensor not in beside]
            reach = min(14.0, box.width / (len(box.outputs) + 2))
            first = (len(ahead) - 1) / 2
            for k, tensor in enumerate([*ahead, *(t for t in box.outputs if t in beside)]):
                box.outputs[tensor] = (k - first) * reach

    # --- measuring

    def measure(self, part: Branch) -> Extent:
        if isinstance(part, Knot):
            place = place_knot(part, self.level.boxes)
            self.knot_places[part] = place
            extent = Extent(place.left, place.right, place.height)
        else:
            extent = self.measure_series(part)
        self.extents[part] = extent
        return extent

    def measure_series(self, series: Series) -> Extent:
        self.even_rows(series)
        left = right = height = 0.0
        gaps: list[float] = []
        for k, part in enumerate(series.parts):
            if isinstance(part, Parallel):
                extent = self.measure_parallel(part, _join_after(series, k, self.level.boxes))
            else:
                box = self.level.boxes[part]
                extent = Extent(box.left, box.right, box.height)
            gap = self.gap(series, k) if k else 0.0
            gaps.append(gap)
            left, right = max(left, extent.left), max(right, extent.right)
            height += gap + extent.height
            if k:
                right = max(right, self.label_reach(series, k))
        self.gaps[series] = gaps
        return Extent(left, right, height)

    def even_rows(self, series: Series) -> None:
        """Rows above each other are equally wide, and frames are evened."""
        boxes = [self.level.boxes[part] for part in series.parts if isinstance(part, int)]
        rows = [box for box in boxes if isinstance(box.item, Row)]
        widest = max((box.width for box in rows), default=0.0)
        for box in rows:
            box.left = box.right = widest / 2
        even_frames(boxes)

    def measure_parallel(self, parallel: Parallel, centered: bool) -> Extent:
        extents = [self.measure(branch) for branch in parallel.branches]
        total = sum(e.left + e.right for e in extents) + BRANCH_GAP * (len(extents) - 1)
        left = total / 2 if centered and len(extents) > 1 else extents[0].left
        right = total - left
        if parallel.skips:
            right += LANE * len(_lanes(parallel)) + 2
        extent = Extent(left, right, max(e.height for e in extents))
        self.extents[parallel] = extent
        return extent

    def gap(self, series: Series, k: int) -> float:
        """Room above the k-th part."""
        before, after = series.parts[k - 1], series.parts[k]
        if isinstance(before, Parallel):
            assert isinstance(after, int)
            box = self.level.boxes[after]
            if isinstance(box.item, Join):
                return GAP
            return FORK_GAP + BUS * (len(box.inputs) - 1)
        if isinstance(after, Parallel):
            outputs = {wire.tensor for wire in self.out.get(before, ())}
            return FORK_GAP + BUS * max(len(outputs) - 1, 0)
        upper, lower = self.level.boxes[before], self.level.boxes[after]
        wires = self.into.get(after, [])
        if isinstance(lower.item, Port) and lower.item.words:
            return 0.0
        if len(wires) > 1:
            return 26.0 + 3 * len(wires)
        if wires and abs(upper.outputs[wires[0].tensor] - lower.inputs[wires[0].tensor]) > 1:
            return 22.0
        if wires and self.wants_label(wires[0]):
            self.level.labels[wires[0]] = shape_words(self.graph.shape(wires[0].tensor))
            return LABEL_GAP
        if isinstance(upper.item, Port) or isinstance(lower.item, Port):
            return GAP - 3
        return GAP

    def wants_label(self, wire: Wire) -> bool:
        """Whether the resolution or, after a block, the channels changed on the way here."""
        source, target = self.level.boxes[wire.source].item, self.level.boxes[wire.target].item
        if isinstance(target, Port) or not source.inputs:
            return False
        before, after = self.graph.shape(source.inputs[0]), self.graph.shape(wire.tensor)
        if len(before) != len(after):
            return False
        return before[1:] != after[1:] or (isinstance(source, Block) and before != after)

    def label_reach(self, series: Series, k: int) -> float:
        part = series.parts[k]
        if isinstance(part, Parallel):
            return 0.0
        words = [self.level.labels[w] for w in self.into.get(part, ()) if w in self.level.labels]
        return max((text_width(text, LABEL_SIZE) + 7 for text in words), default=0.0)

    # --- placing

    def put(self, part: Branch, x: float, y: float) -> None:
        if isinstance(part, Knot):
            self.level.knots.append(self.knot_places[part].move(x, y, self.level.boxes))
        else:
            self.put_series(part, x, y)

    def put_series(self, series: Series, x: float, y: float) -> None:
        for part, gap in zip(series.parts, self.gaps[series], strict=True):
            y += gap
            if isinstance(part, Parallel):
                self.put_parallel(part, x, y)
                y += self.extents[part].height
            else:
                box = self.level.boxes[part]
                box.x, box.y = x, y
                y += box.height

    def put_parallel(self, parallel: Parallel, x: float, y: float) -> None:
        whole = self.extents[parallel]
        edge = x - whole.left
        for branch in parallel.branches:
            extent = self.extents[branch]
            self.put(branch, edge + extent.left, y + (whole.height - extent.height) / 2)
            edge += extent.left + extent.right + BRANCH_GAP
        lane = edge - BRANCH_GAP
        for wires in _lanes(parallel).values():
            lane += LANE
            for wire in wires:
                self.level.lanes[wire] = lane

    def stretch_concats(self) -> None:
        """A concat reaches over all branches that end in it."""
        for index, box in enumerate(self.level.boxes):
            if not isinstance(box.item, Join) or box.item.kind != "concat":
                continue
            for wire in self.into.get(index, ()):
                if wire.kind in ("exit", "direct"):
                    source = self.level.boxes[wire.source]
                    x = source.x + source.outputs[wire.tensor]
                    box.left = max(box.left, box.x - x + PORT_ROOM)
                    box.right = max(box.right, x - box.x + PORT_ROOM)


def _lanes(parallel: Parallel) -> dict[Tensor, list[Wire]]:
    """Skips by tensor: those that carry the same one share a lane."""
    lanes: dict[Tensor, list[Wire]] = {}
    for wire in parallel.skips:
        lanes.setdefault(wire.tensor, []).append(wire)
    return lanes


def _join_after(series: Series, k: int, boxes: list[Box]) -> bool:
    """Whether the branches at k stand evenly about the trunk: all do but the two of a residual,
    whose shortcut stands beside the main path."""
    part = series.parts[k]
    assert isinstance(part, Parallel)
    if k + 1 >= len(series.parts):
        return True
    after = series.parts[k + 1]
    assert isinstance(after, int)
    item = boxes[after].item
    if not isinstance(item, Join) or item.kind == "concat":
        return True
    return len(part.branches) != 2 and not all(_is_bare(b, boxes) for b in part.branches[1:])


def _is_bare(branch: Branch, boxes: list[Box]) -> bool:
    """Whether a branch is nothing but a stream that comes in."""
    if isinstance(branch, Knot):
        return False
    return all(isinstance(p, int) and isinstance(boxes[p].item, Port) for p in branch.parts)
