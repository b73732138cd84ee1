"""What of a network runs badly on a device, and what each such thing costs.

The cost is the estimate of the network as it is, less the estimate with that one thing made good;
each rule says what good is. Costs overlap, for two findings can hold the same milliseconds, and
what is put in place of something makes another network, which must be trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

from archspec.compiler.latency.device import Device
from archspec.compiler.latency.kernels import RECTIFIERS, roles
from archspec.compiler.latency.model import LayerTime, layer_time, total_ms
from archspec.compiler.latency.validity import DEPTHWISE, SMALL_GROUPS, kind_of
from archspec.compiler.latency.work import CUBE, filled
from archspec.compiler.model import Model
from archspec.compiler.passes.drop_dead import drop_dead
from archspec.compiler.rewrite import Draft
from archspec.graph import Graph
from archspec.node import INPUT, Node, Tensor
from archspec.ops import Op
from archspec.ops.activation import Act
from archspec.ops.conv import Conv
from archspec.ops.linear import Dense
from archspec.ops.merge import Mul
from archspec.ops.norm import BatchNorm, GroupNorm, LayerNorm
from archspec.ops.pool import AvgPool, MaxPool
from archspec.ops.reshape import ChannelShuffle
from archspec.shapes import Pair, Shape, Shapes, elements, written

LEAST_SHARE = 0.001
"""Of a network's time, what a finding costs to be told where no other share is asked for."""
LARGER_KERNELS = ((7, 7), (5, 5), (3, 3))
SAME_TIME = 1.01
"""Times this close are called the same: a larger kernel has more weights to read."""


class Finding(NamedTuple):
    """What a rule of RULES says of a node, and the milliseconds a batch that it costs."""

    rule: str
    node: str
    what: str
    cost_ms: float


Met: TypeAlias = "Iterator[tuple[Node, str, float]]"
"""What a rule yields: the node, what was met, and what it costs in milliseconds."""


class Rule(NamedTuple):
    """A rule, and what would do instead of what it finds."""

    look: Callable[[Subject], Met]
    advice: str


@dataclass(frozen=True)
class Subject:
    """The network that is looked at, as it is deployed."""

    graph: Graph
    device: Device
    batch: int

    @cached_property
    def ms(self) -> float:
        return total_ms(self.graph, self.device, self.batch)

    @cached_property
    def kernels(self) -> list[Node]:
        """The nodes that are kernels of their own."""
        found = roles(self.graph).items()
        return [self.graph.nodes[name] for name, role in found if role == "kernel"]

    def time(self, node: Node, inputs: Shapes | None = None, tile: int = CUBE) -> LayerTime:
        """A kernel's time; of other inputs, or (a tile of 1) without its channels filled up."""
        layer = node.layer
        inputs = layer.input_shapes if inputs is None else inputs
        return layer_time(layer.op, inputs, layer.output_shapes, self.device, self.batch, tile=tile)

    def saved_with(self, node: Node, op: Op) -> float:
        """What the network would save with another op in a node's place."""
        draft = Draft(Model(self.graph))
        draft.change(node.name, op)
        return self._saved(draft)

    def saved_without(self, node: Node, instead: Tensor) -> float:
        """What the network would save were another tensor read instead of a node's result."""
        draft = Draft(Model(self.graph))
        draft.bypass(node.name, instead)
        return self._saved(draft)

    def _saved(self, draft: Draft) -> float:
        return self.ms - total_ms(drop_dead(draft.model()).graph, self.device, self.batch)


def findings(
    graph: Graph, device: Device, batch: int, least_share: float = LEAST_SHARE
) -> list[Finding]:
    """What costs this network more than a share of its time, the costliest first."""
    subject = Subject(graph, device, batch)
    found = [
        Finding(name, node.name, what, cost)
        for name, rule in RULES.items()
        for node, what, cost in rule.look(subject)
        if cost > least_share * subject.ms
    ]
    return sorted(found, key=lambda finding: -finding.cost_ms)


def unfilled_channels(subject: Subject) -> Met:
    """Good: only the channels that are there are moved and multiplied. The few of an image stay as
    they are."""
    for node in subject.kernels:
        if not isinstance(node.op, (Conv, Dense)) or _groups(node) > 1:
            continue
        shape = node.layer.input_shapes[0]
        channels = (shape[0], node.layer.output_shapes[0][0])
        run_as = (filled(channels[0]), filled(channels[1]))
        if channels != run_as:
            what = f"{channels[0]} to {channels[1]} channels, run as {run_as[0]} to {run_as[1]}"
            if node.inputs[0].node == INPUT:
                shape = (run_as[0], *shape[1:])
            good = subject.time(node, (shape,), tile=1)
            yield node, what, subject.time(node).ms - good.ms


def depthwise(subject: Subject) -> Met:
    """Good: the same multiplications in dense convolutions that are there anyway, at the cube's
    rate and without a launch or a pass through memory of their own."""
    for node in subject.kernels:
        if isinstance(node.op, Conv) and kind_of(node.layer) == DEPTHWISE:
            what = f"{written(node.op.kernel)} to {_shape(node)}"
            yield node, what, _saved_if_dense(subject, node)


