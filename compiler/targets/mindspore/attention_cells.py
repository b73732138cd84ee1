"""Attention as cells of MindSpore. Their text is copied into the files that need them, as that of
cells.py."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportIncompatibleMethodOverride=false, reportCallIssue=false
# pyright: reportOperatorIssue=false, reportOptionalSubscript=false, reportIndexIssue=false
# (MindSpore ships no types; what pyright infers of cells and tensors is wrong in these ways)

from __future__ import annotations

from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer

from archspec.compiler.targets.mindspore.cells import Roll


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


def in_a_row(x):
    """The pixels of a map, (batch, channels, tokens)."""
    return ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3]))


class Attention(nn.Cell):
    """softmax(scale q k + bias) v for each head over the pixels of maps, of size and key_size."""

    def __init__(self, heads, key_heads, scale, size, key_size, bias="none"):
        super().__init__()
        self.heads, self.key_heads, self.scale, self.size = heads, key_heads, scale, size
        self.kind = bias
        self.mask = None
        height, width = key_size
        if bias == "offset":
            rows = (2 * height - 1) * (2 * width - 1)
            self.bias = Parameter(initializer("zeros", (rows, heads)))
        elif bias == "distance":
            self.bias = Parameter(initializer("zeros", (heads, height * width)))
        if bias != "none":
            self.ways = Tensor(ways_between(size, key_size, bias == "offset"))

    def lay_out_bias(self):
        """What is added to the products, (heads, queries times keys)."""
        if self.kind == "offset":
            return ops.transpose(ops.gather(self.bias, self.ways, 0), (1, 0))
        return ops.gather(self.bias, self.ways, 1)

    def gather_values(self, q, k, v):
        """Of (groups, channels, tokens)."""
        groups, tokens, keys = self.key_heads, q.shape[2], k.shape[2]
        shared = self.heads // groups
        q = ops.reshape(q, (-1, groups, shared, q.shape[1] // self.heads, tokens))
        q = ops.reshape(
            ops.transpose(q, (0, 1, 2, 4, 3)), (-1, groups, shared * tokens, q.shape[3])
        )
        k = ops.reshape(k, (-1, groups, k.shape[1] // groups, keys))
        v = ops.reshape(v, (-1, groups, v.shape[1] // groups, keys))
        scores = ops.matmul(q, k) * self.scale
        if self.kind != "none":
            scores = scores + ops.reshape(self.lay_out_bias(), (groups, shared * tokens, keys))
        if self.mask is not None:
            apart = ops.reshape(scores, (-1, self.mask.shape[0], self.heads, tokens, keys))
            scores = ops.reshape(apart + self.mask, (-1, groups, shared * tokens, keys))
        shares = ops.softmax(scores, -1)
        x = ops.matmul(v, ops.transpose(shares, (0, 1, 3, 2)))
        x = ops.reshape(x, (-1, groups, v.shape[2], shared, tokens))
        x = ops.transpose(x, (0, 1, 3, 2, 4))
        return ops.reshape(x, (-1, self.heads * v.shape[2], tokens))

    def construct(self, q, k, v):
        x = self.gather_values(in_a_row(q), in_a_row(k), in_a_row(v))
        return ops.reshape(x, (-1, x.shape[1], self.size[0], self.size[1]))


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
        self.roll = Roll(((size[0] - shift[0]) % size[0], (size[1] - shift[1]) % size[1]))
        self.unroll = Roll(shift)
        if shift[0] or shift[1]:
            masks = apart_in_windows(size, window, shift)
            self.mask = ops.expand_dims(Tensor(masks), 1)

    def cut(self, x):
        channels = x.shape[1]
        x = ops.reshape(self.roll(x), (-1, channels, *self.extents))
        return ops.reshape(
            ops.transpose(x, self.order), (-1, channels, self.size[0] * self.size[1])
        )

    def construct(self, q, k, v):
        x = self.gather_values(self.cut(q), self.cut(k), self.cut(v))
        channels = x.shape[1]
        x = ops.reshape(x, (-1, *self.groups, channels, *self.size))
        x = ops.reshape(ops.transpose(x, self.back), (-1, channels, self.map[0], self.map[1]))
        return self.unroll(x)
