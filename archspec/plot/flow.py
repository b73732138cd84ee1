"""Panels on a page: in columns read from left to right, the wires between them in the gutters.

Panels that follow each other in a column are joined by straight arrows. Every other wire leaves
through the gap beneath its panel into the gutter to the right, runs there in a lane of its own
(and above the columns where it passes one by), and enters through the gap above its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archspec.graph import Graph
from archspec.node import Tensor
from archspec.plot.boxes import LABEL_SIZE, even_frames
from archspec.plot.columns import ABOUT_GAP, Panel, measure, ways_to_break
from archspec.plot.display import Point, Segment, round_corners, smooth
from archspec.plot.level import Placer
from archspec.plot.metrics import text_width
from archspec.plot.outline import Item, Join, Port
from archspec.plot.panels import RESULTS
from archspec.plot.structure import Wire, wires_between
from archspec.plot.words import shape_words

MARGIN = 16.0
OUT_STEP, IN_STEP, LANE_STEP, LABEL_STEP = 7.0, 14.0, 8.0, 10.0
CLOSE = 70.0
"""Arrows nearer than this to each other have their labels above each other."""
PAGE = (504.0, 640.0)
"""Width and height, in points, that a picture may take on a printed page."""
WIDEST, TALLEST = 2.0, 1.5
"""The picture's width over its height, and its height over its width, go no further than this."""
EMPTY = 0.25
"""How much of its quality a page would lose by being all empty."""


@dataclass(frozen=True)
class Line:
    """A wire's way, with the label beside it."""

    wire: Wire
    segments: tuple[Segment, ...]
    label: str = ""
    label_at: Point = (0.0, 0.0)


@dataclass(eq=False)
class Page:
    """Placed panels; the origin is the page's top left corner beneath its header."""

    panels: list[Panel]
    lines: list[Line] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    @property
    def quality(self) -> float:
        """How large the page comes out in print, less for a poor aspect ratio and for emptiness."""
        aspect = self.width / self.height
        scale = min(PAGE[0] / self.width, PAGE[1] / self.height, 0.8)
        poor = max(aspect / WIDEST, 1 / (aspect * TALLEST), 1.0)
        return scale * (1 - EMPTY * (1 - self.filled)) / poor**2

    @property
    def filled(self) -> float:
        """How much of the columns' height holds panels."""
        columns = max((panel.column for panel in self.panels), default=0) + 1
        total = sum(panel.box.height + ABOUT_GAP for panel in self.panels)
        return min(total / (columns * self.height), 1.0)


def pages(items: Sequence[Item], graph: Graph, placer: Placer, counts: Sequence[int]) -> list[Page]:
    """The panels flowed into each of these numbers of columns, or fewer where there are not so
    many panels."""
    wires = wires_between(items)
    ways = ways_to_break(measure(items, placer), counts)
    return [_Flow(measure(items, placer), wires, breaks, graph).page() for breaks in ways]


