"""A device's two constants fitted to measured layers, where a profiler tells each of them: far more
points than networks, and what is fitted to one network says little of another's depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archspec.compiler.latency.calibrate import FITTED, LONGEST_NAME, Sample, fit_constants
from archspec.compiler.latency.device import Device
from archspec.compiler.latency.model import time_of, works_by_node
from archspec.compiler.pipeline import for_deployment
from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.tables import Column, Table


@dataclass(frozen=True)
class MeasuredLayers:
    """Milliseconds of a network's layers for a batch, by the node that has most of the work."""

    graph: Graph
    batch: int
    milliseconds: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class FittedNetwork:
    """How the fitted device's times compare: of all matched layers together, in milliseconds, and
    the median of the layers' own errors; `left_over` layers have no counterpart."""

    name: str
    layers: int
    left_over: int
    measured: float
    fitted: float
    median_error: float


@dataclass(frozen=True)
class LayerFit:
    device: Device
    rows: tuple[FittedNetwork, ...]

    def table(self) -> Table:
        share = "{:.1%}".format
        columns = [
            Column("name", "network"), Column("layers", "layers", is_number=True),
            Column("left_over", "unmatched", is_number=True),
            Column("measured", "measured ms", "{:.3f}".format, True),
            Column("fitted", "fitted ms", "{:.3f}".format, True),
            Column("median_error", "median error", share, True),
        ]  # fmt: skip
        device = self.device
        note = f"efficiency {device.efficiency:.3f}, launch {device.launch_us:.1f} us, of layers"
        return Table(columns, [vars(row) for row in self.rows], notes=[note])


def fit_layers(device: Device, measured: Sequence[MeasuredLayers]) -> LayerFit:
    """Fit efficiency and launch of a device to layers. Raises SpecError where too few have a
    counterpart in the estimate, or they do not tell the two apart; UsageError without scipy."""
    samples: list[list[Sample]] = []
    for one in measured:
        works = works_by_node(for_deployment(one.graph).graph, one.batch)
        known = {name: ms for name, ms in one.milliseconds.items() if name in works and ms > 0}
        if not known:
            raise SpecError(
                f"{one.source}: no layer of {one.graph.name} is called as there; use a file of this"
                " network as archspec exported it"
            )
        samples.append([([works[name]], ms) for name, ms in known.items()])
    fitted = fit_constants(device, [sample for some in samples for sample in some])
    if fitted is None:
        raise SpecError(
            "these layers do not tell the cube's efficiency from the cost of a launch; use a"
            " network of layers that differ more"
        )
    names = ", ".join(Path(one.source).name for one in measured)[:LONGEST_NAME]
    provenance = {
        **{key: text for key, text in device.provenance.items() if key != FITTED},
        FITTED: f"fitted to the layers in {names} by archspec latency calibrate",
    }
    fitted = replace(fitted, provenance=provenance, calibration=None)
    rows = [_row(one, some, fitted) for one, some in zip(measured, samples, strict=True)]
    return LayerFit(fitted, tuple(rows))


def _row(one: MeasuredLayers, samples: Sequence[Sample], device: Device) -> FittedNetwork:
    pairs = [(ms, sum(time_of(work, device).ms for work in works)) for works, ms in samples]
    errors = sorted(abs(ours / ms - 1) for ms, ours in pairs)
    return FittedNetwork(
        one.graph.name, len(pairs), len(one.milliseconds) - len(pairs),
        sum(ms for ms, _ in pairs), sum(ours for _, ours in pairs), errors[len(errors) // 2],
    )  # fmt: skip
