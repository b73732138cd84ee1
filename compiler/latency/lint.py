"""What of a network runs badly on a device, what each such thing costs, and what following the
advice saves.

The cost is what a node takes beyond what its work would take were the device used well; each rule
says what well is. What is saved is exact: the estimate of the network less the estimate with that
one piece of advice followed. Often it is less than the cost, or nothing: then the same time could
do more work. Costs overlap, and advice that is followed makes another network, which must be
trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import fsum
from typing import NamedTuple, TypeAlias

from archspec.compiler.latency.device import Device
from archspec.compiler.latency.kernels import RECTIFIERS, Placement, Role
from archspec.compiler.latency.model import LayerTime, layer_time, total_ms
from archspec.compiler.latency.validity import DEPTHWISE, SMALL_GROUPS, kind_of
from archspec.compiler.latency.work import CUBE, fill_tile
from archspec.graph import Graph
from archspec.node import INPUT, Layer, Node, Tensor
from archspec.ops import Op
from archspec.ops.activation import Act
from archspec.ops.conv import Conv
from archspec.ops.merge import Mul
from archspec.ops.norm import BatchNorm, GroupNorm, LayerNorm
from archspec.ops.pool import AvgPool, MaxPool
from archspec.ops.reshape import ChannelShuffle
from archspec.shapes import Pair, Shapes, elements, written

LEAST_SHARE = 0.001
"""Of a network's time, what a finding costs to be told where no other share is asked for."""
LARGER_KERNELS = ((7, 7), (5, 5), (3, 3))
SAME_TIME = 1.01
"""Times this close are called the same: a larger kernel has more weights to read."""


class Finding(NamedTuple):
    """What a rule of RULES says of a node, the milliseconds a batch that it costs, and those that
    the network saves where the advice is followed at this node alone; None where the advice is to
    do more in the same time."""

    rule: str
    node: str
    what: str
    cost_ms: float
    saved_ms: float | None


Met: TypeAlias = "Iterator[tuple[Node, str, float, float | None]]"
"""What a rule yields: the node, what was met, and what it costs and what is saved in milliseconds.
"""


class Rule(NamedTuple):
    """A rule, and what to use instead of what it finds."""

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
    def placement(self) -> Placement:
        return Placement(self.graph)

    @cached_property
    def kernels(self) -> list[Node]:
        """The nodes that are kernels of their own."""
        found = self.placement.roles.items()
        return [self.graph.nodes[name] for name, role in found if role == "kernel"]

    @cached_property
    def gates(self) -> dict[str, None]:
        """Products that have a factor of one pixel which a pool to one pixel starts, in order."""
        after_a_pool: set[str] = set()
        found: dict[str, None] = {}
        for name, node in self.graph.nodes.items():
            is_after = any(tensor.node in after_a_pool for tensor in self._one_pixel(node))
            if is_after or node.op.category == "pool":
                after_a_pool.add(name)
            if is_after and isinstance(node.op, Mul):
                found[name] = None
        return found

    @cached_property
    def in_gates(self) -> set[str]:
        """The nodes that give the gates their factors of one pixel."""
        found: set[str] = set()
        for name in reversed([*self.graph.nodes]):
            if name in self.gates or name in found:
                sources = self._one_pixel(self.graph.nodes[name])
                found.update(tensor.node for tensor in sources if tensor.node != INPUT)
        return found

    def _one_pixel(self, node: Node) -> list[Tensor]:
        pairs = zip(node.inputs, node.layer.input_shapes, strict=True)
        return [tensor for tensor, shape in pairs if elements(shape[1:]) == 1]

    def time(self, node: Node, inputs: Shapes | None = None, tile: int = CUBE) -> LayerTime:
        """A kernel's time; of other inputs, or (a tile of 1) without its channels filled up."""
        layer = node.layer
        inputs = layer.input_shapes if inputs is None else inputs
        return layer_time(layer.op, inputs, layer.output_shapes, self.device, self.batch, tile=tile)

    def saved_with(self, node: Node, op: Op) -> float:
        """What the network would save with another op of the same shapes in a node's place."""
        edit = Node(node.name, Layer(op, node.layer.input_shapes), node.inputs)
        return self.estimate_saving({node.name: edit})

    def saved_without(self, node: Node, instead: Tensor) -> float:
        """What the network would save were another tensor of the same shape read instead of a
        node's result."""
        edits = self.placement.without(node.name, instead)
        return self.estimate_saving(edits, node.results[0], instead)

    def estimate_saving(
        self,
        edits: Mapping[str, Node],
        moved: Tensor | None = None,
        instead: Tensor | None = None,
    ) -> float:
        """What the network would save with other nodes in place of some: Placement.list_changes."""
        before, after = self.placement.list_changes(edits, moved, instead)
        # one sum: what does not change cancels to the last digit
        return fsum([*map(self._ms, before), *(-self._ms(placed) for placed in after)])

    def _ms(self, placed: tuple[Node, Role]) -> float:
        node, role = placed
        layer = node.layer
        shapes = (layer.input_shapes, layer.output_shapes)
        return layer_time(layer.op, *shapes, self.device, self.batch, role).ms


