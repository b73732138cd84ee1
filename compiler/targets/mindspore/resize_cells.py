"""Images of another size as cells of MindSpore. Their text is copied into the files that need them,
as that of cells.py."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportIncompatibleMethodOverride=false, reportCallIssue=false
# (MindSpore ships no types; what pyright infers of cells and tensors is wrong in these ways)

from __future__ import annotations

from mindspore import Tensor, nn, ops


class NearestResize(nn.Cell):
    """The pixels of a map of extent (height, width) that stand nearest, on or above and left of
    those of a map of another size."""

    def __init__(self, extent, size):
        super().__init__()
        self.rows, self.columns = (
            Tensor([place * many // few for place in range(few)])
            for many, few in zip(extent, size, strict=True)
        )

    def construct(self, x):
        return ops.gather(ops.gather(x, self.rows, 2), self.columns, 3)


class BilinearResize(nn.Cell):
    """What lies between the four pixels around each place of a map of this size."""

    def __init__(self, size, align_corners=False):
        super().__init__()
        self.size = size
        centers = not align_corners
        self.resize = ops.ResizeBilinearV2(align_corners, half_pixel_centers=centers)

    def construct(self, x):
        return self.resize(x, self.size)


def cubic(t):
    """What each of four pixels is of a place t behind the second of them, Keys' a being -0.75."""
    near = [((1.25 * d - 2.25) * d * d + 1) for d in (t, 1 - t)]
    far = [((-0.75 * d + 3.75) * d - 6) * d + 3 for d in (1 + t, 2 - t)]
    return [far[0], *near, far[1]]


def cubic_shares(extent, size, align_corners):
    """(size, extent): what each of so many places on an axis is of its pixels, borders repeated."""
    matrix = []
    for place in range(size):
        at = (place + 0.5) * extent / size - 0.5
        if align_corners:
            at = place * (extent - 1) / max(size - 1, 1)
        below = int(at + 1) - 1
        row = [0.0] * extent
        for number, share in enumerate(cubic(at - below)):
            row[min(max(below - 1 + number, 0), extent - 1)] += share
        matrix.append(row)
    return matrix


class BicubicResize(nn.Cell):
    """What lies between the 16 pixels around each place of a map of another size, as two products
    with constant matrices: MindSpore's own is of another a."""

    def __init__(self, extent, size, align_corners=False):
        super().__init__()
        rows = cubic_shares(extent[0], size[0], align_corners)
        columns = cubic_shares(extent[1], size[1], align_corners)
        self.rows = Tensor(rows)
        self.columns = Tensor(columns).T

    def construct(self, x):
        x = ops.matmul(x, ops.cast(self.columns, x.dtype))
        return ops.matmul(ops.cast(self.rows, x.dtype), x)
