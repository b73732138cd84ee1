"""The nodes of a graph: an op on known shapes, with a name and inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.ops import Op, Weight
from archspec.shapes import ShapeError, Shapes, elements, written

INPUT = "in"
"""The name under which nodes refer to the network's input."""


MAX_ELEMENTS = 2**53
"""Of one tensor: no machine holds as many, and beyond it numbers are no longer exact in JSON."""


class Tensor(NamedTuple):
    """A result of a node, or the network's input; `output` counts a node's results from 0."""

    node: str
    output: int = 0


class Layer:
    """An op applied to inputs of known shapes, with what that costs for one sample.

    `params` are trainable weights, `buffers` elements that training does not move (running
    statistics), `macs` multiply-accumulates, `elementwise` other scalar operations, `stored` the
    elements of the results that need memory of their own (a weight has its own already), `window`
    what a result sees of the input. `uses` are the weights that it computes with, `weights` those
    of them that are its own: all, or none where it borrows another's. `given` are the op's
    attributes as a spec gave them. A layer is a value: thousands of networks share the same few
    hundred.
    """

    nodes = 1
    output_names = ()
    result_names = ()
    counts = None
    exposed = ()
    """A layer's results have no names of their own and are not lists; these it shares with
    fragments."""

    __slots__ = (
        "_borrowing", "_meaning", "buffers", "elementwise", "given", "input_shapes", "macs", "op",
        "output_shapes", "params", "stored", "uses", "weights", "window",
    )  # fmt: skip

    def __init__(self, op: Op, inputs: Shapes, given: Mapping[str, Any] | None = None):
        """Raises ShapeError where the op cannot take these inputs."""
        self.op = op
        self.given = vars(op) if given is None else given
        self._meaning: Op | None = None
        self._borrowing: Layer | None = None
        self.input_shapes = inputs
        self.output_shapes = op.infer(inputs)
        for shape in self.output_shapes:
            if elements(shape) > MAX_ELEMENTS:
                raise ShapeError(
                    f"{op.name} gives {written(shape)}, more elements than 2**53; use fewer"
                )
        self.uses: tuple[Weight, ...] = op.weights(inputs)
        self.weights = self.uses
        self.params = sum(weight.size for weight in self.weights if weight.trainable)
        self.buffers = sum(weight.size for weight in self.weights if not weight.trainable)
        self.macs = op.macs(inputs, self.output_shapes)
        self.elementwise = op.elementwise(inputs, self.output_shapes)
        self.stored = 0 if op.is_view or not inputs else sum(map(elements, self.output_shapes))
        self.window = op.sees(inputs)

    @property
    def meaning(self) -> Op:
        """The op that stands for all that do the same on these shapes: layers with
        equal meanings and input shapes compute the same of the same weights."""
        if self._meaning is None:
            self._meaning = self.op.resolve(self.input_shapes)
        return self._meaning

    @property
    def signature(self) -> Any:
        """What it is, whatever it takes: its op, and whether the weights are its own."""
        return self.op if self.weights or not self.uses else (self.op, "weights of another")

    @property
    def borrowing(self) -> Layer:
        """The same with another's weights, which count there; itself where it has none."""
        if not self.weights:
            return self
        if self._borrowing is None:
            layer = self._borrowing = Layer(self.op, self.input_shapes, self.given)
            layer.weights = ()
            layer.params = layer.buffers = 0
        return self._borrowing


class Node:
    """A layer in its place: `results` are its outputs as tensors, `origin` is what the expansion
    knows of where it came from. `owner` is the name of the node whose weights it uses: its own
    where none is given, and one that owns its weights where one is."""

    __slots__ = ("inputs", "layer", "name", "origin", "owner", "results")

    def __init__(
        self,
        name: str,
        layer: Layer,
        inputs: tuple[Tensor, ...],
        origin: Any = None,
        owner: str | None = None,
    ):
        self.name = name
        self.owner = name if owner is None or not layer.uses else owner
        self.layer = layer if self.owner == name else layer.borrowing
        self.inputs = inputs
        self.origin = origin
        count = len(layer.output_shapes)
        self.results = (
            (Tensor(name),) if count == 1 else tuple(Tensor(name, k) for k in range(count))
        )

    @property
    def op(self) -> Op:
        return self.layer.op

    @property
    def borrows(self) -> bool:
        """Whether it uses another node's weights."""
        return self.owner != self.name

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.op}, inputs={[tensor.node for tensor in self.inputs]})"
