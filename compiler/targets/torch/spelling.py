"""How PyTorch spells each op: one function per op.

A cell's name is one of torch.nn or of the helper modules in cells.py, whose text travels with the
generated source.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

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
from archspec.shapes import Pair, Sides, elements


def spell(layer: Layer) -> Spelling:
    """How a layer is written."""
    return spelling_of(layer.op, layer)


@singledispatch
def spelling_of(op: base.Op, layer: Layer) -> Spelling:
    raise SpecError(f"the target torch has no {op.name}")


register_common(spelling_of)


def border(sides: Sides) -> Any:
    """(top, bottom, left, right) in the order of F.pad."""
    top, bottom, left, right = sides
    return (left, right, top, bottom)


def is_symmetric(sides: Sides) -> bool:
    return sides[0] == sides[1] and sides[2] == sides[3]


# Convolution and dense.


@spelling_of.register
def _(op: conv.Conv, layer: Layer) -> Spelling:
    sides = op.sides(layer.input_shapes)
    name = "StandardizedConv2d" if op.weight_standardization else "Conv2d"
    if is_symmetric(sides):
        name = name if op.weight_standardization else f"nn.{name}"
        padding = Argument("padding", "padding", scalar((sides[0], sides[2])), 0)
    else:
        name = f"Padded{name}"
        padding = Argument("border", "border", border(sides))
    return cell(
        name,
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("", "kernel", scalar(op.kernel)),
        Argument("stride", "stride", scalar(op.stride), 1),
        padding,
        Argument("dilation", "dilation", scalar(op.dilation), 1),
        Argument("groups", "groups", op.groups, 1),
        Argument("bias", "bias", op.bias, True),
    )


@spelling_of.register
def _(op: conv.ConvTranspose, layer: Layer) -> Spelling:
    top, bottom, left, right = op.padding
    # PyTorch cuts off as much on both sides, less the output padding
    more = (top - bottom + op.output_padding[0], left - right + op.output_padding[1])
    is_native = all(
        0 <= rows < max(steps) for rows, *steps in zip(more, op.stride, op.dilation, strict=True)
    )
    if is_native:
        name, padding = "nn.ConvTranspose2d", Argument("padding", "padding", scalar((top, left)), 0)
    else:
        name, more = "CroppedConvTranspose2d", op.output_padding
        padding = Argument("border", "border", border(op.padding))
    return cell(
        name,
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("", "kernel", scalar(op.kernel)),
        Argument("stride", "stride", scalar(op.stride), 1),
        padding,
        Argument("output_padding", "output_padding", scalar(more), 0),
        Argument("groups", "groups", op.groups, 1),
        Argument("bias", "bias", op.bias, True),
        Argument("dilation", "dilation", scalar(op.dilation), 1),
    )


@spelling_of.register
def _(op: linear.Dense, layer: Layer) -> Spelling:
    return cell(
        "nn.Linear",
        Argument("", "in_channels", layer.input_shapes[0][0]),
        Argument("", "channels", op.channels),
        Argument("bias", "bias", op.bias, True),
    )


# Normalisation.


@spelling_of.register
def _(op: norm.BatchNorm, layer: Layer) -> Spelling:
    return cell(
        "nn.BatchNorm1d" if len(layer.input_shapes[0]) == 1 else "nn.BatchNorm2d",
        channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
        # what a step brings to the running statistics, which a spec says as what they keep
        Argument("momentum", "momentum", round(1 - op.momentum, 12), 0.1),
    )


@spelling_of.register
def _(op: norm.LayerNorm, layer: Layer) -> Spelling:
    return cell(
        "nn.LayerNorm" if len(layer.input_shapes[0]) == 1 else "LayerNorm2d",
        channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
    )


@spelling_of.register
def _(op: norm.GroupNorm, layer: Layer) -> Spelling:
    shape = layer.input_shapes[0]
    return cell(
        "GroupNormOfOne" if elements(shape) == op.groups else "nn.GroupNorm",
        Argument("", "groups", op.groups),
        channels(layer),
        Argument("eps", "epsilon", op.epsilon, 1e-5),
    )


@spelling_of.register
def _(op: norm.InstanceNorm, layer: Layer) -> Spelling:
    shape = layer.input_shapes[0]
    epsilon = Argument("eps", "epsilon", op.epsilon, 1e-5)
    if elements(shape[1:]) == 1:  # of which nn.InstanceNorm2d takes none
        return cell("GroupNormOfOne", channels(layer), channels(layer), epsilon)
    return cell("nn.InstanceNorm2d", channels(layer), epsilon, Argument("affine", "affine", True))


@spelling_of.register
def _(op: norm.RmsNorm, layer: Layer) -> Spelling:
    return cell("RMSNorm", channels(layer), Argument("eps", "epsilon", op.epsilon, 1e-6))


@spelling_of.register
def _(op: norm.LocalResponseNorm, layer: Layer) -> Spelling:
    return cell("nn.LocalResponseNorm", *response(op))


# Activations.

_ACTIVATIONS = {
    "relu": "nn.ReLU",
    "relu6": "nn.ReLU6",
    "silu": "nn.SiLU",
    "hswish": "nn.Hardswish",
    "hsigmoid": "nn.Hardsigmoid",
    "sigmoid": "nn.Sigmoid",
    "tanh": "nn.Tanh",
    "mish": "nn.Mish",
    "softplus": "nn.Softplus",
}


@spelling_of.register
def _(op: activation.Act, layer: Layer) -> Spelling:
    if op.function in _ACTIVATIONS:
        return cell(_ACTIVATIONS[op.function])
    if op.function == "gelu":
        tanh = [Argument("approximate", "approximate", "tanh")] if op.approximate else []
        return cell("nn.GELU", *tanh)
    if op.function == "leaky_relu":
        return cell("nn.LeakyReLU", Argument("", "alpha", op.slope))
    if op.function == "elu":
        return cell("nn.ELU") if op.slope == 1 else cell("nn.ELU", Argument("", "alpha", op.slope))
    if op.function == "prelu":
        return cell("nn.PReLU", channels(layer))
    if op.function in ("square", "abs", "neg", "exp", "sqrt", "reciprocal"):
        return expression(f"torch.{op.function}({{x}})")
    raise SpecError(f"the target torch has no activation {op.function}")


@spelling_of.register
def _(op: activation.Softmax, layer: Layer) -> Spelling:
    if op.axis == "space":
        return expression("{x}.flatten(2).softmax(2).view_as({x})")
    return cell(
        "nn.Softmax", Argument("dim", "dim", {"channels": 1, "height": 2, "width": 3}[op.axis])
    )


# Pooling. PyTorch takes one padding for both sides, of half the kernel at most.


def has_native_padding(sides: Sides, kernel: Pair) -> bool:
    is_small = sides[0] <= kernel[0] // 2 and sides[2] <= kernel[1] // 2
    return is_symmetric(sides) and is_small


@spelling_of.register
def _(op: pool.MaxPool, layer: Layer) -> Spelling:
    sides, past = reach(op, layer)
    if has_native_padding(sides, op.kernel):
        return cell("nn.MaxPool2d", *window(op), *_padding(sides, past))
    return cell(
        "PaddedMaxPool2d", *window(op), Argument("", "border", border(add_sides(sides, past)))
    )


@spelling_of.register
def _(op: pool.AvgPool, layer: Layer) -> Spelling:
    sides, past = reach(op, layer)
    if has_native_padding(sides, op.kernel):
        is_counted = op.count_padding or sides == NO_SIDES
        counting = Argument("count_include_pad", "count_padding", is_counted, True)
        return cell("nn.AvgPool2d", *window(op), *_padding(sides, past), counting)
    counted, uncounted = (sides, past) if op.count_padding else (NO_SIDES, add_sides(sides, past))
    return cell(
        "PaddedAvgPool2d",
        *window(op),
        Argument("counted", "counted", border(counted), NO_SIDES),
        Argument("uncounted", "uncounted", border(uncounted), NO_SIDES),
    )


def _padding(sides: Sides, past: Sides) -> tuple[Argument, Argument]:
    """The padding of a native pool, and whether a last window may reach past it."""
    return (
        Argument("padding", "padding", scalar((sides[0], sides[2])), 0),
        Argument("ceil_mode", "ceil", past != NO_SIDES, False),
    )


@spelling_of.register
def _(op: pool.GlobalAvgPool, layer: Layer) -> Spelling:
    return expression("{x}.mean((2, 3), keepdim=True)")


@spelling_of.register
def _(op: pool.Reduce, layer: Layer) -> Spelling:
    if op.over == "space" and op.function == "max":
        return spelling_of(pool.GlobalMaxPool(), layer)
    axes = scalar(tuple(1 + axis for axis in pool.REDUCED[op.over]))
    if op.function == "norm2":
        return expression(f"torch.linalg.vector_norm({{x}}, dim={axes}, keepdim=True)")
    function = "amax" if op.function == "max" else op.function
    return expression(f"{{x}}.{function}({axes}, keepdim=True)")


# Ops for training. Dropout and drop_path stay modules under their own names, so that a training
# loop can put modules in their place that take masks made elsewhere.


@spelling_of.register
def _(op: regularize.Dropout, layer: Layer) -> Spelling:
    return cell("nn.Dropout", Argument("", "rate", op.rate))


# Several streams into one.


@spelling_of.register
def _(op: merge.Max, layer: Layer) -> Spelling:
    return of_two("torch.maximum")


@spelling_of.register
def _(op: merge.Min, layer: Layer) -> Spelling:
    return of_two("torch.minimum")


@spelling_of.register
def _(op: merge.Concat, layer: Layer) -> Spelling:
    if len(layer.input_shapes) == 1:
        return Spelling(is_input=True)
    axis = f"dim={1 + base.AXES[op.axis]}"
    return Spelling(
        expression=lambda names: call("torch.cat", call("", *names), axis), wording=f"cat {axis}"
    )


# Moving values.


@spelling_of.register
def _(op: axes.Matmul, layer: Layer) -> Spelling:
    return Spelling(expression=" @ ".join, wording="@")


@spelling_of.register
def _(op: axes.Permute, layer: Layer) -> Spelling:
    order = ", ".join(str(axis) for axis in (0, *(1 + axis for axis in op.axes)))
    return expression(f"{{x}}.permute({order})")


@spelling_of.register
def _(op: axes.Reshape, layer: Layer) -> Spelling:
    shape = ", ".join(map(str, layer.output_shapes[0]))
    return expression(f"{{x}}.reshape(-1, {shape})")


@spelling_of.register
def _(op: reshape.Flatten, layer: Layer) -> Spelling:
    return expression("{x}.flatten(1)")


@spelling_of.register
def _(op: reshape.Split, layer: Layer) -> Spelling:
    axis = 1 + base.AXES[op.axis]
    sizes = op.sizes_of(layer.input_shapes[0][axis - 1])
    if op.groups > 1:
        return cell("GroupedSplit", Argument("", "groups", op.groups), Argument("", "sizes", sizes))
    if op.parts is not None:
        return expression(f"{{x}}.chunk({op.parts}, dim={axis})")
    return expression(f"{{x}}.split({sizes}, dim={axis})")


@spelling_of.register
def _(op: resize.Upsample, layer: Layer) -> Spelling:
    factors = op.factors(layer.input_shapes)
    size = layer.output_shapes[0][1:]
    if factors is None:
        how = Argument("size", "size", scalar(size))
    else:
        how = Argument("scale_factor", "scale", scalar(factors))
    if op.mode != "nearest":
        mode = Argument("mode", "mode", op.mode)
        corners = Argument("align_corners", "align_corners", op.align_corners, False)
        return cell("nn.Upsample", how, mode, corners)
    # "nearest" divides by the scale in float32 and misses a pixel for 41, say; never for these
    if factors is None:
        extent = Argument("", "extent", layer.input_shapes[0][1:])
        return cell("NearestResize", extent, Argument("", "size", size))
    if all(factor & (factor - 1) == 0 for factor in factors):
        return cell("nn.Upsample", how)
    return cell("nn.Upsample", how, Argument("mode", "mode", "nearest-exact"))


@spelling_of.register
def _(op: reshape.Pad, layer: Layer) -> Spelling:
    if op.padding == NO_SIDES:
        return Spelling(is_input=True)
    sides = Argument("", "padding", scalar(border(op.padding)))
    if op.value == 0:
        return cell("nn.ZeroPad2d", sides)
    return cell("nn.ConstantPad2d", sides, Argument("", "value", op.value))


@spelling_of.register
def _(op: rearrange.Roll, layer: Layer) -> Spelling:
    if op.gives_its_input(layer.input_shapes):
        return Spelling(is_input=True)
    return expression(f"{{x}}.roll({op.steps(layer.input_shapes)}, (2, 3))")


@spelling_of.register
def _(op: reshape.Zero, layer: Layer) -> Spelling:
    return cell("Zero")
