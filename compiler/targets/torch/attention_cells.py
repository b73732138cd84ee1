"""Attention as modules of PyTorch. Their text is copied into the files that need them, as that of
cells.py."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false, reportArgumentType=false, reportIndexIssue=false
# (torch is an extra, so it may be missing)

from __future__ import annotations

import torch
from torch import nn


def rows_between(size, keys, is_signed, device):
    """For each pair of a query's and a key's place the row of its learnt numbers: queries are
    every so manyth of the keys, which are (height, width)."""
    ways = [
        torch.arange(few, device=device).unsqueeze(1) * -(-many // few)
        - torch.arange(many, device=device)
        for few, many in zip(size, keys, strict=True)
    ]
    (height, width), (down, right) = keys, ways
    if is_signed:
        down, right = (down + height - 1) * (2 * width - 1), right + width - 1
    else:
        down, right = down.abs() * width, right.abs()
    return (down[:, None, :, None] + right[None, :, None, :]).flatten()


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
        self.key_size = key_size

    def lay_out_bias(self, device):
        """What is learnt of places, (heads, queries times keys)."""
        rows = rows_between(self.size, self.key_size, self.kind == "offset", device)
        return self.bias[rows].T if self.kind == "offset" else self.bias[:, rows]

    def separate(self, scores, tokens):
        """The products, from which a shifted window takes those across the map's ends."""
        return scores

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
            scores = scores + self.lay_out_bias(q.device).reshape(groups, shared * tokens, keys)
        x = v @ self.separate(scores, tokens).softmax(-1).transpose(2, 3)
        x = x.reshape(-1, groups, v.shape[2], shared, tokens).transpose(2, 3)
        return x.reshape(-1, self.heads * v.shape[2], tokens)

    def forward(self, q, k, v):
        x = self.gather_values(q.flatten(2), k.flatten(2), v.flatten(2))
        return x.reshape(-1, x.shape[1], *self.size)


def apart_in_windows(size, window, shift, device):
    """(windows, 1, queries, keys): -100 between pixels of a shifted window that are from opposite
    ends of the map, of size (height, width), else 0."""
    regions = []
    for length, step, moved in zip(size, window, shift, strict=True):
        place = torch.arange(length, device=device)
        region = (place >= length - step).int() + (place >= length - moved).int()
        regions.append(region if moved else 0 * place)
    whole = 3 * regions[0].unsqueeze(1) + regions[1]
    apart = whole.reshape(size[0] // window[0], window[0], size[1] // window[1], window[1])
    tokens = apart.transpose(1, 2).reshape(-1, 1, window[0] * window[1])
    return (tokens.unsqueeze(2) != tokens.unsqueeze(3)) * -100.0


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
        self.window = window

    def separate(self, scores, tokens):
        if not any(self.shift):
            return scores
        mask = apart_in_windows(self.map, self.window, self.shift, scores.device)
        apart = scores.reshape(-1, mask.shape[0], self.heads, tokens, tokens) + mask
        return apart.reshape(scores.shape)

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
