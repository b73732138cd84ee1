"""One file with what this machine is and what was measured on it, to send back: nothing private is
in it, no path, no name of a host or a user."""

from __future__ import annotations

import argparse
import json

from archspec.cli.infer_command import need_numpy
from archspec.cli.outputs import OutputPath
from archspec.writing import write_whole

DEFAULT = "device-report.json"
EXAMPLES = (
    "archspec report-device aipp.json layers.json -o report.json",
    "archspec report-device --note 'Orange Pi AIpro 20T'",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", metavar="FILE",
        help="of archspec infer -o, or of archspec profile --format json",
    )  # fmt: skip
    parser.add_argument("--note", default="", metavar="TEXT", help="the board's name, say")
    parser.add_argument(
        "-o", "--output", type=OutputPath, default=DEFAULT, metavar="FILE",
        help=f"default: {DEFAULT}",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    need_numpy("report-device")
    from archspec.deploy.device_report import describe_report, report_device

    report = report_device(options.files, options.note)
    write_whole(options.output, json.dumps(report, indent=2) + "\n")
    print(f"wrote {options.output}")
    for line in describe_report(report):
        print(line)
    return 0
