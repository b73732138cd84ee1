"""The display list: what a picture is made of, before anything knows SVG or pixels.

Units are CSS pixels, y grows downwards. `role` says what a shape stands for, for tests and for
whoever styles the SVG; `node` names the box that it is a piece of, a key of Picture.boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Point: TypeAlias = tuple[float, float]
Segment: TypeAlias = tuple[str, tuple[Point, ...]]
"""A path segment as SVG has them: ("M", p), ("L", p), ("Q", control, p), ("C", c1, c2, p)."""


@dataclass(frozen=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    role: str
    fill: str
    stroke: str = ""
    radius: float = 3.0
    stroke_width: float = 1.0
    node: str = ""


@dataclass(frozen=True)
class Circle:
    x: float
    y: float
    radius: float
    role: str
    fill: str
    stroke: str
    node: str = ""


@dataclass(frozen=True)
class Text:
    """One line of text; (x, y) is where its baseline starts, `width` what it takes."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    width: float
    bold: bool = False
    role: str = "text"
    node: str = ""


@dataclass(frozen=True)
class Path:
    """An open line. `edge` names the tensor and the consumer it stands for."""

    segments: tuple[Segment, ...]
    role: str
    stroke: str
    width: float = 1.2
    arrow: bool = False
    edge: tuple[str, str] = ("", "")
    node: str = ""


Shape: TypeAlias = Rect | Circle | Text | Path


class Drawn(NamedTuple):
    """What a box stands for: `spans` are runs [start, end) of the graph's nodes by position, one
    for each of its copies. A block may be `folded` into one row, and then unfolded."""

    spans: tuple[tuple[int, int], ...]
    copies: int = 1
    is_block: bool = False
    is_folded: bool = False


class Arrangement(NamedTuple):
    """How a picture is laid out, for another of nearly the same network to look alike: `panels` is
    how many it was chosen for."""

    panels: int
    tall_rows: bool
    columns: int


@dataclass(frozen=True)
class Picture:
    """A finished drawing; `shapes` are painted in order. `boxes` has what is drawn by its name, the
    path of a node or a block (of the first of several copies)."""

    name: str
    width: float
    height: float
    shapes: tuple[Shape, ...]
    boxes: Mapping[str, Drawn] = field(default_factory=dict)
    arrangement: Arrangement | None = None


def round_corners(points: list[Point], radius: float = 6.0) -> tuple[Segment, ...]:
    """A path through points with its corners rounded."""
    points = _without_repeats(points)
    segments: list[Segment] = [("M", (points[0],))]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        if _straight(before, corner, after):
            continue
        segments.append(("L", (_towards(corner, before, reach),)))
        segments.append(("Q", (corner, _towards(corner, after, reach))))
    segments.append(("L", (points[-1],)))
    return tuple(segments)


def smooth(start: Point, end: Point) -> Segment:
    """A curve from start to end that leaves and arrives vertically."""
    middle = (start[1] + end[1]) / 2
    return ("C", ((start[0], middle), (end[0], middle), end))


def arrow_head(shape: Path) -> tuple[Point, ...]:
    """The three corners of a path's arrow head, its tip at the path's end; () without one."""
    if not shape.arrow:
        return ()
    command, points = shape.segments[-1]
    end = points[-1]
    before = points[-2] if command != "L" else shape.segments[-2][1][-1]
    dx, dy = end[0] - before[0], end[1] - before[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    base = (end[0] - 5.5 * dx, end[1] - 5.5 * dy)
    return (end, (base[0] - 2.8 * dy, base[1] + 2.8 * dx), (base[0] + 2.8 * dy, base[1] - 2.8 * dx))


def _without_repeats(points: list[Point]) -> list[Point]:
    kept = [points[0]]
    for point in points[1:]:
        if _distance(kept[-1], point) > 0.01:
            kept.append(point)
    return kept if len(kept) > 1 else [points[0], points[-1]]


def _distance(a: Point, b: Point) -> float:
    return ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5


def _straight(a: Point, b: Point, c: Point) -> bool:
    cross = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
    return abs(cross) < 1e-6


def _towards(start: Point, end: Point, reach: float) -> Point:
    length = _distance(start, end)
    if length == 0:
        return start
    part = reach / length
    return (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)
