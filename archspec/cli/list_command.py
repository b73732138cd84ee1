"""The specs that come with archspec, with their cost and source; any is named by its bare name."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_format, print_json
from archspec.loading import build
from archspec.program import read_program
from archspec.sources import shipped_names
from archspec.space import Space
from archspec.tables import Column, Table, shown_amount, shown_count, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    rows = [_row(name) for name in shipped_names()]
    if options.format == "json":
        print_json(rows)
        return 0
    columns = [
        Column("name", "name"),
        Column("params", "params", shown_count, True),
        Column("macs", "MACs", shown_amount, True),
        Column("source", "source"),
        Column("doc", "what it is", is_prose=True),
    ]
    notes = ["a space's figures are those of every choice's first option"]
    write_table(Table(columns, rows, notes=notes), options.format)
    return 0


def _row(name: str) -> dict[str, object]:
    program = read_program(name)
    if program.has_choice:
        space = Space(program)
        graph = space.assign(space.first())
    else:
        graph = build(program)
    return {
        "name": name,
        "params": graph.params,
        "macs": graph.macs,
        "source": program.source.get("paper", ""),
        "doc": program.doc.partition(". ")[0].rstrip("."),
        "is_space": program.has_choice,
    }
