"""From a histogram to the range that integers are to cover: each observer gives (low, high)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from archspec.compiler.quantize.factors import Array, factors_of_range, round_tensor
from archspec.compiler.quantize.histograms import Histogram

Range = tuple[float, float]

PERCENTILE = 99.99
"""The share of numbers, in percent, that `percentile` keeps within its range."""
SHARES = np.linspace(0.2, 1.0, 81)
"""Shares of the extreme values that `mse` and `entropy` try as an end of the range."""
LEVELS = 256


def min_max(histogram: Histogram) -> Range:
    """All that was met."""
    return histogram.low, histogram.high


def percentile(histogram: Histogram) -> Range:
    """Without the 0.01 % of numbers that are farthest out, half of them at each end; all of them at
    the one end of a tensor without negative numbers."""
    below = np.cumsum(histogram.counts) / histogram.counts.sum()
    outside = 1 - PERCENTILE / 100
    ends = int(histogram.low < 0) + int(histogram.high > 0)
    first = int(np.searchsorted(below, outside / max(ends, 1), side="right"))
    last = int(np.searchsorted(below, 1 - outside / max(ends, 1), side="left"))
    low = histogram.low if histogram.low >= 0 else (histogram.first + first) * histogram.width
    high = histogram.high
    if high > 0:
        high = (histogram.first + last + 1) * histogram.width
    return max(low, histogram.low), min(high, histogram.high)


def mse(histogram: Histogram) -> Range:
    """The range with the least square error of rounding and cutting off."""
    centers, counts = histogram.centers, histogram.counts.astype(np.float64)

    def error(low: float, high: float) -> float:
        rounded = round_tensor(centers, factors_of_range(low, high))
        return float((counts * (centers - rounded) ** 2).sum())

    return _search(histogram, error)


def entropy(histogram: Histogram) -> Range:
    """The range whose 256 levels tell most of how numbers are spread: the least Kullback-Leibler
    divergence, as in Migacz, "8-bit Inference with TensorRT", 2017, for ranges with two ends.
    Zeros, of which activations make many and which every range holds exactly, do not count."""
    centers, counts = histogram.centers, histogram.counts.astype(np.float64)
    zero = -histogram.first
    if 0 <= zero < len(counts) - 1:
        counts[zero] = counts[zero + 1]

    def divergence(low: float, high: float) -> float:
        inside = (centers >= low) & (centers <= high)
        if inside.sum() < 2:
            return np.inf
        kept = counts[inside]
        spread = kept.copy()
        spread[0] += counts[centers < low].sum()
        spread[-1] += counts[centers > high].sum()
        level = np.minimum(np.arange(len(kept)) * LEVELS // len(kept), LEVELS - 1)
        sums = np.bincount(level, kept, LEVELS)
        filled = np.bincount(level, kept > 0, LEVELS)
        mean = sums[level] / np.maximum(filled[level], 1) * (kept > 0)
        return _divergence(spread, mean)

    return _search(histogram, divergence)


def _divergence(one: Array, other: Array) -> float:
    """Of two histograms, whose empty bins are given a little."""
    p, q = (np.where(a > 0, a, 1e-4 * max(a.sum(), 1) / len(a)) for a in (one, other))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def _search(histogram: Histogram, cost: Callable[[float, float], float]) -> Range:
    """The cheapest range: both ends together, then each end by itself."""
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    share = min(SHARES, key=lambda s: (cost(s * low, s * high), -s))
    best = (share * low, share * high)
    if low < 0 < high:
        best = min(((s * low, best[1]) for s in SHARES), key=lambda r: cost(*r))
        best = min(((best[0], s * high) for s in SHARES), key=lambda r: cost(*r))
    return best


OBSERVERS: Mapping[str, Callable[[Histogram], Range]] = {
    "min-max": min_max,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
}
"""Every observer by its name; the first is the simplest."""
