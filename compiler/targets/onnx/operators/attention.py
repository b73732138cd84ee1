"""Attention in ONNX: maps cut into groups of pixels that meet, by operators of opset 11 alone. What
is learnt of places is laid out as it is added; a table would need Gather, which is not on the list.
"""

from __future__ import annotations

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops.attention import Attention, scale_of
from archspec.shapes import Pair, elements

ORDERS = {
    "window": ((0, 2, 4, 1, 3, 5), (0, 3, 1, 4, 2, 5)),
    "grid": ((0, 3, 5, 1, 2, 4), (0, 3, 4, 1, 5, 2)),
}
"""How (batch, channels, windows down, rows, windows across, columns) is ordered, and back."""


@spell.register
def _(op: Attention, at: Site) -> None:
    values = [_cut(op, at, x) for x in at.inputs]
    tokens = elements(op.keys_that_meet(at.shapes) if op.partition != "none" else at.shapes[0][1:])
    keys = elements(op.keys_that_meet(at.shapes))
    heads, shared = op.served, op.heads // op.served
    size = at.shapes[0][0] // op.heads
    gathered = at.shapes[2][0] // heads
    q = _reshape(at, values[0], -1, heads, shared, size, tokens)
    q = _reshape(
        at, at.step("Transpose", q, perm=[0, 1, 2, 4, 3]), -1, heads, shared * tokens, size
    )
    k = _reshape(at, values[1], -1, heads, size, keys)
    v = _reshape(at, values[2], -1, heads, gathered, keys)
    scores = at.step("Mul", at.step("MatMul", q, k), at.net.floats(scale_of(op, at.shapes)))
    if op.bias != "none":
        added = _lay_out(op, at).reshape(heads, shared * tokens, keys)
        scores = at.step("Add", scores, at.net.matrix(f"{at.node.name}/places", added))
    if any(op.shift):
        mask = at.net.matrix(f"{at.node.name}/apart", _mask(op, at)[:, None])
        apart = _reshape(at, scores, -1, len(_mask(op, at)), op.heads, tokens, keys)
        scores = _reshape(at, at.step("Add", apart, mask), -1, heads, shared * tokens, keys)
    shares = at.step("Transpose", at.step("Softmax", scores, axis=3), perm=[0, 1, 3, 2])
    x = _reshape(at, at.step("MatMul", v, shares), -1, heads, gathered, shared, tokens)
    x = at.step("Transpose", x, perm=[0, 1, 3, 2, 4])
    _join(op, at, x)


def _reshape(at: Site, x: str, *shape: int) -> str:
    return at.step("Reshape", x, at.net.integers(shape))


def _extents(op: Attention, at: Site) -> tuple[int, int, int, int]:
    _, height, width = at.shapes[0]
    return height // op.window[0], op.window[0], width // op.window[1], op.window[1]


def _cut(op: Attention, at: Site, x: str) -> str:
    """The pixels that meet, (groups, channels, tokens), or the map itself where all do."""
    if op.partition == "none":
        return x
    channels = at.shapes[at.inputs.index(x)][0]
    _, height, width = at.shapes[0]
    x = _roll(at, x, (-op.shift[0] % height, -op.shift[1] % width))
    x = _reshape(at, x, -1, channels, *_extents(op, at))
    return at.step("Transpose", x, perm=list(ORDERS[op.partition][0]))


def _join(op: Attention, at: Site, x: str) -> None:
    channels, height, width = at.node.layer.output_shapes[0]
    whole = at.net.integers((-1, channels, height, width))
    if op.partition == "none":
        at.result("Reshape", x, whole)
        return
    order, back = ORDERS[op.partition]
    apart = (-1, channels, *_extents(op, at))
    x = _reshape(at, x, *(apart[axis] for axis in order))
    x = at.step("Transpose", x, perm=list(back))
    if not any(op.shift):
        at.result("Reshape", x, whole)
        return
    at.result("Identity", _roll(at, at.step("Reshape", x, whole), op.shift))


def _roll(at: Site, x: str, steps: Pair) -> str:
    """Moved down and to the right; what leaves at one end comes back at the other."""
    for axis, step in enumerate(steps):
        if step:
            length = at.shapes[0][1 + axis]
            last, first = (
                at.step("Slice", x, *(at.net.integers((n,), np.int32) for n in (a, b, 2 + axis)))
                for a, b in ((length - step, length), (0, length - step))
            )
            x = at.step("Concat", last, first, axis=2 + axis)
    return x


def _places(extent: Pair, keys: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns from each key to each query, (queries, keys)."""
    ways = []
    for axis in (0, 1):
        step = -(-keys[axis] // extent[axis])
        mine = np.indices(extent)[axis].reshape(-1, 1) * step
        ways.append(mine - np.indices(keys)[axis].reshape(1, -1))
    return ways[0], ways[1]


def _lay_out(op: Attention, at: Site) -> np.ndarray:
    """(heads, queries, keys): the table, laid out."""
    keys = op.keys_that_meet(at.shapes)
    extent = keys if op.partition != "none" else (at.shapes[0][1], at.shapes[0][2])
    down, right = _places(extent, keys)
    table = at.array("bias")
    if op.bias == "distance":
        return table[:, np.abs(down) * keys[1] + np.abs(right)]
    rows = (down + keys[0] - 1) * (2 * keys[1] - 1) + right + keys[1] - 1
    return table[rows].transpose(2, 0, 1)


def _mask(op: Attention, at: Site) -> np.ndarray:
    """(windows, queries, keys): -100 where two pixels are from opposite ends of the map."""
    _, height, width = at.shapes[0]
    regions = np.zeros((height, width), int)
    for axis, length in enumerate((height, width)):
        size, shift = op.window[axis], op.shift[axis]
        if shift:
            place = np.indices((height, width))[axis]
            regions = 3 * regions + (place >= length - size) + (place >= length - shift)
    down, rows, across, columns = _extents(op, at)
    tokens = regions.reshape(down, rows, across, columns).transpose(0, 2, 1, 3)
    tokens = tokens.reshape(down * across, -1)
    return np.where(tokens[:, :, None] == tokens[:, None, :], 0.0, -100.0)
