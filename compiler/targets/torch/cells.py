"""Modules that PyTorch lacks. Their text is copied into the files that need them (see ../python),
so each stands on what this file imports and on others of it, and on nothing else. A padding on four
sides is (left, right, top, bottom), as F.pad has it.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright: reportIncompatibleMethodOverride=false
# (torch is an extra, so it may be missing)

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class PaddedConv2d(nn.Conv2d):
    """A convolution over an image with a border of zeros (left, right, top, bottom)."""

    def __init__(self, in_channels, channels, kernel, border, **options):
        super().__init__(in_channels, channels, kernel, **options)
        self.border = border

    def forward(self, x):
        return super().forward(F.pad(x, self.border))


class CroppedConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution less a border (left, right, top, bottom) of its result."""

    def __init__(self, in_channels, channels, kernel, border, **options):
        super().__init__(in_channels, channels, kernel, **options)
        self.border = border

    def forward(self, x):
        return F.pad(super().forward(x), [-side for side in self.border])


class StandardizedConv2d(nn.Conv2d):
    """A convolution whose filters are brought to mean 0 and deviation 1 each time."""

    def forward(self, x):
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), keepdim=True)
        weight = (self.weight - mean) / (torch.sqrt(variance) + 5e-4)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class PaddedStandardizedConv2d(StandardizedConv2d):
    """The same over an image with a border of zeros (left, right, top, bottom)."""

    def __init__(self, in_channels, channels, kernel, border, **options):
        super().__init__(in_channels, channels, kernel, **options)
        self.border = border

    def forward(self, x):
        return super().forward(F.pad(x, self.border))


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation of the channels of each position."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GroupNormOfOne(nn.GroupNorm):
    """Groups of one value each, of which the bias is left; nn.GroupNorm refuses a batch of one."""

    def forward(self, x):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return (x - x) * self.weight.reshape(shape) + self.bias.reshape(shape)


class RMSNorm(nn.Module):
    """The channels of each position divided by the root of their mean square."""

    def __init__(self, channels, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x):
        square = x.square().mean(1, keepdim=True)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return x * torch.rsqrt(square + self.eps) * self.weight.reshape(shape)


class NearestResize(nn.Module):
    """The pixels of a map of extent (height, width) that stand nearest, on or above and left of
    those of a map of another size."""

    def __init__(self, extent, size):
        super().__init__()
        self.rows = [place * extent[0] // size[0] for place in range(size[0])]
        self.columns = [place * extent[1] // size[1] for place in range(size[1])]

    def forward(self, x):
        return x[:, :, self.rows][:, :, :, self.columns]


class PaddedMaxPool2d(nn.MaxPool2d):
    """The largest value of each window; the border (left, right, top, bottom) never wins."""

    def __init__(self, kernel, stride, border):
        super().__init__(kernel, stride)
        self.border = border

    def forward(self, x):
        return super().forward(F.pad(x, self.border, value=float("-inf")))


class PaddedAvgPool2d(nn.AvgPool2d):
    """The mean of each window. Zeros of the counted border (left, right, top, bottom) take part in
    the mean, the uncounted border around it does not."""

    def __init__(self, kernel, stride, counted=(0, 0, 0, 0), uncounted=(0, 0, 0, 0)):
        super().__init__(kernel, stride)
        self.counted = counted
        self.uncounted = uncounted

    def forward(self, x):
        counts = F.pad(torch.ones_like(x[:1, :1]), self.counted, value=1.0)
        zeros = F.pad(F.pad(x, self.counted), self.uncounted)
        return super().forward(zeros) / super().forward(F.pad(counts, self.uncounted))


class Zero(nn.Module):
    """Zeros, through which the gradient is zero and not missing, whatever x is."""

    def forward(self, x):
        return x.masked_fill(torch.ones_like(x, dtype=torch.bool), 0)


class DropPath(nn.Module):
    """In training, whole samples are zeroed at this rate, the others scaled by 1 / (1 - rate)."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training:
            return x
        samples = x.new_ones((x.shape[0],) + (1,) * (x.ndim - 1))
        return x * F.dropout(samples, self.rate)


class Learnt(nn.Module):
    """A learnt tensor, for all samples the same."""

    def __init__(self, shape, initial=0.0):
        super().__init__()
        self.value = nn.Parameter(torch.full(shape, initial))

    def forward(self):
        return self.value[None]


class Fixed(nn.Module):
    """A tensor that training does not move, for all samples the same."""

    value: torch.Tensor

    def __init__(self, shape, initial=0.0):
        super().__init__()
        self.register_buffer("value", torch.full(shape, initial))

    def forward(self):
        return self.value[None]


class Scale(nn.Module):
    """x factor + offset."""

    def __init__(self, factor, offset):
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x):
        return x * self.factor + self.offset


class LayerScale(nn.Module):
    """A learnt factor per channel."""

    def __init__(self, channels, initial):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x):
        return x * self.gamma.reshape((1, -1) + (1,) * (x.ndim - 2))


class GroupedSplit(nn.Module):
    """The channels of each group cut into parts; the parts of one place in their groups are one."""

    def __init__(self, groups, sizes):
        super().__init__()
        self.groups, self.sizes = groups, sizes

    def forward(self, x):
        groups = x.unflatten(1, (self.groups, -1))
        return [part.flatten(1, 2) for part in groups.split(self.sizes, dim=2)]


class SpaceToDepth(nn.Module):
    """The pixels of each block as channels: all channels of its first pixel, then of the next, in
    the order of rows or columns."""

    def __init__(self, factor, order):
        super().__init__()
        self.factor = factor
        self.axes = (0, 3, 5, 1, 2, 4) if order == "rows" else (0, 5, 3, 1, 2, 4)

    def forward(self, x):
        channels, side = x.shape[1], self.factor
        height, width = x.shape[2] // side, x.shape[3] // side
        x = x.reshape(-1, channels, height, side, width, side).permute(self.axes)
        return x.reshape(-1, channels * side**2, height, width)


class DepthToSpace(nn.Module):
    """What undoes SpaceToDepth."""

    def __init__(self, factor, order):
        super().__init__()
        self.factor = factor
        self.axes = (0, 3, 4, 1, 5, 2) if order == "rows" else (0, 3, 4, 2, 5, 1)

    def forward(self, x):
        side = self.factor
        channels, height, width = x.shape[1] // side**2, x.shape[2], x.shape[3]
        x = x.reshape(-1, side, side, channels, height, width).permute(self.axes)
        return x.reshape(-1, channels, height * side, width * side)
