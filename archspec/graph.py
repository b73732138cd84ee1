"""A network as a graph of primitive ops with known shapes: a value, never changed in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.identity import fingerprint_of, resolve_input
from archspec.node import INPUT, Layer, Node, Tensor
from archspec.shapes import Shape
from archspec.stats import Stats, stats_of

if TYPE_CHECKING:
    import networkx

RESULT = "logits"
"""What the only result of a network is called where its spec gives it no name."""


class TemplateCall(NamedTuple):
    """A template call that some nodes came from: its evaluated arguments and its origin; `taken`
    and `given` are the tensors that it took and gave, in the order in which the template declares
    its inputs and outputs. `network` is the library whose network was called, which
    program_of_network reads; None where a template was."""

    template: str
    arguments: Mapping[str, Any]
    origin: Any
    input_names: tuple[str, ...] = ()
    taken: tuple[Tensor, ...] = ()
    output_names: tuple[str, ...] = ()
    given: tuple[Tensor, ...] = ()
    network: Any = None

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        """What it took, by the names that the template declares."""
        return dict(zip(self.input_names, self.taken, strict=True))

    @property
    def outputs(self) -> Mapping[str, Tensor]:
        """What it gave; nothing for a template that names no outputs."""
        return dict(zip(self.output_names, self.given, strict=False))


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in execution order (each after its inputs), by name.

    `input_shape` is (channels, height, width) of one sample; `preprocessing` is the spec's `input`.
    `outputs` maps each result's name to the tensor that is it. `calls` are the template calls by
    path, `arguments` the values of the spec's args.
    """

    name: str
    input_shape: Shape
    nodes: Mapping[str, Node]
    outputs: Mapping[str, Tensor]
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    calls: Mapping[str, TemplateCall] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    doc: str = ""

    @property
    def params(self) -> int:
        """Trainable weights."""
        return sum(node.layer.params for node in self.nodes.values())

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one sample."""
        return sum(node.layer.macs for node in self.nodes.values())

    def stats(self, batch: int = 1) -> Stats:
        """Parameters, MACs, activation memory and receptive fields, for a batch of float32."""
        return stats_of(self.nodes, self.outputs.values(), self.input_shape, batch)

    def shape(self, tensor: Tensor) -> Shape:
        """Shape of one sample of a tensor."""
        if tensor.node == INPUT:
            return self.input_shape
        return self.nodes[tensor.node].layer.output_shapes[tensor.output]

    @property
    def output_shapes(self) -> dict[str, Shape]:
        return {name: self.shape(tensor) for name, tensor in self.outputs.items()}

    @cached_property
    def digraph(self) -> networkx.DiGraph:
        """The graph for networkx: nodes by name (and "in"), an edge for each use of a result."""
        import networkx  # a tenth of a second to import, and counting needs none of it

        graph = networkx.DiGraph()
        graph.add_node(INPUT)
        for node in self.nodes.values():
            graph.add_node(node.name, node=node)
            graph.add_edges_from((tensor.node, node.name) for tensor in node.inputs)
        return graph

    @cached_property
    def without_image(self) -> frozenset[str]:
        """The nodes that no image takes part in, such as learnt tensors: what they give is the same
        for all samples, and its batch is 1."""
        found: set[str] = set()
        for node in self.nodes.values():
            if all(tensor.node in found for tensor in node.inputs):
                found.add(node.name)
        return frozenset(found)

    @property
    def settings(self) -> dict[str, Any]:
        """The spec's `input` as it stands for this graph's own shape."""
        if list(self.preprocessing.get("shape", ())) == list(self.input_shape):
            return dict(self.preprocessing)
        return resolve_input(self.preprocessing, self.input_shape)

    def normal_form(self) -> dict[str, Any]:
        """The flat spec this graph is: primitive nodes only, every name and shape-giving attribute
        explicit. Expanding it gives this graph again."""
        names = {name: name for name in self.nodes}
        spec: dict[str, Any] = {"archspec": 1, "name": self.name}
        if self.doc:
            spec["doc"] = self.doc
        spec["input"] = resolve_input(self.preprocessing, self.input_shape)
        return {**spec, **self.structure(names, lambda layer: layer.op.written_attributes())}

    @cached_property
    def fingerprint(self) -> str:
        """The identity of an architecture (archspec.identity): two specs that compute the same node
        by node share it, however they are written."""
        return fingerprint_of(self)

    def structure(
        self, names: Mapping[str, str], attributes: Callable[[Layer], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """The body and outputs of a flat spec with these names for the nodes and, of each layer,
        these attributes."""
        previous: Tensor | None = Tensor(INPUT)
        body: list[dict[str, Any]] = []
        for node in self.nodes.values():
            entry: dict[str, Any] = {"op": node.op.name, "name": names[node.name]}
            entry.update(attributes(node.layer))
            if node.borrows:
                entry["weights"] = names[node.owner]
            if node.inputs and node.inputs != (previous,):
                sources = [self._name_tensor(tensor, names) for tensor in node.inputs]
                entry["from"] = sources[0] if len(sources) == 1 else sources
            body.append(entry)
            previous = node.results[0] if len(node.results) == 1 else None
        if dict(self.outputs) == {RESULT: previous}:
            return {"body": body}
        outputs = {key: self._name_tensor(tensor, names) for key, tensor in self.outputs.items()}
        return {"body": body, "outputs": outputs}

    def _name_tensor(self, tensor: Tensor, names: Mapping[str, str]) -> str:
        if tensor.node == INPUT:
            return INPUT
        name = names[tensor.node]
        several = len(self.nodes[tensor.node].layer.output_shapes) > 1
        return f"{name}.{tensor.output + 1}" if several else name


__all__ = ["INPUT", "RESULT", "Graph", "Layer", "Node", "TemplateCall", "Tensor"]
