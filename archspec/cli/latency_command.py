"""Estimate a network's time on an Ascend device, layer by layer, before there is one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from archspec.cli.common import add_format, add_overrides, graph_of, print_json
from archspec.cli.estimating import add_batch, add_device, checked_batch
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError
from archspec.report import GROUPINGS
from archspec.tables import write_table
from archspec.writing import write_whole, written_json

USAGE = """%(prog)s SPEC ... [--device NAME|FILE] [--batch N] [--by node|block|op]
       %(prog)s devices
       %(prog)s calibrate MEASUREMENTS.csv [--device NAME|FILE] [-o DEVICE.json]"""

EXAMPLES = (
    "archspec latency isynet_n0 isynet_n1 resnet50",
    "archspec latency devices",
    "archspec latency calibrate measurements.csv -o mine.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = USAGE
    parser.add_argument(
        "words",
        nargs="+",
        metavar="SPEC",
        help='paths of specs, or bare names of shipped ones; or "devices", to list them; or'
        ' "calibrate" and a CSV file of measured times, to fit a device to them',
    )
    add_overrides(parser)
    add_device(parser)
    add_batch(parser)
    parser.add_argument("--by", choices=GROUPINGS, default="node", help="fold rows; default: node")
    parser.add_argument(
        "-o",
        "--output",
        type=OutputPath,
        metavar="FILE",
        help="of calibrate: write the device, for --device",
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    action, *rest = options.words
    if action == "calibrate":
        return _calibrate(options, rest)
    if options.output:
        raise UsageError("-o is for calibrate; --format json or csv prints an estimate for others")
    return _devices(options, rest) if action == "devices" else _estimate(options)


def _estimate(options: argparse.Namespace) -> int:
    from archspec.compiler.latency import report
    from archspec.compiler.latency.device import find_device

    batch = checked_batch(options.batch)
    device = find_device(options.device)
    told = [report.tell(graph_of(name, options), device, batch) for name in options.words]
    if options.format == "json":
        print_json([report.estimate_as_json(one, options.by) for one in told])
    elif len(told) == 1:
        write_table(report.estimate_table(told[0], options.by), options.format)
    else:
        write_table(report.comparison_table(told), options.format)
    return 0


def _devices(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from archspec.compiler.latency import report
    from archspec.compiler.latency.device import devices

    if rest:
        raise UsageError("devices takes no further words; use `archspec latency devices`")
    found = [*devices().values()]
    if options.format == "json":
        print_json([device.as_json() for device in found])
    else:
        write_table(report.devices_table(found), options.format)
    return 0


def _calibrate(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from archspec.compiler.latency import report
    from archspec.compiler.latency.calibrate import calibrate
    from archspec.compiler.latency.device import find_device
    from archspec.compiler.latency.measurements import read_measurements

    if len(rest) != 1:
        raise UsageError(
            f"calibrate takes one CSV file, not {len(rest)}; use `archspec latency calibrate"
            " measurements.csv`"
        )
    output = options.output
    if output and not output.endswith(".json"):
        raise UsageError(f"-o {output}: use a name that ends in .json, which --device takes")
    refit = calibrate(find_device(options.device), read_measurements(rest[0]), rest[0])
    if output:
        device = replace(refit.device, name=Path(output).stem)
        write_whole(output, written_json(device.as_json()) + "\n")
    if options.format == "json":
        print_json(report.refit_as_json(refit))
    else:
        write_table(report.refit_table(refit), options.format)
    return 0
