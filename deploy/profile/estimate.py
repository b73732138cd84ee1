"""The time of each layer on a device that nobody has here, by the latency model."""

from __future__ import annotations

from archspec.compiler.latency import cautions, estimate, find_device
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.deploy.profile.report import ESTIMATED, LayerTime, Profile
from archspec.graph import Graph


def estimate_profile(graph: Graph, device: str, batch: int) -> Profile:
    """An estimate of the deployed graph, with where its calibration does not reach. Raises
    UsageError for a device that is unknown."""
    known = find_device(device)
    deployed = for_deployment(Model(graph)).graph
    found = estimate(deployed, known, batch)
    rows = tuple(LayerTime(row.name, row.op, row.ms, row.macs, row.bound_by) for row in found.rows)
    notes = tuple(caution.text for caution in cautions(deployed, known, batch))
    source = f"{known.title} by the latency model"
    return Profile(graph.name, ESTIMATED, source, batch, rows, notes)
