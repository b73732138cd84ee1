"""Rewriting a model: a draft that a pass edits, handed on as a new value.

Names are kept: a node keeps its own whatever it becomes, and one that takes in others (a
convolution its batch norm, say) is still found under the name the spec gives it. No name is ever
made, so names stay unique. A node never moves either: a draft only lets nodes read what stands
before them, so execution order holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.compiler.model import Model, weights_of
from archspec.node import INPUT, Layer, Node, Tensor
from archspec.ops import Op
from archspec.shapes import Shape

if TYPE_CHECKING:
    import numpy as np


class Draft:
    """A model in the making. The model it starts from is left as it is."""

    def __init__(self, model: Model):
        self._model = model
        self.nodes: dict[str, Node] = dict(model.graph.nodes)
        self.outputs: dict[str, Tensor] = dict(model.graph.outputs)
        self._arrays = None if model.weights is None else dict(model.weights)
        self._readers: dict[Tensor, list[str]] = {}
        self._users: dict[str, list[str]] = {}
        """By the node that owns weights, who else uses them, in execution order."""
        for node in self.nodes.values():
            self._enter(node)
            if node.borrows:
                self._users.setdefault(node.owner, []).append(node.name)

    @property
    def has_weights(self) -> bool:
        return self._arrays is not None

    def model(self) -> Model:
        """The draft as a value, with the weights that its nodes own."""
        graph = replace(self._model.graph, nodes=self.nodes, outputs=self.outputs)
        weights = self._arrays
        if weights is not None:
            weights = {path: weights[path] for path in weights_of(graph) if path in weights}
        return Model(graph, weights, rewritten_from=self._model.spec_graph)

    # Looking.

    def producer(self, tensor: Tensor) -> Node | None:
        """The node a tensor comes from; None for the network's input."""
        return None if tensor.node == INPUT else self.nodes[tensor.node]

    def shape(self, tensor: Tensor) -> Shape:
        node = self.producer(tensor)
        if node is None:
            return self._model.graph.input_shape
        return node.layer.output_shapes[tensor.output]

    def serves_one(self, tensor: Tensor) -> bool:
        """Whether one input of one node is all that the tensor is for."""
        return len(self._readers.get(tensor, ())) == 1 and tensor not in self.outputs.values()

    def own_producer(self, tensor: Tensor) -> Node | None:
        """The node a tensor comes from if it works for the tensor's one reader alone."""
        return self.producer(tensor) if self.serves_one(tensor) else None

    def arrays(self, node: Node) -> dict[str, np.ndarray]:
        """A node's weights by their names within the op. Only where the model has weights."""
        if self._arrays is None:
            raise ValueError("this model has no weights")
        return {w.name: self._arrays[f"{node.owner}.{w.name}"] for w in node.layer.uses}

    def shares(self, node: Node) -> bool:
        """Whether the weights that a node uses are another's too, so that they must stay."""
        return node.borrows or bool(self._users.get(node.name))

    # Changing.

    def change(
        self, name: str, op: Op | None = None, inputs: Sequence[Tensor] | None = None
    ) -> None:
        """Give a node another op, other inputs or both."""
        old = self.nodes[name]
        new_op = old.op if op is None else op
        new_inputs = old.inputs if inputs is None else tuple(inputs)
        shapes = tuple(self.shape(tensor) for tensor in new_inputs)
        same = new_op == old.op and shapes == old.layer.input_shapes
        layer = old.layer if same else Layer(new_op, shapes)
        self._leave(old)
        self.nodes[name] = Node(name, layer, new_inputs, old.origin, old.owner)
        self._enter(self.nodes[name])

    def put(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Replace some of a node's weights, by their names within the op."""
        if self._arrays is None:
            raise ValueError("this model has no weights")
        self._arrays.update({f"{name}.{weight}": array for weight, array in arrays.items()})

    def bypass(self, name: str, *instead: Tensor) -> None:
        """Let all who read a node's results read other tensors, one for each, and remove it."""
        node = self.nodes[name]
        substitutes = dict(zip(node.results, instead, strict=True))
        readers = {reader for tensor in node.results for reader in self._readers.get(tensor, ())}
        for reader in readers:
            inputs = [substitutes.get(tensor, tensor) for tensor in self.nodes[reader].inputs]
            self.change(reader, inputs=inputs)
        for key, tensor in self.outputs.items():
            self.outputs[key] = substitutes.get(tensor, tensor)
        self.remove(name)

    def remove(self, name: str) -> None:
        """Remove a node that nobody reads any more. Of weights that others use too, the next of
        those is the owner from then on."""
        node = self.nodes.pop(name)
        self._leave(node)
        if node.borrows:
            self._users[node.owner].remove(name)
        elif self._users.get(name):
            self._hand_over(node)

    def _hand_over(self, owner: Node) -> None:
        heir, *others = self._users.pop(owner.name)
        old = self.nodes[heir]
        layer = Layer(old.op, old.layer.input_shapes, old.layer.given)
        self.nodes[heir] = Node(heir, layer, old.inputs, old.origin)
        for name in others:
            user = self.nodes[name]
            self.nodes[name] = Node(name, user.layer, user.inputs, user.origin, heir)
        self._users[heir] = others
        if self._arrays is not None:
            self.put(heir, {w.name: self._arrays[f"{owner.name}.{w.name}"] for w in layer.uses})

    def _enter(self, node: Node) -> None:
        for tensor in node.inputs:
            self._readers.setdefault(tensor, []).append(node.name)

    def _leave(self, node: Node) -> None:
        for tensor in node.inputs:
            self._readers[tensor].remove(node.name)
