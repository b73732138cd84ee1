"""curves.png: loss, accuracy and learning rate over the epochs, drawn as networks are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.plot.display import Circle, Path, Picture, Point, Rect, Shape, Text
from archspec.plot.metrics import text_width
from archspec.plot.palette import BADGE, FAINT, INK, PANEL, PAPER, STRIP
from archspec.plot.png import render_png

PALE, DEEP = "#6fa8d6", "#0b3a70"
"""Training and validation: one hue, light and dark, so that they differ in grey as well."""
WIDTH, HEIGHT, GAP = 400.0, 300.0, 12.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 16.0, 58.0, 36.0
MAX_POINTS = 600
"""Of a line; more would be finer than a pixel."""


@dataclass(frozen=True)
class Line:
    """One line of a panel. `points` are (epochs, value)."""

    name: str
    color: str
    points: tuple[Point, ...]
    width: float = 1.6
    is_marked: bool = False
    """Whether its points are drawn, as long as they are few."""


@dataclass(frozen=True)
class Panel:
    """One diagram. `show` writes a value of its axis."""

    title: str
    lines: tuple[Line, ...]
    show: Callable[[float], str]
    star: Point | None = None
    starts_at_zero: bool = False
    top: float | None = None
    """What the axis never passes; lines leave the panel there."""


def curves_png(name: str, metrics: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The picture of a run's metrics as PNG, or None while there is nothing to draw."""
    picture = curves(name, metrics)
    return None if picture is None else render_png(picture)


