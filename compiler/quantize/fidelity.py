"""Each layer beside its float self: where a quantised network goes wrong.

A layer's `own` error is that of its integers alone, on what the float network gives it; its `error`
is what has gathered by then in the quantised network. Both as signal over noise, in decibels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from archspec.compiler.quantize.calibrate import Observations
from archspec.compiler.quantize.factors import Array, round_tensor
from archspec.compiler.quantize.histograms import Histogram
from archspec.compiler.quantize.quantization import Quantization
from archspec.compiler.quantize.walking import compute_of, walk
from archspec.node import Node, Tensor

BEST = 200.0
"""Decibels that are said where there is no error at all."""


@dataclass(frozen=True)
class LayerFidelity:
    """`own_sqnr` and `sqnr` are in decibels, `cosine` is of the two results in the networks. `low`
    and `high` are the range of what it reads, `clipped` the share of that beyond its integers; all
    three are None for a layer left float."""

    name: str
    op: str
    is_int8: bool
    own_sqnr: float
    sqnr: float
    cosine: float
    low: float | None = None
    high: float | None = None
    clipped: float | None = None


@dataclass
class _Sums:
    signal: float = 0.0
    noise: float = 0.0
    own_noise: float = 0.0
    product: float = 0.0
    other: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """A quantised network on some images: its layers in order, the share of images whose likeliest
    class is float's, and the smallest cosine of an image's output; both of the first output."""

    layers: tuple[LayerFidelity, ...]
    agreement: float
    smallest_cosine: float
    images: int


def compare(quantization: Quantization, found: Observations, batches: Iterable[Array]) -> Outcome:
    """Run the float and the quantised network beside each other."""
    names = [*quantization.layers, *sorted(quantization.sums)]
    sums = {name: _Sums() for name in names}
    alike: list[Array] = []
    angles: list[Array] = []
    key = next(iter(quantization.model.graph.outputs.values()))
    for images in batches:
        floats = walk(quantization.source, images)
        integers = walk(quantization.rounded, images, quantization.reading)
        for one, other in zip(floats, integers, strict=True):
            name = one.node.name
            if name in sums:
                own = _alone(quantization, other.node, one.inputs, images)
                _add(sums[name], one.results[0], other.results[0], own)
            if name == key.node:
                alike.append(_agree(one.results[key.output], other.results[key.output]))
                angles.append(cosines(one.results[key.output], other.results[key.output]))
    layers = tuple(_layer(quantization, found, name, sums[name]) for name in names)
    agreed, cosine = np.concatenate(alike), np.concatenate(angles)
    return Outcome(layers, float(agreed.mean()), float(cosine.min()), len(agreed))


def _alone(quantization: Quantization, node: Node, inputs: Iterable[Array], images: Array) -> Array:
    """The layer's result of what float gives it, by its own integers."""
    if node.name not in quantization.nodes:
        own = [*inputs]
    else:
        own = [
            round_tensor(array, quantization.activations[tensor])
            for tensor, array in zip(node.inputs, inputs, strict=True)
        ]
    return compute_of(quantization.rounded, images)(node, own)[0]


def _add(sums: _Sums, one: Array, other: Array, own: Array) -> None:
    one, other, own = (a.reshape(-1).astype(np.float64) for a in (one, other, own))
    sums.signal += float(one @ one)
    sums.other += float(other @ other)
    sums.product += float(one @ other)
    sums.noise += float(((one - other) ** 2).sum())
    sums.own_noise += float(((one - own) ** 2).sum())


def _layer(
    quantization: Quantization, found: Observations, name: str, sums: _Sums
) -> LayerFidelity:
    node = quantization.model.graph.nodes[name]
    cosine = sums.product / math.sqrt(max(sums.signal * sums.other, 1e-300))
    is_int8 = name in quantization.nodes
    measured = _measure(quantization, found.histograms, node.inputs[0]) if is_int8 else {}
    return LayerFidelity(
        name, node.op.name, is_int8, _decibels(sums.signal, sums.own_noise),
        _decibels(sums.signal, sums.noise), cosine, **measured,
    )  # fmt: skip


def _measure(
    quantization: Quantization, histograms: Mapping[Tensor, Histogram], tensor: Tensor
) -> dict[str, float]:
    histogram = histograms[tensor]
    low, high = quantization.activations[tensor].range
    half = float(quantization.activations[tensor].scale) / 2
    beyond = (histogram.centers < low - half) | (histogram.centers > high + half)
    clipped = float(histogram.counts[beyond].sum() / max(histogram.counts.sum(), 1))
    return {"low": histogram.low, "high": histogram.high, "clipped": clipped}


def _decibels(signal: float, noise: float) -> float:
    if noise <= 0 or signal <= 0:
        return BEST if noise <= 0 else -BEST
    return min(10 * math.log10(signal / noise), BEST)


def _agree(one: Array, other: Array) -> Array:
    """Of each image whether the largest of the numbers is the same one."""
    flat = (len(one), -1)
    return one.reshape(flat).argmax(axis=1) == other.reshape(flat).argmax(axis=1)


def cosines(one: Array, other: Array) -> Array:
    """Of each image the cosine of two results."""
    one, other = (a.reshape(len(a), -1).astype(np.float64) for a in (one, other))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / np.maximum(lengths, 1e-300)
