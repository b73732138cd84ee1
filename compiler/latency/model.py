"""The time of layers and networks on a device: roofline and launches.

    time of a kernel = max(cube, vector, memory) + launches

    cube    cube cycles / (cores * clock * efficiency)
    vector  vector steps / (vector cores * clock)
    memory  bytes / bandwidth
    launch  a fixed time for each

Efficiency and the time of a launch are fitted to measured networks; the rest is data sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from archspec.compiler.latency.device import Device
from archspec.compiler.latency.int8 import int8_work_of
from archspec.compiler.latency.kernels import MAX_LAYERS, Role, roles
from archspec.compiler.latency.work import CUBE, NOTHING, Load, read_again, work_of
from archspec.graph import Graph
from archspec.node import Layer
from archspec.ops import Op
from archspec.shapes import Shape, Shapes

BOUNDS: tuple[str, ...] = ("cube", "vector", "memory", "launch")
"""What a kernel's time can be due to."""


class LayerTime(NamedTuple):
    """A kernel's time for a whole batch, in milliseconds: what each unit needs, all at once, and
    the launch before it."""

    macs: int
    cube_ms: float
    vector_ms: float
    memory_ms: float
    launch_ms: float

    @property
    def busy_ms(self) -> float:
        return max(self.cube_ms, self.vector_ms, self.memory_ms)

    @property
    def ms(self) -> float:
        return self.busy_ms + self.launch_ms

    def parts(self) -> dict[str, float]:
        """Milliseconds by what they are due to; their sum is `ms`."""
        units = {"cube": self.cube_ms, "vector": self.vector_ms, "memory": self.memory_ms}
        slowest = max(units, key=units.__getitem__)
        return {slowest: units[slowest], "launch": self.launch_ms}


class NodeTime(NamedTuple):
    """A row: a node that takes time, or several folded into one; the times of units do not add up
    to `ms`, for they work side by side. `bound_by` is what most of `ms` is due to, `int8_macs` are
    those of `macs` that are of integers."""

    name: str
    op: str
    output: Shape | None
    macs: int
    cube_ms: float
    vector_ms: float
    memory_ms: float
    launch_ms: float
    ms: float
    bound_by: str
    nodes: int = 1
    int8_macs: int = 0


