"""Whether a model hangs together: what every pass must leave behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.compiler.model import Model, Weights, weights_of
from archspec.errors import did_you_mean, listed
from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor
from archspec.shapes import Shape, ShapeError, written

DTYPE = "float32"
"""What every weight is held in."""


class ModelError(ValueError):
    """A graph that no expansion gives, or weights that are not its own; the text says where."""


def check_model(model: Model, said_of: str, checked: Graph | None = None) -> None:
    """Raise ModelError with the first problem: `said_of` begins the sentence. The shapes that an op
    gives are not inferred again for nodes of a graph that was `checked`."""
    for problem in problems_of(model, checked):
        raise ModelError(f"{said_of}: {problem}")


def problems_of(model: Model, checked: Graph | None = None) -> Iterator[str]:
    """What is wrong with the graph, or else with its weights."""
    found = False
    for problem in _graph_problems(model.graph, {} if checked is None else checked.nodes):
        found = True
        yield problem
    if not found and model.weights is not None:
        yield from _weight_problems(model.graph, model.weights)


def _graph_problems(graph: Graph, checked: Mapping[str, Node]) -> Iterator[str]:
    known: dict[Tensor, Shape] = {Tensor(INPUT): graph.input_shape}
    for name, node in graph.nodes.items():
        if node.name != name or name == INPUT:
            yield f"the node {node.name!r} stands under the name {name!r}"
        for tensor in node.inputs:
            if tensor not in known:
                yield f"{name!r} reads {_place(tensor)}, which does not stand before it"
                return
        inputs = tuple(known[tensor] for tensor in node.inputs)
        if checked.get(name) is not node or node.layer.input_shapes != inputs:
            yield from _layer_problems(node, inputs)
        yield from _sharing_problems(graph, node)
        shapes = zip(node.results, node.layer.output_shapes, strict=True)
        known.update(shapes)
    for key, tensor in graph.outputs.items():
        if tensor not in known:
            yield f"the output {key!r} is {_place(tensor)}, which the graph does not have"


def _layer_problems(node: Node, inputs: tuple[Shape, ...]) -> Iterator[str]:
    layer = node.layer
    if layer.input_shapes != inputs:
        yield (
            f"{node.name!r} is laid out for {_several(layer.input_shapes)} and reads"
            f" {_several(inputs)}"
        )
        return
    fewest, most = node.op.inputs
    if len(inputs) < fewest or (most is not None and len(inputs) > most):
        yield f"{node.name!r} ({node.op.name}) reads {len(inputs)} tensors"
        return
    try:
        inferred = node.op.infer(inputs)
    except ShapeError as error:
        yield f"{node.name!r}: {error}"
        return
    if inferred != layer.output_shapes:
        yield (
            f"{node.name!r} is laid out to give {_several(layer.output_shapes)} and gives"
            f" {_several(inferred)}"
        )


def _sharing_problems(graph: Graph, node: Node) -> Iterator[str]:
    if not node.borrows:
        if node.layer.weights != node.layer.uses:
            yield f"{node.name!r} has no weights of its own and uses no other's"
        return
    owner = graph.nodes.get(node.owner)
    if owner is None or owner.borrows:
        yield f"{node.name!r} uses the weights of {node.owner!r}, which has none"
        return
    forms = [[(w.name, w.shape) for w in one.layer.uses] for one in (node, owner)]
    if forms[0] != forms[1]:
        yield f"{node.name!r} uses the weights of {node.owner!r}, which are not of its shapes"


def _weight_problems(graph: Graph, weights: Weights) -> Iterator[str]:
    owned = weights_of(graph)
    missing = [path for path in owned if path not in weights]
    foreign = [path for path in weights if path not in owned]
    if missing:
        yield (
            f"the weights lack {listed(missing, 'and', 4)}{did_you_mean(missing[0], foreign)};"
            " use one array for each weight of the graph"
        )
    if foreign:
        yield (
            f"the graph has no {listed(foreign, 'and', 4)}{did_you_mean(foreign[0], owned)};"
            " use weights of this graph alone"
        )
    for path, weight in owned.items():
        array = weights.get(path)
        if array is None:
            continue
        if tuple(array.shape) != weight.shape:
            yield f"{path} is {written(tuple(array.shape))} and the graph's {written(weight.shape)}"
        elif str(array.dtype) != DTYPE:
            yield f"{path} is {array.dtype}; use {DTYPE}"


def _place(tensor: Tensor) -> str:
    return f"result {tensor.output + 1} of {tensor.node!r}"


def _several(shapes: tuple[Shape, ...]) -> str:
    return " and ".join(map(written, shapes))
