"""A network's fingerprint (scheme 2): sha256 of its normal form, names and notes left out, each
attribute as it means, not as it is written. Specs of one architecture have one fingerprint."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_overrides, add_spec, graph_of

EXAMPLES = (
    "archspec hash isynet_n1",
    "archspec hash resnet50 --set classes=10 --input 3x256x256",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_overrides(parser)


def run(options: argparse.Namespace) -> int:
    for name in options.specs:
        print(f"{graph_of(name, options).fingerprint}  {name}")
    return 0
