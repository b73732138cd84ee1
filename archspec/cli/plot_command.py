"""Draw a network: repeated blocks once with their number, branches side by side, colour by cost."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.cli.outputs import OutputPath
from archspec.plot import save

EXAMPLES = (
    "archspec plot resnet50 -o resnet50.png",
    "archspec plot isynet_n1 -o isynet_n1.svg",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_overrides(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=OutputPath,
        required=True,
        metavar="FILE",
        help="a name ending in .svg or .png",
    )


def run(options: argparse.Namespace) -> int:
    save(graph_of(options.spec, options), options.output)
    print(f"wrote {options.output}")
    return 0
