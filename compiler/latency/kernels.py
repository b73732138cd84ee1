"""How the nodes of a graph become kernels on the device.

    conv --> batch_norm --> add --> relu --> max_pool        ==>     one kernel, and the pool's
                             ^
               shortcut -----+   (read once more)

Ascend's compiler puts an op into the kernel before it where that works for this op alone: a batch
norm into a convolution that nothing else was done to yet, a ReLU into any kernel, a sum into the
convolution that gives one of its inputs. What is done to a result before it is stored costs no
time of its own here; the further inputs of a sum must be read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

from archspec.compiler.affine import is_affine
from archspec.graph import Graph
from archspec.node import INPUT, Layer, Tensor
from archspec.ops.activation import Act
from archspec.ops.conv import Conv
from archspec.ops.merge import Add
from archspec.shapes import elements

RECTIFIERS = frozenset({"relu", "relu6", "leaky_relu", "prelu"})
"""Activations of a few comparisons and products, done to a result before it is stored."""

MOST_LAYERS = 2**16
"""Remembered for the next network of a search, most of whose layers were met before."""

Role: TypeAlias = Literal["kernel", "fused", "read", "view"]
"""What a node is on the device: a kernel of its own; done by the kernel before it; a sum done by
the kernel of one of its inputs, which reads the others; or nothing, for its bytes are its input's.
"""

_Nature: TypeAlias = Literal["conv", "affine", "rectifier", "sum", "view", "other"]
"""What an op is as to kernels, whatever stands before it."""

_Source: TypeAlias = Literal["conv", "conv and more", "kernel", "closed"]
"""What a result comes from, as to what that kernel may still take in: a convolution to which at
most batch norms were put; one with a ReLU or a sum; any other kernel. Into what is closed nothing
goes: the network's input, and a result that others read too."""


def roles(graph: Graph) -> dict[str, Role]:
    """The role of every node, by name, in execution order."""
    readers: dict[Tensor, int] = dict.fromkeys(graph.outputs.values(), 1)
    for node in graph.nodes.values():
        for tensor in node.inputs:
            readers[tensor] = readers.get(tensor, 0) + 1
    sources: dict[str, _Source] = {INPUT: "closed"}
    found: dict[str, Role] = {}
    for name, node in graph.nodes.items():
        nature = _nature(node.layer)
        source: _Source = "closed"
        for tensor in node.inputs if nature == "sum" else node.inputs[:1]:
            if readers[tensor] == 1 and source not in ("conv", "conv and more"):
                source = sources[tensor.node]
        found[name], sources[name] = _placed(nature, source)
    return found


def _placed(nature: _Nature, source: _Source) -> tuple[Role, _Source]:
    """A node's role after its source, and what it is as a source itself."""
    if nature == "conv":
        return "kernel", "conv"
    if nature == "view":
        return "view", source
    if nature == "affine" and source == "conv":
        return "fused", "conv"
    if nature == "rectifier" and source != "closed":
        return "fused", "conv and more" if source == "conv" else source
    if nature == "sum" and source in ("conv", "conv and more"):
        return "read", "conv and more"
    return "kernel", "kernel"


@lru_cache(maxsize=MOST_LAYERS)
def _nature(layer: Layer) -> _Nature:
    op = layer.op
    if isinstance(op, Conv):
        return "conv"
    if is_affine(op):
        return "affine"
    if isinstance(op, Act) and op.function in RECTIFIERS:
        return "rectifier"
    if isinstance(op, Add):
        return "sum"
    # flattening an image takes its channels out of their blocks
    shape = layer.input_shapes[0]
    keeps_blocks = layer.output_shapes[0] == shape or elements(shape[1:]) == 1
    return "view" if op.is_view and keeps_blocks else "other"
