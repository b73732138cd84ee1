"""Bias correction: rounded weights shift the mean of what a layer gives, and its bias takes that
back (Nagel et al., arXiv 1906.04721, section 4.2), here by the mean of what the layer really reads.

    bias  -->  bias + mean over space of (weight - rounded weight) * mean input

A layer is linear, so the mean over images of what it gives is what it gives for their mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from archspec.compiler.model import Model
from archspec.compiler.quantize.factors import Array, Factors, round_weight
from archspec.compiler.quantize.quantization import BIAS, WEIGHT
from archspec.compiler.rewrite import Draft
from archspec.compiler.targets.reference.dispatch import forward
from archspec.node import Node, Tensor

ROOM = 2**30
"""Steps that the largest bias may have: half of an int32, for what is added to it."""


def correct_biases(
    model: Model, weights: Mapping[str, Factors], means: Mapping[Tensor, Array]
) -> Model:
    """The float model with corrected biases; a layer without one is given one. `means` are those of
    the tensors that the layers read."""
    draft = Draft(model)
    for name, factors in weights.items():
        node = draft.nodes[name]
        arrays = draft.arrays(node)
        lost = _mean_loss(node, arrays[WEIGHT], factors, means[node.inputs[0]])
        has_bias: Any = {"bias": True}
        draft.change(name, replace(node.op, **has_bias))
        bias = arrays.get(BIAS, np.zeros_like(lost)) + lost
        draft.put(name, {BIAS: bias.astype(np.float32)})
    return draft.model()


def make_room_for_biases(
    model: Model, weights: Mapping[str, Factors], activations: Mapping[Tensor, Factors]
) -> dict[str, Factors]:
    """The factors of weights with scales that are large enough for each bias, in steps of scale
    times scale, to be an int32. A channel of next to no weights has one that is too small."""
    found: dict[str, Factors] = {}
    for name, factors in weights.items():
        bias = (model.weights or {}).get(f"{name}.{BIAS}")
        activation = activations[model.graph.nodes[name].inputs[0]]
        if bias is None:
            found[name] = factors
            continue
        needed = np.abs(bias.astype(np.float64)) / (float(activation.scale) * ROOM)
        if factors.axis is None:
            needed = needed.max()
        else:
            needed = needed.reshape(-1, len(factors.scale)).max(axis=0)
        scale = np.maximum(factors.scale, needed).astype(np.float32)
        found[name] = replace(factors, scale=scale)
    return found


def _mean_loss(node: Node, weight: Array, factors: Factors, mean: Array) -> Array:
    """(channels,): by how much less the rounded weight gives, on the mean over images and space."""
    error = weight.astype(np.float64) - round_weight(weight, factors)
    plain: Any = {"bias": False}
    (result,) = forward(replace(node.op, **plain), [mean[None]], {WEIGHT: error})
    return result[0] if result.ndim == 2 else result[0].mean(axis=(1, 2))
