"""How MindSpore spells each op: one function per op.

A cell's name is one of mindspore.nn or of the helper cells in cells.py, whose text travels with the
generated source.
"""

from __future__ import annotations

from functools import singledispatch

from archspec.compiler.targets.python.common import register_common
from archspec.compiler.targets.python.layout import call
from archspec.compiler.targets.python.spelling import (
    NO_SIDES,
    Argument,
    Spelling,
    add_sides,
    cell,
    channels,
    expression,
    of_two,
    reach,
    response,
    scalar,
    window,
)
from archspec.errors import SpecError
from archspec.node import Layer
from archspec.ops import (
    activation,
    axes,
    base,
    conv,
    linear,
    merge,
    norm,
    pool,
    rearrange,
    regularize,
    reshape,
    resize,
)
from archspec.shapes import resolve_padding


def spell(layer: Layer) -> Spelling:
    """How a layer is written."""
    return spelling_of(layer.op, layer)


@singledispatch
def spelling_of(op: base.Op, layer: Layer) -> Spelling:
    raise SpecError(f"the target mindspore has no {op.name}")


register_common(spelling_of)


# Convolution and dense.


@spelling_of.register
def _(op: conv.Conv, layer: Layer) -> Spelling:
    return cell(
        "StandardizedConv2d" if op.weight_standardization else "nn.Conv2d",
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("", "kernel", scalar(op.kernel)),
        Argument("stride", "stride", scalar(op.stride), 1),
        # MindSpore pads as TensorFlow does unless told otherwise
        Argument("pad_mode", "pad_mode", "pad"),
        Argument("padding", "padding", scalar(op.sides(layer.input_shapes)), 0),
        Argument("dilation", "dilation", scalar(op.dilation), 1),
        Argument("group", "groups", op.groups, 1),
        Argument("has_bias", "bias", op.bias, False),
    )


@spelling_of.register
def _(op: conv.ConvTranspose, layer: Layer) -> Spelling:
    # MindSpore's output_padding is zeros, to which no bias is added
    is_native = op.output_padding == (0, 0)
    more = [] if is_native else [Argument("", "output_padding", op.output_padding)]
    return cell(
        "nn.Conv2dTranspose" if is_native else "ExtendedConv2dTranspose",
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("", "kernel", scalar(op.kernel)),
        *more,
        Argument("stride", "stride", scalar(op.stride), 1),
        Argument("pad_mode", "pad_mode", "pad"),
        Argument("padding", "padding", scalar(op.padding), 0),
        Argument("dilation", "dilation", scalar(op.dilation), 1),
        Argument("group", "groups", op.groups, 1),
        Argument("has_bias", "bias", op.bias, False),
    )


@spelling_of.register
def _(op: linear.Dense, layer: Layer) -> Spelling:
    return cell(
        "nn.Dense",
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("has_bias", "bias", op.bias, True),
    )


# Normalisation.


@spelling_of.register
def _(op: norm.BatchNorm, layer: Layer) -> Spelling:
    return cell(
        "nn.BatchNorm1d" if len(layer.input_shapes[0]) == 1 else "nn.BatchNorm2d",
        channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
        # MindSpore announces the other sense of momentum with a default that says the same as 0.9
        # does now; what is not written means the same in both.
        Argument("momentum", "momentum", op.momentum, 0.9),
    )


@spelling_of.register
def _(op: norm.LayerNorm, layer: Layer) -> Spelling:
    return cell("ChannelNorm", channels(layer), Argument("epsilon", "epsilon", op.epsilon, 1e-6))


@spelling_of.register
def _(op: norm.GroupNorm, layer: Layer) -> Spelling:
    return cell(
        "nn.GroupNorm",
        Argument("", "groups", op.groups),
        channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
    )


@spelling_of.register
def _(op: norm.InstanceNorm, layer: Layer) -> Spelling:
    # nn.InstanceNorm2d runs on GPUs alone
    return cell(
        "nn.GroupNorm",
        Argument("", "channels", layer.input_shapes[0][0]),
        channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
    )


