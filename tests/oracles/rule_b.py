"""Random weights under which a network's signals stay near 1 and every parameter shows.

Rule B of the reference logits: gamma and moving_variance in 0.5..1.5, beta, moving_mean and bias in
-0.1..0.1, kernels in -1..1 times sqrt(3 / inputs of a filter); drawn in float64, kept in float32.
"""

from __future__ import annotations

import math

import numpy as np

from archspec.compiler.model import Model, weights_of
from archspec.graph import Graph

RANGES = {
    "gamma": (0.5, 1.5),
    "moving_variance": (0.5, 1.5),
    "beta": (-0.1, 0.1),
    "moving_mean": (-0.1, 0.1),
    "bias": (-0.1, 0.1),
    "slope": (0.1, 0.4),
}


def draw(rng: np.random.RandomState, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One array, by the name of the weight within its op; still in float64."""
    if name in RANGES:
        return rng.uniform(*RANGES[name], size=shape)
    return rng.uniform(-1, 1, size=shape) * math.sqrt(3 / math.prod(shape[1:]))


def with_random_weights(graph: Graph, seed: int = 0) -> Model:
    rng = np.random.RandomState(seed)
    arrays = {
        path: draw(rng, weight.name, weight.shape).astype(np.float32)
        for path, weight in weights_of(graph).items()
    }
    return Model(graph, arrays)


def image(shape: tuple[int, ...], batch: int = 1, seed: int = 1) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-1, 1, size=(batch, *shape)).astype(np.float32)
