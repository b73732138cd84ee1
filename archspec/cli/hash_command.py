"""A network's fingerprint: sha256 of its normal form, names and notes left out."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_overrides, add_spec, graph_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_overrides(parser)


def run(options: argparse.Namespace) -> int:
    for name in options.specs:
        print(f"{graph_of(name, options).fingerprint}  {name}")
    return 0
