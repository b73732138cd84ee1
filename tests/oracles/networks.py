"""Graphs for tests, written as a list of layers."""

from __future__ import annotations

from archspec.graph import Graph
from archspec.node import INPUT, Layer, Node, Tensor
from archspec.ops import Op
from archspec.ops.axes import Reshape
from archspec.ops.conv import Conv
from archspec.ops.linear import Dense
from archspec.ops.merge import Add
from archspec.ops.pool import AvgPool, GlobalAvgPool
from archspec.ops.regularize import LayerScale
from archspec.ops.reshape import Flatten, Identity, Slice
from archspec.shapes import elements


def made_of_one(op: Op, shapes: tuple[tuple[int, ...], ...]) -> Graph:
    """A network of one op on inputs of any shapes, each a dense layer of one small image."""
    layers: list[tuple[str | Op, ...]] = [("flat", Flatten())]
    for index, shape in enumerate(shapes):
        layers.append((f"dense{index}", Dense(elements(shape)), "flat"))
        layers.append((f"input{index}", Reshape(*shape)))
    return network(
        (3, 4, 5), *layers, ("op", op, *(f"input{index}" for index in range(len(shapes))))
    )


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


def around(op: Op, shapes: tuple[tuple[int, ...], ...]) -> Graph:
    """A network of one op on inputs of these shapes, all made of one image, or vector: some of its
    channels, means of neighbours, scaled. What takes no input is added to the image."""
    if op.input_names:
        return made_of_one(op, shapes)
    if not shapes:
        return network(op.infer(())[0], ("op", op), ("sum", Add(), "in", "op"))
    rank = max(map(len, shapes))
    whole = tuple(max(axis) for axis in zip(*(s for s in shapes if len(s) == rank), strict=True))
    whole = (max(shape[0] for shape in shapes), *whole[1:])
    layers: list[tuple[str | Op, ...]] = []
    for index, shape in enumerate(shapes):
        part, name = [], f"input{index}"
        if shape[0] < whole[0]:
            part.append(Slice(0, shape[0]))
        if shape[1:] != whole[1:]:
            extents = shape[1:] or (1, 1)
            kernel = [one - other + 1 for one, other in zip(whole[1:], extents, strict=True)]
            part.append(AvgPool(kernel, padding="valid"))
        if len(shape) < rank:
            part.append(Flatten())
        part.append(LayerScale() if index else Identity())
        source = "in"
        for number, step in enumerate(part, 1 - len(part)):
            layers.append((name + f".{-number}" * (number < 0), step, source))
            source = str(layers[-1][0])
    outputs = {"logits": "op"}
    if op.outputs > 1:
        outputs = {f"part{k}": f"op.{k}" for k in range(1, op.outputs + 1)}
    sources = (f"input{index}" for index in range(len(shapes)))
    return network(whole, *layers, ("op", op, *sources), outputs=outputs)


def of_convolutions(op: Op, shapes: tuple[tuple[int, ...], ...]) -> Graph:
    """A network of one op on inputs of these shapes, each a convolution of one image, or the means
    of its channels. What takes no input is added to the image."""
    if not shapes:
        return network(op.infer(())[0], ("op", op), ("sum", Add(), "in", "op"))
    maps = [shape for shape in shapes if len(shape) == 3] or [(1, 4, 5)]
    whole = tuple(max(axis) for axis in zip(*(shape[1:] for shape in maps), strict=True))
    layers: list[tuple[str | Op, ...]] = []
    sources: list[str] = []
    for index, shape in enumerate(shapes):
        layers.append((f"conv{index}", Conv(shape[0], 1, bias=True), "in"))
        if len(shape) == 1:
            layers += [(f"mean{index}", GlobalAvgPool()), (f"flat{index}", Flatten())]
        elif shape[1:] != whole:
            kernel = [one - other + 1 for one, other in zip(whole, shape[1:], strict=True)]
            layers.append((f"pool{index}", AvgPool(kernel, padding="valid")))
        sources.append(str(layers[-1][0]))
    outputs = {"logits": "op"}
    if op.outputs > 1:
        outputs = {f"result{k}": f"op.{k}" for k in range(1, op.outputs + 1)}
    return network((3, *whole), *layers, ("op", op, *sources), outputs=outputs)
