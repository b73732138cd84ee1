"""How a quantised network fares, arranged for people and for programs: the worst layer first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archspec.compiler.latency.device import Device
from archspec.compiler.latency.model import estimate
from archspec.compiler.latency.validity import int8_caution
from archspec.compiler.quantize.fidelity import BEST, LayerFidelity, Outcome
from archspec.compiler.quantize.quantization import Quantization
from archspec.plot.display import Path, Picture, Rect, Shape, Text
from archspec.plot.metrics import text_width
from archspec.plot.palette import FAINT, INK, PAPER, STRIP
from archspec.plot.png import render_png
from archspec.tables import Column, Table, shown_share

OWN, GATHERED = "#6fa8d6", "#0b3a70"
"""One hue, light and dark, so that they differ in grey as well."""
MAX_DECIBELS = 60.0
"""Where bars end: who is right to a thousandth needs no closer look."""


@dataclass(frozen=True)
class Told:
    """`times` are milliseconds of one image by node as estimated for `device`, of the quantised
    network; `float_ms` and `int8_ms` the totals. `left` are layers left float, in the order in
    which they were, with the total that each of them brought it to."""

    quantization: Quantization
    outcome: Outcome
    device: Device
    times: Mapping[str, float]
    float_ms: float
    int8_ms: float
    left: Sequence[tuple[str, float]]


def tell(quantization: Quantization, outcome: Outcome, device: Device, left: Sequence[str]) -> Told:
    """What was measured, with the estimated times of a batch of one."""
    graph = quantization.model.graph
    found = estimate(graph, device, 1, quantization.nodes)
    before = quantization.nodes | set(left)
    totals = [
        estimate(graph, device, 1, before - set(left[: count + 1])).ms for count in range(len(left))
    ]
    return Told(
        quantization,
        outcome,
        device,
        {row.name: row.ms for row in found.rows},
        estimate(graph, device, 1).ms,
        found.ms,
        tuple(zip(left, totals, strict=True)),
    )


def table_of(told: Told) -> Table:
    rows = sorted(_rows(told), key=lambda row: row["own_sqnr"])
    return Table(
        [
            Column("name", "layer"),
            Column("op", "op"),
            Column("number", "as", str),
            Column("own_sqnr", "own dB", "{:.1f}".format, True),
            Column("sqnr", "dB", "{:.1f}".format, True),
            Column("cosine", "cosine", "{:.4f}".format, True),
            Column("low", "from", "{:.4g}".format, True),
            Column("high", "to", "{:.4g}".format, True),
            Column("clipped", "clipped", "{:.2%}".format, True),
            Column("time", "time", shown_share, True),
        ],
        rows,
        notes=notes_of(told),
    )


def notes_of(told: Told) -> list[str]:
    outcome = told.outcome
    lines = [
        f"{outcome.agreement:.1%} of {outcome.images} calibration images keep their likeliest"
        f" class; smallest cosine {outcome.smallest_cosine:.4f}",
        f"estimated for {told.device.name}, one image: {told.int8_ms:.3g} ms, in fp16"
        f" {told.float_ms:.3g} ms; {int8_caution(told.device).text}",
    ]
    before = told.left[0][0] if told.left else ""
    if before:
        words = ", ".join(f"{name} (then {ms:.3g} ms)" for name, ms in told.left)
        lines.append(f"left float for being the most harmful: {words}")
    return [
        *lines,
        "own dB: of the layer's integers alone; dB: of all that gathered before it as well",
    ]


def as_json(told: Told) -> dict[str, Any]:
    outcome = told.outcome
    return {
        "network": told.quantization.model.graph.name,
        "images": outcome.images,
        "agreement": outcome.agreement,
        "smallest_cosine": outcome.smallest_cosine,
        "device": told.device.name,
        "estimated_ms": told.int8_ms,
        "estimated_float_ms": told.float_ms,
        "caution": int8_caution(told.device).text,
        "left_float": [{"layer": name, "estimated_ms": ms} for name, ms in told.left],
        "layers": _rows(told),
    }


def _rows(told: Told) -> list[dict[str, Any]]:
    total = told.int8_ms or 1.0
    return [
        {
            **asdict(layer),
            "number": "int8" if layer.is_int8 else "float",
            "time": told.times.get(layer.name, 0.0) / total,
        }
        for layer in told.outcome.layers
    ]


ROW, LABEL, WIDE, MARGIN, TOP = 13.0, 250.0, 520.0, 16.0, 66.0


def picture_of(told: Told) -> bytes:
    """PNG: a bar a layer in execution order, as long as its own decibels, with a mark at what has
    gathered."""
    layers = told.outcome.layers
    order = [*told.quantization.model.graph.nodes]
    layers = sorted(layers, key=lambda layer: order.index(layer.name))
    width, height = LABEL + WIDE + 2 * MARGIN, TOP + ROW * len(layers) + 2 * MARGIN
    name = f"{told.quantization.model.graph.name} in int8"
    shapes: list[Shape] = [
        Rect(0, 0, width, height, "page", PAPER, radius=0),
        _text(MARGIN, MARGIN + 12, f"{name}: signal over noise, dB", 13, INK, bold=True),
        Rect(MARGIN, MARGIN + 22, 10, 8, "key", OWN, radius=0),
        _text(MARGIN + 14, MARGIN + 30, "the layer's own integers", 9.5, FAINT),
        Rect(MARGIN + 150, MARGIN + 21, 3, 10, "key", GATHERED, radius=0),
        _text(MARGIN + 157, MARGIN + 30, "gathered in the network", 9.5, FAINT),
    ]
    for mark in range(0, int(MAX_DECIBELS) + 1, 10):
        x = _across(mark)
        shapes.append(_stroke((x, TOP - 4), (x, height - MARGIN)))
        words = str(mark)
        shapes.append(_text(x - text_width(words, 9) / 2, TOP - 8, words, 9, FAINT))
    for number, layer in enumerate(layers):
        shapes += _draw_layer(layer, TOP + ROW * number)
    return render_png(Picture(name, width, height, tuple(shapes)))


def _draw_layer(layer: LayerFidelity, y: float) -> list[Shape]:
    name = layer.name if len(layer.name) <= 38 else f"...{layer.name[-35:]}"
    words = name if layer.is_int8 else f"{name} (float)"
    right = MARGIN + LABEL - 8 - text_width(words, 9)
    shapes: list[Shape] = [_text(right, y + 9, words, 9, INK if layer.is_int8 else FAINT)]
    if layer.own_sqnr < BEST:
        bar = _across(layer.own_sqnr) - _across(0)
        shapes.append(Rect(_across(0), y + 2, bar, ROW - 4, "own", OWN, radius=0))
    shapes.append(Rect(_across(layer.sqnr) - 1.5, y + 1, 3, ROW - 2, "all", GATHERED, radius=0))
    return shapes


def _across(decibels: float) -> float:
    share = min(max(decibels, 0.0), MAX_DECIBELS) / MAX_DECIBELS
    return MARGIN + LABEL + share * (WIDE - MARGIN)


def _text(x: float, y: float, words: str, size: float, color: str, bold: bool = False) -> Text:
    return Text(x, y, words, size, color, text_width(words, size, bold), bold)


def _stroke(start: tuple[float, float], end: tuple[float, float]) -> Path:
    return Path((("M", (start,)), ("L", (end,))), "line", STRIP, 1)
