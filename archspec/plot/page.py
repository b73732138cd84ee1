"""The finished page: the best of several layouts, painted, with its header and legend."""

from __future__ import annotations

from collections.abc import Collection

from archspec.graph import Graph
from archspec.plot.boxes import Style
from archspec.plot.display import Arrangement, Picture, Rect, Shape, Text
from archspec.plot.flow import MARGIN, Page, pages
from archspec.plot.level import Placer
from archspec.plot.metrics import shorten, text_width
from archspec.plot.paint import Painter
from archspec.plot.palette import FAINT, FRAME, INK, STEPS
from archspec.plot.panels import panels_of
from archspec.plot.words import count_words, shape_words

NAME_SIZE = 17.0
FACTS_SIZE = 10.5
LEGEND_SIZE = 8.5
SWATCH = (44.0, 10.0)
NARROWEST = 340.0
MAX_COLUMNS = 7


def draw(
    graph: Graph, folded: Collection[str] = (), arrangement: Arrangement | None = None
) -> Picture:
    """The picture of a graph: its panels in as many columns as print largest on a page, or those of
    the `arrangement` of another picture, which is quicker. Blocks of the names `folded` are one row
    each."""
    items, note = panels_of(graph, folded)
    if arrangement is not None and arrangement.panels == len(items):
        styles: tuple[Style, ...] = (Style(tall_rows=arrangement.tall_rows),)
        counts = [arrangement.columns]
    else:
        styles = (Style(), Style(tall_rows=True))
        counts = [*range(1, MAX_COLUMNS + 1)]
    candidates: list[tuple[Page, Style]] = []
    for style in styles:
        found = pages(items, graph, Placer(graph, style), counts)
        candidates += [(page, style) for page in found]
    page, style = max(candidates, key=lambda candidate: candidate[0].quality)
    columns = page.panels[-1].column + 1
    return _finish(page, graph, note, Arrangement(len(items), style.tall_rows, columns))


def _finish(page: Page, graph: Graph, note: str, arrangement: Arrangement) -> Picture:
    width = max(page.width, NARROWEST, _header_width(graph) + 2 * MARGIN)
    header, top = _header(graph, width, note)
    painter = Painter(graph)
    painter.page(page, (width - page.width) / 2, top)
    shapes = (*header, *painter.shapes)
    return Picture(graph.name, width, top + page.height, shapes, painter.drawn, arrangement)


def _facts(graph: Graph) -> str:
    return (
        f"{count_words(graph.params)} parameters · {count_words(graph.macs)} MACs"
        f" · input {shape_words(graph.input_shape)}"
    )


def _header_width(graph: Graph) -> float:
    return max(text_width(_facts(graph), FACTS_SIZE), _legend_width())


def _legend_width() -> float:
    return SWATCH[0] * len(STEPS)


def _header(graph: Graph, width: float, note: str) -> tuple[list[Shape], float]:
    """The header's shapes and where the page begins beneath them."""
    name = shorten(graph.name, NAME_SIZE, width - 2 * MARGIN, bold=True)
    facts = _facts(graph)
    shapes: list[Shape] = [
        _line(MARGIN, MARGIN + 15, name, NAME_SIZE, INK, bold=True),
        _line(MARGIN, MARGIN + 32, facts, FACTS_SIZE, FAINT),
    ]
    y = MARGIN + 32
    if note:
        y += 14
        note = shorten(f"note: {note}", LEGEND_SIZE, width - 2 * MARGIN)
        shapes.append(_line(MARGIN, y, note, LEGEND_SIZE, FAINT))
    words = max(text_width(name, NAME_SIZE, bold=True), text_width(facts, FACTS_SIZE))
    if width - 2 * MARGIN >= words + 30 + _legend_width():
        shapes += _legend(width - MARGIN - _legend_width(), MARGIN + 3)
    else:
        shapes += _legend(MARGIN, y + 12)
        y += 44
    return shapes, y + 4


def _legend(x: float, y: float) -> list[Shape]:
    words = "share of MACs"
    width = text_width(words, LEGEND_SIZE)
    shapes: list[Shape] = [Text(x, y + 6, words, LEGEND_SIZE, FAINT, width, role="legend")]
    for k, step in enumerate(STEPS):
        left = x + k * SWATCH[0]
        shapes.append(Rect(left, y + 10, *SWATCH, "swatch", step.fill, FRAME, 0, 0.5))
        shift = (SWATCH[0] - text_width(step.label, LEGEND_SIZE)) / 2
        shapes.append(_line(left + shift, y + 30, step.label, LEGEND_SIZE, FAINT))
    return shapes


def _line(x: float, y: float, text: str, size: float, fill: str, bold: bool = False) -> Text:
    return Text(x, y, text, size, fill, text_width(text, size, bold), bold)
