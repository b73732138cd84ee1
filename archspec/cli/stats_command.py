"""Parameters, MACs, activation memory and receptive fields of a network, or of several."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.estimating import add_device
from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.report import GROUPINGS, Timing, comparison_table, stats_as_json, stats_table
from archspec.tables import write_table

EXAMPLES = (
    "archspec stats isynet_n1 resnet50 cspdarknet53",
    "archspec stats resnet50 --by block --batch 16 --device ascend310",
    "archspec stats efficientnet_b0 --input 3x256x256 --format json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_overrides(parser)
    parser.add_argument("--by", choices=GROUPINGS, default="node", help="fold rows; default: node")
    add_device(parser, None)
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="samples; default: 1")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    if not 1 <= options.batch <= 1_000_000:
        raise UsageError(f"--batch {options.batch}: must be 1 to 1,000,000")
    graphs = [graph_of(name, options) for name in options.specs]
    stats = [graph.stats(options.batch) for graph in graphs]
    timings = _timings(graphs, options)
    if options.format == "json":
        rows = zip(graphs, stats, timings or [None] * len(graphs), strict=True)
        print_json([stats_as_json(g, s, options.by, timing) for g, s, timing in rows])
    elif len(graphs) == 1:
        timing = timings[0] if timings else None
        write_table(stats_table(graphs[0], stats[0], options.by, timing), options.format)
    else:
        write_table(comparison_table(graphs, stats, timings), options.format)
    return 0


def _timings(graphs: Sequence[Graph], options: argparse.Namespace) -> list[Timing]:
    """An estimate for each network, where a device is named."""
    if options.device is None:
        return []
    from archspec.compiler.latency.device import find_device
    from archspec.compiler.latency.report import timing_of

    device = find_device(options.device)
    return [timing_of(graph, device, options.batch, options.by) for graph in graphs]