@dataclass(frozen=True)
class Estimate:
    """The nodes of a network that take time on a device, in execution order. `parts` is the total
    by what it is due to (see BOUNDS)."""

    graph: Graph
    device: Device
    batch: int
    rows: tuple[NodeTime, ...]
    parts: Mapping[str, float]

    @cached_property
    def ms(self) -> float:
        """Milliseconds for a batch."""
        return sum(row.ms for row in self.rows)

    @property
    def ms_per_image(self) -> float:
        return self.ms / self.batch

    @property
    def images_per_second(self) -> float:
        """0 where nothing takes time."""
        return 1e3 * self.batch / self.ms if self.ms else 0.0

    @property
    def macs(self) -> int:
        """Multiply-accumulates for a batch."""
        return sum(row.macs for row in self.rows)

    @property
    def cube_use(self) -> float:
        """The share that was multiplied of what the cubes could have multiplied meanwhile."""
        return self.device.cube_use(self.macs, self.ms, sum(row.int8_macs for row in self.rows))

    def fold(self, key: Callable[[NodeTime], str]) -> tuple[NodeTime, ...]:
        """One row for all that have the same key, named by it."""
        groups: dict[str, list[NodeTime]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        return tuple(_fold(name, rows) for name, rows in groups.items())


def layer_time(
    op: Op,
    inputs: Shapes,
    outputs: Shapes,
    device: Device,
    batch: int,
    role: Role = "kernel",
    tile: int = CUBE,
) -> LayerTime:
    """The time of one op. Shapes are of one sample; see work_of for `tile`."""
    if role == "kernel":
        return time_of(work_of(op, inputs, outputs, batch, tile), device)
    return time_of(read_again(inputs, batch) if role == "read" else NOTHING, device)


def time_of(work: Load, device: Device) -> LayerTime:
    return LayerTime(
        work.macs,
        1e3 * work.cube_cycles / (device.cube_cycles_per_second * device.efficiency),
        1e3 * work.vector_steps / device.vector_steps_per_second,
        1e3 * work.bytes / device.bytes_per_second,
        1e-3 * work.launches * device.launch_us,
    )


def estimate(graph: Graph, device: Device, batch: int, int8: Collection[str] = ()) -> Estimate:
    """The time of each node of a graph as given; what `archspec export` writes of a network is
    compiler.pipeline.for_deployment of it. `int8` are layers with weights whose numbers are
    integers, see validity.int8_caution. Raises SpecError where there are and the device has no
    int8."""
    rows: list[NodeTime] = []
    parts = dict.fromkeys(BOUNDS, 0.0)
    for name, role in roles(graph).items():
        layer = graph.nodes[name].layer
        is_int8 = name in int8 and role == "kernel" and layer.op.work().has_filters
        if is_int8:
            shapes = (layer.input_shapes, layer.output_shapes)
            work = int8_work_of(layer.op, *shapes, batch, device.int8_rate)
            time = time_of(work, device)
        else:
            time = _layer_time(layer, device, batch, role)
        for bound, ms in time.parts().items():
            parts[bound] += ms
        if time.ms:
            rows.append(_row(name, layer, time, is_int8))
    return Estimate(graph, device, batch, tuple(rows), parts)


def total_ms(graph: Graph, device: Device, batch: int) -> float:
    """Milliseconds for a batch: estimate(...).ms, without its rows."""
    nodes = graph.nodes
    return sum(
        _layer_ms(nodes[name].layer, device, batch, role == "read")
        for name, role in roles(graph).items()
        if role in ("kernel", "read")
    )


def works_of(graph: Graph, batch: int) -> list[Load]:
    """The work of each node that takes time, whatever the device."""
    return [*works_by_node(graph, batch).values()]


def works_by_node(graph: Graph, batch: int) -> dict[str, Load]:
    """The same by the nodes' names."""
    works: dict[str, Load] = {}
    for name, role in roles(graph).items():
        layer = graph.nodes[name].layer
        if role == "kernel":
            works[name] = work_of(layer.op, layer.input_shapes, layer.output_shapes, batch)
        elif role == "read":
            works[name] = read_again(layer.input_shapes, batch)
    return works


def _layer_time(layer: Layer, device: Device, batch: int, role: Role) -> LayerTime:
    return layer_time(layer.op, layer.input_shapes, layer.output_shapes, device, batch, role)


# Layers and devices are told apart by identity, which makes this cheap: the networks of a search
# share their layers.
@lru_cache(maxsize=MAX_LAYERS)
def _layer_ms(layer: Layer, device: Device, batch: int, is_read: bool) -> float:
    return _layer_time(layer, device, batch, "read" if is_read else "kernel").ms


def _row(name: str, layer: Layer, time: LayerTime, is_int8: bool) -> NodeTime:
    parts = time.parts()
    return NodeTime(
        name,
        layer.op.name,
        layer.output_shapes[0],
        *time,
        ms=time.ms,
        bound_by=max(parts, key=parts.__getitem__),
        int8_macs=time.macs if is_int8 else 0,
    )


def _fold(name: str, rows: Sequence[NodeTime]) -> NodeTime:
    by_bound = dict.fromkeys(BOUNDS, 0.0)
    for row in rows:
        by_bound[row.bound_by] += row.ms
    return NodeTime(
        name=name,
        op=rows[0].op if len({row.op for row in rows}) == 1 else "",
        output=rows[-1].output,
        macs=sum(row.macs for row in rows),
        cube_ms=sum(row.cube_ms for row in rows),
        vector_ms=sum(row.vector_ms for row in rows),
        memory_ms=sum(row.memory_ms for row in rows),
        launch_ms=sum(row.launch_ms for row in rows),
        ms=sum(row.ms for row in rows),
        bound_by=max(by_bound, key=by_bound.__getitem__),
        nodes=sum(row.nodes for row in rows),
        int8_macs=sum(row.int8_macs for row in rows),
    )
