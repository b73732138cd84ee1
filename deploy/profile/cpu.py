"""The time of each layer on this machine's CPU, as onnxruntime itself takes it."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from archspec.deploy.description import check_made_of
from archspec.deploy.engines.onnxruntime import OnnxRuntimeEngine
from archspec.deploy.profile.joining import Kernel, join
from archspec.deploy.profile.repeat import WARM_UP, shape_of
from archspec.deploy.profile.report import MEASURED, SIMULATED, Profile
from archspec.graph import Graph

ENDING = "_kernel_time"
"""What onnxruntime puts behind the name of an operator."""


def measure(
    path: str | os.PathLike[str],
    graph: Graph | None = None,
    *,
    batch: int | None = None,
    threads: int | None = None,
    runs: int = 20,
) -> Profile:
    """Medians over `runs` runs of zeros, after some that do not count. With the graph of its spec
    the model's layers are the spec's. Raises UsageError as opening the model does, SpecError where
    it was made of another spec."""
    with tempfile.TemporaryDirectory(prefix="archspec-profile-") as folder:
        engine = OnnxRuntimeEngine(path, threads=threads, profile=f"{folder}/times")
        with closing(engine):
            if graph is not None:
                check_made_of(path, engine.metadata, graph)
            zeros = {
                port.name: np.zeros(shape_of(port, batch), port.dtype) for port in engine.inputs
            }
            for _ in range(WARM_UP + runs):
                engine.run(zeros)
            events = json.loads(engine.end_profile().read_text())
    kernels = kernels_of(events, WARM_UP)
    images = next(iter(zeros.values())).shape[0]
    whole = [event["dur"] for event in events if event.get("name") == "model_run"][WARM_UP:]
    notes = (
        f"medians of {runs} runs on {engine.threads} threads; a whole run took"
        f" {statistics.median(whole) / 1e3:.3f} ms",
    )
    return Profile(
        engine.metadata.get("name", Path(path).name),
        SIMULATED if engine.is_simulated else MEASURED,
        "onnxruntime on this machine's CPU, no NPU",
        images,
        join(kernels, graph, images),
        notes,
    )


def kernels_of(events: Iterable[dict[str, Any]], warm_up: int) -> list[Kernel]:
    """Each operator that ran, its time the median over the runs after those to warm up."""
    times: dict[tuple[str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(ENDING):
            key = (event["name"].removesuffix(ENDING), event["args"].get("op_name", ""))
            times.setdefault(key, []).append(event["dur"] / 1e3)
    return [
        Kernel(name, kind, statistics.median(found[warm_up:]))
        for (name, kind), found in times.items()
        if found[warm_up:]
    ]
