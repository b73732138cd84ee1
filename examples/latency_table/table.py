"""Milliseconds of a network, from a table of measured blocks."""

import csv
from pathlib import Path

with (Path(__file__).parent / "times.csv").open(newline="") as file:
    TIMES = {(row["block"], int(row["kernel"])): float(row["ms"]) for row in csv.DictReader(file)}


def milliseconds(graph):
    """The sum over blocks: each has one depthwise convolution, whose kernel is in the table. The
    table was measured with an expansion of 3; twice the channels take twice the time."""
    total = 0.0
    for node in graph.nodes.values():
        if node.op.name == "conv" and node.op.groups > 1:
            block = node.name.partition(".")[0]
            kernel = node.op.kernel[0]
            expansion = (
                node.op.channels / graph.nodes[f"{block}.expand.conv"].layer.input_shapes[0][0]
            )
            total += TIMES[block, kernel] * expansion / 3
    return total
