"""Attention as modules of PyTorch. Their text is copied into the files that need them, as that of
cells.py."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportArgumentType=false, reportIndexIssue=false
# (torch is an extra, so it may be missing)

from __future__ import annotations

import torch
from torch import nn


def ways_between(size, keys, is_signed):
    """For each pair of a query's and a key's place the row of its learnt numbers: queries are
    every so manyth of the keys, which are (height, width)."""
    height, width = keys
    down, right = (-(-many // few) for many, few in zip(keys, size, strict=True))
    rows = []
    for y, x in ((down * i, right * j) for i in range(size[0]) for j in range(size[1])):
        for v, u in ((i, j) for i in range(height) for j in range(width)):
            signed = (y - v + height - 1) * (2 * width - 1) + x - u + width - 1
            rows.append(signed if is_signed else abs(y - v) * width + abs(x - u))
    return rows


class Attention(nn.Module):
    """softmax(scale q k + bias) v for each head over the pixels of maps, of size and key_size."""

    def __init__(self, heads, key_heads, scale, size, key_size, bias="none"):
        super().__init__()
        self.heads, self.key_heads, self.scale, self.size = heads, key_heads, scale, size
        self.kind = bias
        height, width = key_size
        if bias == "offset":
            self.bias = nn.Parameter(torch.zeros((2 * height - 1) * (2 * width - 1), heads))
        elif bias == "distance":
            self.bias = nn.Parameter(torch.zeros(heads, height * width))
        if bias != "none":
            ways = torch.tensor(ways_between(size, key_size, bias == "offset"))
            self.register_buffer("ways", ways, persistent=False)
        self.register_buffer("mask", None, persistent=False)

    def gather_values(self, q, k, v):
        """Of (groups, channels, tokens)."""
        groups, tokens, keys = self.key_heads, q.shape[2], k.shape[2]
        shared = self.heads // groups
        q = q.reshape(-1, groups, shared, q.shape[1] // self.heads, tokens).transpose(3, 4)
        q = q.reshape(-1, groups, shared * tokens, q.shape[4])
        k = k.reshape(-1, groups, k.shape[1] // groups, keys)
        v = v.reshape(-1, groups, v.shape[1] // groups, keys)
        scores = q @ k * self.scale
        if self.kind != "none":
            added = self.bias[self.ways].T if self.kind == "offset" else self.bias[:, self.ways]
            scores = scores + added.reshape(groups, shared * tokens, keys)
        if self.mask is not None:
            apart = scores.reshape(-1, self.mask.shape[0], self.heads, tokens, keys) + self.mask
            scores = apart.reshape(-1, groups, shared * tokens, keys)
        x = v @ scores.softmax(-1).transpose(2, 3)
        x = x.reshape(-1, groups, v.shape[2], shared, tokens).transpose(2, 3)
        return x.reshape(-1, self.heads * v.shape[2], tokens)

    def forward(self, q, k, v):
        x = self.gather_values(q.flatten(2), k.flatten(2), v.flatten(2))
        return x.reshape(-1, x.shape[1], *self.size)


def apart_in_windows(size, window, shift):
    """[window][query][key]: -100 between pixels of a shifted window that are from opposite ends of
    the map, of size (height, width), else 0."""

    def region(place, length, step, moved):
        return (place >= length - step) + (place >= length - moved) if moved else 0

    (height, width), (rows, columns) = size, window
    masks = []
    for top, left in ((i, j) for i in range(0, height, rows) for j in range(0, width, columns)):
        pixels = [(top + i, left + j) for i in range(rows) for j in range(columns)]
        regions = [
            (region(y, height, rows, shift[0]), region(x, width, columns, shift[1]))
            for y, x in pixels
        ]
        masks.append([[0.0 if one == other else -100.0 for other in regions] for one in regions])
    return masks


class WindowAttention(Attention):
    """The same between the pixels of a window, or those in one place of every window (a grid);
    windows are moved by shift."""

    def __init__(
        self, heads, key_heads, scale, size, window, is_grid=False, shift=(0, 0), bias="none"
    ):
        down, across = size[0] // window[0], size[1] // window[1]
        meeting = (down, across) if is_grid else window
        super().__init__(heads, key_heads, scale, meeting, meeting, bias)
        self.map, self.shift = size, shift
        self.extents = (down, window[0], across, window[1])
        self.order, self.back = (0, 2, 4, 1, 3, 5), (0, 3, 1, 4, 2, 5)
        if is_grid:
            self.order, self.back = (0, 3, 5, 1, 2, 4), (0, 3, 4, 1, 5, 2)
        self.groups = window if is_grid else (down, across)
        if any(shift):
            self.mask = torch.tensor(apart_in_windows(size, window, shift)).unsqueeze(1)

    def cut(self, x):
        if any(self.shift):
            x = x.roll((-self.shift[0], -self.shift[1]), (2, 3))
        x = x.reshape(-1, x.shape[1], *self.extents).permute(self.order)
        return x.reshape(-1, x.shape[3], self.size[0] * self.size[1])

    def forward(self, q, k, v):
        x = self.gather_values(self.cut(q), self.cut(k), self.cut(v))
        x = x.reshape(-1, *self.groups, x.shape[1], *self.size).permute(self.back)
        x = x.reshape(-1, x.shape[1], *self.map)
        return x.roll(self.shift, (2, 3)) if any(self.shift) else x
