"""A float model and calibration images to a quantised one, in one call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from archspec.compiler.model import Model
from archspec.compiler.quantize.bias import correct_biases, make_room_for_biases
from archspec.compiler.quantize.calibrate import Observations, choose_factors, observe
from archspec.compiler.quantize.equalize import equalize, find_pairs, highest_inputs
from archspec.compiler.quantize.factors import Array, factors_of_weight
from archspec.compiler.quantize.layers import channel_axis, find_layers, find_sums
from archspec.compiler.quantize.quantization import WEIGHT, Quantization
from archspec.compiler.quantize.ranges import factors_of_ranges
from archspec.errors import SpecError

BATCH = 8
"""Images that are run at a time."""


@dataclass(frozen=True)
class Scheme:
    """What is wanted. `weights`: one scale for each channel, or one for a whole weight; `sums`:
    whether sums read integers too."""

    weights: Literal["channel", "tensor"] = "channel"
    observer: str = "min-max"
    equalizes: bool = False
    corrects: bool = True
    sums: bool = True


def quantize(
    model: Model,
    images: Array,
    scheme: Scheme,
    left_float: Collection[str] = (),
    told: Callable[[int], None] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[Quantization, Observations]:
    """Quantise a model that is ready for deployment, by float images (n, channels, height, width)
    as the network takes them. `left_float` are nodes that stay float; `told` is told how
    many images were looked at. `ranges` are those that nodes learnt with, in place of what an
    observer finds. Raises SpecError where a layer has no range, and where nodes share weights, of
    which each use would want integers of its own."""
    sharing = [node for node in model.graph.nodes.values() if node.borrows]
    if sharing:
        raise SpecError(
            f"{sharing[0].name} of {model.graph.name} uses the weights of {sharing[0].owner}, and"
            " shared weights have no int8; use the network in float"
        )
    every = tuple(find_layers(model.graph))
    layers = [name for name in every if name not in left_float]
    if not layers:
        raise SpecError(
            f"{model.graph.name} has no layer that could be int8; use a network with convolutions"
            " or dense layers, and fewer --float"
        )
    if scheme.equalizes:
        pairs = find_pairs(model)
        highest = highest_inputs(model, pairs, batches(images))
        model = equalize(model, pairs, highest)
    sums = [s for s in find_sums(model.graph, set(layers)) if s not in left_float]
    sums = sums if scheme.sums else []
    nodes = model.graph.nodes
    tensors = {t: None for name in (*layers, *sums) for t in nodes[name].inputs}
    found = observe(model, tensors, batches(images), told)
    weights = {
        name: factors_of_weight(
            np.asarray((model.weights or {})[f"{name}.{WEIGHT}"]),
            channel_axis(nodes[name]) if scheme.weights == "channel" else None,
        )
        for name in layers
    }
    source = model
    if scheme.corrects:
        model = correct_biases(model, weights, found.means)
    learnt = factors_of_ranges(model.graph, ranges or {})
    activations = {**choose_factors(found, scheme.observer), **learnt}
    weights = make_room_for_biases(model, weights, activations)
    return Quantization(model, activations, weights, frozenset(sums), every, source), found


def batches(images: Array, size: int = BATCH) -> Iterable[Array]:
    return (images[start : start + size] for start in range(0, len(images), size))
