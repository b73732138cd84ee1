"""Time on an Ascend device, estimated from a network's graph alone.

    device = find_device("ascend310")
    graph = for_deployment(load("isynet_n1")).graph
    estimate(graph, device, batch=16).ms_per_image
    total_ms(graph, device, batch=16)     # the sum alone, fast enough for a search
    cautions(graph, device, batch=16)     # where the calibration does not reach

A network runs as kernels (`kernels`): a convolution takes in the batch norm, the ReLU and the sum
after it. A kernel needs the cube, the vector unit and memory at once (`work`), so it takes as long
as the slowest of them, and a fixed cost for each launch (`model`). Two numbers of a device are
fitted to measured networks (`calibrate`), the others are its data sheet's (`devices.json`).
docs/latency.md says how well that works.
"""

from archspec.compiler.latency.device import Device, devices, find_device
from archspec.compiler.latency.model import (
    Estimate,
    LayerTime,
    NodeTime,
    estimate,
    layer_time,
    total_ms,
)
from archspec.compiler.latency.validity import Caution, cautions

__all__ = [
    "Caution",
    "Device",
    "Estimate",
    "LayerTime",
    "NodeTime",
    "cautions",
    "devices",
    "estimate",
    "find_device",
    "layer_time",
    "total_ms",
]
