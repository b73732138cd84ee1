"""Images of another size."""

from __future__ import annotations

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops import resize
from archspec.ops.window import Sampling


@spell.register
def _(op: resize.Upsample, at: Site) -> None:
    factors = op.factors(at.shapes)
    if op.mode != "nearest" or factors is None:
        interpolate(op, at)
        return
    # Of a whole factor, asymmetric rounded down is the half-pixel rule's nearest.
    at.result(
        "Resize",
        at.x,
        at.net.no_floats(),
        at.net.floats(1, 1, *factors),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def interpolate(op: resize.Upsample, at: Site) -> None:
    """Resizing as two products with constant matrices: the half-pixel Resize is not on the list,
    and linear it is. Of other factors Resize works out in float32 which pixel is nearest, and
    misses some."""
    extents, sizes = at.shapes[0][1:], at.node.layer.output_shapes[0][1:]
    down, right = (
        matrix(sampling, extent, size)
        for sampling, extent, size in zip(op.samplings(at.shapes), extents, sizes, strict=True)
    )
    rows = at.net.matrix(f"{at.node.name}/rows", down)
    columns = at.net.matrix(f"{at.node.name}/columns", right.T)
    at.result("MatMul", rows, at.step("MatMul", at.x, columns))


def matrix(sampling: Sampling, extent: int, size: int) -> np.ndarray:
    """(size, extent): what each new pixel is of the old ones."""
    pixels, shares = map(np.array, resize.weigh(sampling, extent, size))
    result = np.zeros((size, extent))
    np.add.at(result, (np.arange(size)[:, np.newaxis], pixels), shares)
    return result
