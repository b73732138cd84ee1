"""How often each number occurs in a tensor, over any number of batches, in one pass.

Bins are 2^k wide and start at 0, so that two neighbours make one of the next width: where numbers
turn up that there is no room for, bins are merged and nothing is looked at again.
"""

from __future__ import annotations

import math

import numpy as np

from archspec.compiler.quantize.factors import Array

BINS = 4096


class Histogram:
    """`low` and `high` are the least and the largest number met; bin k holds what lies from
    (first + k) width on."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.width = 0.0
        self.first = 0
        self.counts = np.zeros(0, np.int64)

    @property
    def centers(self) -> Array:
        return (self.first + np.arange(len(self.counts)) + 0.5) * self.width

    def add(self, x: Array) -> None:
        """Count an array of finite numbers."""
        low, high = float(x.min()), float(x.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._make_room()
        index = np.floor(x.reshape(-1) * np.float32(1 / self.width)).astype(np.int64) - self.first
        # a number at the very edge may be rounded past it
        np.clip(index, 0, len(self.counts) - 1, out=index)
        self.counts += np.bincount(index, minlength=len(self.counts))

    def _make_room(self) -> None:
        span = max(self.high - self.low, 1e-30)
        width = max(self.width, 2.0 ** math.ceil(math.log2(span / (BINS - 2))))
        while self.width and self.width < width:
            self._double()
        self.width = width
        first, last = math.floor(self.low / width), math.floor(self.high / width)
        if not len(self.counts):
            self.first, self.counts = first, np.zeros(last - first + 1, np.int64)
            return
        before = max(self.first - first, 0)
        after = max(last - (self.first + len(self.counts) - 1), 0)
        self.first -= before
        self.counts = np.pad(self.counts, (before, after))

    def _double(self) -> None:
        odd = self.first % 2
        counts = np.pad(self.counts, (odd, (len(self.counts) + odd) % 2))
        self.counts = counts.reshape(-1, 2).sum(axis=1)
        self.first = (self.first - odd) // 2
        self.width *= 2
