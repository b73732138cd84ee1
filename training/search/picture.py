"""pareto.png: the networks tried, the front among them, and the random baseline's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from archspec.plot.display import Circle, Path, Picture, Point, Rect, Shape, Text
from archspec.plot.metrics import text_width
from archspec.plot.palette import BADGE, FAINT, INK, PANEL, PAPER, STRIP
from archspec.plot.png import render_png
from archspec.tables import shown_amount
from archspec.training.curves import ticks
from archspec.training.search.objectives import ACCURACY, LATENCY, Objective
from archspec.training.search.pareto import find_nondominated
from archspec.training.search.results import Results

PALE, DEEP, GREY, EXACT = "#a9c9e6", "#0b3a70", "#b9bfc6", "#2c7a3f"
"""The networks tried and their front; the baseline; the exact front. Light and dark alone tell them
apart too."""
WIDTH, HEIGHT, GAP = 720.0, 480.0, 12.0
LEFT, RIGHT, TOP, BOTTOM = 76.0, 22.0, 78.0, 52.0
MAX_DOTS = 1500
"""Of a cloud; more would be one blot."""
FEW_DOTS = 200
"""Of a cloud that are drawn larger."""
MAX_MARKS = 120
"""Of a front that are drawn as points; the line says the rest."""


@dataclass(frozen=True)
class _Frame:
    """Where values stand: the box of both axes, each with its ticks."""

    low: Point
    high: Point

    def place(self, point: Sequence[float]) -> Point:
        across = (point[0] - self.low[0]) / ((self.high[0] - self.low[0]) or 1)
        up = (point[1] - self.low[1]) / ((self.high[1] - self.low[1]) or 1)
        return (
            GAP + LEFT + across * (WIDTH - LEFT - RIGHT),
            GAP + TOP + (1 - up) * (HEIGHT - TOP - BOTTOM),
        )


def pareto_png(results: Results) -> bytes | None:
    """The picture as PNG, or None while there is nothing to draw."""
    picture = pareto_picture(results)
    return None if picture is None else render_png(picture)


def pareto_picture(results: Results) -> Picture | None:
    """The first two objectives against each other, one that costs training upwards; a single one
    against the number of trials."""
    if not results.tried:
        return None
    if len(results.objectives) == 1:
        return _progress(results)
    places = sorted((0, 1), key=lambda place: not results.objectives[place].is_counted)
    across, up = (results.objectives[place] for place in places)
    tried, baseline = (
        results.values(trials)[:, places] for trials in (results.tried, results.baseline)
    )
    exact = results.exact[:, places] if results.exact is not None else np.zeros((0, 2))
    signs = np.array([across.sign, up.sign])
    everything = np.concatenate([tried, baseline, exact])
    frame, marks = _frame(everything.min(axis=0), everything.max(axis=0))
    shapes = _paper(frame, marks, across, up)
    shapes += _cloud(frame, baseline, GREY, "baseline")
    shapes += _cloud(frame, tried, PALE, "tried")
    legend = [("tried", PALE, f"{len(tried):,}"), ("front", DEEP, "")]
    if len(exact):
        shapes.append(_line(frame, _stairs(exact, signs), EXACT, 3.0, "exact"))
        legend.append(("exact front", EXACT, ""))
    if len(baseline):
        front = baseline[find_nondominated(baseline * signs)]
        shapes.append(_line(frame, _stairs(front, signs), BADGE, 1.4, "front of baseline"))
        if len(everything) <= FEW_DOTS:  # where its line can be a single point
            radius = 3.4
            shapes += [Circle(*frame.place(p), radius, "of baseline", BADGE, PAPER) for p in front]
        legend += [("random search", GREY, f"{len(baseline):,}"), ("its front", BADGE, "")]
    front = tried[find_nondominated(tried * signs)]
    shapes.append(_line(frame, _stairs(front, signs), DEEP, 1.6, "front"))
    marked = front[np.argsort(front[:, 0])][:: -(-len(front) // MAX_MARKS)]
    radius = 3.0 if len(everything) > FEW_DOTS else 4.2
    shapes += [Circle(*frame.place(point), radius, "front", DEEP, PAPER) for point in marked]
    others = f" (of {len(results.objectives)} objectives)" if len(results.objectives) > 2 else ""
    title = f"{results.trials.facts['name']} by {results.trials.facts['engine']}{others}"
    return _picture(title, shapes, legend)


def _progress(results: Results) -> Picture:
    """The best value so far, trial by trial."""
    objective = results.objectives[0]
    best = np.maximum.accumulate if objective.is_max else np.minimum.accumulate
    lines = [("best so far", DEEP, best(results.values(results.tried)[:, 0]))]
    if results.baseline:
        lines.append(("random search", BADGE, best(results.values(results.baseline)[:, 0])))
    tried = results.values(results.tried)[:, 0]
    longest = max(len(values) for _, _, values in lines)
    everything = np.concatenate([tried, *(values for _, _, values in lines)])
    frame, marks = _frame(np.array([1.0, everything.min()]), np.array([longest, everything.max()]))
    shapes = _paper(frame, marks, None, objective)
    numbers = np.arange(1, len(tried) + 1)
    shapes += _cloud(frame, np.stack([numbers, tried], axis=1), PALE, "tried")
    legend = [("tried", PALE, f"{len(tried):,}")]
    for name, color, values in lines:
        changes = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
        points: list[Point] = []
        for place in changes.tolist():
            if points:
                points.append((place + 1, points[-1][1]))
            points.append((place + 1, float(values[place])))
        points.append((len(values), float(values[-1])))
        shapes.append(_line(frame, points, color, 1.8, name))
        legend.append((name, color, _show(objective)(float(values[-1]))))
    title = f"{results.trials.facts['name']} by {results.trials.facts['engine']}"
    return _picture(title, shapes, legend)


def _picture(title: str, shapes: list[Shape], legend: list[tuple[str, str, str]]) -> Picture:
    shapes.append(_text(GAP + 16, GAP + 25, title, 14, INK, bold=True))
    across = GAP + 16
    for name, color, value in legend:
        words = f"{name}  {value}".rstrip()
        shapes.append(Circle(across + 4, GAP + 44, 4, "legend", color, color))
        shapes.append(_text(across + 13, GAP + 47.5, words, 10, FAINT))
        across += 13 + text_width(words, 10) + 18
    return Picture(title, WIDTH + 2 * GAP, HEIGHT + 2 * GAP, tuple(shapes))


def _frame(low: np.ndarray, high: np.ndarray) -> tuple[_Frame, tuple[list[float], list[float]]]:
    """A frame a little wider than the values, and the round numbers within it."""
    room = np.where(high > low, 0.03 * (high - low), np.maximum(abs(low), 1) / 2)
    frame = _Frame(tuple((low - room).tolist()), tuple((high + room).tolist()))
    marks = [
        [mark for mark in ticks(least, most, 7) if least <= mark <= most]
        for least, most in zip(frame.low, frame.high, strict=True)
    ]
    return frame, (marks[0], marks[1])


def _paper(
    frame: _Frame,
    marks: tuple[list[float], list[float]],
    across: Objective | None,
    up: Objective,
) -> list[Shape]:
    shapes: list[Shape] = [
        Rect(0, 0, WIDTH + 2 * GAP, HEIGHT + 2 * GAP, "page", PAPER, radius=0),
        Rect(GAP, GAP, WIDTH, HEIGHT, "panel", PANEL, radius=6),
    ]
    show_across = _show(across) if across is not None else "{:,.0f}".format
    for mark in marks[0]:
        x, bottom = frame.place((mark, frame.low[1]))
        words = show_across(mark)
        shapes.append(_stroke([(x, bottom), frame.place((mark, frame.high[1]))], STRIP))
        shapes.append(_text(x - text_width(words, 10) / 2, bottom + 16, words, 10, FAINT))
    for mark in marks[1]:
        left, y = frame.place((frame.low[0], mark))
        words = _show(up)(mark)
        shapes.append(_stroke([(left, y), frame.place((frame.high[0], mark))], STRIP))
        shapes.append(_text(left - 8 - text_width(words, 10), y + 3.5, words, 10, FAINT))
    name = _axis(across) if across is not None else "networks tried"
    end = GAP + WIDTH - RIGHT - text_width(name, 11)
    shapes.append(_text(end, GAP + HEIGHT - 14, name, 11, INK))
    shapes.append(_text(GAP + 16, GAP + TOP - 8, _axis(up), 11, INK))
    return shapes


def _cloud(frame: _Frame, values: np.ndarray, color: str, role: str) -> list[Shape]:
    chosen = values[:: max(1, -(-len(values) // MAX_DOTS))]
    radius = 1.8 if len(chosen) > FEW_DOTS else 2.8
    return [Circle(*frame.place(point), radius, role, color, color) for point in chosen.tolist()]


def _stairs(values: np.ndarray, signs: np.ndarray) -> list[Point]:
    """The edge of what a front dominates."""
    front = values[np.argsort(values[:, 0] * signs[0], kind="stable")]
    points: list[Point] = []
    for across, up in front.tolist():
        if points:
            points.append((across, points[-1][1]))
        points.append((across, up))
    return points


def _show(objective: Objective) -> Callable[[float], str]:
    if objective.name == ACCURACY:
        return lambda value: f"{100 * value:.4g} %"
    if objective.name.startswith(LATENCY):
        return lambda value: f"{value:.4g}"
    return lambda value: shown_amount(value) if abs(value) >= 1000 else f"{value:.4g}"


def _axis(objective: Objective) -> str:
    unit = {"macs": "MACs", "params": "parameters", "activations": "bytes of activations"}
    name = unit.get(objective.name, objective.name)
    if objective.name.startswith(LATENCY):
        name = f"estimated ms an image, {objective.name.removeprefix(LATENCY)}"
    return f"{name} ({'more' if objective.is_max else 'less'} is better)"


def _line(
    frame: _Frame, points: Sequence[Sequence[float]], color: str, width: float, role: str
) -> Shape:
    return _stroke([frame.place(point) for point in points], color, width, role)


def _text(x: float, y: float, words: str, size: float, color: str, bold: bool = False) -> Text:
    return Text(x, y, words, size, color, text_width(words, size, bold), bold)


def _stroke(points: Sequence[Point], color: str, width: float = 1.0, role: str = "grid") -> Path:
    first, *others = points
    segments = (("M", (first,)), *(("L", (point,)) for point in others or [first]))
    return Path(segments, role, color, width)
