"""How long runs took: medians and tails, of a batch and of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Of some durations, in milliseconds: half took no longer than the median, nine of ten no
    longer than p90, 99 of a hundred no longer than p99. Between two durations it is interpolated.
    """

    median: float
    p90: float
    p99: float

    def over(self, count: int) -> Spread:
        """Of each of `count` that took this together."""
        return Spread(self.median / count, self.p90 / count, self.p99 / count)


def spread(seconds: Sequence[float]) -> Spread:
    """Of one duration or more."""
    median, p90, p99 = np.percentile(np.asarray(seconds) * 1e3, (50, 90, 99))
    return Spread(float(median), float(p90), float(p99))


@dataclass(frozen=True)
class Latency:
    """Of full batches, one duration each, in seconds.

    `device` is the device's own work. `call` is the engine's call: copies to the device and from
    it, and Python, too. `end_to_end` is what one thread would need with nothing done ahead: the
    batch's images read and prepared one after another, then the call.
    """

    batch: int
    device: tuple[float, ...]
    call: tuple[float, ...]
    end_to_end: tuple[float, ...]

    @property
    def spreads(self) -> dict[str, Spread]:
        return {
            "device": spread(self.device),
            "call": spread(self.call),
            "end_to_end": spread(self.end_to_end),
        }
