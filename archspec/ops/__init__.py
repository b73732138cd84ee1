"""The primitive ops, lower case in a spec: `OPS` is all of them, by name."""

from __future__ import annotations

from archspec.ops.activation import FUNCTIONS, Act, Scale, Softmax
from archspec.ops.attention import Attention
from archspec.ops.axes import Matmul, Permute, Reshape
from archspec.ops.base import Fans, Folding, Op, Weight, Window, Work
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.learnt import Param
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Concat, Div, Max, Min, Mul, Sub
from archspec.ops.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RmsNorm,
)
from archspec.ops.pool import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Reduce,
)
from archspec.ops.rearrange import PixelShuffle, Roll, SpaceToDepth
from archspec.ops.regularize import Dropout, DropPath, LayerScale
from archspec.ops.reshape import (
    ChannelShuffle,
    Flatten,
    Identity,
    Pad,
    Slice,
    Split,
    Zero,
)
from archspec.ops.resize import Upsample

OPS: dict[str, type[Op]] = {
    op.name: op
    for op in (
        Conv, ConvTranspose, Dense, Param,
        BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RmsNorm, LocalResponseNorm,
        Act, Softmax, Scale,
        MaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, AdaptiveAvgPool, AdaptiveMaxPool,
        Reduce, Dropout, DropPath, LayerScale,
        Add, Sub, Mul, Div, Max, Min, Concat, Matmul, Attention,
        Permute, Reshape, Flatten, Split, Slice, ChannelShuffle, Upsample, Pad, Identity,
        Zero,         PixelShuffle, SpaceToDepth, Roll,
    )
}  # fmt: skip

__all__ = ["FUNCTIONS", "OPS", "Fans", "Folding", "Op", "Weight", "Window", "Work"]