@spelling_of.register
def _(op: norm.RmsNorm, layer: Layer) -> Spelling:
    return cell("RMSNorm", channels(layer), Argument("epsilon", "epsilon", op.epsilon, 1e-6))


@spelling_of.register
def _(op: norm.LocalResponseNorm, layer: Layer) -> Spelling:
    return cell("LocalResponseNorm", *response(op))


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


@spelling_of.register
def _(op: activation.Act, layer: Layer) -> Spelling:
    if op.function in _ACTIVATIONS:
        return cell(_ACTIVATIONS[op.function])
    if op.function == "gelu":
        return cell("nn.GELU", Argument("approximate", "approximate", op.approximate))
    if op.function == "leaky_relu":
        return cell("nn.LeakyReLU", Argument("", "alpha", op.slope))
    if op.function == "elu":
        # nn.ELU takes no other alpha than 1
        return cell("nn.ELU") if op.slope == 1 else cell("ELU", Argument("", "alpha", op.slope))
    if op.function == "prelu":
        return cell("PReLU", channels(layer))
    if op.function in ("softplus", "square", "abs", "neg", "exp", "sqrt", "reciprocal"):
        return expression(f"ops.{op.function}({{x}})")
    raise SpecError(f"the target mindspore has no activation {op.function}")


@spelling_of.register
def _(op: activation.Softmax, layer: Layer) -> Spelling:
    if op.axis == "space":
        channels, height, width = layer.input_shapes[0]
        rows = f"ops.reshape({{x}}, (-1, {channels}, {height * width}))"
        shape = f"(-1, {channels}, {height}, {width})"
        return expression(f"ops.reshape(ops.softmax({rows}, 2), {shape})")
    return cell(
        "nn.Softmax", Argument("axis", "axis", {"channels": 1, "height": 2, "width": 3}[op.axis])
    )


# Pooling.


@spelling_of.register
def _(op: pool.MaxPool, layer: Layer) -> Spelling:
    arguments = window(op)
    sides, past = reach(op, layer)
    padding = add_sides(sides, past)
    if padding == NO_SIDES:
        return cell("nn.MaxPool2d", *arguments)
    _, height, width = layer.input_shapes[0]
    if padding == resolve_padding("same", op.kernel, op.stride, (1, 1), (height, width)):
        return cell("nn.MaxPool2d", *arguments, Argument("pad_mode", "pad_mode", "same"))
    return cell("PaddedMaxPool2d", *arguments, Argument("", "padding", scalar(padding)))


@spelling_of.register
def _(op: pool.AvgPool, layer: Layer) -> Spelling:
    arguments = window(op)
    sides, past = reach(op, layer)
    if sides == past == NO_SIDES:
        return cell("nn.AvgPool2d", *arguments)
    top, bottom, left, right = sides
    # nn.AvgPool2d takes one padding for both sides, of half the kernel at most
    is_native = top == bottom <= op.kernel[0] / 2 and left == right <= op.kernel[1] / 2
    if past == NO_SIDES and is_native:
        return cell(
            "nn.AvgPool2d",
            *arguments,
            Argument("pad_mode", "pad_mode", "pad"),
            Argument("padding", "padding", scalar((top, left))),
            Argument("count_include_pad", "count_padding", op.count_padding, True),
        )
    counted, uncounted = (sides, past) if op.count_padding else (NO_SIDES, add_sides(sides, past))
    return cell(
        "PaddedAvgPool2d",
        *arguments,
        Argument("counted", "counted", scalar(counted), 0),
        Argument("uncounted", "uncounted", scalar(uncounted), 0),
    )


@spelling_of.register
def _(op: pool.GlobalAvgPool, layer: Layer) -> Spelling:
    return expression("ops.mean({x}, (2, 3), keep_dims=True)")


@spelling_of.register
def _(op: pool.Reduce, layer: Layer) -> Spelling:
    if op.over == "space" and op.function == "max":
        return spelling_of(pool.GlobalMaxPool(), layer)
    axes = tuple(1 + axis for axis in pool.REDUCED[op.over])
    if op.function == "norm2":
        return cell("Norm2", Argument("", "axes", axes))
    function, keep = {
        "mean": ("ops.mean", "keep_dims"),
        "sum": ("ops.sum", "keepdim"),
        "max": ("ops.amax", "keepdims"),
    }[op.function]
    return expression(f"{function}({{x}}, {scalar(axes)}, {keep}=True)")


