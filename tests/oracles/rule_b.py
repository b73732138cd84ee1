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


def bounds(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """The least and the most of a weight, by its name within its op."""
    if name in RANGES:
        return RANGES[name]
    most = math.sqrt(3 / math.prod(shape[1:]))
    return -most, most


def draw(rng: np.random.RandomState, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """One array, by the name of the weight within its op; still in float64."""
    if name in RANGES:
        return rng.uniform(*RANGES[name], size=shape)
    return rng.uniform(-1, 1, size=shape) * bounds(name, shape)[1]


def with_random_weights(graph: Graph, seed: int = 0) -> Model:
    rng = np.random.RandomState(seed)
    arrays = {
        path: draw(rng, weight.name, weight.shape).astype(np.float32)
        for path, weight in weights_of(graph).items()
    }
    return Model(graph, arrays)


def with_repeated_weights(graph: Graph) -> Model:
    """The same ranges, from a million and three numbers that are drawn once and taken in turn: for
    networks so large that drawing takes longer than running."""
    pool = np.random.RandomState(0).uniform(size=1_000_003).astype(np.float32)
    arrays: dict[str, np.ndarray] = {}
    start = 0
    for path, weight in weights_of(graph).items():
        least, most = bounds(weight.name, weight.shape)
        size = math.prod(weight.shape)
        turns = -(-(start + size) // len(pool))
        numbers = pool if turns == 1 else np.tile(pool, turns)
        numbers = numbers[start : start + size].reshape(weight.shape)
        arrays[path] = numbers * np.float32(most - least) + np.float32(least)
        start = (start + size) % len(pool)
    return Model(graph, arrays)


def image(shape: tuple[int, ...], batch: int = 1, seed: int = 1) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-1, 1, size=(batch, *shape)).astype(np.float32)
