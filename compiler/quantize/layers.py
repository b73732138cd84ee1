"""What of a graph can be int8, within what Huawei's AMCT takes of a QDQ model (convert_qat_model in
its manuals for CANN 8.0 to 9.0): convolutions, transposed ones without dilation, dense layers, and
sums of two tensors."""

from __future__ import annotations

from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor
from archspec.ops.activation import Act
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.linear import Dense
from archspec.ops.merge import Add


def has_int8_weights(node: Node) -> bool:
    """Whether the node's weight and its input can be integers."""
    op = node.op
    if isinstance(op, ConvTranspose):
        return op.dilation == (1, 1)
    return isinstance(op, (Conv, Dense))


def channel_axis(node: Node) -> int | None:
    """The axis of the weight along which each channel may have a scale of its own; None where AMCT
    takes one scale alone, as of a matrix."""
    if isinstance(node.op, Dense):
        return None
    # input channels come first, then the outputs of each group
    return 1 if isinstance(node.op, ConvTranspose) else 0


def find_layers(graph: Graph) -> list[str]:
    """The nodes whose weights can be integers, in order; none that no image reaches."""
    return [
        name
        for name, node in graph.nodes.items()
        if has_int8_weights(node) and node.inputs[0].node not in graph.without_image
    ]


def find_sums(graph: Graph, layers: set[str]) -> list[str]:
    """The sums of two tensors of one shape that an int8 layer takes part in: directly, or through
    activations and sums. With both as integers a whole block is one of integers."""
    found: set[str] = set()
    for name, node in graph.nodes.items():
        if not isinstance(node.op, Add) or len(node.inputs) != 2:
            continue
        one, other = node.layer.input_shapes
        sources = {_source(graph, tensor) for tensor in node.inputs}
        if one == other and sources & (layers | found):
            found.add(name)
    return [name for name in graph.nodes if name in found]


def _source(graph: Graph, tensor: Tensor) -> str:
    """The node that a tensor comes from, activations left aside."""
    while tensor.node != INPUT and isinstance(graph.nodes[tensor.node].op, Act):
        tensor = graph.nodes[tensor.node].inputs[0]
    return tensor.node
