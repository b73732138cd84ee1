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
    normal = normalize(at, at.x, axis=1, epsilon=op.epsilon)
    at.result("Add", at.step("Mul", normal, at.per_channel("gamma")), at.per_channel("beta"))


@spell.register
def _(op: norm.GroupNorm, at: Site) -> None:
    grouped = at.step("Reshape", at.x, at.net.integers((0, op.groups, -1)))
    normal = normalize(at, grouped, axis=2, epsilon=op.epsilon)
    apart = at.step("Reshape", normal, at.net.integers((0, *at.shapes[0])))
    at.result("Add", at.step("Mul", apart, at.per_channel("gamma")), at.per_channel("beta"))


def normalize(at: Site, x: str, axis: int, epsilon: float) -> str:
    """x less its mean over an axis, over its deviation: LayerNormalization needs opset 17."""
    centred = at.step("Sub", x, at.step("ReduceMean", x, axes=[axis], keepdims=1))
    squares = at.step("Mul", centred, centred)
    variance = at.step("ReduceMean", squares, axes=[axis], keepdims=1)
    deviation = at.step("Sqrt", at.step("Add", variance, at.net.floats(epsilon)))
    return at.step("Div", centred, deviation)


@spell.register
def _(op: regularize.LayerScale, at: Site) -> None:
    at.result("Mul", at.x, at.per_channel("gamma"))
