"""Convolution, ordinary, grouped, depthwise (groups equal to the input channels) and dilated; and
transposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.ops.base import (
    BOOLEAN,
    PADDING,
    PADDING_DOC,
    PAIR,
    PAIR_DOC,
    POSITIVE,
    SIDE,
    SIDES,
    Fans,
    Folding,
    Op,
    Weight,
    Window,
    Work,
    as_pair,
    as_sides,
    attribute,
    divides,
    image,
    several,
)
from archspec.ops.page import Page
from archspec.shapes import (
    Padding,
    Pair,
    ShapeError,
    Shapes,
    Sides,
    effective_kernel,
    elements,
    resolve_padding,
    resolve_window,
    settle_padding,
    window_extent,
)


@dataclass(frozen=True)
class Conv(Op):
    name = "conv"
    doc = "2-D convolution (cross-correlation, zero padding)"
    category = "conv"
    page = Page(
        "channels attribute; (height + top + bottom - dilation * (kernel - 1) - 1) // "
        "stride + 1, width alike",
        '{"op": "conv", "channels": 32, "kernel": 3, "stride": 2}',
        "out_channels * out_height * out_width * (in_channels // groups) * "
        "kernel_height * kernel_width",
    )

    channels: int = attribute(POSITIVE, "output channels")
    kernel: Pair = attribute(PAIR, PAIR_DOC, convert=as_pair)
    stride: Pair = attribute(PAIR, PAIR_DOC, 1, as_pair)
    padding: Padding = attribute(PADDING, PADDING_DOC, "half", as_sides)
    dilation: Pair = attribute(PAIR, PAIR_DOC, 1, as_pair)
    groups: int = attribute(
        POSITIVE, "groups of channels convolved apart; in_channels is depthwise", 1
    )
    bias: bool = attribute(BOOLEAN, "add a learnt constant per output channel", False)
    weight_standardization: bool = attribute(
        BOOLEAN,
        "normalise each filter: (w - mean) / (sqrt(n / (n - 1) * mean(w ** 2)) + 5e-4), w already"
        " centred, n weights a filter",
        False,
    )

    def simplify(self) -> Mapping[str, Any]:
        down, right = (
            1 if size == 1 else step for size, step in zip(self.kernel, self.dilation, strict=True)
        )
        padding = settle_padding(
            self.padding, self.kernel, self.stride, (down, right), ("half", "valid", "same")
        )
        return {"dilation": (down, right), "padding": padding}

    def resolve(self, inputs: Shapes) -> Op:
        _, height, width = inputs[0]
        _, down, right = self.infer(inputs)[0]
        stride, padding = resolve_window(
            (height, width), self.kernel, self.stride, self.dilation, self.sides(inputs),
            (down, right), ("half", "valid", "same"),
        )  # fmt: skip
        return replace(self, stride=stride, padding=padding)

    def sides(self, inputs: Shapes) -> Sides:
        """Padding as explicit (top, bottom, left, right) for this input."""
        _, *extent = inputs[0]
        return resolve_padding(
            self.padding, self.kernel, self.stride, self.dilation, (extent[0], extent[1])
        )

    def infer(self, inputs: Shapes) -> Shapes:
        channels, height, width = image(inputs[0], "conv")
        divides(self.groups, channels, "the number of input channels")
        divides(self.groups, self.channels, "the number of output channels")
        if self.weight_standardization and self.kernel == (1, 1) and channels == self.groups:
            raise ShapeError(
                "weight_standardization needs filters of at least 2 weights, not 1x1x1; use a"
                " larger kernel or fewer groups"
            )
        extent = window_extent(
            (height, width), self.kernel, self.stride, self.dilation, self.sides(inputs)
        )
        return ((self.channels, *extent),)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        shape = (self.channels, inputs[0][0] // self.groups, *self.kernel)
        kernel = Weight("weight", shape, start=None)
        return (kernel, Weight("bias", (self.channels,), start=None)) if self.bias else (kernel,)

    def fans(self, inputs: Shapes) -> Fans | None:
        taps = elements(self.kernel)
        return Fans(inputs[0][0] // self.groups * taps, self.channels * taps)

    def work(self) -> Work:
        return Work("convolve", elements(self.kernel), self.groups)

    def folding(self) -> Folding:
        """Filters that are standardised have lost their scale before they are used."""
        return "nothing" if self.weight_standardization else "affine"

    def macs(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0]) * (inputs[0][0] // self.groups) * elements(self.kernel)

    def sees(self, inputs: Shapes) -> Window:
        spans = tuple(map(effective_kernel, self.kernel, self.dilation))
        top, _, left, _ = self.sides(inputs)
        return Window((spans[0], spans[1]), self.stride, (top, left))


@dataclass(frozen=True)
class ConvTranspose(Op):
    """Pixel (i, j) adds its kernel to the full result from (stride i, stride j) on; what padding
    says is cut off from that. A weight is (channels in, channels out / groups, height, width)."""

    name = "conv_transpose"
    doc = "transposed 2-D convolution (deconvolution): every pixel adds its kernel, stride apart"
    category = "conv"
    page = Page(
        "channels attribute; (height - 1) * stride + dilation * (kernel - 1) + 1 - "
        "top - bottom + output_padding, width alike",
        '{"op": "conv_transpose", "channels": 8, "kernel": 2, "stride": 2}',
        "in_channels * in_height * in_width * (out_channels // groups) * "
        "kernel_height * kernel_width",
    )

    channels: int = attribute(POSITIVE, "output channels")
    kernel: Pair = attribute(PAIR, PAIR_DOC, convert=as_pair)
    stride: Pair = attribute(PAIR, PAIR_DOC, 1, as_pair)
    padding: Sides = attribute(
        SIDES,
        "rows and columns cut off the full result, whose height is (height - 1) * stride +"
        " kernel: one number, [rows, columns] or [top, bottom, left, right]",
        0,
        as_sides,
    )
    output_padding: Pair = attribute(
        {"anyOf": [SIDE, several(SIDE, 2)]},
        "rows and columns of which less is cut off at the bottom and at the right: one number or"
        " [rows, columns], less than stride or dilation",
        0,
        as_pair,
    )
    dilation: Pair = attribute(PAIR, PAIR_DOC, 1, as_pair)
    groups: int = attribute(POSITIVE, "groups of channels convolved apart", 1)
    bias: bool = attribute(BOOLEAN, "add a learnt constant per output channel", False)

    def simplify(self) -> Mapping[str, Any]:
        """Output padding only stays where nothing is cut off that it could give back."""
        down, right = (
            1 if size == 1 else step for size, step in zip(self.kernel, self.dilation, strict=True)
        )
        top, bottom, left, after = self.padding
        back = (min(bottom, self.output_padding[0]), min(after, self.output_padding[1]))
        return {
            "dilation": (down, right),
            "padding": (top, bottom - back[0], left, after - back[1]),
            "output_padding": (self.output_padding[0] - back[0], self.output_padding[1] - back[1]),
        }

    def resolve(self, inputs: Shapes) -> Op:
        """A single row or column has no next one to be a stride away from."""
        down, right = (
            1 if extent == 1 and more == 0 else step
            for extent, more, step in zip(
                inputs[0][1:], self.output_padding, self.stride, strict=True
            )
        )
        return replace(self, stride=(down, right))

    def infer(self, inputs: Shapes) -> Shapes:
        channels, *extent = image(inputs[0], self.name)
        divides(self.groups, channels, "the number of input channels")
        divides(self.groups, self.channels, "the number of output channels")
        result: list[int] = []
        for axis, name in ((0, "height"), (1, "width")):
            more, step = self.output_padding[axis], max(self.stride[axis], self.dilation[axis])
            if more >= step:
                raise ShapeError(
                    f"an output_padding of {more} beyond what padding cuts off must be less than"
                    f" the stride or dilation {step}; use a smaller one, or a pad behind it"
                )
            before, after = self.padding[2 * axis : 2 * axis + 2]
            span = effective_kernel(self.kernel[axis], self.dilation[axis])
            full = (extent[axis] - 1) * self.stride[axis] + span
            if before + after >= full + more:
                raise ShapeError(
                    f"a padding of {before} and {after} leaves nothing of the full {name}"
                    f" {full + more}; use less padding"
                )
            result.append(full + more - before - after)
        return ((self.channels, *result),)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        shape = (inputs[0][0], self.channels // self.groups, *self.kernel)
        kernel = Weight("weight", shape, start=None)
        return (kernel, Weight("bias", (self.channels,), start=None)) if self.bias else (kernel,)

    def fans(self, inputs: Shapes) -> Fans | None:
        """As MindSpore and PyTorch count them, by the weight's shape as if it were a convolution's:
        inputs are then what a pixel goes into."""
        taps = elements(self.kernel)
        return Fans(self.channels // self.groups * taps, inputs[0][0] * taps)

    def work(self) -> Work:
        return Work("convolve", elements(self.kernel), self.groups)

    def folding(self) -> Folding:
        return "affine"

    def macs(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(inputs[0]) * (self.channels // self.groups) * elements(self.kernel)

    def sees(self, inputs: Shapes) -> Window:
        spans = tuple(map(effective_kernel, self.kernel, self.dilation))
        top, _, left, _ = self.padding
        return Window((spans[0], spans[1]), before=(top, left), scale=self.stride, spreads=True)
