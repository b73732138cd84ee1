"""Normalisation."""

from __future__ import annotations

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.ops import norm, regularize


@spell.register
def _(op: norm.BatchNorm, at: Site) -> None:
    weights = map(at.weight, ("gamma", "beta", "moving_mean", "moving_variance"))
    at.result("BatchNormalization", at.x, *weights, epsilon=op.epsilon)


@spell.register
def _(op: norm.LayerNorm, at: Site) -> None:
    normal = normalize(at, at.x, axes=[1], epsilon=op.epsilon)
    at.result("Add", at.step("Mul", normal, at.per_channel("gamma")), at.per_channel("beta"))


@spell.register
def _(op: norm.GroupNorm, at: Site) -> None:
    grouped = at.step("Reshape", at.x, at.net.integers((0, op.groups, -1)))
    normal = normalize(at, grouped, axes=[2], epsilon=op.epsilon)
    apart = at.step("Reshape", normal, at.net.integers((0, *at.shapes[0])))
    at.result("Add", at.step("Mul", apart, at.per_channel("gamma")), at.per_channel("beta"))


@spell.register
def _(op: norm.InstanceNorm, at: Site) -> None:
    normal = normalize(at, at.x, axes=[2, 3], epsilon=op.epsilon)
    at.result("Add", at.step("Mul", normal, at.per_channel("gamma")), at.per_channel("beta"))


@spell.register
def _(op: norm.RmsNorm, at: Site) -> None:
    square = at.step("ReduceMean", at.step("Mul", at.x, at.x), axes=[1], keepdims=1)
    root = at.step("Sqrt", at.step("Add", square, at.net.floats(op.epsilon)))
    at.result("Mul", at.step("Div", at.x, root), at.per_channel("gamma"))


@spell.register
def _(op: norm.LocalResponseNorm, at: Site) -> None:
    """The mean of squares is a pool along the channels, which stand as rows of an image."""
    channels, height, width = at.shapes[0]
    squares = at.step("Mul", at.x, at.x)
    rows = at.step("Reshape", squares, at.net.integers((0, 1, channels, height * width)))
    before = op.size // 2
    means = at.step(
        "AveragePool", rows, kernel_shape=[op.size, 1], strides=[1, 1],
        pads=[before, 0, op.size - 1 - before, 0], count_include_pad=1,
    )  # fmt: skip
    apart = at.step("Reshape", means, at.net.integers((0, channels, height, width)))
    scaled = at.step("Mul", apart, at.net.floats(op.alpha))
    base = at.step("Add", scaled, at.net.floats(op.k))
    at.result("Div", at.x, at.step("Pow", base, at.net.floats(op.beta)))


def normalize(at: Site, x: str, axes: list[int], epsilon: float) -> str:
    """x less its mean over axes, over its deviation: LayerNormalization needs opset 17."""
    centred = at.step("Sub", x, at.step("ReduceMean", x, axes=axes, keepdims=1))
    squares = at.step("Mul", centred, centred)
    variance = at.step("ReduceMean", squares, axes=axes, keepdims=1)
    deviation = at.step("Sqrt", at.step("Add", variance, at.net.floats(epsilon)))
    return at.step("Div", centred, deviation)


@spell.register
def _(op: regularize.LayerScale, at: Site) -> None:
    at.result("Mul", at.x, at.per_channel("gamma"))
