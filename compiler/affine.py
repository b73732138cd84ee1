"""Maps y = scale * x + shift with one pair per channel, which ops are that in inference, and the
convolution or dense layer that has taken one in. Computed in float64, kept in float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from archspec.ops import Op
from archspec.ops.conv import ConvTranspose
from archspec.ops.norm import BatchNorm

if TYPE_CHECKING:
    import numpy as np

Arrays = Mapping[str, "np.ndarray"]


class Affine(NamedTuple):
    """scale and shift: float64, one value per channel."""

    scale: np.ndarray
    shift: np.ndarray


def is_affine(op: Op) -> bool:
    """Whether inference makes of the op one factor and one constant per channel."""
    return op.work().kind == "scale"


def has_shift(op: Op) -> bool:
    """Whether an affine op adds a constant as well."""
    return isinstance(op, BatchNorm)


def affine_of(op: Op, arrays: Arrays) -> Affine:
    """What an affine op does with its weights."""
    import numpy as np

    gamma = arrays["gamma"].astype(np.float64)
    if not isinstance(op, BatchNorm):
        return Affine(gamma, np.zeros_like(gamma))
    variance = arrays["moving_variance"].astype(np.float64)
    mean = arrays["moving_mean"].astype(np.float64)
    scale = gamma / np.sqrt(variance + op.epsilon)
    return Affine(scale, arrays["beta"] - mean * scale)


def factors_of(op: Op, scale: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """One factor per output channel, shaped to meet a weight of the op that is of each of them."""
    if isinstance(op, ConvTranspose) and weight.ndim > 1:
        # input channels come first, then the outputs of their group
        by_group = scale.reshape(op.groups, -1, 1, 1)
        return by_group.repeat(len(weight) // op.groups, axis=0)
    return scale.reshape(-1, *[1] * (weight.ndim - 1))


def absorb(op: Op, arrays: Arrays, affine: Affine) -> dict[str, np.ndarray]:
    """weight and bias of the convolution or dense layer that gives affine(layer(x))."""
    import numpy as np

    weight = arrays["weight"].astype(np.float64)
    factors = factors_of(op, affine.scale, weight)
    bias = arrays["bias"] * affine.scale if "bias" in arrays else 0.0
    return {
        "weight": (weight * factors).astype(np.float32),
        "bias": (bias + affine.shift).astype(np.float32),
    }