class _Flow:
    """Places panels for given column breaks, and routes the wires between them."""

    def __init__(self, panels: list[Panel], wires: list[Wire], breaks: Sequence[int], graph: Graph):
        self.panels = panels
        self.wires = wires
        self.graph = graph
        self.columns: list[list[Panel]] = []
        for index, panel in enumerate(panels):
            if index == 0 or index in breaks:
                self.columns.append([])
            panel.column, panel.row = len(self.columns) - 1, len(self.columns[-1])
            self.columns[-1].append(panel)
        self.direct = [wire for wire in wires if self.is_direct(wire)]
        self.routed = [wire for wire in wires if not self.is_direct(wire)]
        self.leaving: dict[int, list[Tensor]] = {}
        self.entering: dict[int, list[Tensor]] = {}
        for wire in self.routed:
            _note(self.leaving, wire.source, wire.tensor)
            if not isinstance(panels[wire.target].box.item, Join):
                _note(self.entering, wire.target, wire.tensor)

    def is_direct(self, wire: Wire) -> bool:
        source, target = self.panels[wire.source], self.panels[wire.target]
        return source.column == target.column and target.row == source.row + 1

    def page(self) -> Page:
        page = Page(self.panels)
        self.band = self.band_slots()
        top = MARGIN + OUT_STEP * len(self.band)
        page.height = self.place_rows(top) + MARGIN
        lanes = self.gutter_lanes()
        page.width = self.place_columns(lanes)
        page.lines = [self.straight(wire) for wire in self.direct]
        page.lines += [self.around(wire) for wire in self.routed]
        return page

    # --- heights

    def place_rows(self, top: float) -> float:
        entries = [self.entry_room(column[0]) for column in self.columns]
        top += max(entries)
        lowest = 0.0
        for column in self.columns:
            y = top
            for panel in column:
                if panel.row:
                    y += self.gap(column[panel.row - 1], panel)
                panel.box.y = y
                y += panel.box.height
            lowest = max(lowest, y + self.exit_room(column[-1]))
        return lowest

    def index(self, panel: Panel) -> int:
        return sum(len(column) for column in self.columns[: panel.column]) + panel.row

    def exit_room(self, panel: Panel) -> float:
        slots = len(self.leaving.get(self.index(panel), ()))
        return 7 + OUT_STEP * (slots - 1) if slots else 0.0

    def entry_room(self, panel: Panel) -> float:
        slots = len(self.entering.get(self.index(panel), ()))
        return 11 + IN_STEP * slots if slots else 0.0

    def gap(self, upper: Panel, lower: Panel) -> float:
        wires = [w for w in self.direct if self.panels[w.target] is lower]
        middle = 10.0
        if wires:
            middle = 26.0 if self.words(wires[0]) else 16.0
            if len(wires) > 1 or self.is_crooked(wires[0]):
                middle = 24.0 + LABEL_STEP * len(wires)
        return self.exit_room(upper) + middle + self.entry_room(lower)

    def is_crooked(self, wire: Wire) -> bool:
        source, target = self.panels[wire.source].box, self.panels[wire.target].box
        return abs(source.outputs[wire.tensor] - target.inputs[wire.tensor]) > 0.6

    # --- gutters

    def band_slots(self) -> dict[Tensor, int]:
        """Slots above the columns, for wires that pass one by."""
        slots: dict[Tensor, int] = {}
        for wire in self.routed:
            if self.panels[wire.target].column > self.panels[wire.source].column + 1:
                slots.setdefault(wire.tensor, len(slots))
        return slots

    def band_y(self, tensor: Tensor) -> float:
        return MARGIN + OUT_STEP * self.band[tensor]

    def out_y(self, wire: Wire) -> float:
        # The leftmost turns lowest, so that no wire crosses another that leaves here.
        slots = self.leaving[wire.source]
        slot = len(slots) - 1 - slots.index(wire.tensor)
        return self.panels[wire.source].box.bottom + 7 + OUT_STEP * slot

    def in_y(self, wire: Wire) -> float:
        box = self.panels[wire.target].box
        if isinstance(box.item, Join):
            return box.center
        slots = self.entering[wire.target]
        # From the left the leftmost turns lowest; from the right it is the other way around.
        slot = slots.index(wire.tensor)
        if self.panels[wire.source].column == self.panels[wire.target].column:
            slot = len(slots) - 1 - slot
        return box.y - 10 - IN_STEP * slot

    def gutter_lanes(self) -> list[dict[Tensor, int]]:
        """For each gutter (k is left of column k) the lane of every tensor that runs in it."""
        spans: list[dict[Tensor, tuple[float, float]]] = [{} for _ in range(len(self.columns) + 1)]

        def add(gutter: int, tensor: Tensor, *ys: float) -> None:
            low, high = spans[gutter].get(tensor, (ys[0], ys[0]))
            spans[gutter][tensor] = (min(low, *ys), max(high, *ys))

        for wire in self.routed:
            first, last = self.panels[wire.source].column, self.panels[wire.target].column
            if last <= first + 1:
                add(first + 1, wire.tensor, self.out_y(wire), self.in_y(wire))
            else:
                add(first + 1, wire.tensor, self.out_y(wire), self.band_y(wire.tensor))
                add(last, wire.tensor, self.band_y(wire.tensor), self.in_y(wire))
        self.lanes = [_lanes(gutter) for gutter in spans]
        return self.lanes

    def place_columns(self, lanes: list[dict[Tensor, int]]) -> float:
        self.gutters: list[float] = []
        x = 0.0
        for k, column in enumerate(self.columns):
            x = self.gutter(x, lanes[k], is_first=k == 0)
            even_frames(panel.box for panel in column)
            reach, over = self.label_room(column)
            reach = max(reach, *(panel.box.left for panel in column))
            over = max(over, *(panel.box.right for panel in column))
            for panel in column:
                panel.box.x = x + reach
            x += reach + over
        has_lanes = bool(lanes[-1])
        return self.gutter(x, lanes[-1], is_first=not has_lanes) + (MARGIN / 2 if has_lanes else 0)

    def gutter(self, x: float, lanes: dict[Tensor, int], is_first: bool) -> float:
        """Note where the gutter's lanes begin and give where it ends."""
        count = max(lanes.values(), default=-1) + 1
        self.gutters.append(x + 12)
        if is_first and not count:
            return x + MARGIN
        return x + 24 + LANE_STEP * max(count - 1, 0)

    def label_room(self, column: list[Panel]) -> tuple[float, float]:
        """How far labels reach to the left and right of the column's trunk."""
        left = right = 0.0
        for wire in self.wires:
            panel = self.panels[wire.target]
            if self.columns[panel.column] is not column:
                continue
            width = text_width(self.words(wire), LABEL_SIZE) + 15
            low, high = self.ends_of(wire)
            if self.label_is_left(wire):
                left = max(left, width - low)
            else:
                right = max(right, high + width)
        return left, right

    def ends_of(self, wire: Wire) -> tuple[float, float]:
        """Where the wire may meet its target from the left and from the right, from the trunk."""
        box = self.panels[wire.target].box
        if isinstance(box.item, Join) and not self.is_direct(wire):
            return -box.left, box.right
        return box.inputs[wire.tensor], box.inputs[wire.tensor]

    def label_is_left(self, wire: Wire) -> bool:
        source, target = self.panels[wire.source], self.panels[wire.target]
        if not self.is_direct(wire):
            return source.column != target.column
        return source.box.outputs[wire.tensor] > target.box.inputs[wire.tensor] + 0.6

    def lane_x(self, gutter: int, tensor: Tensor) -> float:
        return self.gutters[gutter] + LANE_STEP * self.lanes[gutter][tensor]

    # --- wires

    def words(self, wire: Wire) -> str:
        """The shape on the way, where no pill at either end says it."""
        ends = (self.panels[wire.source].box.item, self.panels[wire.target].box.item)
        if any(isinstance(item, Port) or item.name == RESULTS for item in ends):
            return ""
        return shape_words(self.graph.shape(wire.tensor))

    def straight(self, wire: Wire) -> Line:
        source, target = self.panels[wire.source].box, self.panels[wire.target].box
        start = (source.x + source.outputs[wire.tensor], source.bottom)
        end = (target.x + target.inputs[wire.tensor], target.y)
        if isinstance(target.item, Join):
            end = (target.x, target.y)
        label_x = end[0] + 5
        if self.label_is_left(wire):
            label_x = end[0] - 6 - text_width(self.words(wire), LABEL_SIZE)
        label_y = end[1] - 8 - self.entry_room(self.panels[wire.target])
        label_at = (label_x, label_y - LABEL_STEP * self.label_level(wire))
        if abs(start[0] - end[0]) < 0.6:
            return Line(wire, round_corners([start, end]), self.words(wire), label_at)
        low = start[1] + self.exit_room(self.panels[wire.source])
        high = end[1] - self.entry_room(self.panels[wire.target])
        path: tuple[Segment, ...] = (
            ("M", (start,)),
            ("L", ((start[0], low),)),
            smooth((start[0], low), (end[0], high - 6)),
            ("L", (end,)),
        )
        return Line(wire, path, self.words(wire), label_at)

    def label_level(self, wire: Wire) -> int:
        """How many labels stand beneath this one, where arrows are too near for a row of labels."""
        box = self.panels[wire.target].box
        places = [box.inputs[w.tensor] for w in self.direct if w.target == wire.target]
        mine = box.inputs[wire.tensor]
        return sum(mine < place < mine + CLOSE for place in places)

    def around(self, wire: Wire) -> Line:
        source, target = self.panels[wire.source], self.panels[wire.target]
        start = (source.box.x + source.box.outputs[wire.tensor], source.box.bottom)
        end = (target.box.x + target.box.inputs[wire.tensor], target.box.y)
        out_y, in_y = self.out_y(wire), self.in_y(wire)
        if len(self.leaving[wire.source]) == 1 and abs(out_y - in_y) < 5:
            out_y = in_y
        lane = self.lane_x(source.column + 1, wire.tensor)
        points: list[Point] = [start, (start[0], out_y), (lane, out_y)]
        if target.column > source.column + 1:
            band = self.band_y(wire.tensor)
            points.append((lane, band))
            lane = self.lane_x(target.column, wire.tensor)
            points.append((lane, band))
        points.append((lane, in_y))
        from_left = lane < end[0]
        if isinstance(target.box.item, Join):
            side = target.box.x + (-target.box.left if from_left else target.box.right)
            points.append((side, in_y))
            near = side
        else:
            points += [(end[0], in_y), end]
            near = end[0]
        words = self.words(wire)
        width = text_width(words, LABEL_SIZE)
        label_at = (near - 9 - width if from_left else near + 9, in_y - 3)
        return Line(wire, round_corners(points, 7), words, label_at)


def _note(table: dict[int, list[Tensor]], key: int, tensor: Tensor) -> None:
    tensors = table.setdefault(key, [])
    if tensor not in tensors:
        tensors.append(tensor)


def _lanes(spans: dict[Tensor, tuple[float, float]]) -> dict[Tensor, int]:
    """Lanes such that what shares one does not overlap; short runs nearest to the column."""
    lanes: dict[Tensor, int] = {}
    taken: list[list[tuple[float, float]]] = []
    for tensor, (low, high) in sorted(spans.items(), key=lambda item: item[1][1] - item[1][0]):
        lane = 0
        while lane < len(taken) and any(low < b + 6 and a < high + 6 for a, b in taken[lane]):
            lane += 1
        if lane == len(taken):
            taken.append([])
        taken[lane].append((low, high))
        lanes[tensor] = lane
    return lanes
