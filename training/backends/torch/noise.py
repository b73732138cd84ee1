"""Modules that multiply by the masks of training.noise, in the place of PyTorch's dropout."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from archspec.compiler.targets.torch.source import module_names
from archspec.graph import Graph
from archspec.shapes import Shape
from archspec.training.noise import places_of


class HostNoise(nn.Module):
    """x times a mask of x's shape, or of one number a sample, in training; else x."""

    mask: Tensor

    def __init__(self, shape: Shape):
        super().__init__()
        # not in a state_dict, for any step can draw it
        self.register_buffer("mask", torch.ones(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask.to(x.dtype) if self.training else x


def take_over(
    network: nn.Module, graph: Graph, batch: int, prefix: str = ""
) -> dict[str, HostNoise]:
    """Replace every noise module of a network that was built from a graph, for batches of this
    size; the modules that take masks, by the names of training.noise.places_of."""
    names = module_names(graph)
    found: dict[str, HostNoise] = {}
    for place in places_of(graph, batch, prefix):
        name = names[place.name.removeprefix(prefix)]
        module = HostNoise(place.shape).train(network.training)
        network.set_submodule(name, module)
        found[place.name] = module
    return found


def set_masks(modules: Mapping[str, HostNoise], masks: Mapping[str, np.ndarray]) -> None:
    """Give every module its mask for the next step."""
    for name, module in modules.items():
        module.mask.copy_(torch.from_numpy(masks[name]), non_blocking=True)


def drop_nothing(modules: Mapping[str, HostNoise]) -> None:
    """Let everything pass in the next step."""
    for module in modules.values():
        module.mask.fill_(1)
