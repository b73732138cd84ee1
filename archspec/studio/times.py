"""What a device is estimated to take for a network, by node and by box, and what would run badly
on it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from archspec.compiler.latency import lint_report
from archspec.compiler.latency.device import devices
from archspec.compiler.latency.lint import LEAST_SHARE
from archspec.compiler.latency.model import total_ms
from archspec.compiler.pipeline import for_deployment
from archspec.graph import Graph
from archspec.plot.display import Picture
from archspec.studio.subject import Settings

KEPT = 8
"""Times of saved networks that are remembered."""


def times(
    graph: Graph, saved: Graph | None, picture: Picture, settings: Settings
) -> dict[str, Any]:
    """Milliseconds of a batch: of the network as it is deployed, of its nodes and the picture's
    boxes, and of the saved network; with findings by node. `device` is "" where there is none of
    the name: a file is not read because a page names it."""
    device = devices().get(settings.device)
    if device is None:
        return {"device": "", "ms": None}
    linted = lint_report.lint(graph, device, settings.batch, LEAST_SHARE)
    estimate = linted.told.estimate
    by_node = {row.name: row.ms for row in estimate.rows}
    told = lint_report.lint_as_json(linted)
    return {
        "device": device.name,
        "ms": estimate.ms,
        "saved_ms": None if saved is None else _total(saved, device.name, settings.batch),
        "ms_by_node": by_node,
        "ms_by_box": _by_box(graph, picture, by_node),
        "cautions": [caution["text"] for caution in told["cautions"]],
        "findings": told["findings"],
    }


@lru_cache(KEPT)
def _total(saved: Graph, device: str, batch: int) -> float:
    return total_ms(for_deployment(saved).graph, devices()[device], batch)


def _by_box(graph: Graph, picture: Picture, by_node: dict[str, float]) -> dict[str, float]:
    names = tuple(graph.nodes)
    return {
        box: sum(by_node.get(name, 0.0) for start, end in drawn.spans for name in names[start:end])
        for box, drawn in picture.boxes.items()
    }
