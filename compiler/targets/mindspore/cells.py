"""Cells that MindSpore lacks. Their text is copied into the files that need them (see source.py),
so each stands on what cells.py imports and on other cells of it, and on nothing else.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportIncompatibleMethodOverride=false, reportCallIssue=false
# pyright: reportOperatorIssue=false, reportOptionalSubscript=false
# (MindSpore ships no types; what pyright infers of cells and tensors is wrong in these ways)

from __future__ import annotations

from mindspore import Parameter, nn, ops
from mindspore.common.initializer import initializer


def four(padding):
    """A padding as (top, bottom, left, right), which may be given as one number."""
    return (padding,) * 4 if isinstance(padding, int) else padding


def bordered(x, padding, value):
    """An image with a border of one value; joining stripes is quicker than ops.pad."""
    top, bottom, left, right = padding
    if top or bottom:
        stripe = ops.full_like(x[:, :, :1], value)
        x = ops.cat((stripe,) * top + (x,) + (stripe,) * bottom, axis=2)
    if left or right:
        stripe = ops.full_like(x[:, :, :, :1], value)
        x = ops.cat((stripe,) * left + (x,) + (stripe,) * right, axis=3)
    return x


class Pad(nn.Cell):
    """A border of one constant value; the padding is (top, bottom, left, right)."""

    def __init__(self, padding, value):
        super().__init__()
        self.padding = four(padding)
        self.value = value

    def construct(self, x):
        return bordered(x, self.padding, self.value)


class PaddedMaxPool2d(nn.Cell):
    """The largest value of each window; the border (top, bottom, left, right) never wins."""

    def __init__(self, kernel, stride, padding):
        super().__init__()
        self.padding = four(padding)
        self.pool = nn.MaxPool2d(kernel, stride)

    def construct(self, x):
        return self.pool(bordered(x, self.padding, float("-inf")))


class PaddedAvgPool2d(nn.Cell):
    """The mean of each window. Zeros of the counted border (top, bottom, left, right) take part in
    the mean, the uncounted border around it does not."""

    def __init__(self, kernel, stride, counted=0, uncounted=0):
        super().__init__()
        self.counted = four(counted)
        self.uncounted = four(uncounted)
        self.pool = nn.AvgPool2d(kernel, stride)

    def construct(self, x):
        zeros = bordered(bordered(x, self.counted, 0.0), self.uncounted, 0.0)
        counts = bordered(ops.ones_like(x[:1, :1]), self.counted, 1.0)
        return self.pool(zeros) / self.pool(bordered(counts, self.uncounted, 0.0))


class NearestUpsample(nn.Cell):
    """Each pixel repeated scale = (down, right) times."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        # ops.interpolate uses it too, but compiles to what a MindIR of any batch cannot hold
        self.resize = ops.auto_generate.UpsampleNearest2D()

    def construct(self, x):
        size = (x.shape[2] * self.scale[0], x.shape[3] * self.scale[1])
        return self.resize(x, size, None)


class BilinearUpsample(nn.Cell):
    """Enlarged scale = (down, right) times between pixels' centres (half-pixel rule)."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.resize = ops.ResizeBilinearV2(align_corners=False, half_pixel_centers=True)

    def construct(self, x):
        size = (x.shape[2] * self.scale[0], x.shape[3] * self.scale[1])
        return self.resize(x, size)


class ExtendedConv2dTranspose(nn.Conv2dTranspose):
    """A transposed convolution with further rows and columns (down, right), of its bias alone."""

    def __init__(self, in_channels, channels, kernel, output_padding, **options):
        super().__init__(in_channels, channels, kernel, **options)
        self.border = (0, output_padding[0], 0, output_padding[1])
        self.has_constant = self.has_bias
        self.has_bias = False  # it is added behind the border

    def construct(self, x):
        x = bordered(super().construct(x), self.border, 0.0)
        return self.bias_add(x, self.bias) if self.has_constant else x


class StandardizedConv2d(nn.Conv2d):
    """A convolution whose filters are brought to mean 0 and deviation 1 each time."""

    def construct(self, x):
        centered = self.weight - ops.mean(self.weight, (1, 2, 3), keep_dims=True)
        count = centered.shape[1] * centered.shape[2] * centered.shape[3]
        variance = ops.mean(ops.square(centered), (1, 2, 3), keep_dims=True) * count / (count - 1)
        x = self.conv2d(x, centered / (ops.sqrt(variance) + 5e-4))
        return self.bias_add(x, self.bias) if self.has_bias else x


class ChannelNorm(nn.Cell):
    """Layer normalisation of the channels of each position."""

    def __init__(self, channels, epsilon=1e-6):
        super().__init__()
        self.gamma = Parameter(initializer("ones", (channels,)))
        self.beta = Parameter(initializer("zeros", (channels,)))
        self.layer_norm = ops.LayerNorm(-1, -1, epsilon)

    def construct(self, x):
        if x.ndim == 2:
            return self.layer_norm(x, self.gamma, self.beta)[0]
        x = ops.transpose(x, (0, 2, 3, 1))
        x = self.layer_norm(x, self.gamma, self.beta)[0]
        return ops.transpose(x, (0, 3, 1, 2))


class RMSNorm(nn.Cell):
    """The channels of each position divided by the root of their mean square."""

    def __init__(self, channels, epsilon=1e-6):
        super().__init__()
        self.gamma = Parameter(initializer("ones", (channels,)))
        self.epsilon = epsilon

    def construct(self, x):
        square = ops.mean(ops.square(x), 1, keep_dims=True)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return x * ops.rsqrt(square + self.epsilon) * ops.reshape(self.gamma, shape)


class LocalResponseNorm(nn.Cell):
    """x / (k + alpha m) ** beta, m the mean square of as many channels around each as size says,
    with zeros past the ends."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.padding = (size // 2, (size - 1) // 2, 0, 0)
        self.alpha = alpha
        self.beta = beta
        self.k = k
        self.pool = nn.AvgPool2d((size, 1), 1)

    def construct(self, x):
        # channels as the rows of an image, along which they are averaged
        rows = ops.reshape(ops.square(x), (-1, 1, x.shape[1], x.shape[2] * x.shape[3]))
        means = self.pool(bordered(rows, self.padding, 0.0))
        return x / ops.pow(self.k + self.alpha * ops.reshape(means, x.shape), self.beta)


