"""Write a spec's normal form: a flat spec of primitive nodes with every name explicit."""

from __future__ import annotations

import argparse
import sys

from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.cli.outputs import OutputPath
from archspec.writing import write_whole, written_normal_form

EXAMPLES = (
    "archspec expand tiny/isynet",
    "archspec expand resnet50 --set classes=10 -o resnet50_flat.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_overrides(parser)
    parser.add_argument(
        "-o", "--output", type=OutputPath, metavar="FILE", help="default: standard output"
    )


def run(options: argparse.Namespace) -> int:
    text = written_normal_form(graph_of(options.spec, options).normal_form())
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_whole(options.output, text)
    return 0
