"""Boxes: what each item takes on paper, and where its wires begin and end."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from archspec.node import Tensor
from archspec.plot.metrics import text_width
from archspec.plot.outline import Block, Item, Join, Port, Row
from archspec.plot.words import TIMES, is_heavy, run_words

ROW_SIZE = 10.5
TAIL_SIZE = 8.5
TITLE_SIZE = 9.5
LABEL_SIZE = 8.5
ROW_HEIGHT = 19.0
TALL_ROW_HEIGHT = 28.0
LIGHT_HEIGHT = 14.0
ROW_PAD = 7.0
CIRCLE = 7.5
STRIP = 16.0
PORT_ROOM = 10.0
"""To each side of a stream that comes in or goes out."""
PAD = 9.0
MAX_BLANK = 0.2
"""Of a frame's width, added to one of its sides so that it ends where its neighbours do."""


@dataclass(frozen=True)
class Style:
    """What may differ from one attempt to lay a network out to the next."""

    tall_rows: bool = False
    """The norm and activation of a row beneath its convolution, so that branches are narrow."""


@dataclass(eq=False)
class Box:
    """An item's extent: so far to the left and right of its trunk, and so high.

    `x` is its trunk and `y` its top, set when the level is placed; `inputs` and `outputs` are where
    tensors enter at the top and leave at the bottom, relative to the trunk.
    """

    item: Item
    left: float
    right: float
    height: float
    inputs: dict[Tensor, float] = field(default_factory=dict)
    outputs: dict[Tensor, float] = field(default_factory=dict)
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        return self.left + self.right

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def center(self) -> float:
        return self.y + self.height / 2


def row_texts(row: Row) -> tuple[str, str]:
    """What a row says: its first words and the rest."""
    return (row.words, "") if row.words else run_words(row.nodes)


def is_light(row: Row) -> bool:
    """Whether the row is one op that changes no shape and has no weights to speak of."""
    return not row.words and len(row.nodes) == 1 and not is_heavy(row.nodes[0])


def name_width(row: Row) -> float:
    """Of the cell at the left of a row that shows its name."""
    return text_width(row.title, TITLE_SIZE, bold=True) + 12 if row.shows_name else 0.0


def badge_words(item: Item) -> str:
    return f"{TIMES}{item.copies}" if item.copies > 1 else ""


def badge_width(item: Item) -> float:
    return text_width(badge_words(item), TITLE_SIZE, bold=True) + 9 if item.copies > 1 else 0.0


def simple_box(item: Item, style: Style) -> Box:
    """The box of anything but a block."""
    if isinstance(item, Row):
        return _row_box(item, style)
    if isinstance(item, Join):
        return _join_box(item)
    assert isinstance(item, Port)
    if not item.words:
        return _center(item, 2 * PORT_ROOM, 0.0)
    return _center(item, text_width(item.words, ROW_SIZE) + 20, 20.0)


def even_frames(boxes: Iterable[Box]) -> None:
    """Let frames that stand above each other end at the same places, but for those of which too
    much would be blank, such as of a residual block above which one with a projection stands."""
    frames = [box for box in boxes if isinstance(box.item, Block) and box.item.framed]
    widths = {box: box.width for box in frames}
    for side in ("left", "right"):
        reach = math.inf
        for box in sorted(frames, key=lambda box: getattr(box, side), reverse=True):
            if reach - getattr(box, side) > MAX_BLANK * widths[box]:
                reach = getattr(box, side)
            setattr(box, side, reach)


def _row_box(row: Row, style: Style) -> Box:
    head, tail = row_texts(row)
    extra = badge_width(row) + 4 if row.copies > 1 else 0.0
    extra += name_width(row)
    if is_light(row) and not row.shows_name:
        return _center(row, text_width(head, TAIL_SIZE) + 2 * ROW_PAD + extra, LIGHT_HEIGHT)
    if style.tall_rows:
        width = max(text_width(head, ROW_SIZE), text_width(tail, TAIL_SIZE))
        height = TALL_ROW_HEIGHT if tail else ROW_HEIGHT
    else:
        width = text_width(f"{head} · {tail}" if tail else head, ROW_SIZE)
        height = ROW_HEIGHT
    return _center(row, width + 2 * ROW_PAD + extra, height)


def _join_box(join: Join) -> Box:
    if join.kind == "concat":
        return _center(join, text_width("concat", TAIL_SIZE) + 16, 14.0)
    return _center(join, 2 * CIRCLE, 2 * CIRCLE)


def _center(item: Item, width: float, height: float) -> Box:
    box = Box(item, width / 2, width / 2, height)
    box.inputs = _spread(item.inputs, width)
    box.outputs = _spread(item.outputs, width)
    if isinstance(item, Join):
        box.inputs = dict.fromkeys(item.inputs, 0.0)
    return box


def _spread(tensors: tuple[Tensor, ...], width: float) -> dict[Tensor, float]:
    """Places for wires along a side."""
    count = len(tensors)
    reach = min(18.0, width / (count + 1))
    return {tensor: (k - (count - 1) / 2) * reach for k, tensor in enumerate(tensors)}
