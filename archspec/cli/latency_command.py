"""Estimate a network's time on an Ascend device, layer by layer, before there is one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli.common import add_format, add_overrides, graph_of, print_json
from archspec.cli.estimating import add_batch, add_device, checked_batch
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError
from archspec.report import GROUPINGS
from archspec.tables import write_table
from archspec.writing import write_whole, written_json

if TYPE_CHECKING:
    from archspec.compiler.latency.device import Device

USAGE = """%(prog)s SPEC ... [--device NAME|FILE] [--batch N] [--int8] [--by node|block|op]
       %(prog)s devices
       %(prog)s calibrate MEASUREMENTS.csv [--device NAME|FILE] [-o DEVICE.json]
       %(prog)s calibrate SPEC=PROFILE ... --batch N [--device NAME|FILE] [-o DEVICE.json]"""

EXAMPLES = (
    "archspec latency isynet_n0 isynet_n1 resnet50",
    "archspec latency mobilenet_v2 --device ascend310b1 --int8",
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
    parser.add_argument(
        "--int8",
        action="store_true",
        help="as `archspec quantize` leaves it, by the device's data sheet; never calibrated",
    )
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
        if options.int8:
            raise UsageError("--int8 is for an estimate; calibrate takes times in fp16")
        return _calibrate(options, rest)
    if options.int8 and action == "devices":
        raise UsageError("--int8 is for an estimate; use `archspec latency SPEC --int8`")
    if options.output:
        raise UsageError("-o is for calibrate; --format json or csv prints an estimate for others")
    return _devices(options, rest) if action == "devices" else _estimate(options)


def _estimate(options: argparse.Namespace) -> int:
    from archspec.compiler.latency import report
    from archspec.compiler.latency.device import find_device
    from archspec.compiler.quantize.layers import find_layers

    batch = checked_batch(options.batch)
    device = find_device(options.device)
    int8 = find_layers if options.int8 else None
    told = [report.tell(graph_of(name, options), device, batch, int8) for name in options.words]
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

    output = options.output
    if output and not output.endswith(".json"):
        raise UsageError(f"-o {output}: use a name that ends in .json, which --device takes")
    device = find_device(options.device)
    if rest and all("=" in word for word in rest):
        return _calibrate_profiles(options, device, rest)
    if len(rest) != 1:
        raise UsageError(
            f"calibrate takes one CSV file, not {len(rest)}; use `archspec latency calibrate"
            " measurements.csv`, or SPEC=FILE for each profile"
        )
    refit = calibrate(device, read_measurements(rest[0]), rest[0])
    _write_device(refit.device, output)
    if options.format == "json":
        print_json(report.refit_as_json(refit))
    else:
        write_table(report.refit_table(refit), options.format)
    return 0


def _calibrate_profiles(options: argparse.Namespace, device: Device, words: Sequence[str]) -> int:
    """Of files that msprof or ais_bench wrote: of layers where all tell them, else of networks."""
    from archspec.compiler.latency import report
    from archspec.compiler.latency.calibrate import calibrate
    from archspec.compiler.latency.layers import MeasuredLayers, fit_layers
    from archspec.compiler.latency.measurements import measured_network
    from archspec.deploy.profile.msprof import read_profile
    from archspec.deploy.profile.others import is_ais_bench, is_op_statistic

    batch = checked_batch(options.batch)
    pairs = [(name, Path(file)) for name, _, file in (word.partition("=") for word in words)]
    for name, file in pairs:
        if is_op_statistic(file):
            raise UsageError(
                f"{name}={file}: op_statistic adds up all runs; use the op_summary beside it"
            )
    kinds = {is_ais_bench(file) for _, file in pairs}
    if len(kinds) > 1:
        raise UsageError("profiles of msprof's and of ais_bench's do not mix; use one kind")
    profiles = [(name, read_profile(file, graph_of(name, options), batch)) for name, file in pairs]
    if kinds == {True}:
        measurements = [
            measured_network(name, batch, profile.milliseconds, profile.source)
            for name, profile in profiles
        ]
        refit = calibrate(device, measurements, "profiles of ais_bench's")
        _write_device(refit.device, options.output)
        if options.format == "json":
            print_json(report.refit_as_json(refit))
        else:
            write_table(report.refit_table(refit), options.format)
        return 0
    fit = fit_layers(
        device,
        [
            MeasuredLayers(
                graph_of(name, options), batch,
                {row.layer: row.milliseconds for row in profile.rows}, profile.source,
            )
            for name, profile in profiles
        ],
    )  # fmt: skip
    _write_device(fit.device, options.output)
    if options.format == "json":
        print_json({"device": fit.device.as_json(), "networks": [vars(row) for row in fit.rows]})
    else:
        write_table(fit.table(), options.format)
    return 0


def _write_device(device: Device, output: str | None) -> None:
    if output:
        device = replace(device, name=Path(output).stem)
        write_whole(output, written_json(device.as_json()) + "\n")