def curves(name: str, metrics: Sequence[Mapping[str, Any]]) -> Picture | None:
    """The same as a display list."""
    epochs = [line for line in metrics if line["kind"] == "epoch"]
    if not epochs:
        return None
    steps_of_an_epoch = epochs[0]["step"] / epochs[0]["epoch"]
    steps = [line for line in metrics if line["kind"] == "step"] or epochs

    def points(lines: Sequence[Mapping[str, Any]], key: str) -> tuple[Point, ...]:
        chosen = lines[:: max(1, len(lines) // MAX_POINTS)]
        return tuple((line["step"] / steps_of_an_epoch, float(line[key])) for line in chosen)

    best = max(epochs, key=lambda line: (line["top1"], line["epoch"]))
    few = len(epochs) <= 40
    panels = (
        Panel(
            "loss",
            (
                Line("train", PALE, points(steps, "loss"), 1.3),
                Line("val, unsmoothed", DEEP, points(epochs, "val_loss"), 2.0, few),
            ),
            _plain,
            starts_at_zero=True,
            # the first epochs of a high learning rate would flatten all the others
            top=2 * max(line["loss"] for line in steps),
        ),
        Panel(
            "accuracy",
            (
                Line("train", PALE, points(epochs, "accuracy"), 1.3, few),
                Line("val top-1", DEEP, points(epochs, "top1"), 2.0, few),
            ),
            lambda value: f"{100 * value:.4g} %",
            (best["step"] / steps_of_an_epoch, best["top1"]),
            top=1.0,
        ),
        Panel("learning rate", (Line("", DEEP, points(steps, "lr"), 2.0),), _plain, None, True),
    )
    shapes: list[Shape] = [
        Rect(0, 0, 3 * WIDTH + 4 * GAP, HEIGHT + 2 * GAP, "page", PAPER, radius=0)
    ]
    for number, panel in enumerate(panels):
        shapes += _draw(panel, GAP + number * (WIDTH + GAP), GAP)
    return Picture(f"{name}, training", 3 * WIDTH + 4 * GAP, HEIGHT + 2 * GAP, tuple(shapes))


def _draw(panel: Panel, x: float, y: float) -> list[Shape]:
    values = [value for line in panel.lines for _, value in line.points]
    lowest = 0.0 if panel.starts_at_zero else min(values)
    highest = max(values) if panel.top is None else min(max(values), panel.top)
    marks = ticks(lowest, highest)
    low, high = min(marks[0], lowest), max(marks[-1], highest)
    if panel.top is not None:
        high = min(high, max(panel.top, highest))
        marks = [mark for mark in marks if mark <= high + 1e-9]
    last = max(epoch for line in panel.lines for epoch, _ in line.points)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(point: Point) -> Point:
        across = x + LEFT + width * point[0] / last
        up = y + TOP + height * (1 - (point[1] - low) / ((high - low) or 1))
        return (across, up)

    shapes: list[Shape] = [
        Rect(x, y, WIDTH, HEIGHT, "panel", PANEL, radius=6),
        _text(x + 14, y + 22, panel.title, 13, INK, bold=True),
    ]
    for mark in marks:
        _, up = place((0, mark))
        shapes.append(_stroke([(x + LEFT, up), (x + LEFT + width, up)], STRIP, 1))
        words = panel.show(mark)
        shapes.append(_text(x + LEFT - 6 - text_width(words, 9), up + 3, words, 9, FAINT))
    for mark in (mark for mark in ticks(0, last) if mark <= last + 1e-9):
        across, _ = place((mark, low))
        words = _plain(mark)
        shapes.append(_text(across - text_width(words, 9) / 2, y + HEIGHT - 21, words, 9, FAINT))
    shapes.append(
        _text(x + WIDTH - RIGHT - text_width("epochs", 9), y + HEIGHT - 8, "epochs", 9, FAINT)
    )
    for line in panel.lines:
        shapes += _line(line, place, high)
    if panel.star is not None:
        across, up = place(panel.star)
        shapes.append(Circle(across, up, 4.5, "best", BADGE, PAPER))
    return [*shapes, *_legend(panel, x, y)]


def _line(line: Line, place: Callable[[Point], Point], top: float) -> list[Shape]:
    shapes: list[Shape] = []
    for piece in _beneath(line.points, top):
        if len(piece) > 1:
            shapes.append(_stroke([place(point) for point in piece], line.color, line.width))
    if line.is_marked or len(line.points) == 1:
        shapes += [
            Circle(*place(point), 2.3, "point", line.color, line.color)
            for point in line.points
            if point[1] <= top
        ]
    return shapes


def _beneath(points: Sequence[Point], top: float) -> list[list[Point]]:
    """The pieces of a line that do not pass `top`."""
    pieces: list[list[Point]] = [[]]
    for before, point in zip((points[0], *points), points, strict=False):
        if (before[1] > top) != (point[1] > top):
            share = (top - before[1]) / (point[1] - before[1])
            pieces[-1].append((before[0] + share * (point[0] - before[0]), top))
        if point[1] <= top:
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return pieces


def _legend(panel: Panel, x: float, y: float) -> list[Shape]:
    """Names with their last values, and the best."""
    shapes: list[Shape] = []
    across = x + 14
    for line in panel.lines:
        value = panel.show(line.points[-1][1]) if line.name else ""
        words = f"{line.name}  {value}" if line.name else ""
        if not words:
            continue
        shapes.append(_stroke([(across, y + 37), (across + 14, y + 37)], line.color, 2.4))
        shapes.append(_text(across + 19, y + 40.5, words, 10, FAINT))
        across += 19 + text_width(words, 10) + 16
    if panel.star is not None:
        words = f"best  {panel.show(panel.star[1])}"
        shapes.append(Circle(across + 4, y + 37, 3.6, "best", BADGE, PAPER))
        shapes.append(_text(across + 12, y + 40.5, words, 10, FAINT))
    return shapes


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`."""
    if not high > low:
        low, high = (low - 0.5, low + 0.5) if low == 0 else (low - abs(low) / 2, low + abs(low) / 2)
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _plain(value: float) -> str:
    """0.05, 1e-05, 12: as short as it is right."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _text(x: float, y: float, words: str, size: float, color: str, bold: bool = False) -> Text:
    return Text(x, y, words, size, color, text_width(words, size, bold), bold)


def _stroke(points: Sequence[Point], color: str, width: float) -> Path:
    first, *others = points
    segments = (("M", (first,)), *(("L", (point,)) for point in others))
    return Path(segments, "line", color, width)
