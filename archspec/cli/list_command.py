"""The specs that come with archspec, with their cost and source; any is named by its bare name."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Sequence

from archspec.cli.common import add_format, print_json
from archspec.library import read_library, standard_library
from archspec.loading import build
from archspec.program import read_program
from archspec.referring import read_spec
from archspec.sources import shipped_libraries, shipped_names
from archspec.space import Space
from archspec.tables import Column, Table, shown_amount, shown_count, write_table

LONGEST_ARGS = 36

EXAMPLES = (
    "archspec list",
    "archspec list --blocks",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--blocks", action="store_true", help="the libraries to import, and their templates"
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    if options.blocks:
        return _list_blocks(options.format)
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


def _list_blocks(form: str) -> int:
    rows = [row for name in (None, *shipped_libraries()) for row in _templates_of(name)]
    if form == "json":
        print_json(rows)
        return 0
    columns = [
        Column("import", "import"),
        Column("template", "template"),
        Column("args", "arguments", _shown_args if form == "table" else " ".join),
        Column("doc", "what it is", is_prose=True),
    ]
    notes = [
        'templates without an import are every spec\'s; "import": {"own": "blocks/isynet"}',
        "archspec explain ConvNormAct, or explain blocks/isynet Stage, says all of one",
    ]
    write_table(Table(columns, rows, notes=notes), form)
    return 0


def _shown_args(names: Sequence[str]) -> str:
    """As many of a template's arguments as leave room for what it is."""
    return textwrap.shorten(" ".join(names), LONGEST_ARGS, placeholder=" ...")


def _templates_of(name: str | None) -> Iterator[dict[str, object]]:
    """The templates of a shipped library, or of the standard one."""
    library = standard_library() if name is None else read_library(read_spec(name))
    for template in library.own_names:
        definition = library.own(template)
        assert definition is not None
        parameters = definition.template.parameters
        yield {
            "import": name or "",
            "template": template,
            "args": list(parameters),
            "doc": definition.template.doc.partition(". ")[0].rstrip("."),
        }


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
