"""Say what of a network would run badly on an Ascend device, and what each such thing costs."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.estimating import add_batch, add_device, checked_batch
from archspec.errors import UsageError
from archspec.tables import write_table

SHOWN = 20
"""Rows of a network's table; JSON and CSV have every finding."""

EXAMPLES = (
    "archspec lint mobilenet_v2",
    "archspec lint mynet.json --device ascend310 --batch 1 --strict",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_overrides(parser)
    add_device(parser)
    add_batch(parser)
    parser.add_argument(
        "--least",
        type=float,
        default=0.1,
        metavar="PERCENT",
        help="of a network's time that a finding must cost; default: 0.1",
    )
    parser.add_argument("--all", action="store_true", help=f"all rows in tables, not {SHOWN}")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where there is a finding"
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    from archspec.compiler.latency import lint_report
    from archspec.compiler.latency.device import find_device

    batch = checked_batch(options.batch)
    if not 0 <= options.least <= 100:
        raise UsageError(f"--least {options.least:g}: must be a percentage from 0 to 100")
    device = find_device(options.device)
    linted = [
        lint_report.lint(graph_of(name, options), device, batch, options.least / 100)
        for name in options.specs
    ]
    if options.format == "json":
        print_json([lint_report.lint_as_json(one) for one in linted])
    elif options.format == "csv":
        write_table(lint_report.all_findings_table(linted), options.format)
    else:
        for index, one in enumerate(linted):
            if index:
                print()
            write_table(
                lint_report.findings_table(one, None if options.all else SHOWN), options.format
            )
    return 1 if options.strict and any(one.findings for one in linted) else 0