def findings(
    graph: Graph, device: Device, batch: int, least_share: float = LEAST_SHARE
) -> list[Finding]:
    """What costs this network more than a share of its time, the costliest first."""
    subject = Subject(graph, device, batch)
    found = [
        Finding(name, node.name, what, cost, saved)
        for name, rule in RULES.items()
        for node, what, cost, saved in rule.look(subject)
        if cost > least_share * subject.ms
    ]
    return sorted(found, key=lambda finding: -finding.cost_ms)


def unfilled_channels(subject: Subject) -> Met:
    """Good: only the channels that are there are moved and multiplied. The few of an image stay as
    they are."""
    for node in subject.kernels:
        if not node.op.work().has_filters or _groups(node) > 1:
            continue
        shape = node.layer.input_shapes[0]
        channels = (shape[0], node.layer.output_shapes[0][0])
        run_as = (fill_tile(channels[0]), fill_tile(channels[1]))
        if channels != run_as:
            what = f"{channels[0]} to {channels[1]} channels, run as {run_as[0]} to {run_as[1]}"
            if node.inputs[0].node == INPUT:
                shape = (run_as[0], *shape[1:])
            good = subject.time(node, (shape,), tile=1)
            yield node, what, subject.time(node).ms - good.ms, None


def depthwise(subject: Subject) -> Met:
    """Good: the same multiplications in dense convolutions that are there anyway, at the cube's
    rate and without a launch or a pass through memory of their own."""
    for node in subject.kernels:
        if isinstance(node.op, Conv) and kind_of(node.layer) == DEPTHWISE:
            what = f"{written(node.op.kernel)} to {_shape(node)}"
            yield node, what, _beyond_dense(subject, node), _estimate_fusing(subject, node, node.op)


def small_groups(subject: Subject) -> Met:
    """Good: as for depthwise convolutions."""
    for node in subject.kernels:
        if kind_of(node.layer) == SMALL_GROUPS:
            groups = _groups(node)
            what = f"{groups} groups of {node.layer.input_shapes[0][0] // groups} channels"
            yield node, what, _beyond_dense(subject, node), None


def activations(subject: Subject) -> Met:
    """Good: a ReLU, which the kernel before takes in. Those of a gate belong to `gates`."""
    for node in subject.kernels:
        op = node.op
        if (
            isinstance(op, Act)
            and op.function not in RECTIFIERS
            and node.name not in subject.in_gates
        ):
            saved = subject.saved_with(node, Act("relu"))
            yield node, f"{op.function} of {_shape(node)}", saved, saved


def gates(subject: Subject) -> Met:
    """Good: squeeze and excite, or another gate that a global pool starts, left out."""
    for node in subject.kernels:
        if node.name in subject.gates:
            image = max(node.inputs, key=lambda tensor: elements(subject.graph.shape(tensor)))
            saved = subject.saved_without(node, image)
            yield node, f"squeeze and excite of {_shape(node)}", saved, saved


def shuffles(subject: Subject) -> Met:
    """Good: left out."""
    for node in subject.kernels:
        if isinstance(node.op, ChannelShuffle):
            saved = subject.saved_without(node, node.inputs[0])
            yield node, _shape(node), saved, saved


def norms(subject: Subject) -> Met:
    """Good: a batch norm for one that needs its input's statistics, and for a batch norm that no
    convolution takes in, none."""
    for node in subject.kernels:
        what = f"{node.op.name} of {_shape(node)}"
        if isinstance(node.op, (LayerNorm, GroupNorm)):
            saved = subject.saved_with(node, BatchNorm())
            yield node, what, saved, saved
        elif isinstance(node.op, BatchNorm):
            saved = subject.saved_without(node, node.inputs[0])
            yield node, f"{what} not folded", saved, saved


def large_windows(subject: Subject) -> Met:
    """Good: as long as the memory takes."""
    for node in subject.kernels:
        if isinstance(node.op, (MaxPool, AvgPool)):
            time = subject.time(node)
            what = f"{node.op.name} of {written(node.op.kernel)} to {_shape(node)}"
            yield node, what, time.busy_ms - time.memory_ms, _estimate_apart(subject, node, node.op)


