"""How MindSpore spells each op: a cell made once in __init__, or an expression in construct.

One function per op. A cell's name is one of mindspore.nn or of the helper cells in cells.py, whose
text travels with the generated source. Numbers are arguments, so that blocks which differ in
nothing else can share a class; whatever an expression holds is part of the class's text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, NamedTuple

from archspec.node import Layer
from archspec.ops import activation, base, conv, linear, merge, norm, pool, regularize, reshape
from archspec.shapes import Pair, Shape, Sides, resolve_padding, window_extent

NO_SIDES = (0, 0, 0, 0)


@dataclass(frozen=True)
class Symbol:
    """A value that is written as a name of the generated module, such as nn.ReLU."""

    name: str


class Argument(NamedTuple):
    """One argument of a cell. `role` is what a class that passes it on calls it; an argument whose
    value is always the cell's own `default` is not written; `keyword` is "" where the position
    says it."""

    keyword: str
    role: str
    value: Any
    default: Any = None


@dataclass(frozen=True)
class Spelling:
    """A cell with its arguments, or an expression over the names of its inputs.

    `is_bare` is a cell without arguments, which a class may take as an argument itself. A result
    that `is_input` is its input under another name.
    """

    cell: str = ""
    arguments: tuple[Argument, ...] = ()
    expression: Callable[[Sequence[str]], str] | None = None
    wording: str = ""
    """What tells one expression from another."""
    is_input: bool = False

    @property
    def is_bare(self) -> bool:
        return bool(self.cell) and not self.arguments


def spelled(layer: Layer) -> Spelling:
    """How a layer is written."""
    return _spelled(layer.op, layer)


@singledispatch
def _spelled(op: base.Op, layer: Layer) -> Spelling:
    raise NotImplementedError(f"MindSpore has no spelling for {op.name}")


def _cell(name: str, *arguments: Argument) -> Spelling:
    return Spelling(name, arguments)


def _expression(pattern: str) -> Spelling:
    """An expression of one input, which stands for {x}."""
    return Spelling(expression=lambda names: pattern.replace("{x}", names[0]), wording=pattern)


def _channels(layer: Layer) -> Argument:
    return Argument("", "channels", layer.input_shapes[0][0])


# Convolution and dense.


@_spelled.register
def _(op: conv.Conv, layer: Layer) -> Spelling:
    return _cell(
        "StandardizedConv2d" if op.weight_standardization else "nn.Conv2d",
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("", "kernel", _scalar(op.kernel)),
        Argument("stride", "stride", _scalar(op.stride), 1),
        # MindSpore pads as TensorFlow does unless told otherwise
        Argument("pad_mode", "pad_mode", "pad"),
        Argument("padding", "padding", _scalar(op.sides(layer.input_shapes)), 0),
        Argument("dilation", "dilation", _scalar(op.dilation), 1),
        Argument("group", "groups", op.groups, 1),
        Argument("has_bias", "bias", op.bias, False),
    )


@_spelled.register
def _(op: linear.Dense, layer: Layer) -> Spelling:
    return _cell(
        "nn.Dense",
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("has_bias", "bias", op.bias, True),
    )


# Normalisation.


@_spelled.register
def _(op: norm.BatchNorm, layer: Layer) -> Spelling:
    return _cell(
        "nn.BatchNorm1d" if len(layer.input_shapes[0]) == 1 else "nn.BatchNorm2d",
        _channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
        # MindSpore announces the other sense of momentum with a default that says the same as 0.9
        # does now; what is not written means the same in both.
        Argument("momentum", "momentum", op.momentum, 0.9),
    )


@_spelled.register
def _(op: norm.LayerNorm, layer: Layer) -> Spelling:
    return _cell("ChannelNorm", _channels(layer), Argument("epsilon", "epsilon", op.epsilon, 1e-6))


@_spelled.register
def _(op: norm.GroupNorm, layer: Layer) -> Spelling:
    return _cell(
        "nn.GroupNorm",
        Argument("", "groups", op.groups),
        _channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
    )


# Activations.

_ACTIVATIONS = {
    "relu": "nn.ReLU",
    "relu6": "nn.ReLU6",
    "silu": "nn.SiLU",
    "hswish": "nn.HSwish",
    "hsigmoid": "nn.HSigmoid",
    "sigmoid": "nn.Sigmoid",
    "tanh": "nn.Tanh",
    "mish": "Mish",
}


@_spelled.register
def _(op: activation.Act, layer: Layer) -> Spelling:
    if op.function in _ACTIVATIONS:
        return _cell(_ACTIVATIONS[op.function])
    if op.function == "gelu":
        return _cell("nn.GELU", Argument("approximate", "approximate", op.approximate))
    if op.function == "leaky_relu":
        return _cell("nn.LeakyReLU", Argument("", "alpha", op.slope))
    if op.function == "elu":
        # nn.ELU takes no other alpha than 1
        return _cell("nn.ELU") if op.slope == 1 else _cell("ELU", Argument("", "alpha", op.slope))
    if op.function == "prelu":
        return _cell("PReLU", _channels(layer))
    raise NotImplementedError(f"MindSpore has no spelling for {op.function}")


@_spelled.register
def _(op: activation.Softmax, layer: Layer) -> Spelling:
    return _cell("nn.Softmax", Argument("axis", "axis", 1))


# Pooling.


@_spelled.register
def _(op: pool.MaxPool, layer: Layer) -> Spelling:
    arguments = (
        Argument("", "kernel", _scalar(op.kernel)),
        Argument("", "stride", _scalar(op.stride)),
    )
    sides, reach = _reach(op, layer)
    padding = _sum(sides, reach)
    if padding == NO_SIDES:
        return _cell("nn.MaxPool2d", *arguments)
    _, height, width = layer.input_shapes[0]
    if padding == resolve_padding("same", op.kernel, op.stride, (1, 1), (height, width)):
        return _cell("nn.MaxPool2d", *arguments, Argument("pad_mode", "pad_mode", "same"))
    return _cell("PaddedMaxPool2d", *arguments, Argument("", "padding", _scalar(padding)))


@_spelled.register
def _(op: pool.AvgPool, layer: Layer) -> Spelling:
    arguments = (
        Argument("", "kernel", _scalar(op.kernel)),
        Argument("", "stride", _scalar(op.stride)),
    )
    sides, reach = _reach(op, layer)
    if sides == reach == NO_SIDES:
        return _cell("nn.AvgPool2d", *arguments)
    top, bottom, left, right = sides
    # nn.AvgPool2d takes one padding for both sides, of half the kernel at most
    is_native = top == bottom <= op.kernel[0] / 2 and left == right <= op.kernel[1] / 2
    if reach == NO_SIDES and is_native:
        return _cell(
            "nn.AvgPool2d",
            *arguments,
            Argument("pad_mode", "pad_mode", "pad"),
            Argument("padding", "padding", _scalar((top, left))),
            Argument("count_include_pad", "count_padding", op.count_padding, True),
        )
    counted, uncounted = (sides, reach) if op.count_padding else (NO_SIDES, _sum(sides, reach))
    return _cell(
        "PaddedAvgPool2d",
        *arguments,
        Argument("counted", "counted", _scalar(counted), 0),
        Argument("uncounted", "uncounted", _scalar(uncounted), 0),
    )


def _reach(op: pool.MaxPool | pool.AvgPool, layer: Layer) -> tuple[Sides, Sides]:
    """The padding, and how far a last ceil window reaches past it."""
    _, height, width = layer.input_shapes[0]
    sides = op.sides(layer.input_shapes)
    outputs = window_extent((height, width), op.kernel, op.stride, (1, 1), sides, op.ceil)
    reach: list[int] = []
    for axis, extent in ((0, height), (1, width)):
        span = (outputs[axis] - 1) * op.stride[axis] + op.kernel[axis]
        reach += [0, max(span - extent - sides[2 * axis] - sides[2 * axis + 1], 0)]
    return sides, (reach[0], reach[1], reach[2], reach[3])


@_spelled.register
def _(op: pool.GlobalAvgPool, layer: Layer) -> Spelling:
    return _expression("ops.mean({x}, (2, 3), keep_dims=True)")


@_spelled.register
def _(op: pool.GlobalMaxPool, layer: Layer) -> Spelling:
    # reducing by ops.amax takes twice as long, and its gradient twenty times
    return _cell("nn.AdaptiveMaxPool2d", Argument("", "extent", 1))


# Ops for training. Dropout and drop_path stay cells under their own names, so that a training loop
# can put cells in their place that take masks made elsewhere.


@_spelled.register
def _(op: regularize.Dropout, layer: Layer) -> Spelling:
    return _cell("nn.Dropout", Argument("p", "rate", op.rate))


@_spelled.register
def _(op: regularize.DropPath, layer: Layer) -> Spelling:
    return _cell("DropPath", Argument("", "rate", op.rate))


@_spelled.register
def _(op: regularize.LayerScale, layer: Layer) -> Spelling:
    return _cell("LayerScale", _channels(layer), Argument("", "initial", op.initial))


# Several streams into one.


@_spelled.register
def _(op: merge.Add, layer: Layer) -> Spelling:
    return Spelling(expression=" + ".join, wording="+")


@_spelled.register
def _(op: merge.Mul, layer: Layer) -> Spelling:
    return Spelling(expression=" * ".join, wording="*")


@_spelled.register
def _(op: merge.Concat, layer: Layer) -> Spelling:
    if len(layer.input_shapes) == 1:
        return Spelling(is_input=True)
    return Spelling(
        expression=lambda names: f"ops.cat(({', '.join(names)}), axis=1)", wording="cat"
    )


# Moving values.


@_spelled.register
def _(op: reshape.Flatten, layer: Layer) -> Spelling:
    return _expression("ops.flatten({x})")


@_spelled.register
def _(op: reshape.Split, layer: Layer) -> Spelling:
    return _expression(f"ops.chunk({{x}}, {op.parts}, axis=1)")


@_spelled.register
def _(op: reshape.Slice, layer: Layer) -> Spelling:
    start = op.start or ""
    stop = "" if op.stop in (None, layer.input_shapes[0][0]) else op.stop
    if start == stop == "":
        return Spelling(is_input=True)
    return _expression(f"{{x}}[:, {start}:{stop}]")


@_spelled.register
def _(op: reshape.ChannelShuffle, layer: Layer) -> Spelling:
    return _cell("nn.ChannelShuffle", Argument("", "groups", op.groups))


@_spelled.register
def _(op: reshape.Upsample, layer: Layer) -> Spelling:
    if op.mode == "nearest":
        return _cell("NearestUpsample", Argument("", "scale", op.scale))
    return _cell("BilinearUpsample", Argument("", "scale", op.scale))


@_spelled.register
def _(op: reshape.Pad, layer: Layer) -> Spelling:
    if op.padding == NO_SIDES:
        return Spelling(is_input=True)
    return _cell(
        "Pad", Argument("", "padding", _scalar(op.padding)), Argument("", "value", op.value)
    )


@_spelled.register
def _(op: reshape.Identity, layer: Layer) -> Spelling:
    return Spelling(is_input=True)


def _scalar(values: Pair | Sides | Shape) -> Any:
    """(3, 3) as people write it: 3."""
    return values[0] if len(set(values)) == 1 else values


def _sum(one: Sides, other: Sides) -> Sides:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])
