"""Graphs for tests, written as a list of layers."""

from __future__ import annotations

from archspec.graph import Graph
from archspec.node import INPUT, Layer, Node, Tensor
from archspec.ops import Op


def network(
    input_shape: tuple[int, ...],
    *layers: tuple[str | Op, ...],
    outputs: dict[str, str] | None = None,
) -> Graph:
    """Layers are (name, op, *sources): none is the layer before, "x.2" the second result of x, "in"
    the network's input. The last layer is "logits" unless outputs are given."""
    nodes: dict[str, Node] = {}
    shapes = {INPUT: input_shape}
    tensors = {INPUT: Tensor(INPUT)}
    previous = INPUT
    for name, op, *given in layers:
        sources = given or ([previous] if op.inputs != (0, 0) else [])
        layer = Layer(op, tuple(shapes[source] for source in sources))
        node = Node(name, layer, tuple(tensors[source] for source in sources))
        nodes[name] = node
        several = len(node.results) > 1
        for tensor, shape in zip(node.results, layer.output_shapes, strict=True):
            result = f"{name}.{tensor.output + 1}" if several else name
            shapes[result], tensors[result] = shape, tensor
        previous = f"{name}.1" if several else name
    named = {"logits": previous} if outputs is None else outputs
    return Graph("test", input_shape, nodes, {key: tensors[name] for key, name in named.items()})
