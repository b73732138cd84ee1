"""Images made larger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.ops import reshape


@forward.register
def _(op: reshape.Upsample, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    for axis, scale in zip((2, 3), op.scale, strict=True):
        x = x.repeat(scale, axis) if op.mode == "nearest" else stretch(x, scale, axis)
    return [x]


def stretch(x: Array, scale: int, axis: int) -> Array:
    """Linear interpolation between pixels' centres, the outermost repeated."""
    centres = (np.arange(x.shape[axis] * scale) + 0.5) / scale - 0.5

    def line(values: Array) -> Array:
        return np.interp(centres, np.arange(len(values)), values)

    return np.apply_along_axis(line, axis, x).astype(x.dtype)
