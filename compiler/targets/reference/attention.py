"""Attention in numpy: maps cut into groups of pixels that meet, all groups at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward
from archspec.ops.attention import Attention


@forward.register
def _(op: Attention, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    extent, key_extent = (one.shape[2:] for one in inputs[:2])
    served = op.key_heads or op.heads
    q, k, v = (
        by_head(cut(op, one), heads)
        for one, heads in zip(inputs, (op.heads, served, served), strict=True)
    )
    k, v = (one.repeat(op.heads // served, axis=2) for one in (k, v))
    scale = q.shape[3] ** -0.5 if op.scale is None else op.scale
    scores = np.swapaxes(q, 3, 4) @ k * scale
    if op.bias != "none":
        scores = scores + bias_of(op, weights["bias"], extent, key_extent)
    if any(op.shift):
        scores = scores - 100 * apart(op, extent)[:, None].astype(scores.dtype)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares = powers / powers.sum(-1, keepdims=True)
    gathered = v @ np.swapaxes(shares, 3, 4)
    batch, groups, heads, channels, tokens = gathered.shape
    return [join(op, gathered.reshape(batch, groups, heads * channels, tokens), extent)]


def by_head(groups: Array, heads: int) -> Array:
    """(batch, groups, heads, channels of a head, tokens)."""
    batch, count, channels, tokens = groups.shape
    return groups.reshape(batch, count, heads, channels // heads, tokens)


ORDERS = {"window": (0, 2, 4, 1, 3, 5), "grid": (0, 3, 5, 1, 2, 4)}
"""From (batch, channels, windows down, rows of one, windows across, columns of one) to what numbers
the groups, channels, and what numbers the pixels of a group."""


def cut(op: Attention, x: Array) -> Array:
    """(batch, groups, channels, tokens) of a map: the pixels that meet."""
    batch, channels, height, width = x.shape
    if op.partition == "none":
        return x.reshape(batch, 1, channels, height * width)
    x = np.roll(x, (-op.shift[0], -op.shift[1]), (2, 3))
    down, across = op.window
    apart = x.reshape(batch, channels, height // down, down, width // across, across)
    ordered = apart.transpose(ORDERS[op.partition])
    return ordered.reshape(batch, ordered.shape[1] * ordered.shape[2], channels, -1)


def join(op: Attention, groups: Array, extent: Sequence[int]) -> Array:
    """The map of which `cut` makes these groups."""
    batch, _, channels, _ = groups.shape
    height, width = extent
    if op.partition == "none":
        return groups.reshape(batch, channels, height, width)
    down, across = op.window
    apart = (batch, channels, height // down, down, width // across, across)
    order = ORDERS[op.partition]
    ordered = groups.reshape(tuple(apart[axis] for axis in order))
    x = ordered.transpose(np.argsort(order)).reshape(batch, channels, height, width)
    return np.roll(x, op.shift, (2, 3))


def bias_of(op: Attention, table: Array, extent: Sequence[int], keys: Sequence[int]) -> Array:
    """(heads, queries, keys): the learnt number of each way from a key to a query of a group."""
    if op.partition == "window":
        extent = keys = op.window
    elif op.partition == "grid":
        extent = keys = [length // size for length, size in zip(keys, op.window, strict=True)]
    ways = []
    for length, many in zip(extent, keys, strict=True):
        step = math.ceil(many / length)
        ways.append(np.arange(length)[:, None] * step - np.arange(many))
    down, right = ways[0][:, None, :, None], ways[1][None, :, None, :]
    height, width = keys
    if op.bias == "offset":
        rows = (down + height - 1) * (2 * width - 1) + right + width - 1
        added = np.moveaxis(table[rows], -1, 0)
    else:
        added = table[:, np.abs(down) * width + np.abs(right)]
    return added.reshape(op.heads, math.prod(extent), math.prod(keys))


def apart(op: Attention, extent: Sequence[int]) -> Array:
    """(groups, queries, keys): which pixels of a window are from opposite ends of the map."""
    regions = np.zeros((1, 1, *extent), int)
    for axis, (length, size, shift) in enumerate(zip(extent, op.window, op.shift, strict=True)):
        place = np.arange(length)
        region = (place >= length - size).astype(int) + (place >= length - shift) if shift else 0
        shape = [1, 1, 1, 1]
        shape[2 + axis] = length
        regions = regions * 3 + np.broadcast_to(region, length).reshape(shape)
    unmoved = Attention(partition="window", window=op.window)
    tokens = cut(unmoved, regions)[0, :, 0]
    return tokens[:, :, None] != tokens[:, None, :]
