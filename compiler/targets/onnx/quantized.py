"""int8 in ONNX: pairs of QuantizeLinear and DequantizeLinear around what is integers (QDQ).

    x --> QuantizeLinear --> DequantizeLinear --> Conv <-- DequantizeLinear <-- int8 weight

Only what AMCT's manual lists is written: pairs of equal factors before Conv, ConvTranspose, Gemm
and both inputs of an Add, weights without offset, activations by one scale, float biases. A tensor
has one pair for all that read its integers.

For AMCT, whose manual speaks of pairs alone and of int8, weights are float32 with a pair and what
flows is int8. For onnxruntime the same real numbers are stored as int8 weights, a quarter of the
size, and flow as uint8: its fastest kernels (QLinearAdd among them) are made of that alone.
"""

from __future__ import annotations

import numpy as np
import onnx

from archspec.compiler.model import Weights
from archspec.compiler.quantize.factors import LEAST
from archspec.compiler.quantize.quantization import WEIGHT, Quantization
from archspec.compiler.targets.onnx.net import Net
from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.node import Node, Tensor
from archspec.shapes import Shape

OPSET = 13
"""The first in which a scale for each channel can be said."""


class QuantizedNet(Net):
    """A net whose int8 nodes read what integers stand for. `weights` are float, rounded."""

    def __init__(
        self,
        proto: onnx.GraphProto,
        graph: Graph,
        weights: Weights,
        opset: int,
        quantization: Quantization,
    ):
        if opset < OPSET:
            raise UsageError(
                f"a quantised ONNX takes opset {OPSET} or 17, and {opset} was asked for; use 13"
            )
        super().__init__(proto, graph, weights, opset)
        self._quantization = quantization
        self._read: dict[Tensor, str] = {}

    def read(self, node: Node, tensor: Tensor) -> str:
        if not self._quantization.reads_integers(node, tensor):
            return self.value(tensor)
        if tensor not in self._read:
            factors = self._quantization.activations[tensor]
            offset = np.array(factors.offset, np.int8)
            if not self._quantization.is_for_amct:
                offset = np.array(factors.offset - LEAST, np.uint8)
            self._read[tensor] = self._pair(self.value(tensor), factors.scale, offset)
        return self._read[tensor]

    def weight(self, path: str, shape: Shape | None = None) -> str:
        node, _, name = path.rpartition(".")
        factors = self._quantization.weights.get(node)
        if factors is None or name != WEIGHT:
            return super().weight(path, shape)
        axis = {} if factors.axis is None else {"axis": factors.axis}
        offset = np.zeros(np.shape(factors.scale), np.int8)
        if self._quantization.is_for_amct:
            return self._pair(super().weight(path, shape), factors.scale, offset, **axis)
        stored = self.constant(path, self._quantization.integers(node))
        return self._dequantize(path, stored, self._factors(path, factors.scale, offset), **axis)

    def _pair(self, value: str, scale: np.ndarray, offset: np.ndarray, **axis: int) -> str:
        factors = self._factors(value, scale, offset)
        name = self.reserve(f"{value}/QuantizeLinear")
        self.add("QuantizeLinear", name, [value, *factors], [name], **axis)
        return self._dequantize(value, name, factors, **axis)

    def _dequantize(self, value: str, integers: str, factors: list[str], **axis: int) -> str:
        name = self.reserve(f"{value}/DequantizeLinear")
        self.add("DequantizeLinear", name, [integers, *factors], [name], **axis)
        return name

    def _factors(self, value: str, scale: np.ndarray, offset: np.ndarray) -> list[str]:
        return [
            self.constant(self.reserve(f"{value}/scale"), np.asarray(scale, np.float32)),
            self.constant(self.reserve(f"{value}/offset"), offset),
        ]
