"""Ops that every framework spells alike, whatever its classes are made of."""

from __future__ import annotations

from typing import Any

from archspec.compiler.targets.python.spelling import (
    Argument,
    Spelling,
    cell,
    channels,
    expression,
    scalar,
)
from archspec.node import Layer
from archspec.ops import activation, attention, learnt, merge, pool, rearrange, regularize, reshape
from archspec.ops.base import AXES


def register_common(spelling_of: Any) -> None:
    """Give a target's `spelling_of`, a function of singledispatch, the forms that all share."""
    for op, spell in COMMON.items():
        spelling_of.register(op, spell)


def _add(op: merge.Add, layer: Layer) -> Spelling:
    return Spelling(expression=" + ".join, wording="+")


def _mul(op: merge.Mul, layer: Layer) -> Spelling:
    return Spelling(expression=" * ".join, wording="*")


def _sub(op: merge.Sub, layer: Layer) -> Spelling:
    return Spelling(expression=" - ".join, wording="-")


def _div(op: merge.Div, layer: Layer) -> Spelling:
    return Spelling(expression=" / ".join, wording="/")


def _slice(op: reshape.Slice, layer: Layer) -> Spelling:
    start = op.start or ""
    place = AXES[op.axis]
    stop = "" if op.stop in (None, layer.input_shapes[0][place]) else op.stop
    if start == stop == "":
        return Spelling(is_input=True)
    return expression(f"{{x}}[{':, ' * (1 + place)}{start}:{stop}]")


def _attention(op: attention.Attention, layer: Layer) -> Spelling:
    inputs = layer.input_shapes
    heads = (
        Argument("", "heads", op.heads),
        Argument("", "key_heads", op.served),
        Argument("", "scale", attention.scale_of(op, inputs)),
        Argument("", "size", inputs[0][1:]),
    )
    bias = Argument("bias", "bias", op.bias, "none")
    if op.partition == "none":
        return cell("Attention", *heads, Argument("", "key_size", inputs[1][1:]), bias)
    return cell(
        "WindowAttention",
        *heads,
        Argument("", "window", op.window),
        Argument("is_grid", "is_grid", op.partition == "grid", False),
        Argument("shift", "shift", op.shift, (0, 0)),
        bias,
    )


def _channel_shuffle(op: reshape.ChannelShuffle, layer: Layer) -> Spelling:
    return cell("nn.ChannelShuffle", Argument("", "groups", op.groups))


def _pixel_shuffle(op: rearrange.PixelShuffle, layer: Layer) -> Spelling:
    if op.factor == 1:
        return Spelling(is_input=True)
    factor = Argument("", "factor", op.factor)
    if op.order == "channels":
        return cell("nn.PixelShuffle", factor)
    return cell("DepthToSpace", factor, Argument("order", "order", op.order))


def _space_to_depth(op: rearrange.SpaceToDepth, layer: Layer) -> Spelling:
    if op.factor == 1:
        return Spelling(is_input=True)
    factor = Argument("", "factor", op.factor)
    if op.order == "channels":
        return cell("nn.PixelUnshuffle", factor)
    return cell("SpaceToDepth", factor, Argument("order", "order", op.order))


def _identity(op: reshape.Identity, layer: Layer) -> Spelling:
    return Spelling(is_input=True)


def _global_max_pool(op: pool.GlobalMaxPool, layer: Layer) -> Spelling:
    # reducing by MindSpore's ops.amax takes twice as long, and its gradient twenty times
    return cell("nn.AdaptiveMaxPool2d", Argument("", "extent", 1))


def _adaptive_avg_pool(op: pool.AdaptiveAvgPool, layer: Layer) -> Spelling:
    return cell("nn.AdaptiveAvgPool2d", Argument("", "size", scalar(op.size)))


def _adaptive_max_pool(op: pool.AdaptiveMaxPool, layer: Layer) -> Spelling:
    return cell("nn.AdaptiveMaxPool2d", Argument("", "size", scalar(op.size)))


def _drop_path(op: regularize.DropPath, layer: Layer) -> Spelling:
    # under its own name, so that a training loop can put one in its place that takes masks
    return cell("DropPath", Argument("", "rate", op.rate))


def _layer_scale(op: regularize.LayerScale, layer: Layer) -> Spelling:
    return cell("LayerScale", channels(layer), Argument("", "initial", op.initial))


def _param(op: learnt.Param, layer: Layer) -> Spelling:
    shape = Argument("", "shape", op.shape)
    initial = Argument("initial", "initial", op.initial, 0.0)
    return cell("Learnt" if op.trainable else "Fixed", shape, initial)


def _scale(op: activation.Scale, layer: Layer) -> Spelling:
    if op.gives_its_input(layer.input_shapes):
        return Spelling(is_input=True)
    return cell("Scale", Argument("", "factor", op.factor), Argument("", "offset", op.offset))


COMMON = {
    attention.Attention: _attention,
    activation.Scale: _scale,
    learnt.Param: _param,
    merge.Add: _add,
    merge.Sub: _sub,
    merge.Mul: _mul,
    merge.Div: _div,
    reshape.Slice: _slice,
    reshape.ChannelShuffle: _channel_shuffle,
    rearrange.PixelShuffle: _pixel_shuffle,
    rearrange.SpaceToDepth: _space_to_depth,
    reshape.Identity: _identity,
    pool.GlobalMaxPool: _global_max_pool,
    pool.AdaptiveAvgPool: _adaptive_avg_pool,
    pool.AdaptiveMaxPool: _adaptive_max_pool,
    regularize.DropPath: _drop_path,
    regularize.LayerScale: _layer_scale,
}
"""MindSpore and PyTorch have the same names in nn, and arguments, for these. DropPath,
LayerScale, Scale, Learnt, Fixed, DepthToSpace, SpaceToDepth, Attention and WindowAttention are
helpers of each target's cells.py."""
