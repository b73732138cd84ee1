"""Random weights to start a training from, the same for a seed whatever else is drawn.

Every weight has a stream of its own, keyed by the seed and the weight's path, so an array depends
on neither the order of the graph nor the other weights. Fans follow MindSpore and PyTorch: fan_in
is a filter's inputs (channels in / groups x kernel), fan_out is channels out x kernel.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.families import compiled_pattern
from archspec.compiler.weights.residuals import last_gammas
from archspec.errors import UsageError, did_you_mean
from archspec.graph import Graph
from archspec.machine import usable_cpus
from archspec.node import Node
from archspec.ops import Fans, Weight
from archspec.shapes import Shape

TRUNCATED_STD = 0.87962566103423978
"""The standard deviation of a normal of deviation 1 cut at 2 on both sides:
sqrt(1 - 4 phi(2) / (2 Phi(2) - 1))."""
CUT = 2.0
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Constant:
    value: float


@dataclass(frozen=True)
class Normal:
    """Mean 0, standard deviation `std`."""

    std: float


@dataclass(frozen=True)
class TruncatedNormal:
    """A normal of deviation `sigma` given that it lies within 2 sigma; its own deviation is
    0.8796 sigma. MindSpore 1, in which the model zoo was trained, cut there too; MindSpore 2 takes
    its bounds of -2 and 2 as they are, so that a small sigma is not cut at all (measured)."""

    sigma: float


@dataclass(frozen=True)
class Uniform:
    """From -bound to bound."""

    bound: float


@dataclass(frozen=True)
class Scaled:
    """Standard deviation gain / sqrt(fan), after truncation if truncated.

    `fan` is "in", "out" or "mean" of a weight's fans, `shape` of the distribution "normal",
    "uniform" or "truncated_normal".
    """

    gain: float
    fan: str = "in"
    shape: str = "normal"


Distribution: TypeAlias = Constant | Normal | TruncatedNormal | Uniform | Scaled


def he(fan: str = "in", shape: str = "normal", a: float = 0.0) -> Scaled:
    """He or Kaiming, arXiv 1502.01852, for activations of slope `a` below zero."""
    return Scaled(math.sqrt(2 / (1 + a * a)), fan, shape)


def xavier(shape: str = "uniform") -> Scaled:
    """Xavier or Glorot, AISTATS 2010: deviation sqrt(2 / (fan_in + fan_out))."""
    return Scaled(1.0, "mean", shape)


BY_FAN_IN = he(shape="uniform", a=math.sqrt(5))
"""U(+-1 / sqrt(fan_in)): the default of convolutions and dense layers in MindSpore and PyTorch."""


@dataclass(frozen=True)
class Scheme:
    """How a network's weights start.

    `bias` of None is U(+-1 / sqrt(fan_in of the layer)). `nodes` are patterns of nodes
    ("head.conv", "stage{s}.block{b}.expand.conv") whose kernels are drawn otherwise, the first that
    fits.
    `zero_last_gamma` starts the last batch norm of every residual branch at 0 (residuals.py). What
    else a weight starts from is its op's to say (Weight.start).
    """

    conv: Distribution
    dense: Distribution
    bias: Distribution | None = Constant(0.0)
    nodes: Mapping[str, Distribution] = field(default_factory=dict)
    zero_last_gamma: bool = False


SCHEMES: Mapping[str, Scheme] = {
    # published papers' and frameworks' own
    "he": Scheme(he("out"), Normal(0.01)),
    "he_zero": Scheme(he("out"), Normal(0.01), zero_last_gamma=True),
    "xavier": Scheme(xavier(), xavier()),
    "by_fan_in": Scheme(BY_FAN_IN, BY_FAN_IN, bias=None),
    # the recipes of the model zoo, as they run (not always as they read)
    "isynet": Scheme(
        conv=Scaled(1.0, "in", "truncated_normal"),
        dense=TruncatedNormal(0.01),
        bias=None,
        nodes={"head.conv": xavier()},
    ),
    "cspdarknet": Scheme(BY_FAN_IN, BY_FAN_IN, bias=None),
    "resnext": Scheme(BY_FAN_IN, BY_FAN_IN, bias=None),
    "spnasnet": Scheme(he(), he(shape="uniform"), bias=None),
}
"""Schemes by name. "he" is fan_out and a normal of 0.01 for the classifier, "he_zero" with the zero
gammas that resnext's code means to have and, by a slip in it, never sets."""


