"""Integers for real numbers: real = scale (integer - offset), with integers from -128 to 127.

Weights have no offset and go from -127 to 127, which is what AMCT takes of them; what flows between
layers has one scale and one offset for a whole tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray

LEAST, MOST = -128, 127
SMALLEST = np.float32(1e-30)
"""A scale below it would not survive float32."""


@dataclass(frozen=True, eq=False)
class Factors:
    """`scale` is float32: () for a whole tensor, (n,) for each index along `axis`."""

    scale: Array
    offset: int = 0
    axis: int | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest number that an integer stands for. Only of a whole tensor."""
        scale = float(self.scale)
        return scale * (LEAST - self.offset), scale * (MOST - self.offset)

    def scale_at_rank(self, rank: int) -> Array:
        """The scale, to meet an array of this rank."""
        if self.axis is None:
            return self.scale
        return self.scale.reshape([-1 if axis == self.axis else 1 for axis in range(rank)])


def factors_of_range(low: float, high: float) -> Factors:
    """For a tensor whose numbers are from `low` to `high`: zero has an integer of its own, as the
    padding of a window needs."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.maximum(np.float32((high - low) / (MOST - LEAST)), SMALLEST)
    offset = int(np.clip(np.rint(LEAST - low / float(scale)), LEAST, MOST))
    return Factors(scale.reshape(()), offset)


def factors_of_weight(weight: Array, axis: int | None) -> Factors:
    """For a weight, of each index along an axis (None: of the whole): its largest number is 127."""
    others = None if axis is None else tuple(k for k in range(weight.ndim) if k != axis)
    largest = np.abs(weight).max(axis=others)
    scale = np.where(largest > 0, largest / MOST, 1.0).astype(np.float32)
    return Factors(np.maximum(scale, SMALLEST), axis=axis)


def to_integers(x: Array, factors: Factors) -> Array:
    """int8, ties to even, as ONNX's QuantizeLinear has it."""
    scaled = np.rint(x / factors.scale_at_rank(x.ndim)) + factors.offset
    return np.clip(scaled, LEAST, MOST).astype(np.int8)


def round_tensor(x: Array, factors: Factors) -> Array:
    """What the integers of a tensor stand for, in the precision of `x`."""
    scale = factors.scale_at_rank(x.ndim).astype(x.dtype)
    result = x / scale
    np.rint(result, out=result)
    np.clip(result, LEAST - factors.offset, MOST - factors.offset, out=result)
    result *= scale
    return result


def weight_integers(weight: Array, factors: Factors) -> Array:
    """int8 from -127 to 127."""
    return np.clip(np.rint(weight / factors.scale_at_rank(weight.ndim)), -MOST, MOST).astype(
        np.int8
    )


def round_weight(weight: Array, factors: Factors) -> Array:
    """What the integers of a weight stand for."""
    return weight_integers(weight, factors) * factors.scale_at_rank(weight.ndim)
