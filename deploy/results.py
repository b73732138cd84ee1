"""What came of running a model over images: for people, and as JSON with all that it takes to know
later what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from archspec.compiler.images.answers import Answers
from archspec.compiler.images.scores import Scores
from archspec.compiler.images.source import Source
from archspec.compiler.weights.loading import SHORT
from archspec.deploy.cann import find_toolkit
from archspec.deploy.description import Description
from archspec.deploy.engine_table import ENGINES
from archspec.deploy.engines import Engine
from archspec.deploy.feeding import Feed
from archspec.deploy.timing import Latency
from archspec.errors import UsageError
from archspec.extras import PACKAGE, version_of
from archspec.machine import usable_cpus
from archspec.reading import sha256_of
from archspec.tables import Column, Table, shown_count

WHAT = {"device": "device alone", "call": "with copies", "end_to_end": "end to end"}


@dataclass(frozen=True)
class Trial:
    """A run over images: `seconds` from the first image's file to the last result, after `warm_up`
    runs that do not count."""

    scores: Scores
    latency: Latency
    seconds: float
    warm_up: int

    @property
    def images_per_second(self) -> float:
        return self.scores.images / self.seconds


@dataclass(frozen=True)
class Facts:
    """What was run, and where. `is_simulated`: by a stand-in, so no figure is an NPU's."""

    model: str
    sha256: str
    name: str
    fingerprint: str
    engine: str
    is_simulated: bool
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    batch: int
    input: str
    date: str


def facts_of(
    engine: Engine, model: str | os.PathLike[str], description: Description, feed: Feed
) -> Facts:
    return Facts(
        os.fspath(model),
        sha256_of(model),
        description.name,
        description.fingerprint,
        engine.name,
        engine.is_simulated,
        _versions(engine.name),
        _machine(),
        feed.batch,
        str(feed.port),
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


@dataclass(frozen=True, eq=False)
class Results:
    """A trial of a model on images, and its answer for each of them."""

    facts: Facts
    images: Source
    trial: Trial
    answers: Answers

    @property
    def scores(self) -> Scores:
        return self.trial.scores

    def as_json(self) -> dict[str, Any]:
        facts, trial, latency = asdict(self.facts), self.trial, self.trial.latency
        return {
            "simulated": facts.pop("is_simulated"),
            **facts,
            "data": self.images.where,
            "classes": len(self.images.classes),
            "damaged": dict(self.images.unreadable),
            **asdict(trial.scores),
            "images_per_second": trial.images_per_second,
            "warm_up_runs": trial.warm_up,
            "timed_runs": len(latency.call),
            "milliseconds_of_a_batch": {
                name: asdict(found) for name, found in latency.spreads.items()
            },
            "milliseconds_of_an_image": {
                name: asdict(found.over(latency.batch)) for name, found in latency.spreads.items()
            },
        }

    def table(self) -> Table:
        """Latencies, and below them what was run."""
        latency = self.trial.latency
        columns = [Column("what", "milliseconds")]
        for key, head in (("batch", "batch"), ("image", "image")):
            columns += [
                Column(f"{key}_{figure}", f"{head} {figure}", "{:.3f}".format, True)
                for figure in ("median", "p90", "p99")
            ]
        rows: list[dict[str, Any]] = []
        for name, found in latency.spreads.items():
            row: dict[str, Any] = {"what": WHAT[name]}
            for key, one in (("batch", found), ("image", found.over(latency.batch))):
                row.update({f"{key}_{figure}": value for figure, value in asdict(one).items()})
            rows.append(row)
        return Table(columns, rows, notes=self._notes())

    def _notes(self) -> list[str]:
        facts, trial = self.facts, self.trial
        runs = shown_count(len(trial.latency.call))
        release = facts.versions.get(facts.engine, "")
        made_of = f"{facts.name} ({facts.fingerprint[:SHORT]})" if facts.fingerprint else "?"
        notes = [
            f"batches     {runs} of {facts.batch} timed, after {trial.warm_up} to warm up",
            f"throughput  {trial.images_per_second:,.1f} images/s, reading and preparing included",
            f"model       {facts.model}, made of {made_of}, sha256 {facts.sha256[:SHORT]}",
            f"engine      {f'{facts.engine} {release}'.rstrip()}, input {facts.input}",
        ]
        if facts.is_simulated:
            notes.append("SIMULATED   by a stand-in: no figure here is an NPU's")
        elif ENGINES[facts.engine].is_cpu:
            notes.append("device      this machine's CPU, which read and prepared images meanwhile")
        return notes


def _versions(engine: str) -> dict[str, str]:
    packages = (PACKAGE, *ENGINES[engine].packages)
    found = {package: version_of(package, "unknown") for package in packages}
    found = {"python": platform.python_version(), **found}
    if engine == "acl":
        found["cann"] = _cann()
    return found


def _cann() -> str:
    try:
        toolkit = find_toolkit(os.environ)
    except UsageError:  # $ATC leads nowhere, which matters to export alone
        toolkit = None
    return (toolkit.release if toolkit else "") or "unknown"


def _machine() -> dict[str, Any]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "system": platform.platform(),
        "cpu": models[0] if models else platform.machine(),
        "cpus": usable_cpus(),
    }
