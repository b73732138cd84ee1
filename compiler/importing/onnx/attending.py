"""Attention: which atoms are heads, windows and tokens, and what is added to the scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.compiler.importing.onnx.laying import arrange
from archspec.compiler.importing.onnx.site import Site
from archspec.compiler.importing.onnx.views import Atom, Atoms, Unsaid, View, size_of
from archspec.ops.attention import Attention

Placed = tuple[str, tuple[int, int]]
APART = -100.0
"""What torch's Swin and ours add to the scores of pixels that shall not meet."""


def attend(at: Site, q: View, k: View, v: View) -> View:
    """The view of what is gathered: the axes of q, with v's channels of a head for the last."""
    q, k, v = (_in_heads(at, view) for view in (q, k, v))
    heads = size_of(_heads(q))
    if size_of(_heads(k)) != heads or size_of(_heads(v)) != heads:
        raise Unsaid("is attention whose keys have other heads than its queries")
    partition, window = _windows(q)
    if _windows(k) != (partition, window) and partition != "none":
        raise Unsaid("is attention whose queries and keys are cut into other windows")
    said = at.settings
    usual = (q.result.shape[0] // heads) ** -0.5
    scale = None if abs(said["scale"] / usual - 1) < 1e-6 else float(f"{said['scale']:.7g}")
    keys = window if partition == "window" else k.result.shape[1:]
    if partition == "grid":
        keys = tuple(n // w for n, w in zip(k.result.shape[1:], window, strict=True))
    extent = keys if partition != "none" else q.result.shape[1:]
    bias, shift = _read_added(at, heads, extent, keys, partition, q)
    window = window if partition != "none" else (0, 0)
    op = Attention(
        heads=heads, scale=scale, partition=partition, window=window,
        bias="none" if bias is None else "offset", shift=shift,
    )  # fmt: skip
    result = at.add(op, q.result, k.result, v.result, bias=bias)
    each = size_of(v.axes[-1])
    new = (Atom(each),) if each > 1 else ()
    base = ((*_heads(q), *new), *q.base[1:])
    return View(result, base, (*q.axes[:-1], new))


def _heads(view: View) -> Atoms:
    last = view.axes[-1]
    return tuple(atom for atom in view.base[0] if atom not in last)


def _in_heads(at: Site, view: View) -> View:
    """The view over a map whose channels are heads of channels, whose pixels the tokens' axes and
    those of windows are."""
    last, tokens = view.axes[-1], view.axes[-2]
    lead = tuple(atom for axis in view.axes[:-2] for atom in axis if not atom.is_batch)
    if len(view.base) == 3:
        heads = tuple(atom for atom in lead if atom in view.base[0])
        if view.base[0] == (*heads, *last):
            return view
        rows, columns = view.base[1:]
        if not any(atom in (*rows, *columns) for atom in (*heads, *last)):
            return arrange(view, ((*heads, *last), rows, columns), at)
    if len(view.axes) == 4:
        heads = tuple(atom for atom in view.axes[1] if not atom.is_batch)
        if not any(atom.size > 1 for atom in lead if atom not in heads):
            return arrange(view, ((*heads, *last), tokens, ()), at)
    raise Unsaid("is attention whose axes are not heads, windows and pixels")


def _windows(view: View) -> tuple[str, tuple[int, int]]:
    tokens = view.axes[-2]
    inside = [tuple(atom for atom in base if atom in tokens) for base in view.base[1:]]
    if tokens != (*inside[0], *inside[1]):
        raise Unsaid("is attention whose tokens are not pixels row by row")
    outside = [tuple(atom for atom in base if atom not in tokens) for base in view.base[1:]]
    if not outside[0] and not outside[1]:
        return "none", (0, 0)
    bases = view.base[1:]
    ways = {
        "window": all(b == (*o, *i) for b, o, i in zip(bases, outside, inside, strict=True)),
        "grid": all(b == (*i, *o) for b, o, i in zip(bases, outside, inside, strict=True)),
    }
    if ways["window"]:
        return "window", (size_of(inside[0]), size_of(inside[1]))
    if ways["grid"]:
        return "grid", (size_of(outside[0]), size_of(outside[1]))
    raise Unsaid("is attention over pixels that are neither windows nor grids")


def _read_added(
    at: Site, heads: int, extent: Any, keys: Any, partition: str, q: View
) -> tuple[Any, Any]:
    """The table of what is added by places, and by how much windows are moved."""
    parts = at.settings["added"]
    if not parts:
        return None, 0
    tokens, others = size_of(q.axes[-2]), int(np.prod(keys))
    lead = [size_of(axis) for axis in q.axes[:-2]]
    windows = int(np.prod(lead)) // heads
    table = np.zeros((windows, heads, tokens, others), np.float32)
    for array, shape in parts:
        table = table + _per_window(array, shape, windows, heads, tokens, others)
    mask = None
    if windows > 1 and np.any(table != table[:1]):
        low = table.max(axis=0, keepdims=True)
        mask = (table - low)[:, 0]
        table = low
    shift = 0 if mask is None else _shift_of(mask, extent, partition, q)
    square = table[0]
    if not np.any(square):
        return None, shift
    return _by_offset(square, extent, keys), shift


def _per_window(array, shape, windows, heads, tokens, others):
    """What was added in some shape of the scores, as (windows or 1, heads or 1, queries, keys)."""
    full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    lead = full.shape[:-2]
    count = int(np.prod(lead))
    flat = full.reshape(count, *full.shape[-2:])
    varying = [extent for extent in lead if extent > 1]
    if count == 1 or varying == [heads]:
        result = flat[None]
    elif varying == [windows]:
        result = flat[:, None]
    elif varying == [windows, heads] or varying == [windows * heads]:
        result = flat.reshape(windows, heads, *flat.shape[1:])
    else:
        raise Unsaid("adds to the scores of attention what is neither of heads nor of windows")
    return np.broadcast_to(result, (*result.shape[:2], tokens, others))


def _by_offset(square: np.ndarray, extent: Any, keys: Any) -> np.ndarray:
    """(heads, queries, keys) as a table by how far apart two pixels are. Raises Unsaid for what
    does not hang on that alone."""
    height, width = keys
    if tuple(extent) != tuple(keys):
        raise Unsaid("adds to the scores by places of queries and keys on different maps")
    place = np.indices((height, width)).reshape(2, -1)
    down = place[0][:, None] - place[0][None] + height - 1
    right = place[1][:, None] - place[1][None] + width - 1
    rows = (down * (2 * width - 1) + right).reshape(-1)
    table = np.zeros(((2 * height - 1) * (2 * width - 1), square.shape[0]), np.float32)
    table[rows] = square.reshape(square.shape[0], -1).T
    if not np.array_equal(table[rows].T.reshape(square.shape), square):
        raise Unsaid("adds to the scores what does not hang on how far apart two pixels are")
    return table


def _shift_of(mask: np.ndarray, extent: Any, partition: str, q: View) -> tuple[int, int]:
    """The shift whose mask this is, (windows, queries, keys): 0, or -100 between pixels from
    opposite ends of the map."""
    _, height, width = q.result.shape
    if partition != "window":
        raise Unsaid("keeps pixels apart without windows")
    for down in range(extent[0]):
        for right in range(extent[1]):
            if down == right == 0:
                continue
            if np.array_equal(mask_of((height, width), extent, (down, right)), mask):
                return down, right
    raise Unsaid("keeps pixels apart by a rule that is not that of shifted windows")


def mask_of(size: tuple[int, int], window: Any, shift: tuple[int, int]) -> np.ndarray:
    """(windows, queries, keys), as attention with this shift adds it."""
    regions = np.zeros(size, int)
    for axis, length in enumerate(size):
        if shift[axis]:
            place = np.indices(size)[axis]
            regions = (
                3 * regions + (place >= length - window[axis]) + (place >= length - shift[axis])
            )
    rows, columns = size[0] // window[0], size[1] // window[1]
    tokens = regions.reshape(rows, window[0], columns, window[1]).transpose(0, 2, 1, 3)
    tokens = tokens.reshape(rows * columns, -1)
    return np.where(tokens[:, :, None] == tokens[:, None, :], 0.0, APART).astype(np.float32)