class ELU(nn.Cell):
    """x where x > 0, else alpha (exp(x) - 1)."""

    def __init__(self, alpha):
        super().__init__()
        self.alpha = alpha

    def construct(self, x):
        return ops.relu(x) + self.alpha * (ops.exp(-ops.relu(-x)) - 1)


class Mish(nn.Cell):
    """x tanh(softplus(x)); on a CPU nn.Mish gives no number from 50 on."""

    def construct(self, x):
        return x * ops.tanh(ops.softplus(x))


class PReLU(nn.Cell):
    """x where x > 0, else a learnt slope per channel times x."""

    def __init__(self, channels):
        super().__init__()
        self.slope = Parameter(initializer(0.25, (channels,)))

    def construct(self, x):
        return ops.prelu(x, self.slope)


class Norm2(nn.Cell):
    """The root of the sum of squares along axes, which stay; where it is 0, so is its gradient."""

    def __init__(self, axes):
        super().__init__()
        self.axes = axes

    def construct(self, x):
        total = ops.sum(ops.square(x), self.axes, keepdim=True)
        root = ops.sqrt(ops.select(total > 0, total, ops.ones_like(total)))
        return ops.select(total > 0, root, ops.zeros_like(total))


class DropPath(nn.Cell):
    """In training, whole samples are zeroed at this rate, the others scaled by 1 / (1 - rate)."""

    def __init__(self, rate):
        super().__init__()
        self.dropout = nn.Dropout(p=rate)

    def construct(self, x):
        if not self.training:
            return x
        samples = ops.mean(x, tuple(range(1, x.ndim)), keep_dims=True)
        return x * self.dropout(ops.ones_like(samples))


class Learnt(nn.Cell):
    """A learnt tensor, for all samples the same."""

    def __init__(self, shape, initial=0.0):
        super().__init__()
        self.value = Parameter(initializer(initial, shape))

    def construct(self):
        return ops.expand_dims(self.value, 0)


class Fixed(nn.Cell):
    """A tensor that training does not move, for all samples the same."""

    def __init__(self, shape, initial=0.0):
        super().__init__()
        self.value = Parameter(initializer(initial, shape), requires_grad=False)

    def construct(self):
        return ops.expand_dims(self.value, 0)


class Scale(nn.Cell):
    """x factor + offset."""

    def __init__(self, factor, offset):
        super().__init__()
        self.factor, self.offset = factor, offset

    def construct(self, x):
        return x * self.factor + self.offset


class LayerScale(nn.Cell):
    """A learnt factor per channel."""

    def __init__(self, channels, initial):
        super().__init__()
        self.gamma = Parameter(initializer(initial, (channels,)))

    def construct(self, x):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        return x * ops.reshape(self.gamma, shape)


class GroupedSplit(nn.Cell):
    """The channels of each group cut into parts; the parts of one place in their groups are one."""

    def __init__(self, groups, sizes):
        super().__init__()
        self.groups, self.sizes = groups, sizes

    def construct(self, x):
        extent = x.shape[2:]
        groups = ops.reshape(x, (-1, self.groups, sum(self.sizes), *extent))
        results = ()
        for part in ops.split(groups, self.sizes, axis=2):
            results += (ops.reshape(part, (-1, self.groups * part.shape[2], *extent)),)
        return results


class SpaceToDepth(nn.Cell):
    """The pixels of each block as channels: all channels of its first pixel, then of the next, in
    the order of rows or columns."""

    def __init__(self, factor, order):
        super().__init__()
        self.factor = factor
        self.axes = (0, 3, 5, 1, 2, 4) if order == "rows" else (0, 5, 3, 1, 2, 4)

    def construct(self, x):
        channels, side = x.shape[1], self.factor
        height, width = x.shape[2] // side, x.shape[3] // side
        x = ops.reshape(x, (-1, channels, height, side, width, side))
        return ops.reshape(ops.transpose(x, self.axes), (-1, channels * side**2, height, width))


class DepthToSpace(nn.Cell):
    """What undoes SpaceToDepth."""

    def __init__(self, factor, order):
        super().__init__()
        self.factor = factor
        self.axes = (0, 3, 4, 1, 5, 2) if order == "rows" else (0, 3, 4, 2, 5, 1)

    def construct(self, x):
        side = self.factor
        channels, height, width = x.shape[1] // side**2, x.shape[2], x.shape[3]
        x = ops.reshape(x, (-1, side, side, channels, height, width))
        x = ops.transpose(x, self.axes)
        return ops.reshape(x, (-1, channels, height * side, width * side))


class Roll(nn.Cell):
    """Moved down and to the right by shift; what leaves at one end comes back at the other."""

    def __init__(self, shift):
        super().__init__()
        self.down, self.right = shift

    def construct(self, x):
        if self.down:
            x = ops.cat((x[:, :, -self.down :], x[:, :, : -self.down]), axis=2)
        if self.right:
            x = ops.cat((x[:, :, :, -self.right :], x[:, :, :, : -self.right]), axis=3)
        return x
