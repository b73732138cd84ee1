"""Say everything that is wrong with specs (text, schema, names, shapes, their own claims), and what
in them has no effect."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace

from archspec.cli.common import add_format, add_spec, counted, print_json
from archspec.errors import printable
from archspec.tables import shown_amount
from archspec.verdict import Verdict, judge

EXAMPLES = (
    "archspec validate specs/isynet_n1.json",
    "archspec validate mynet.json other.json --strict  # warnings exit with 1 as well",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_format(parser, ("table", "json"))
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where there are only warnings, too"
    )


def run(options: argparse.Namespace) -> int:
    verdicts = [(name, judge(name)) for name in options.specs]
    problems = sum(len(verdict.problems) for _, verdict in verdicts)
    warnings = sum(len(verdict.warnings) for _, verdict in verdicts)
    if options.format == "json":
        print_json(
            [
                {
                    "file": name,
                    "ok": not verdict.problems,
                    "problems": [asdict(problem) for problem in verdict.problems],
                    "warnings": [asdict(warning) for warning in verdict.warnings],
                }
                for name, verdict in verdicts
            ]
        )
    else:
        for name, verdict in verdicts:
            for problem in verdict.problems:
                print(problem, file=sys.stderr)
            for warning in verdict.warnings:
                print(replace(warning, message=f"warning: {warning.message}"), file=sys.stderr)
            if not verdict.problems:
                print(printable(f"{name}: {_summarize(verdict)}"))
        counts = [counted(problems, "problem"), counted(warnings, "warning")]
        if problems or warnings:
            print(", ".join(filter(None, counts)), file=sys.stderr)
    return 1 if problems or (warnings and options.strict) else 0


def _summarize(verdict: Verdict) -> str:
    if verdict.library is not None:
        return f"ok, a library of {len(verdict.library.own_names)} templates"
    graph = verdict.graph
    if graph is None:
        return "ok, a search space"
    return (
        f"ok, {len(graph.nodes):,} nodes, {graph.params:,} parameters,"
        f" {shown_amount(graph.macs)} MACs"
    )
