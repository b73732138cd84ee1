"""Where a calibration does not reach: what an estimate rests on that was never measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from archspec.compiler.latency.device import Calibration, Device
from archspec.compiler.latency.kernels import RECTIFIERS, roles
from archspec.compiler.latency.work import CUBE
from archspec.graph import Graph
from archspec.node import Layer
from archspec.ops.activation import Act
from archspec.ops.norm import BatchNorm
from archspec.shapes import written

DEPTHWISE = "depthwise conv"
SMALL_GROUPS = "conv of small groups"
RECTIFIER = "relu"

NEAR = 1 / 7
"""How far from a calibration's input sides is near: 192 to 256 px for one of 224 px."""


class Caution(NamedTuple):
    """One thing outside the calibration: what it is `about` ("device", "batch", "input",
    "depthwise", "groups", "ops" or "int8"), and a sentence."""

    about: str
    text: str


def kind_of(layer: Layer) -> str:
    """What a calibration must have measured to know the time of a layer."""
    op = layer.op
    groups = op.work().groups
    if groups > 1:
        group_channels = layer.input_shapes[0][0] // groups
        if group_channels == 1:
            return DEPTHWISE
        return SMALL_GROUPS if group_channels < CUBE else op.name
    if isinstance(op, Act):
        return RECTIFIER if op.function in RECTIFIERS else op.function
    if isinstance(op, BatchNorm) and len(layer.input_shapes[0]) == 1:
        return f"{op.name} of a vector"
    return op.name


def kinds_of(graph: Graph) -> dict[str, list[str]]:
    """The nodes that take time, by kind."""
    result: dict[str, list[str]] = {}
    for name, role in roles(graph).items():
        if role in ("kernel", "read"):
            result.setdefault(kind_of(graph.nodes[name].layer), []).append(name)
    return result


def cautions(graph: Graph, device: Device, batch: int) -> tuple[Caution, ...]:
    """What of this estimate no measurement stands behind."""
    calibration = device.calibration
    kinds = kinds_of(graph)
    if calibration is None:
        text = (
            f"{device.name} is not calibrated: its speeds are the data sheet's, its efficiency and"
            " launch cost another device's"
        )
        return (Caution("device", text), *_unmeasured_groups(kinds))
    unmeasured = {kind: kinds[kind] for kind in kinds if kind not in calibration.kinds}
    return (
        *_unmeasured_batch(batch, calibration),
        *_unmeasured_input(graph, calibration),
        *_unmeasured_groups(unmeasured),
        *_unmeasured_ops(unmeasured),
    )


def int8_caution(device: Device) -> Caution:
    """The same of layers in int8, whatever the device was calibrated with. Raises SpecError where
    it has no int8."""
    return Caution(
        "int8",
        f"int8 is not calibrated: its rate, {device.int8_rate:.3g} times that of fp16, is the data"
        f" sheet's {device.int8_tops:g} TOPS, its efficiency and launch are those of fp16",
    )


def _unmeasured_batch(batch: int, calibration: Calibration) -> Iterator[Caution]:
    if batch not in calibration.batches:
        measured = " and ".join(map(str, calibration.batches))
        yield Caution("batch", f"batch {batch} was not measured, only batch {measured}")


def _unmeasured_input(graph: Graph, calibration: Calibration) -> Iterator[Caution]:
    least, most = calibration.input_sides
    sides = graph.input_shape[1:]
    if not all(least * (1 - NEAR) <= side <= most * (1 + NEAR) for side in sides):
        measured = f"{least} px" if least == most else f"{least} to {most} px"
        yield Caution(
            "input",
            f"inputs of {written(graph.input_shape)} were not measured, only sides of {measured}",
        )


def _unmeasured_groups(kinds: Mapping[str, Sequence[str]]) -> Iterator[Caution]:
    if DEPTHWISE in kinds:
        yield Caution(
            "depthwise",
            f"{_counted(kinds[DEPTHWISE], 'depthwise convolution')}: none was measured; the one"
            " network of such with a published time takes 1.7 times its estimate",
        )
    if SMALL_GROUPS in kinds:
        yield Caution(
            "groups",
            f"{_counted(kinds[SMALL_GROUPS], 'convolution')} of groups with fewer than {CUBE}"
            " channels: none was measured",
        )


def _unmeasured_ops(kinds: Mapping[str, Sequence[str]]) -> Iterator[Caution]:
    others = [kind for kind in kinds if kind not in (DEPTHWISE, SMALL_GROUPS)]
    if others:
        counts = ", ".join(f"{len(kinds[kind])} {kind}" for kind in others)
        yield Caution("ops", f"never measured, so counted by bytes and launches alone: {counts}")


def _counted(names: Sequence[str], what: str) -> str:
    if len(names) == 1:
        return f"1 {what} ({names[0]})"
    return f"{len(names)} {what}s (the first is {names[0]})"
