"""Say everything that is wrong with specs: text, schema, names, shapes, and their own claims."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from archspec.cli.common import add_format, add_spec, print_json
from archspec.document import read_document
from archspec.errors import Problem, SpecError, printable
from archspec.library import read_library
from archspec.loading import build
from archspec.names import check_names
from archspec.program import read_program
from archspec.sources import spec_path
from archspec.space import Space
from archspec.tables import shown_amount


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, "specs", nargs="+")
    add_format(parser, ("table", "json"))


def run(options: argparse.Namespace) -> int:
    verdicts = [_verdict(name) for name in options.specs]
    if options.format == "json":
        print_json(
            [
                {"file": name, "ok": not problems, "problems": [asdict(p) for p in problems]}
                for name, (_, problems) in zip(options.specs, verdicts, strict=True)
            ]
        )
    else:
        for name, (summary, problems) in zip(options.specs, verdicts, strict=True):
            for problem in problems:
                print(problem, file=sys.stderr)
            if not problems:
                print(printable(f"{name}: {summary}"))
    count = sum(len(problems) for _, problems in verdicts)
    if count and options.format != "json":
        print(f"{count} problem{'s' * (count > 1)}", file=sys.stderr)
    return 1 if count else 0


def _verdict(name: str) -> tuple[str, tuple[Problem, ...]]:
    try:
        return _summary(name), ()
    except SpecError as error:
        return "", error.problems


def _summary(name: str) -> str:
    data = read_document(spec_path(name), name).data
    if isinstance(data, dict) and "templates" in data and not {"body", "extends"} & set(data):
        return _library_summary(name)
    program = read_program(name)
    if program.has_choice:
        space = Space(program)
        space.assign(space.first())
        return "ok, a search space"
    graph = build(program)
    return (
        f"ok, {len(graph.nodes):,} nodes, {graph.params:,} parameters,"
        f" {shown_amount(graph.macs)} MACs"
    )


def _library_summary(name: str) -> str:
    from archspec.document import At
    from archspec.library import read_checked
    from archspec.syntax import Sequence

    document = read_checked(spec_path(name), name)
    library = read_library(document)
    at = At(document)
    problems = check_names(Sequence(at, ()), {}, {}, library, at)
    if problems:
        raise SpecError(problems)
    return f"ok, a library of {len(library.own_names)} templates"
