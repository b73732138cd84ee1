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
def _(op: regularize.LayerScale, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] * per_channel(weights["gamma"], inputs[0])]
