"""Placed boxes and wires as shapes of the display list."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.graph import Graph
from archspec.plot.boxes import (
    CIRCLE,
    LABEL_SIZE,
    LIGHT_HEIGHT,
    ROW_PAD,
    ROW_SIZE,
    STRIP,
    TAIL_SIZE,
    TITLE_SIZE,
    Box,
    badge_width,
    badge_words,
    name_width,
    row_texts,
)
from archspec.plot.display import Circle, Drawn, Path, Point, Rect, Segment, Shape, Text
from archspec.plot.flow import Page
from archspec.plot.level import Level
from archspec.plot.metrics import shorten, text_width
from archspec.plot.outline import Block, Join, Port, Row
from archspec.plot.palette import BADGE, FAINT, FRAME, INK, INNER, LINE, PANEL, PAPER, step
from archspec.plot.palette import STRIP as BAR
from archspec.plot.panels import RESULTS
from archspec.plot.routes import routes
from archspec.plot.structure import Wire

_CROSS = (((-1, -1), (1, 1)), ((-1, 1), (1, -1)))
SIGNS: Mapping[str, tuple[tuple[Point, Point], ...]] = {
    "add": (((-1, 0), (1, 0)), ((0, -1), (0, 1))),
    "sub": (((-1, 0), (1, 0)),),
    "mul": _CROSS,
    "matmul": _CROSS,
    "div": (((-1, 1), (1, -1)),),
}
"""What a join is drawn as: lines in a circle of radius 1. Others are words."""
WORDS = "words"
"""The role of what a row says, whose ink goes with the row's colour."""


