"""Parameters, MACs, activation memory and receptive fields of a network, or of several."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.errors import UsageError
from archspec.report import GROUPINGS, comparison_table, stats_as_json, stats_table
from archspec.tables import write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_overrides(parser)
    parser.add_argument("--by", choices=GROUPINGS, default="node", help="fold rows; default: node")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="samples; default: 1")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    if not 1 <= options.batch <= 1_000_000:
        raise UsageError(f"--batch {options.batch}: 1 to 1,000,000 would do")
    graphs = [graph_of(name, options) for name in options.specs]
    stats = [graph.stats(options.batch) for graph in graphs]
    if options.format == "json":
        print_json([stats_as_json(g, s, options.by) for g, s in zip(graphs, stats, strict=True)])
    elif len(graphs) == 1:
        write_table(stats_table(graphs[0], stats[0], options.by), options.format)
    else:
        write_table(comparison_table(graphs, stats), options.format)
    return 0
