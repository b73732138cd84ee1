"""Say everything that is wrong with specs (text, schema, names, shapes, their own claims), and what
in them has no effect."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

from archspec.cli.common import add_format, add_spec, counted, print_json
from archspec.document import At, read_document
from archspec.errors import Problem, SpecError, printable
from archspec.library import read_checked, read_library
from archspec.loading import build
from archspec.names import check_names
from archspec.program import read_program
from archspec.sources import spec_path
from archspec.space import Space
from archspec.syntax import Sequence as Nodes
from archspec.tables import shown_amount
from archspec.warn import find_library_warnings, find_warnings, sample_networks


class Verdict(NamedTuple):
    summary: str
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_format(parser, ("table", "json"))
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where there are only warnings, too"
    )


def run(options: argparse.Namespace) -> int:
    verdicts = [(name, _verdict(name)) for name in options.specs]
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
                print(printable(f"{name}: {verdict.summary}"))
        counts = [counted(problems, "problem"), counted(warnings, "warning")]
        if problems or warnings:
            print(", ".join(filter(None, counts)), file=sys.stderr)
    return 1 if problems or (warnings and options.strict) else 0


def _verdict(name: str) -> Verdict:
    try:
        return _judge(name)
    except SpecError as error:
        return Verdict("", error.problems)


def _judge(name: str) -> Verdict:
    data = read_document(spec_path(name), name).data
    if isinstance(data, dict) and "templates" in data and not {"body", "extends"} & set(data):
        return _judge_library(name)
    program = read_program(name)
    if program.has_choice:
        networks = sample_networks(Space(program))
        return Verdict("ok, a search space", (), find_warnings(program, networks))
    graph = build(program)
    return Verdict(
        f"ok, {len(graph.nodes):,} nodes, {graph.params:,} parameters,"
        f" {shown_amount(graph.macs)} MACs",
        (),
        find_warnings(program, [graph]),
    )


def _judge_library(name: str) -> Verdict:
    document = read_checked(spec_path(name), name)
    library = read_library(document)
    at = At(document)
    problems = check_names(Nodes(at, ()), {}, {}, library, at)
    if problems:
        raise SpecError(problems)
    return Verdict(
        f"ok, a library of {len(library.own_names)} templates", (), find_library_warnings(library)
    )
