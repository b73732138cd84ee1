"""Where a node comes from: its templates, who gave each attribute its value, its cost. Of an op
or a template alone, what it is: `explain conv`, `explain blocks/resnet Stage`."""

from __future__ import annotations

import argparse
import shlex

from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.cli.reference_pages import PAGES, is_library, lines_of_page, write_page
from archspec.errors import SpecError, UsageError
from archspec.explain import explain

EXAMPLES = (
    "archspec explain isynet_n1 stage3.block2.operation1.conv",
    "archspec explain conv  # the page of an op",
    "archspec explain MBConv  # the page of a template",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "spec", nargs="?")
    parser.add_argument(
        "node",
        nargs="?",
        metavar="NODE",
        help="a node, a template call or a weight by name; without it SPEC is an op or a template",
    )
    parser.add_argument(
        "--page", choices=PAGES, help="all ops, templates or commands, as a page of Markdown"
    )
    add_overrides(parser)


def run(options: argparse.Namespace) -> int:
    if options.page is not None:
        if options.spec is not None:
            raise UsageError("--page is of all ops, templates or commands; use it alone")
        print(write_page(options.page), end="")
        return 0
    if options.spec is None:
        raise UsageError("explain takes SPEC NODE, or an op or a template, such as conv")
    if options.node is None or is_library(options.spec):
        print("\n".join(lines_of_page(options.spec, options.node)))
        return 0
    graph = graph_of(options.spec, options)
    try:
        lines = explain(graph, options.node)
    except SpecError as error:
        named = shlex.quote(options.spec)
        raise SpecError(f"{error} (archspec stats {named} lists its nodes)") from None
    print("\n".join(lines))
    return 0