def small_groups(subject: Subject) -> Met:
    """Good: as for depthwise convolutions."""
    for node in subject.kernels:
        if kind_of(node.layer) == SMALL_GROUPS:
            groups = _groups(node)
            what = f"{groups} groups of {node.layer.input_shapes[0][0] // groups} channels"
            yield node, what, _saved_if_dense(subject, node)


def activations(subject: Subject) -> Met:
    """Good: a ReLU, which the kernel before takes in. Those of a gate belong to `gates`."""
    in_gates = {name for node in subject.kernels for name in _gate(subject.graph, node)}
    for node in subject.kernels:
        op = node.op
        if isinstance(op, Act) and op.function not in RECTIFIERS and node.name not in in_gates:
            saved = subject.saved_with(node, Act("relu"))
            yield node, f"{op.function} of {_shape(node)}", saved


def gates(subject: Subject) -> Met:
    """Good: squeeze and excite, or another gate that a global pool starts, left out."""
    for node in subject.kernels:
        if _gate(subject.graph, node):
            image = max(node.inputs, key=lambda tensor: elements(subject.graph.shape(tensor)))
            saved = subject.saved_without(node, image)
            yield node, f"squeeze and excite of {_shape(node)}", saved


def shuffles(subject: Subject) -> Met:
    """Good: left out."""
    for node in subject.kernels:
        if isinstance(node.op, ChannelShuffle):
            saved = subject.saved_without(node, node.inputs[0])
            yield node, _shape(node), saved


def norms(subject: Subject) -> Met:
    """Good: a batch norm for one that needs its input's statistics, and for a batch norm that no
    convolution takes in, none."""
    for node in subject.kernels:
        what = f"{node.op.name} of {_shape(node)}"
        if isinstance(node.op, (LayerNorm, GroupNorm)):
            yield node, what, subject.saved_with(node, BatchNorm())
        elif isinstance(node.op, BatchNorm):
            yield node, f"{what} not folded", subject.saved_without(node, node.inputs[0])


def large_windows(subject: Subject) -> Met:
    """Good: as long as the memory takes."""
    for node in subject.kernels:
        if isinstance(node.op, (MaxPool, AvgPool)):
            time = subject.time(node)
            what = f"{node.op.name} of {written(node.op.kernel)} to {_shape(node)}"
            yield node, what, time.busy_ms - time.memory_ms


def idle_cubes(subject: Subject) -> Met:
    """Good: as long as the cube takes. A larger kernel that takes no longer is named."""
    for node in subject.kernels:
        if isinstance(node.op, Conv) and node.op.groups == 1:
            time = subject.time(node)
            what = f"{written(node.op.kernel)}, cube {time.cube_ms / time.busy_ms:.0%} busy"
            kernel = _free_kernel(subject, node, node.op)
            if kernel:
                what += f"; {written(kernel)} is as fast"
            yield node, what, time.busy_ms - time.cube_ms


RULES: dict[str, Rule] = {
    "channels": Rule(
        unfilled_channels, f"multiples of {CUBE}: up to there more channels take no longer"
    ),
    "depthwise": Rule(
        depthwise, f"dense convolutions: this uses 1/{CUBE} of the cube and waits for memory"
    ),
    "groups": Rule(small_groups, f"groups of {CUBE} channels or more, which fill the cube"),
    "activation": Rule(activations, "relu, which a convolution does on its way out"),
    "gate": Rule(gates, "none, or in the last stages alone, where maps are small"),
    "shuffle": Rule(shuffles, "dense 1x1 convolutions, which mix all channels"),
    "norm": Rule(norms, "batch_norm right after a convolution, into whose weights it folds"),
    "window": Rule(large_windows, "several smaller pools, one after another"),
    "idle cube": Rule(idle_cubes, "larger kernels and fewer layers, for this one waits for memory"),
}


def _saved_if_dense(subject: Subject, node: Node) -> float:
    time = subject.time(node)
    rate = subject.device.macs_per_second * subject.device.efficiency
    return time.ms - 1e3 * time.macs / rate


def _free_kernel(subject: Subject, node: Node, op: Conv) -> Pair | None:
    """The largest kernel that a convolution could have in the same time."""
    now = subject.time(node).ms
    shapes = (node.layer.input_shapes, node.layer.output_shapes)
    for kernel in LARGER_KERNELS:
        is_larger = kernel != op.kernel and all(map(int.__ge__, kernel, op.kernel))
        if is_larger:
            time = layer_time(replace(op, kernel=kernel), *shapes, subject.device, subject.batch)
            if time.ms <= now * SAME_TIME:
                return kernel
    return None


def _gate(graph: Graph, node: Node) -> set[str]:
    """The nodes between a pool to one pixel and the product that its result is a factor of; none
    where the node is no such product."""
    if not isinstance(node.op, Mul):
        return set()
    waiting = [tensor.node for tensor in node.inputs if _is_one_pixel(graph.shape(tensor))]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or name == INPUT:
            continue
        found.add(name)
        sources = graph.nodes[name].inputs
        waiting += [tensor.node for tensor in sources if _is_one_pixel(graph.shape(tensor))]
    return found if any(graph.nodes[name].op.category == "pool" for name in found) else set()


def _is_one_pixel(shape: Shape) -> bool:
    return elements(shape[1:]) == 1


def _groups(node: Node) -> int:
    return node.op.groups if isinstance(node.op, Conv) else 1


def _shape(node: Node) -> str:
    return written(node.layer.output_shapes[0])
