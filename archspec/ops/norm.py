"""Normalisation. All work on images (channels, height, width), and all that take no statistics over
space alone on flat vectors (features,) too."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.ops.base import (
    EPSILON,
    LARGEST_FACTOR,
    POSITIVE,
    PROBABILITY,
    STEP,
    Fans,
    Folding,
    Op,
    Weight,
    Weightless,
    Window,
    Work,
    attribute,
    divides,
    image,
)
from archspec.ops.page import Page
from archspec.shapes import Shapes, elements

EPSILON_DOC = "added to the variance before its root"
SHARE = {"type": "number", "minimum": 1e-30, "maximum": LARGEST_FACTOR}
"""Of a number that is more than nothing."""


@dataclass(frozen=True)
class _Norm(Op):
    category = "norm"

    def infer(self, inputs: Shapes) -> Shapes:
        return (inputs[0],)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        channels = inputs[0][:1]
        return (Weight("gamma", channels, start=1.0), Weight("beta", channels, start=0.0))

    def fans(self, inputs: Shapes) -> Fans | None:
        return None

    def work(self) -> Work:
        return Work("stream")

    def folding(self) -> Folding:
        return "scale"

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return 2 * elements(outputs[0])


@dataclass(frozen=True)
class BatchNorm(_Norm):
    name = "batch_norm"
    doc = "batch normalisation, arXiv 1502.03167; running statistics in inference"
    page = Page(
        "the input's",
        '"batch_norm"',
    )

    epsilon: float = attribute(EPSILON, EPSILON_DOC, 1e-5)
    momentum: float = attribute(
        PROBABILITY,
        "what the running statistics keep per step (MindSpore's sense; PyTorch's is 1 - this)",
        0.9,
    )

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        channels = inputs[0][:1]
        return (
            *super().weights(inputs),
            Weight("moving_mean", channels, start=0.0, trainable=False),
            Weight("moving_variance", channels, start=1.0, trainable=False),
        )

    def work(self) -> Work:
        return Work("scale")


@dataclass(frozen=True)
class LayerNorm(_Norm):
    name = "layer_norm"
    doc = "normalise the channels of each position (ConvNeXt's LayerNorm2d, arXiv 2201.03545)"
    page = Page(
        "the input's",
        '"layer_norm"',
    )

    epsilon: float = attribute(EPSILON, EPSILON_DOC, 1e-6)


@dataclass(frozen=True)
class GroupNorm(_Norm):
    name = "group_norm"
    doc = "normalise each group of channels over its positions, arXiv 1803.08494"
    page = Page(
        "the input's, whose channels groups divides",
        '{"op": "group_norm", "groups": 4}',
    )

    groups: int = attribute(POSITIVE, "groups of channels, each with its own statistics")
    epsilon: float = attribute(EPSILON, EPSILON_DOC, 1e-5)

    def infer(self, inputs: Shapes) -> Shapes:
        divides(self.groups, inputs[0][0], "the number of input channels")
        return (inputs[0],)

    def sees(self, inputs: Shapes) -> Window:
        return Window(everything=elements(inputs[0][1:]) > 1)


@dataclass(frozen=True)
class InstanceNorm(_Norm):
    name = "instance_norm"
    doc = "normalise each channel over its positions, arXiv 1607.08022; nothing is kept for later"
    page = Page(
        "the input's",
        '"instance_norm"',
    )

    epsilon: float = attribute(EPSILON, EPSILON_DOC, 1e-5)

    def infer(self, inputs: Shapes) -> Shapes:
        image(inputs[0], self.name)
        return (inputs[0],)

    def sees(self, inputs: Shapes) -> Window:
        return Window(everything=elements(inputs[0][1:]) > 1)


@dataclass(frozen=True)
class RmsNorm(_Norm):
    name = "rms_norm"
    doc = "divide the channels of each position by the root of their mean square, arXiv 1910.07467"
    page = Page(
        "the input's",
        '"rms_norm"',
    )

    epsilon: float = attribute(EPSILON, "added to the mean square before its root", 1e-6)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        return (Weight("gamma", inputs[0][:1], start=1.0),)


@dataclass(frozen=True)
class LocalResponseNorm(Weightless):
    name = "local_response_norm"
    doc = (
        "x / (k + alpha / size * sum of squares) ** beta, the sum over size channels around each"
        " (size // 2 before it), zeros past the ends: AlexNet's, as PyTorch scales alpha"
    )
    category = "norm"
    page = Page(
        "the input's",
        '{"op": "local_response_norm", "size": 5}',
    )

    size: int = attribute(STEP, "channels whose squares are summed, their own among them")
    alpha: float = attribute(SHARE, "factor of the mean square", 1e-4)
    beta: float = attribute(SHARE, "exponent", 0.75)
    k: float = attribute(SHARE, "added before the power", 1.0)

    def infer(self, inputs: Shapes) -> Shapes:
        image(inputs[0], self.name)
        return (inputs[0],)

    def work(self) -> Work:
        return Work("stream")

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return 2 * elements(outputs[0])
