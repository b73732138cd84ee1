"""Where a node comes from: its templates, who gave each attribute its value, its cost."""

from __future__ import annotations

import argparse
import shlex

from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.errors import SpecError
from archspec.explain import explain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    parser.add_argument("node", metavar="NODE", help="a node, a template call or a weight by name")
    add_overrides(parser)


def run(options: argparse.Namespace) -> int:
    graph = graph_of(options.spec, options)
    try:
        lines = explain(graph, options.node)
    except SpecError as error:
        named = shlex.quote(options.spec)
        raise SpecError(f"{error} (archspec stats {named} lists its nodes)") from None
    print("\n".join(lines))
    return 0
