"""Layers that learn for int8: what they read and their weights are rounded in the step as the
integers of compiler.quantize round them, and gradients pass straight through (PyTorch's own
fake_quantize operators: none for what lies beyond the range).

A scale for each output channel and a batch norm behind commute, so the layer is rounded as it is,
before its batch norm: folding that changes the scales and no integer. Sums are left float.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from archspec.compiler.quantize.factors import LEAST, MOST, SMALLEST
from archspec.compiler.quantize.layers import channel_axis, find_layers
from archspec.compiler.targets.torch.source import module_names
from archspec.graph import Graph
from archspec.ops.conv import Conv

RANGE = "int8_range"
PACE = 0.05
"""By which a range moves towards that of a step's images."""


class Rounded(nn.Module):
    """Put before a layer's own class. `int8_range` is the least and the greatest number that it has
    read, a moving average over steps; both 0 until the first."""

    int8_range: Tensor
    int8_axis: int | None

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self._look(x)
        weight = self._parameters["weight"]
        assert weight is not None
        # an attribute of the object's own comes before a parameter
        self.__dict__["weight"] = round_weight(weight, self.int8_axis)
        try:
            return super().forward(round_tensor(x, self.int8_range))
        finally:
            del self.__dict__["weight"]

    @torch.no_grad()
    def _look(self, x: Tensor) -> None:
        low, high = torch.aminmax(x.float())
        seen = torch.stack([low.clamp(max=0), high.clamp(min=0)])
        pace = torch.where((self.int8_range == 0).all(), 1.0, PACE)
        self.int8_range.lerp_(seen, pace)


def round_tensor(x: Tensor, span: Tensor) -> Tensor:
    """What the integers of a range stand for, as compiler.quantize.factors has them."""
    low, high = span.double().unbind()
    scale = ((high - low) / (MOST - LEAST)).float().clamp(min=float(SMALLEST))
    offset = (LEAST - low / scale.double()).round().clamp(LEAST, MOST).to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(x, scale, offset, LEAST, MOST)


def round_weight(weight: Tensor, axis: int | None) -> Tensor:
    """A weight by a scale for each index along an axis, or by one."""
    largest = weight.detach().abs()
    if axis is None:
        scale, whole = largest.amax(), torch.zeros((), dtype=torch.int32, device=weight.device)
    else:
        scale = largest.amax(dim=[k for k in range(weight.ndim) if k != axis])
        whole = torch.zeros(len(scale), dtype=torch.int32, device=weight.device)
    scale = torch.where(scale > 0, scale / MOST, 1.0).clamp(min=float(SMALLEST)).float()
    if axis is None:
        return torch.fake_quantize_per_tensor_affine(weight, scale, whole, -MOST, MOST)
    return torch.fake_quantize_per_channel_affine(weight, scale, whole, axis, -MOST, MOST)


def round_layers(network: nn.Module, graph: Graph) -> None:
    """Let the layers of a network that was built from a graph learn for int8, in place: all but
    those whose filters are standardised, which are other filters by then."""
    for name, module in _layers(network, graph):
        kind = type(module)
        module.__class__ = type(f"Rounded{kind.__name__}", (Rounded, kind), {})
        device = next(module.parameters()).device
        module.register_buffer(RANGE, torch.zeros(2, device=device))
        module.int8_axis = channel_axis(graph.nodes[name])  # type: ignore[assignment]


def ranges_in(network: nn.Module, graph: Graph) -> dict[str, tuple[float, float]]:
    """The ranges of a network's layers, by node."""
    found: dict[str, tuple[float, float]] = {}
    for name, module in _layers(network, graph):
        low, high = getattr(module, RANGE).tolist()
        found[name] = (low, high)
    return found


def _layers(network: nn.Module, graph: Graph) -> Iterator[tuple[str, nn.Module]]:
    modules, names = dict(network.named_modules()), module_names(graph)
    for name in find_layers(graph):
        op = graph.nodes[name].op
        if names.get(name) in modules and not (isinstance(op, Conv) and op.weight_standardization):
            yield name, modules[names[name]]
