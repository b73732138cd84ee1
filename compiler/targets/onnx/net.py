"""The nodes, constants and value names of an ONNX graph in the making."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from archspec.compiler.model import Weights
from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor
from archspec.ops import Op
from archspec.shapes import Shape

INPUT_NAME = "image"


class Net:
    """What the operators of a graph are added to, one node of the graph after another.

    A tensor's value is called as the output it is, else as its node ("stage1.conv", or
    "stage1.split.2"); a weight as its path; what stands between is "stage1.gate/Sigmoid".
    """

    def __init__(self, proto: onnx.GraphProto, graph: Graph, weights: Weights, opset: int):
        self.opset = opset
        self.without_image = graph.without_image
        self._proto = proto
        self._weights = weights
        self._written: set[str] = set()
        self._forms: dict[str, tuple[int, ...]] = {}
        self._taken = {INPUT_NAME, *graph.outputs, *weights}
        self._values = {Tensor(INPUT): INPUT_NAME}
        self._outputs: dict[Tensor, str] = {}
        for key, tensor in graph.outputs.items():
            if tensor.node != INPUT:
                self._outputs.setdefault(tensor, key)
        self.readers: dict[Tensor, list[Op]] = {}
        for node in graph.nodes.values():
            for tensor in node.inputs:
                self.readers.setdefault(tensor, []).append(node.op)

    def value(self, tensor: Tensor) -> str:
        """The name of a tensor that has been computed."""
        return self._values[tensor]

    def read(self, node: Node, tensor: Tensor) -> str:
        """What a node has as its input: the tensor itself."""
        return self.value(tensor)

    def name_results(self, node: Node) -> list[str]:
        """Names for a node's results, which can be read from now on."""
        for tensor in node.results:
            ending = f".{tensor.output + 1}" if len(node.results) > 1 else ""
            name = self._outputs.get(tensor) or self.reserve(node.name + ending)
            self._values[tensor] = name
        return [self._values[tensor] for tensor in node.results]

    def reserve(self, wanted: str) -> str:
        """The wanted name, with a number where it is taken; taken from now on."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name

    def add(
        self, kind: str, name: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """Add an operator. Attributes are called as in ONNX."""
        self._proto.node.append(helper.make_node(kind, inputs, outputs, name, **attributes))

    def weight(self, path: str, shape: Shape | None = None) -> str:
        """An initializer of a weight, in another shape where one is given."""
        array = self._weights[path]
        form = array.shape if shape is None else shape
        if self._forms.setdefault(path, form) == form:
            return self.constant(path, array.reshape(form))
        # shared by nodes on images and on vectors, which see it in two shapes
        return self.constant(f"{path}/{'x'.join(map(str, form))}", array.reshape(form))

    def values_of(self, path: str) -> np.ndarray:
        """A weight's array."""
        return self._weights[path]

    def floats(self, *values: float) -> str:
        """One float32 constant: a number, or the vector of several."""
        return self._number(values[0] if len(values) == 1 else values, np.float32)

    def integers(self, values: Iterable[int], dtype: type = np.int64) -> str:
        """A vector of integers: int64 where ONNX will have it so."""
        return self._number(tuple(values), dtype)

    def matrix(self, name: str, array: np.ndarray) -> str:
        """A float32 constant of a node."""
        return self.constant(self.reserve(name), array.astype(np.float32))

    def no_floats(self) -> str:
        """An empty vector, for the inputs that ONNX wants and nobody reads."""
        return self.constant("constant/none", np.zeros(0, np.float32))

    def _number(self, value: Any, dtype: type) -> str:
        # Equal constants are one; "/" keeps them apart from the names of a graph's nodes.
        array = np.array(value, dtype)
        parts = "_".join(map(str, array.ravel().tolist()))
        return self.constant(f"constant/{array.dtype}/{parts}", array)

    def constant(self, name: str, array: np.ndarray) -> str:
        """An initializer: the name is taken as it is, and what has it already stays."""
        if name not in self._written:
            self._written.add(name)
            # Filled in place: a message handed over would be copied, and weights are large.
            tensor = self._proto.initializer.add()
            tensor.name = name
            tensor.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
            tensor.dims.extend(array.shape)
            tensor.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        return name


class Site:
    """Where one node of the graph is written: its inputs by name, and which of them no image takes
    part in (`alone`), its weights, its results."""

    def __init__(self, net: Net, node: Node):
        self.net = net
        self.node = node
        self.inputs = [net.read(node, tensor) for tensor in node.inputs]
        self.alone = [tensor.node in net.without_image for tensor in node.inputs]
        self.shapes = node.layer.input_shapes
        self._results = net.name_results(node)
        self._kinds: dict[str, int] = {}

    @property
    def x(self) -> str:
        """The first input."""
        return self.inputs[0]

    def readers(self) -> list[Op]:
        """The ops that read the node's results."""
        return [op for tensor in self.node.results for op in self.net.readers.get(tensor, ())]

    def step(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator on the way to the result."""
        name = self._reserve(kind)
        self.net.add(kind, name, inputs, [name], **attributes)
        return name

    def steps(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operator of `count` results on the way."""
        name = self._reserve(kind)
        names = [self.net.reserve(f"{name}.{k}") for k in range(1, 1 + count)]
        self.net.add(kind, name, inputs, names, **attributes)
        return names

    def _reserve(self, kind: str) -> str:
        count = self._kinds[kind] = self._kinds.get(kind, 0) + 1
        return self.net.reserve(f"{self.node.name}/{kind}" + (f"_{count}" if count > 1 else ""))

    def result(self, kind: str, *inputs: str, **attributes: Any) -> None:
        """Add the operator that gives the node's results."""
        self.net.add(kind, self.node.name, inputs, self._results, **attributes)

    def results(self, kind: str, inputs: Sequence[Sequence[str]]) -> None:
        """Add an operator for each of the node's results, which takes these inputs."""
        for result, taken in zip(self._results, inputs, strict=True):
            self.net.add(kind, self._reserve(kind), taken, [result])

    def chain(self, kind: str, values: Sequence[str]) -> None:
        """The result of an operator of two inputs over all values, from the first to the last."""
        value, *rest = values
        for other in rest[:-1]:
            value = self.step(kind, value, other)
        self.result(kind, value, rest[-1])

    def weight(self, name: str) -> str:
        return self.net.weight(f"{self.node.owner}.{name}")

    def array(self, name: str) -> np.ndarray:
        """A weight's values, for what is worked out of them here."""
        return self.net.values_of(f"{self.node.owner}.{name}")

    def per_channel(self, name: str) -> str:
        """A weight of (channels,), shaped to meet every position of an image."""
        channels, *extent = self.shapes[0]
        return self.net.weight(f"{self.node.owner}.{name}", (channels, *[1] * len(extent)))
