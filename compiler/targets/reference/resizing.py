"""Images of another size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.ops import resize


@forward.register
def _(op: resize.Upsample, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    shapes = (x.shape[1:],)
    sizes = op.infer(shapes)[0][1:]
    for axis, sampling, size in zip((2, 3), op.samplings(shapes), sizes, strict=True):
        pixels, shares = map(np.array, resize.weigh(sampling, x.shape[axis], size))
        along = (-1,) if axis == 3 else (-1, 1)
        taps = zip(pixels.T, shares.T, strict=True)
        parts = [x.take(tap, axis) * share.reshape(along).astype(x.dtype) for tap, share in taps]
        x = reduce(np.add, parts)
    return [x]
