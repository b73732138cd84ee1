"""The same networks in torch, run eagerly and by torch's own exporter: a peer to be timed against.

Only the ops of the networks that bench_onnx.py times, spelt as one would in torch.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import singledispatch

import numpy as np
import torch
from torch import nn

from archspec.compiler.model import Model
from archspec.node import Node
from archspec.ops import Op, activation, conv, linear, merge, norm, pool, regularize, reshape


class Peer(nn.Module):
    """A graph as torch modules, one for each node that is one."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.graph = model.graph
        self.parts = nn.ModuleList(part(node.op, node) for node in model.graph.nodes.values())
        assert model.weights is not None
        for node, module in zip(model.graph.nodes.values(), self.parts, strict=True):
            own = {w.name: model.weights[f"{node.name}.{w.name}"] for w in node.layer.weights}
            state = {TORCH_NAMES.get(name, name): torch.tensor(a) for name, a in own.items()}
            module.load_state_dict(state, strict=False)
            missing = module.state_dict().keys() - state.keys() - {"num_batches_tracked"}
            assert not missing, missing

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = {"in": image}
        for node, module in zip(self.graph.nodes.values(), self.parts, strict=True):
            values[node.name] = module(*(values[tensor.node] for tensor in node.inputs))
        (result,) = self.graph.outputs.values()
        return values[result.node]


TORCH_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


class Sum(nn.Module):
    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        total, *rest = inputs
        for other in rest:
            total = total + other
        return total


@singledispatch
def part(op: Op, node: Node) -> nn.Module:
    raise NotImplementedError(f"no torch peer of {op}")


@part.register
def _(op: conv.Conv, node: Node) -> nn.Module:
    top, bottom, left, right = op.sides(node.layer.input_shapes)
    assert (top, left) == (bottom, right) and not op.weight_standardization
    channels = node.layer.input_shapes[0][0]
    return nn.Conv2d(
        channels, op.channels, op.kernel, op.stride, (top, left), op.dilation, op.groups, op.bias
    )


@part.register
def _(op: linear.Dense, node: Node) -> nn.Module:
    return nn.Linear(node.layer.input_shapes[0][0], op.channels, op.bias)


@part.register
def _(op: norm.BatchNorm, node: Node) -> nn.Module:
    channels, *extent = node.layer.input_shapes[0]
    return (nn.BatchNorm2d if extent else nn.BatchNorm1d)(channels, op.epsilon)


@part.register
def _(op: activation.Act, node: Node) -> nn.Module:
    return {"relu": nn.ReLU(), "relu6": nn.ReLU6()}[op.function]


@part.register
def _(op: pool.MaxPool, node: Node) -> nn.Module:
    top, bottom, left, right = op.sides(node.layer.input_shapes)
    assert (top, left) == (bottom, right)
    return nn.MaxPool2d(op.kernel, op.stride, (top, left), ceil_mode=op.ceil)


@part.register
def _(op: pool.GlobalAvgPool, node: Node) -> nn.Module:
    return nn.AdaptiveAvgPool2d(1)


@part.register
def _(op: reshape.Flatten, node: Node) -> nn.Module:
    return nn.Flatten()


@part.register
def _(op: merge.Add, node: Node) -> nn.Module:
    return Sum()


@part.register(regularize.Dropout)
@part.register(reshape.Identity)
def _(op: Op, node: Node) -> nn.Module:
    return nn.Identity()


def eager(model: Model, x: np.ndarray, threads: int) -> Callable[[], np.ndarray]:
    torch.set_num_threads(threads)
    peer, image = Peer(model).eval(), torch.tensor(x)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return peer(image).numpy()

    return run


def export(model: Model, x: np.ndarray) -> bytes:
    """What torch.onnx.export writes of the network, by its older exporter, which needs no more."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Peer(model).eval(), (torch.tensor(x),), file, dynamo=False)
    return file.getvalue()
