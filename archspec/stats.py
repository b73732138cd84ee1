"""What a network costs: parameters, multiply-accumulates, activation memory, receptive field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from archspec.node import INPUT, Node, Tensor
from archspec.receptive import Field, receptive_fields
from archspec.shapes import Shape, elements

BYTES_PER_ELEMENT = 4
"""Activations are counted as float32."""


class LayerStats(NamedTuple):
    """One row: a node, or several folded into one (a block, or all nodes of one op).

    `macs`, `elementwise` and `activation_bytes` are for the whole batch; `receptive_field` is
    (height, width) in input pixels, None where it is the whole input.
    """

    name: str
    op: str
    output: Shape | None
    params: int
    buffers: int
    macs: int
    elementwise: int
    activation_bytes: int
    receptive_field: tuple[int, int] | None
    nodes: int = 1


@dataclass(frozen=True)
class Stats:
    """Totals of a network and its rows in execution order.

    params: trainable weights. buffers: running statistics. macs: multiply-accumulates of
    layers and of products of matrices, one counting 1. elementwise: other scalar operations (see
    Op.elementwise).
    activation_bytes: all results stored, as in training. peak_activation_bytes: the most that is
    alive at once when nodes run in order and results are freed after their last use; peak_node is
    where. Weights are in neither. All but params and buffers are for `batch` samples, in float32.
    """

    batch: int
    layers: tuple[LayerStats, ...]
    params: int
    buffers: int
    macs: int
    elementwise: int
    activation_bytes: int
    peak_activation_bytes: int
    peak_node: str

    def by_block(self) -> tuple[LayerStats, ...]:
        """Rows folded by the first part of their names."""
        return _fold(self.layers, lambda row: row.name.partition(".")[0], keeps_output=True)

    def by_op(self) -> tuple[LayerStats, ...]:
        """Rows folded by op, the costliest first."""
        rows = _fold(self.layers, lambda row: row.op, keeps_output=False)
        return tuple(sorted(rows, key=lambda row: (-row.macs, -row.params)))


def stats_of(
    nodes: Mapping[str, Node], outputs: Iterable[Tensor], input_shape: Shape, batch: int = 1
) -> Stats:
    """Count a network whose nodes stand in execution order."""
    fields = receptive_fields(nodes.values())
    layers = tuple(_row(node, fields[node.name], batch) for node in nodes.values())
    peak, peak_node = _peak(nodes, outputs, input_shape)
    return Stats(
        batch=batch,
        layers=layers,
        params=sum(row.params for row in layers),
        buffers=sum(row.buffers for row in layers),
        macs=sum(row.macs for row in layers),
        elementwise=sum(row.elementwise for row in layers),
        activation_bytes=sum(row.activation_bytes for row in layers),
        peak_activation_bytes=peak * BYTES_PER_ELEMENT * batch,
        peak_node=peak_node,
    )


def _row(node: Node, field: Field, batch: int) -> LayerStats:
    layer = node.layer
    return LayerStats(
        node.name,
        layer.op.name,
        layer.output_shapes[0],
        layer.params,
        layer.buffers,
        layer.macs * batch,
        layer.elementwise * batch,
        layer.stored * BYTES_PER_ELEMENT * batch,
        None if field is None else (field[0].extent, field[1].extent),
    )


def _fold(
    rows: Iterable[LayerStats], key: Callable[[LayerStats], str], keeps_output: bool
) -> tuple[LayerStats, ...]:
    groups: dict[str, list[LayerStats]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return tuple(
        LayerStats(
            name=name,
            op=members[0].op if len({row.op for row in members}) == 1 else "",
            output=members[-1].output if keeps_output else None,
            params=sum(row.params for row in members),
            buffers=sum(row.buffers for row in members),
            macs=sum(row.macs for row in members),
            elementwise=sum(row.elementwise for row in members),
            activation_bytes=sum(row.activation_bytes for row in members),
            receptive_field=members[-1].receptive_field,
            nodes=sum(row.nodes for row in members),
        )
        for name, members in groups.items()
    )


def _peak(
    nodes: Mapping[str, Node], outputs: Iterable[Tensor], input_shape: Shape
) -> tuple[int, str]:
    """The most elements alive at once for one sample, and at which node."""
    # A view has no bytes of its own: whoever uses it uses what it looks at. A weight is counted
    # among the weights.
    image = Tensor(INPUT)
    owner: dict[Tensor, Tensor] = {image: image}
    last_use: dict[Tensor, str] = {image: INPUT}
    for name, node in nodes.items():
        for tensor in node.inputs:
            if tensor in owner:
                last_use[owner[tensor]] = name
        if not node.inputs:
            continue
        if node.layer.op.is_view:
            if node.inputs[0] in owner:
                owner[node.results[0]] = owner[node.inputs[0]]
            continue
        for tensor in node.results:
            owner[tensor] = tensor
            last_use[tensor] = name
    for tensor in outputs:
        if tensor in owner:
            last_use[owner[tensor]] = ""
    freed: dict[str, int] = {}
    for tensor, name in last_use.items():
        shape = input_shape
        if tensor is not image:
            shape = nodes[tensor.node].layer.output_shapes[tensor.output]
        freed[name] = freed.get(name, 0) + elements(shape)
    alive = elements(input_shape)
    peak, peak_node = alive, INPUT
    for name, node in nodes.items():
        alive += node.layer.stored
        if alive > peak:
            peak, peak_node = alive, name
        alive -= freed.get(name, 0)
    return peak, peak_node
