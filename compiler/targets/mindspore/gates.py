"""A supernet in MindSpore: the generated cells of the largest network, with gates on its weights.

    network = compiler.build(Model(supernet.graph, weights))
    gates = add_gates(network, supernet)
    gates.set_data(Tensor(supernet.gates_of(assignment), float32))   # and nothing is recompiled

Gates multiply weights and not what flows through them: a kernel's rim, the columns that read a
channel. Only a whole branch is multiplied itself, where it meets its sum, so that without it the
sum is its shortcut to the bit. A channel that nobody reads is still computed.
"""

# pyright: reportIncompatibleMethodOverride=false
# (MindSpore ships no types; what pyright infers of cells is wrong in this way)

from __future__ import annotations

from typing import Any

import numpy as np
from mindspore import Parameter, Tensor, nn

from archspec.compiler.model import node_of
from archspec.compiler.supernet.description import Nested, Supernet
from archspec.compiler.supernet.weights import regions_of
from archspec.compiler.targets.mindspore.replacing import cell_at, put_cell
from archspec.shapes import Shape

GATES = "gates"
"""The name of the parameter that holds them."""


def add_gates(network: Any, supernet: Supernet) -> Parameter:
    """Put gates into a network that was built from the supernet's graph, and give the parameter
    that they are: float32 (supernet.gates,), 1 for open and 0 for closed, all open.

    The network's own parameters keep their names. The gates are a parameter so that a gradient can
    be taken of them; they are for no optimizer of weights.
    """
    names = [(parameter, parameter.name) for parameter in network.get_parameters()]
    places = {
        node_of(parameter.name): path
        for path, cell in network.cells_and_names()
        for parameter in cell.parameters_dict(recurse=False).values()
    }
    gates = Parameter(Tensor(np.ones(supernet.gates, np.float32)), name=GATES)
    for path in sorted({*supernet.kernels, *supernet.columns}):
        place = places[node_of(path)]
        cell = cell_at(network, place)
        masks = [
            Mask(gates, nested, cell.weight.shape)
            for nested in (supernet.kernels.get(path), supernet.columns.get(path))
            if nested is not None
        ]
        gated = GatedDense if isinstance(cell, nn.Dense) else GatedConv
        put_cell(network, place, gated(cell, masks))
    for name, choice in supernet.branches.items():
        layer = cell_at(network, places[name])
        put_cell(network, places[name], GatedBranch(layer, gates, choice.gates[0]))
    for parameter, name in names:  # a cell's new parent renames what it has
        parameter.name = name
    gates.name = GATES
    return gates


class Mask(nn.Cell):
    """What a weight is multiplied by: 1 in its first region, and in each further one the product of
    the gates up to its own."""

    def __init__(self, gates: Parameter, nested: Nested, shape: Shape):
        super().__init__()
        self.gates = gates
        self.places = tuple(nested.gates)
        self.regions = tuple(Tensor(region) for region in regions_of(nested, shape))

    def construct(self):
        mask = self.regions[-1]
        for step in range(len(self.places)):
            place = self.places[-1 - step]
            mask = self.regions[-2 - step] + self.gates[place : place + 1] * mask
        return mask


class GatedConv(nn.Cell):
    """A convolution with masks on its weight."""

    def __init__(self, conv: Any, masks: list[Mask]):
        super().__init__()
        self.conv = conv
        self.masks = nn.CellList(masks)

    def construct(self, x):
        weight = self.conv.weight
        for mask in self.masks:
            weight = weight * mask()
        x = self.conv.conv2d(x, weight)
        if self.conv.has_bias:
            x = self.conv.bias_add(x, self.conv.bias)
        return x


class GatedDense(nn.Cell):
    """A dense layer with masks on its weight."""

    def __init__(self, dense: Any, masks: list[Mask]):
        super().__init__()
        self.dense = dense
        self.masks = nn.CellList(masks)

    def construct(self, x):
        weight = self.dense.weight
        for mask in self.masks:
            weight = weight * mask()
        x = self.dense.matmul(x, weight)
        if self.dense.has_bias:
            x = self.dense.bias_add(x, self.dense.bias)
        return x


class GatedBranch(nn.Cell):
    """The last layer of a branch, multiplied by its gate."""

    def __init__(self, layer: Any, gates: Parameter, place: int):
        super().__init__()
        self.layer = layer
        self.gates = gates
        self.place = place

    def construct(self, x):
        return self.layer(x) * self.gates[self.place : self.place + 1]
