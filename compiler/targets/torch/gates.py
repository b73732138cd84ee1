"""A supernet in PyTorch: the generated modules of the largest network, with gates on its weights.

    network = to_module(Model(supernet.graph, weights))
    gates = add_gates(network, supernet)
    gates.copy_(torch.tensor(supernet.gates_of(assignment)))   # and nothing is built anew

Gates multiply weights and not what flows through them: a kernel's rim, the columns that read a
channel. Only a whole branch is multiplied itself, where it meets its sum, so that without it the
sum is its shortcut to the bit. A channel that nobody reads is still computed.
"""

# pyright: reportMissingImports=false
# (torch is an extra, so it may be missing)

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from archspec.compiler.model import node_of, weights_of
from archspec.compiler.supernet.description import Nested, Supernet
from archspec.compiler.supernet.weights import regions_of
from archspec.compiler.targets.torch.source import weight_names
from archspec.shapes import Shape


def add_gates(network: nn.Module, supernet: Supernet) -> Tensor:
    """Put gates into a network that was built from the supernet's graph, and give the tensor that
    they are: float32 (supernet.gates,), 1 for open and 0 for closed, all open.

    They stand on the network's device, so it is to be there already; they are not a parameter of it
    and not in its state_dict. A gradient can be taken of them once they require one. The network's
    parameters are the same objects as before. A weight with a mask is a parametrization, so its
    name there is one of torch.nn.utils.parametrize's.
    """
    names = weight_names(supernet.graph)
    shapes = {path: weight.shape for path, weight in weights_of(supernet.graph).items()}
    device = next(network.parameters()).device
    gates = torch.ones(supernet.gates, device=device)
    # first the branches, for a norm's weight tells where its module is
    for node, choice in supernet.branches.items():
        path = next(path for path in names if node_of(path) == node)
        layer = network.get_submodule(names[path].rpartition(".")[0])
        layer.register_forward_hook(Branch(gates, choice.gates[0]))
    for path in sorted({*supernet.kernels, *supernet.columns}):
        place, _, attribute = names[path].rpartition(".")
        for nested in (supernet.kernels.get(path), supernet.columns.get(path)):
            if nested is not None:
                mask = Mask(gates, nested, shapes[path]).to(device)
                register_parametrization(network.get_submodule(place), attribute, mask)
    return gates


class Mask(nn.Module):
    """A weight times 1 in its first region, and in each further one times the product of the gates
    up to its own."""

    regions: Tensor

    def __init__(self, gates: Tensor, nested: Nested, shape: Shape):
        super().__init__()
        self.gates = gates
        self.places = tuple(nested.gates)
        regions = torch.from_numpy(np.stack(regions_of(nested, shape)))
        self.register_buffer("regions", regions, persistent=False)

    def forward(self, weight: Tensor) -> Tensor:
        mask = self.regions[-1]
        for number in reversed(range(len(self.places))):
            mask = self.regions[number] + self.gates[self.places[number]] * mask
        return weight * mask


class Branch:
    """A hook that multiplies what a branch's last layer gives by its gate."""

    def __init__(self, gates: Tensor, place: int):
        self.gates = gates
        self.place = place

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> Tensor:
        return result * self.gates[self.place]