# Ops for training. Dropout and drop_path stay cells under their own names, so that a training loop
# can put cells in their place that take masks made elsewhere.


@spelling_of.register
def _(op: regularize.Dropout, layer: Layer) -> Spelling:
    return cell("nn.Dropout", Argument("p", "rate", op.rate))


# Several streams into one.


@spelling_of.register
def _(op: merge.Max, layer: Layer) -> Spelling:
    return of_two("ops.maximum")


@spelling_of.register
def _(op: merge.Min, layer: Layer) -> Spelling:
    return of_two("ops.minimum")


@spelling_of.register
def _(op: merge.Concat, layer: Layer) -> Spelling:
    if len(layer.input_shapes) == 1:
        return Spelling(is_input=True)
    axis = f"axis={1 + base.AXES[op.axis]}"
    return Spelling(
        expression=lambda names: call("ops.cat", call("", *names), axis), wording=f"cat {axis}"
    )


# Moving values.


@spelling_of.register
def _(op: axes.Matmul, layer: Layer) -> Spelling:
    return Spelling(expression=lambda names: f"ops.matmul({', '.join(names)})", wording="matmul")


@spelling_of.register
def _(op: axes.Permute, layer: Layer) -> Spelling:
    order = ", ".join(str(axis) for axis in (0, *(1 + axis for axis in op.axes)))
    return expression(f"ops.transpose({{x}}, ({order}))")


@spelling_of.register
def _(op: axes.Reshape, layer: Layer) -> Spelling:
    shape = ", ".join(map(str, layer.output_shapes[0]))
    return expression(f"ops.reshape({{x}}, (-1, {shape}))")


@spelling_of.register
def _(op: reshape.Flatten, layer: Layer) -> Spelling:
    return expression("ops.flatten({x})")


@spelling_of.register
def _(op: reshape.Split, layer: Layer) -> Spelling:
    axis = 1 + base.AXES[op.axis]
    sizes = op.sizes_of(layer.input_shapes[0][axis - 1])
    if op.groups > 1:
        return cell("GroupedSplit", Argument("", "groups", op.groups), Argument("", "sizes", sizes))
    if op.parts is not None:
        return expression(f"ops.chunk({{x}}, {op.parts}, axis={axis})")
    return expression(f"ops.split({{x}}, {sizes}, axis={axis})")


@spelling_of.register
def _(op: resize.Upsample, layer: Layer) -> Spelling:
    factors = op.factors(layer.input_shapes)
    extent = Argument("", "extent", layer.input_shapes[0][1:])
    size = Argument("", "size", layer.output_shapes[0][1:])
    corners = Argument("align_corners", "align_corners", op.align_corners, False)
    if op.mode == "bicubic":
        return cell("BicubicResize", extent, size, corners)
    if op.mode == "bilinear" and (factors is None or op.align_corners):
        return cell("BilinearResize", size, corners)
    if factors is None:
        return cell("NearestResize", extent, size)
    kind = "NearestUpsample" if op.mode == "nearest" else "BilinearUpsample"
    return cell(kind, Argument("", "scale", factors))


@spelling_of.register
def _(op: reshape.Pad, layer: Layer) -> Spelling:
    if op.padding == NO_SIDES:
        return Spelling(is_input=True)
    return cell("Pad", Argument("", "padding", scalar(op.padding)), Argument("", "value", op.value))


@spelling_of.register
def _(op: rearrange.Roll, layer: Layer) -> Spelling:
    if op.gives_its_input(layer.input_shapes):
        return Spelling(is_input=True)
    return cell("Roll", Argument("", "shift", op.steps(layer.input_shapes)))


@spelling_of.register
def _(op: reshape.Zero, layer: Layer) -> Spelling:
    return expression("ops.zeros_like({x})")