class Painter:
    """Collects shapes: frames first, then wires, then what stands on them."""

    def __init__(self, graph: Graph):
        self._macs = graph.macs
        self._graph = graph
        self._frames: list[Shape] = []
        self._wires: list[Shape] = []
        self._halos: list[Shape] = []
        self._boxes: list[Shape] = []
        self.drawn: dict[str, Drawn] = {}
        self._node = ""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return (*self._frames, *self._wires, *self._halos, *self._boxes)

    def page(self, page: Page, dx: float, dy: float) -> None:
        for panel in page.panels:
            self._box(panel.box, panel.inside, dx, dy, is_panel=True)
        for line in page.lines:
            target = page.panels[line.wire.target].box
            goes_on = isinstance(target.item, Block) and not target.item.framed
            arrow = not goes_on or target.item.name == RESULTS
            self._wire(line.wire, line.segments, dx, dy, arrow, "flow", target)
            x, y = line.label_at
            self._label(line.label, x + dx, y + dy, has_halo=True)

    def level(self, level: Level, dx: float, dy: float) -> None:
        for index, box in enumerate(level.boxes):
            self._box(box, level.insides.get(index), dx, dy, is_panel=False)
        for wire, segments, arrow in routes(level):
            target = level.boxes[wire.target]
            self._wire(wire, segments, dx, dy, arrow, "wire", target)
            if wire in level.labels:
                x = target.x + target.inputs[wire.tensor] + dx + 5
                self._label(level.labels[wire], x, target.y + dy - 8)

    # --- boxes

    def _box(self, box: Box, inside: Level | None, dx: float, dy: float, is_panel: bool) -> None:
        item = box.item
        if not isinstance(item, Port) and item.name not in self.drawn:
            is_block = isinstance(item, Block) and item.framed
            is_folded = isinstance(item, Row) and item.is_folded
            self.drawn[item.name] = Drawn(item.spans, item.copies, is_block, is_folded)
        self._node = "" if isinstance(item, Port) else item.name
        if isinstance(item, Block):
            self._block(box, item, inside, dx, dy, is_panel)
        elif isinstance(item, Row):
            self._row(box, item, dx, dy)
        elif isinstance(item, Join):
            self._join(box, item, dx, dy)
        elif isinstance(item, Port) and item.words:
            self._pill(box, item, dx, dy)

    def _block(
        self, box: Box, block: Block, inside: Level | None, dx: float, dy: float, is_panel: bool
    ) -> None:
        left, top = box.x - box.left + dx, box.y + dy
        if block.framed:
            fill = PANEL if is_panel else INNER
            role = "panel" if is_panel else "block"
            self._frames.append(
                Rect(left, top, box.width, box.height, role, fill, FRAME, 4, node=self._node)
            )
            self._title(block, left, top, box.width, is_panel)
        if inside is not None:
            self.level(inside, box.x + dx, top + (STRIP if block.framed else 0.0))

    def _title(self, block: Block, left: float, top: float, width: float, strong: bool) -> None:
        bar = BAR if strong else PANEL
        self._frames.append(Rect(left, top, width, STRIP, "strip", bar, FRAME, 4, node=self._node))
        room = width - 12 - badge_width(block)
        title = shorten(block.title, TITLE_SIZE, room, bold=True)
        self._write(left + 6, top + 11.5, title, TITLE_SIZE, INK, bold=True)
        used = text_width(title, TITLE_SIZE, bold=True) + 6
        if block.template and text_width(block.template, TITLE_SIZE) <= room - used:
            self._write(left + 6 + used, top + 11.5, block.template, TITLE_SIZE, FAINT)
        if block.copies > 1:
            self._badge(badge_words(block), badge_width(block), left + width - 3, top + STRIP / 2)

    def _row(self, box: Box, row: Row, dx: float, dy: float) -> None:
        colours = step(row.macs / self._macs if self._macs else 0.0)
        left, top = box.x - box.left + dx, box.y + dy
        # The outline of what stands for a whole module is heavier.
        stroke = 1.6 if row.words else 0.8
        self._boxes.append(
            Rect(left, top, box.width, box.height, "row", colours.fill, LINE, 3, stroke, self._node)
        )
        extra = badge_width(row) + 4 if row.copies > 1 else 0.0
        cell = name_width(row)
        if cell:
            self._boxes.append(
                Rect(left, top, cell, box.height, "name", BAR, LINE, 3, 0.8, self._node)
            )
            middle = top + box.height / 2 + 3.4
            self._center(row.title, left + cell / 2, middle, TITLE_SIZE, INK, bold=True)
        center = left + cell + (box.width - cell - extra) / 2
        head, tail = row_texts(row)
        if box.height == LIGHT_HEIGHT:
            self._center(head, center, top + box.height / 2 + 3, TAIL_SIZE, colours.ink, role=WORDS)
        elif tail and box.height > 24:
            self._center(head, center, top + 12, ROW_SIZE, colours.ink, role=WORDS)
            self._center(tail, center, top + 22.5, TAIL_SIZE, colours.ink, role=WORDS)
        else:
            words = f"{head} · {tail}" if tail else head
            self._center(
                words, center, top + box.height / 2 + 3.8, ROW_SIZE, colours.ink, role=WORDS
            )
        if row.copies > 1:
            right = left + box.width - ROW_PAD / 2
            self._badge(badge_words(row), badge_width(row), right, top + box.height / 2)

    def _join(self, box: Box, join: Join, dx: float, dy: float) -> None:
        x, y = box.x + dx, box.center + dy
        if join.kind == "concat":
            left = x - box.left
            self._boxes.append(
                Rect(
                    left, box.y + dy, box.width, box.height, "join", PAPER, LINE, 7, node=self._node
                )
            )
            middle = left + box.width / 2
            self._center("concat", middle, y + 3, TAIL_SIZE, INK)
            return
        self._boxes.append(Circle(x, y, CIRCLE, "join", PAPER, LINE, self._node))
        if join.kind not in SIGNS:
            self._center(join.kind, x, y + 2.2, 6.5, INK)
            return
        is_slanted = join.kind in ("mul", "matmul", "div")
        reach = (CIRCLE - 2.5) * 0.7071 if is_slanted else CIRCLE - 3
        strokes = SIGNS[join.kind]
        for (ax, ay), (bx, by) in strokes:
            start, end = (x + ax * reach, y + ay * reach), (x + bx * reach, y + by * reach)
            segments: tuple[Segment, ...] = (("M", (start,)), ("L", (end,)))
            self._boxes.append(Path(segments, "sign", LINE, 1.3, node=self._node))

    def _pill(self, box: Box, port: Port, dx: float, dy: float) -> None:
        left, top = box.x - box.left + dx, box.y + dy
        self._boxes.append(Rect(left, top, box.width, box.height, "pill", BAR, FRAME, 10))
        self._center(port.words, box.x + dx, top + box.height / 2 + 3.8, ROW_SIZE, INK)

    # --- wires and words

    def _wire(
        self,
        wire: Wire,
        segments: tuple[Segment, ...],
        dx: float,
        dy: float,
        arrow: bool,
        role: str,
        target: Box,
    ) -> None:
        moved = tuple(
            (command, tuple((x + dx, y + dy) for x, y in points)) for command, points in segments
        )
        edge = (wire.tensor.node, target.item.name)
        self._wires.append(Path(moved, role, LINE, 1.2, arrow, edge))

    def _label(self, words: str, x: float, y: float, has_halo: bool = False) -> None:
        if words:
            if has_halo:
                # Lines that pass behind a label would make it hard to read.
                width = text_width(words, LABEL_SIZE)
                self._halos.append(Rect(x - 1, y - 7.5, width + 2, 9, "halo", PAPER, "", 2))
            width = text_width(words, LABEL_SIZE)
            self._boxes.append(Text(x, y, words, LABEL_SIZE, FAINT, width, role="label"))

    def _badge(self, words: str, width: float, right: float, middle: float) -> None:
        left = right - width
        self._boxes.append(Rect(left, middle - 6, width, 12, "badge", BADGE, "", 6, 1, self._node))
        center = left + width / 2
        self._center(words, center, middle + 3.4, TITLE_SIZE, PAPER, bold=True, role="count")

    def _center(
        self,
        words: str,
        x: float,
        y: float,
        size: float,
        fill: str,
        bold: bool = False,
        role: str = "text",
    ) -> None:
        width = text_width(words, size, bold)
        self._write(x - width / 2, y, words, size, fill, bold, role)

    def _write(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        fill: str,
        bold: bool = False,
        role: str = "text",
    ) -> None:
        width = text_width(words, size, bold)
        self._boxes.append(Text(x, y, words, size, fill, width, bold, role, self._node))
