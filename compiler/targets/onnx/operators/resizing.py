"""Images made larger."""

from __future__ import annotations

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops import reshape


@spell.register
def _(op: reshape.Upsample, at: Site) -> None:
    if op.mode == "bilinear":
        interpolate(op, at)
        return
    # Of a whole factor, asymmetric rounded down is the half-pixel rule's nearest.
    at.result(
        "Resize",
        at.x,
        at.net.no_floats(),
        at.net.floats(1, 1, *op.scale),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def interpolate(op: reshape.Upsample, at: Site) -> None:
    """Bilinear resizing as two products with constant matrices: the half-pixel Resize is not on
    the list, and linear it is."""
    _, height, width = at.shapes[0]
    rows = at.net.matrix(f"{at.node.name}/rows", interpolation(height, op.scale[0]))
    columns = at.net.matrix(f"{at.node.name}/columns", interpolation(width, op.scale[1]).T)
    at.result("MatMul", rows, at.step("MatMul", at.x, columns))


def interpolation(extent: int, scale: int) -> np.ndarray:
    """(scale extent, extent): what each new pixel is of the old ones, borders repeated."""
    centres = (np.arange(extent * scale) + 0.5) / scale - 0.5
    below = np.floor(centres).astype(int)
    shares = np.zeros((extent * scale, extent))
    places = np.arange(extent * scale)
    np.add.at(shares, (places, below.clip(0)), 1 - (centres - below))
    np.add.at(shares, (places, (below + 1).clip(max=extent - 1)), centres - below)
    return shares
