"""The float model run over calibration images: how often each number occurs in each tensor that is
to be integers, and the mean of every tensor that an int8 layer reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from archspec.compiler.model import Model
from archspec.compiler.quantize.factors import Array, Factors, factors_of_range
from archspec.compiler.quantize.histograms import Histogram
from archspec.compiler.quantize.observers import OBSERVERS
from archspec.compiler.quantize.walking import walk
from archspec.errors import SpecError
from archspec.node import INPUT, Tensor

Told = Callable[[int], None]
"""Is told how many images were looked at."""


@dataclass
class Observations:
    """Of each tensor its numbers, and its mean over all images, (channels, height, width) or
    (features,)."""

    histograms: dict[Tensor, Histogram] = field(default_factory=dict)
    means: dict[Tensor, Array] = field(default_factory=dict)
    images: int = 0


def observe(
    model: Model, tensors: Collection[Tensor], batches: Iterable[Array], told: Told | None = None
) -> Observations:
    """Run float images, (n, channels, height, width) each batch. Raises SpecError where a tensor
    has numbers that are not finite, or nothing but zeros."""
    found = Observations({t: Histogram() for t in tensors}, {}, 0)
    for images in batches:
        with np.errstate(all="ignore"):
            _look(found, Tensor(INPUT), images)
            for step in walk(model, images):
                for tensor, array in zip(step.node.results, step.results, strict=True):
                    _look(found, tensor, array)
        found.images += len(images)
        if told is not None:
            told(found.images)
    for tensor, histogram in found.histograms.items():
        found.means[tensor] /= found.images
        if not (histogram.low < 0 or histogram.high > 0):
            raise SpecError(
                f"{_reader(model, tensor)!r} reads nothing but zeros from all {found.images}"
                " calibration images, so its numbers have no range; use more images, or --float"
                f" {_reader(model, tensor)}"
            )
    return found


def _look(found: Observations, tensor: Tensor, array: Array) -> None:
    histogram = found.histograms.get(tensor)
    if histogram is None:
        return
    if not np.isfinite(array).all():
        what = "the image" if tensor.node == INPUT else repr(tensor.node)
        raise SpecError(
            f"{what} has numbers that are not finite (NaN or infinite) on the calibration images,"
            " and no range covers them; use weights whose results are finite"
        )
    histogram.add(array)
    total = array.sum(axis=0, dtype=np.float64)
    found.means[tensor] = found.means.get(tensor, 0.0) + total


def _reader(model: Model, tensor: Tensor) -> str:
    return next(name for name, node in model.graph.nodes.items() if tensor in node.inputs)


def choose_factors(found: Observations, observer: str) -> Mapping[Tensor, Factors]:
    """The factors of each tensor by an observer's ranges."""
    choose = OBSERVERS[observer]
    return {
        tensor: factors_of_range(*choose(histogram))
        for tensor, histogram in found.histograms.items()
    }
