"""Fitting a device's two constants, efficiency and the cost of a launch, to measured networks.

The fit makes the errors of the logarithms least squares, so 10% count the same in a small network
and in a large one. How well it predicts is told by networks left out: for each, the constants are
fitted to the others alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from archspec.compiler.latency.device import Calibration, Device
from archspec.compiler.latency.measurements import Measurement
from archspec.compiler.latency.model import time_of, works_of
from archspec.compiler.latency.validity import kinds_of
from archspec.compiler.latency.work import Load
from archspec.errors import LackingError, Problem, SpecError
from archspec.extras import lacking

FITTED = "efficiency, launch_us"
"""The key of their provenance in a device."""
LONGEST_NAME = 200
LEAST_EFFICIENCY, MAX_LAUNCH_US = 0.01, 1e6
START = (0.9, 50.0)
SCALE = (1.0, 50.0)
LEAST_SLOPE = 1e-4
"""How much the logarithm of some time must change with each constant (in SCALE), the other making
up for it as well as it can: with less the measurements do not tell the two apart."""


@dataclass(frozen=True)
class Fitted:
    """A measurement with the time that the fit gives it (ms for a batch), and the fit without its
    network; None where too few others were measured."""

    measurement: Measurement
    ms: float
    left_out_ms: float | None

    @property
    def error(self) -> float:
        """Over (+) or under (-) the measured time, as a share of it."""
        return self.ms / self.measurement.ms - 1

    @property
    def left_out_error(self) -> float | None:
        return None if self.left_out_ms is None else self.left_out_ms / self.measurement.ms - 1


@dataclass(frozen=True)
class Refit:
    """A device with its constants fitted, and how that went. `left_out` are the (efficiency, launch
    us) of the fits with one network left out, by its name."""

    device: Device
    rows: tuple[Fitted, ...]
    left_out: Mapping[str, tuple[float, float]]

    @property
    def misordered(self) -> list[tuple[str, str]]:
        """Pairs of networks, quicker one first, that come out the other way round left out."""
        rows = sorted(self.rows, key=lambda row: row.measurement.ms_per_image)
        return [
            (quick.measurement.name, slow.measurement.name)
            for quick, slow in combinations(rows, 2)
            if quick.measurement.ms_per_image < slow.measurement.ms_per_image
            and _left_out_per_image(quick) >= _left_out_per_image(slow)
        ]


def calibrate(device: Device, measurements: Sequence[Measurement], source: str) -> Refit:
    """Fit efficiency and launch cost of a device to measurements; `source` is their file.
    Raises SpecError where they are too few or too alike, UsageError without scipy."""
    by_network: dict[str, list[int]] = {}
    for index, measurement in enumerate(measurements):
        by_network.setdefault(measurement.graph.fingerprint, []).append(index)
    if len(measurements) < 2:
        raise SpecError(
            Problem(
                "two constants cannot be fitted to one measurement; use those of two"
                " networks or more",
                source,
            )
        )
    samples = [(works_of(m.graph, m.batch), m.ms) for m in measurements]
    fitted = fit_constants(device, samples)
    if fitted is None:
        raise SpecError(
            Problem(
                "these measurements do not tell the cube's efficiency from the cost of a launch;"
                " use networks that differ more in depth and width",
                source,
            )
        )
    left_out: dict[str, tuple[float, float]] = {}
    left_out_ms: dict[int, float] = {}
    for indices in by_network.values():
        others = [sample for index, sample in enumerate(samples) if index not in indices]
        without = fit_constants(device, others)
        if without is None:
            continue
        left_out[measurements[indices[0]].name] = (without.efficiency, without.launch_us)
        left_out_ms.update((index, _ms(samples[index][0], without)) for index in indices)
    rows = tuple(
        Fitted(measurement, _ms(works, fitted), left_out_ms.get(index))
        for index, (measurement, (works, _)) in enumerate(zip(measurements, samples, strict=True))
    )
    source = Path(source).name[:LONGEST_NAME]
    provenance = {
        **{key: text for key, text in device.provenance.items() if key != FITTED},
        FITTED: f"fitted to {source} by archspec latency calibrate",
    }
    fitted = replace(fitted, provenance=provenance, calibration=_calibration(rows, source))
    return Refit(fitted, rows, left_out)


Sample = tuple[Sequence[Load], float]
"""The kernels of a network, and its measured milliseconds."""


def fit_constants(device: Device, samples: Sequence[Sample]) -> Device | None:
    """The device with the constants that fit the samples best; None where the samples do not tell
    the two apart."""
    try:
        from numpy import diag
        from numpy.linalg import qr
        from scipy.optimize import least_squares
    except ImportError as error:
        raise LackingError(lacking("calibrating", "scipy", error)) from error
    if len(samples) < 2:
        return None

    def with_constants(values: Sequence[float]) -> Device:
        return replace(device, efficiency=float(values[0]), launch_us=float(values[1]))

    def misses(values: Sequence[float]) -> list[float]:
        tried = with_constants(values)
        return [math.log(_ms(works, tried) / ms) for works, ms in samples]

    bounds = ([LEAST_EFFICIENCY, 0], [1, MAX_LAUNCH_US])
    found = least_squares(misses, START, bounds=bounds, x_scale=SCALE)
    slopes = abs(diag(qr(found.jac * SCALE, mode="r")))
    if slopes.min() < LEAST_SLOPE:
        return None
    return with_constants(found.x)


def _ms(works: Sequence[Load], device: Device) -> float:
    return sum(time_of(work, device).ms for work in works)


def _calibration(rows: Sequence[Fitted], source: str) -> Calibration:
    graphs = [row.measurement.graph for row in rows]
    sides = [side for graph in graphs for side in graph.input_shape[1:]]
    errors = [abs(row.left_out_error) for row in rows if row.left_out_error is not None]
    has_all = len(errors) == len(rows)
    return Calibration(
        source=source,
        networks=len({graph.fingerprint for graph in graphs}),
        batches=tuple(sorted({row.measurement.batch for row in rows})),
        input_sides=(min(sides), max(sides)),
        kinds=tuple(sorted({kind for graph in graphs for kind in kinds_of(graph)})),
        mean_error=sum(abs(row.error) for row in rows) / len(rows),
        left_out_mean_error=sum(errors) / len(errors) if has_all else None,
        left_out_max_error=max(errors) if has_all else None,
    )


def _left_out_per_image(row: Fitted) -> float:
    ms = row.ms if row.left_out_ms is None else row.left_out_ms
    return ms / row.measurement.batch
