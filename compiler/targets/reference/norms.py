"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward, per_channel
from archspec.ops import norm, regularize


def scale(normal: Array, weights: Arrays) -> list[Array]:
    gamma, beta = (per_channel(weights[name], normal) for name in ("gamma", "beta"))
    return [normal * gamma + beta]


@forward.register
def _(op: norm.BatchNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    mean, variance = (per_channel(weights[f"moving_{name}"], x) for name in ("mean", "variance"))
    return scale((x - mean) / np.sqrt(variance + op.epsilon), weights)


@forward.register
def _(op: norm.LayerNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    mean, variance = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    return scale((x - mean) / np.sqrt(variance + op.epsilon), weights)


@forward.register
def _(op: norm.GroupNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    grouped = inputs[0].reshape(len(inputs[0]), op.groups, -1)
    mean, variance = grouped.mean(2, keepdims=True), grouped.var(2, keepdims=True)
    normal = (grouped - mean) / np.sqrt(variance + op.epsilon)
    return scale(normal.reshape(inputs[0].shape), weights)


@forward.register
def _(op: norm.InstanceNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    mean, variance = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
    return scale((x - mean) / np.sqrt(variance + op.epsilon), weights)


@forward.register
def _(op: norm.RmsNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    root = np.sqrt((x**2).mean(1, keepdims=True) + op.epsilon)
    return [x / root * per_channel(weights["gamma"], x)]


@forward.register
def _(op: norm.LocalResponseNorm, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    before, channels = op.size // 2, x.shape[1]
    squares = np.pad(x**2, [(0, 0), (before, op.size - 1 - before), (0, 0), (0, 0)])
    total = sum(squares[:, place : place + channels] for place in range(op.size))
    return [x / (op.k + op.alpha / op.size * total) ** op.beta]


@forward.register
def _(op: regularize.LayerScale, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] * per_channel(weights["gamma"], inputs[0])]