def initialize(graph: Graph, scheme: Scheme | str = "he", seed: int = 0) -> dict[str, Array]:
    """float32 arrays for every weight of a graph, in execution order.

    A scheme is one of SCHEMES by name, or one's own. The same scheme and seed give the same arrays.
    Raises UsageError for an unknown scheme, or a seed outside 0 to 2**63 - 1.
    """
    if isinstance(scheme, str):
        if scheme not in SCHEMES:
            raise UsageError(
                f"{scheme!r} is not an initialisation{did_you_mean(scheme, SCHEMES)}"
                f" (known: {', '.join(SCHEMES)})"
            )
        scheme = SCHEMES[scheme]
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"seed {seed}: must be a whole number from 0 to 2**63 - 1")
    zero = set(last_gammas(graph)) if scheme.zero_last_gamma else set()
    work: dict[str, Callable[[], Array]] = {}
    for node in graph.nodes.values():
        for weight in node.layer.weights:
            path = f"{node.name}.{weight.name}"
            start = _start(node, weight, scheme, node.name in zero)
            fans = node.op.fans(node.layer.input_shapes)
            work[path] = _drawing(path, start, weight.shape, fans, seed)
    # numpy lets other threads run while it draws
    with ThreadPoolExecutor(usable_cpus()) as pool:
        return dict(zip(work, pool.map(lambda draw: draw(), work.values()), strict=True))


def _start(node: Node, weight: Weight, scheme: Scheme, is_zero: bool) -> Distribution:
    """What a weight is drawn from."""
    if weight.start is not None:
        return Constant(0.0 if is_zero and weight.name == "gamma" else weight.start)
    if weight.name == "bias":
        return BY_FAN_IN if scheme.bias is None else scheme.bias
    for pattern, start in scheme.nodes.items():
        if compiled_pattern(pattern).fullmatch(node.name):
            return start
    return scheme.dense if node.op.category == "dense" else scheme.conv


def _drawing(
    path: str, start: Distribution, shape: Shape, fans: Fans | None, seed: int
) -> Callable[[], Array]:
    plain = _plain(path, start, fans)
    if isinstance(plain, Constant):
        return lambda: np.full(shape, plain.value, np.float32)
    return lambda: draw(plain, shape, stream(seed, path))


def _plain(
    path: str, start: Distribution, fans: Fans | None
) -> Constant | Normal | TruncatedNormal | Uniform:
    """A distribution that no longer needs to know a weight's fans."""
    if not isinstance(start, Scaled):
        return start
    if fans is None:
        raise TypeError(f"{path} is drawn at random, and its op gives no fans")
    fan = {"in": fans.inputs, "out": fans.outputs, "mean": sum(fans) / 2}[start.fan]
    std = start.gain / math.sqrt(fan)
    if start.shape == "normal":
        return Normal(std)
    if start.shape == "uniform":
        return Uniform(std * math.sqrt(3))
    return TruncatedNormal(std / TRUNCATED_STD)


def stream(seed: int, path: str) -> np.random.Generator:
    """The random numbers of one weight. SFC64 draws normals twice as fast as Philox; a hash of seed
    and path is its state's entropy, so streams are as unrelated as hashes."""
    digest = hashlib.sha256(f"{seed}:{path}".encode()).digest()
    entropy = np.frombuffer(digest, "<u4").tolist()
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))


def draw(
    start: Normal | TruncatedNormal | Uniform, shape: Shape, random: np.random.Generator
) -> Array:
    """float32 numbers, made as such."""
    if isinstance(start, Uniform):
        values = random.random(shape, np.float32)
        values *= np.float32(2 * start.bound)
        values -= np.float32(start.bound)
        return values
    values = random.standard_normal(shape, np.float32)
    if isinstance(start, Normal):
        values *= np.float32(start.std)
        return values
    # Drawing again what fell outside is the truncated normal exactly; clipping would pile the
    # twentieth that falls outside up at the ends.
    flat = values.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > CUT)
    while outside.size:
        flat[outside] = random.standard_normal(outside.size, np.float32)
        outside = outside[np.abs(flat[outside]) > CUT]
    flat *= np.float32(start.sigma)
    return values
