"""A trained network in int8, calibrated with images: QDQ ONNX, or a folder that becomes an OM."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archspec.api.exporting import classes_of, model_of
from archspec.api.networks import Network, graph_of
from archspec.errors import SpecError, UsageError
from archspec.graph import Graph

if TYPE_CHECKING:
    import numpy as np

    from archspec.compiler.latency.device import Device
    from archspec.compiler.quantize.calibrate import Observations
    from archspec.compiler.quantize.pipeline import Scheme
    from archspec.compiler.quantize.quantization import Quantization
    from archspec.compiler.quantize.report import Told
    from archspec.deploy.quantize import Checked

OBSERVERS = ("percentile", "min-max", "mse", "entropy")
"""The first unless told otherwise: see docs/quantize.md for what they come to."""
IMAGES = 128
REPORTED = 16
"""Calibration images that the report of the layers is of."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Quantized:
    """What was written: the ONNX, or the script of a folder for a machine with CANN. `checked` is
    how onnxruntime compared, `told` what each layer loses, as compiler.quantize.report has it."""

    path: Path
    checked: Checked | None
    told: Told


def quantize(
    network: Network,
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str],
    data: str | os.PathLike[str],
    calibrate: int = IMAGES,
    seed: int = 0,
    observer: str = OBSERVERS[0],
    per: Literal["channel", "tensor"] = "channel",
    equalize: bool | None = None,
    bias_correction: bool = True,
    sums: bool | None = None,
    left_float: Sequence[str] = (),
    max_drop: float | None = None,
    batch: int = 1,
    soc: str | None = None,
    pixels: bool = True,
    device: str | None = None,
    tell: Tell | None = None,
) -> Quantized:
    """Write a network in int8: .onnx for onnxruntime, .om as a folder that AMCT and atc make an OM
    of, for the chip `soc`.

    `data` holds class folders of images, of which `calibrate` give the ranges. `left_float` are
    patterns of nodes that stay float; `max_drop` leaves the most harmful ones float until at most
    so many of a hundred images change their likeliest class. `device` is whose times are
    estimated: that of the chip where it has one, else ascend310.
    Raises SpecError and UsageError for whatever does not fit; then no file is left.
    """
    from archspec.compiler.images.steps import preprocessing_of
    from archspec.compiler.quantize import report
    from archspec.compiler.quantize.fidelity import compare
    from archspec.compiler.quantize.pipeline import Scheme, batches
    from archspec.compiler.quantize.ranges import read_ranges
    from archspec.deploy.calibration import read_calibration_images
    from archspec.deploy.quantize import leave_quantized_kit, write_quantized_onnx

    kind = _check(network, path, weights, soc)
    estimated, graph = _find_device(device or _device_of(soc)), graph_of(network)
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    images = read_calibration_images(data, preprocessing, calibrate, seed)
    if tell is not None and len(images) < calibrate:
        tell(f"{os.fspath(data)} has {len(images)} images that can be read")
    ranges = read_ranges(weights)
    if ranges and tell is not None:
        tell(f"{os.fspath(weights)} learnt for int8, and keeps the ranges that it learnt with")
    equalizes = (per == "tensor" and not ranges) if equalize is None else equalize
    sums = (kind == ".onnx" and not ranges) if sums is None else sums
    scheme = Scheme(per, observer, equalizes, bias_correction and not ranges, sums)
    quantization, found = _calibrate(graph, weights, images, scheme, left_float, ranges)
    quantization, left = _leave_float(quantization, images, max_drop)
    outcome = compare(quantization, found, batches(images[:REPORTED]))
    told = report.tell(quantization, outcome, estimated, left)
    notes = classes_of(weights, graph)
    if soc:
        script, checked = leave_quantized_kit(quantization, path, soc, images, batch, pixels, notes)
        return Quantized(script, checked, told)
    checked = write_quantized_onnx(quantization, path, images, batch, notes)
    return Quantized(Path(path), checked, told)


def _device_of(soc: str | None) -> str:
    """The device whose times are estimated for a chip."""
    from archspec.deploy.socs import chip_of

    chip = chip_of(soc) if soc else None
    return (chip and chip.device) or "ascend310"


def _find_device(name: str) -> Device:
    """Raises SpecError for one without int8, before anything is run."""
    from archspec.compiler.latency.device import find_device
    from archspec.compiler.latency.validity import int8_caution

    found = find_device(name)
    int8_caution(found)
    return found


def _leave_float(
    quantization: Quantization, images: np.ndarray, max_drop: float | None
) -> tuple[Quantization, list[str]]:
    from archspec.compiler.quantize.harm import leave_harmful_float
    from archspec.deploy.progress import Progress

    if max_drop is None:
        return quantization, []
    total = len(quantization.nodes)
    with Progress("trying which layers do harm") as progress:
        return leave_harmful_float(
            quantization, images, max_drop / 100, lambda n: progress(n, total)
        )


def _calibrate(
    graph: Graph,
    weights: str | os.PathLike[str],
    images: np.ndarray,
    scheme: Scheme,
    patterns: Sequence[str],
    ranges: Mapping[str, tuple[float, float]],
) -> tuple[Quantization, Observations]:
    from archspec.compiler.node_patterns import nodes_that_fit
    from archspec.compiler.pipeline import for_deployment
    from archspec.compiler.quantize import pipeline
    from archspec.deploy.progress import Progress

    model = for_deployment(model_of(graph, weights))
    left_float = nodes_that_fit(model.graph, patterns, "--float") if patterns else ()
    with Progress(f"calibrating {graph.name}") as progress:
        return pipeline.quantize(
            model, images, scheme, left_float, lambda n: progress(n, len(images)), ranges
        )


def _check(
    network: Network,
    path: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    soc: str | None,
) -> str:
    """The ending of what is to be written. Raises UsageError for another, SpecError for a model in
    place of a spec or weights, and for a chip without int8."""
    from archspec.deploy import amct
    from archspec.deploy.socs import check_soc

    kind = Path(path).suffix
    if kind not in (".onnx", ".om"):
        name = os.fspath(path) or "is missing"
        raise UsageError(f"-o {name}: use a name that ends in .onnx or .om")
    if kind == ".om":
        amct.check_chip(check_soc(soc))
    elif soc:
        raise UsageError("--soc is for an OM; use -o with .om, or none")
    for given in (network, weights):
        if isinstance(given, (str, os.PathLike)) and Path(given).suffix == ".onnx":
            _refuse_model(Path(given))
    return kind


def _refuse_model(path: Path) -> None:
    """Raises SpecError for an ONNX where a spec or weights are wanted, by what is in it."""
    if path.is_file():
        is_quantized = b"QuantizeLinear" in path.read_bytes()
        raise SpecError(
            f"{path} is {'quantised already' if is_quantized else 'a model'}; use the spec that it"
            " was made of and its float weights (archspec import onnx reads a float model of"
            " others)"
        )
