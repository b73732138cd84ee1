"""A model with the factors of all that is int8 in it: a value, which targets write and numpy
runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from archspec.compiler.model import Model
from archspec.compiler.quantize.factors import (
    Array,
    Factors,
    round_tensor,
    round_weight,
    weight_integers,
)
from archspec.compiler.quantize.walking import Reading, outputs_of
from archspec.node import Node, Tensor

WEIGHT, BIAS = "weight", "bias"
MAX_BIAS = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Quantization:
    """`model` is float, after the passes for deployment. `weights` are the factors of int8 layers
    by node, `activations` those of tensors, `sums` the sums that read integers. `layers` is all
    that could have been int8, in order."""

    model: Model
    activations: Mapping[Tensor, Factors]
    weights: Mapping[str, Factors]
    sums: frozenset[str]
    layers: tuple[str, ...]
    source: Model
    is_for_amct: bool = False

    @cached_property
    def nodes(self) -> frozenset[str]:
        """The nodes that read integers."""
        return frozenset(self.weights) | self.sums

    def reads_integers(self, node: Node, tensor: Tensor) -> bool:
        return node.name in self.nodes and tensor in self.activations

    def without(self, nodes: Collection[str]) -> Quantization:
        """The same with some nodes left float, by the biases that they had before correction."""
        weights = {name: f for name, f in self.weights.items() if name not in nodes}
        arrays, before = dict(self.model.weights or {}), self.source.weights or {}
        for name in self.weights.keys() - weights.keys():
            bias = arrays.get(f"{name}.{BIAS}")
            if bias is not None:
                arrays[f"{name}.{BIAS}"] = before.get(f"{name}.{BIAS}", np.zeros_like(bias))
        model = replace(self.model, weights=arrays)
        return replace(self, model=model, weights=weights, sums=self.sums - set(nodes))

    def integers(self, node: str) -> Array:
        """The int8 weight of a node."""
        assert self.model.weights is not None
        return weight_integers(self.model.weights[f"{node}.{WEIGHT}"], self.weights[node])

    @cached_property
    def rounded(self) -> Model:
        """The model with what its integers stand for in place of its weights: of biases the
        multiples of scale times scale that a device adds up with."""
        weights = dict(self.model.weights or {})
        for name, factors in self.weights.items():
            weight = weights[f"{name}.{WEIGHT}"]
            weights[f"{name}.{WEIGHT}"] = round_weight(weight, factors).astype(np.float32)
            bias = weights.get(f"{name}.{BIAS}")
            if bias is not None:
                node = self.model.graph.nodes[name]
                step = bias_scale(factors, self.activations[node.inputs[0]], len(bias))
                whole = np.clip(np.rint(bias / step), -MAX_BIAS, MAX_BIAS)
                weights[f"{name}.{BIAS}"] = (whole * step).astype(np.float32)
        return replace(self.model, weights=weights)

    @property
    def reading(self) -> Reading:
        """What a node reads of a tensor: for int8 nodes, what its integers stand for."""

        def read(node: Node, tensor: Tensor, array: Array) -> Array:
            if not self.reads_integers(node, tensor):
                return array
            return round_tensor(array, self.activations[tensor])

        return read

    def run(self, images: Array) -> dict[str, Array]:
        """The outputs that the integers give, by name: inference of a QDQ model in plain numpy."""
        return outputs_of(self.rounded, images, self.reading)


def bias_scale(weight: Factors, activation: Factors, channels: int) -> Array:
    """float64 (channels,): what one step of the integer sums stands for. The scales along a
    transposed convolution's axis are shared by its groups."""
    scale = np.asarray(weight.scale, np.float64) * float(activation.scale)
    return np.resize(scale, channels)