def idle_cubes(subject: Subject) -> Met:
    """Good: as long as the cube takes. A larger kernel that takes no longer is named."""
    for node in subject.kernels:
        if isinstance(node.op, Conv) and node.op.groups == 1:
            time = subject.time(node)
            what = f"{written(node.op.kernel)}, cube {time.cube_ms / time.busy_ms:.0%} busy"
            kernel = _free_kernel(subject, node, node.op)
            if kernel:
                what += f"; {written(kernel)} is as fast"
            yield node, what, time.busy_ms - time.cube_ms, None


RULES: dict[str, Rule] = {
    "channels": Rule(
        unfilled_channels, f"multiples of {CUBE}: up to there more channels take no longer"
    ),
    "depthwise": Rule(
        depthwise,
        f"its kernel in the dense 1x1 beside it; alone it uses 1/{CUBE} of the cube and waits",
    ),
    "groups": Rule(
        small_groups, f"groups of {CUBE} channels, which fill the cube and take no longer"
    ),
    "activation": Rule(activations, "relu, which a convolution does on its way out"),
    "gate": Rule(gates, "none, or in the last stages alone, where maps are small"),
    "shuffle": Rule(shuffles, "dense 1x1 convolutions, which mix all channels"),
    "norm": Rule(norms, "batch_norm right after a convolution, into whose weights it folds"),
    "window": Rule(large_windows, "two pools, of one row and of one column, which give the same"),
    "idle cube": Rule(idle_cubes, "larger kernels and fewer layers, for this one waits for memory"),
}


def _beyond_dense(subject: Subject, node: Node) -> float:
    time = subject.time(node)
    rate = subject.device.macs_per_second * subject.device.efficiency
    return time.ms - 1e3 * time.macs / rate


def _estimate_fusing(subject: Subject, node: Node, op: Conv) -> float | None:
    """What is saved were a depthwise convolution, and what stands between, left out, and the dense
    1x1 convolution before it (as of a fused MBConv) or after it had its kernel; None where neither
    is there for it alone, or that takes longer."""
    graph, placement = subject.graph, subject.placement
    if placement.is_output(node.name):
        return None
    saved = [0.0]
    dense, tensor = None, node.inputs[0]
    while tensor.node != INPUT:
        before = graph.nodes[tensor.node]
        if placement.only_reader(before.name) is None:
            break
        if isinstance(before.op, Act):
            tensor = before.inputs[0]
            continue
        dense = before
        break
    if dense is not None and _is_dense_pixelwise(dense):
        wider = _with_kernel_of(op, node, op.channels)
        edits = dict(placement.without(node.name, dense.results[0]))
        edits[dense.name] = Node(dense.name, Layer(wider, dense.layer.input_shapes), dense.inputs)
        saved.append(subject.estimate_saving(edits))
    after = placement.only_reader(node.name)
    while after is not None and isinstance(after.op, Act):
        after = placement.only_reader(after.name)
    if after is not None and _is_dense_pixelwise(after):
        wider = _with_kernel_of(op, node, after.layer.output_shapes[0][0])
        layer = Layer(wider, node.layer.input_shapes)
        saved.append(subject.estimate_saving({after.name: Node(after.name, layer, node.inputs)}))
    return max(saved) or None


def _is_dense_pixelwise(node: Node) -> bool:
    op = node.op
    return isinstance(op, Conv) and (op.kernel, op.stride, op.groups) == ((1, 1), (1, 1), 1)


def _with_kernel_of(op: Conv, node: Node, channels: int) -> Conv:
    padding = op.sides(node.layer.input_shapes)
    return replace(op, channels=channels, groups=1, padding=padding, bias=True)


def _estimate_apart(subject: Subject, node: Node, op: MaxPool | AvgPool) -> float | None:
    """What is saved by a pool along the height and one along the width; None where nothing is."""
    if 1 in op.kernel:
        return None
    (top, bottom, left, right), inputs = op.sides(node.layer.input_shapes), node.layer.input_shapes
    rows = replace(
        op, kernel=(op.kernel[0], 1), stride=(op.stride[0], 1), padding=(top, bottom, 0, 0)
    )
    columns = replace(
        op, kernel=(1, op.kernel[1]), stride=(1, op.stride[1]), padding=(0, 0, left, right)
    )
    between = rows.infer(inputs)
    apart = sum(
        layer_time(one, *shapes, subject.device, subject.batch).ms
        for one, shapes in (
            (rows, (inputs, between)),
            (columns, (between, node.layer.output_shapes)),
        )
    )
    return max(subject.time(node).ms - apart, 0.0) or None


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


def _groups(node: Node) -> int:
    return node.op.work().groups


def _shape(node: Node) -> str:
    return written(node.layer.output_shapes[0])
