"""Where each op's inference is found: `forward`, which the families beside this file fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

import numpy as np

from archspec.ops import Op

Array = np.ndarray
Arrays = Mapping[str, Array]


@singledispatch
def forward(op: Op, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    raise NotImplementedError(f"no numpy reference for {op}")


def per_channel(weight: Array, like: Array) -> Array:
    return weight.reshape(-1, *[1] * (like.ndim - 2))
