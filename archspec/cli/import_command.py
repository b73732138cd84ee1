"""Read a network from another format and write it as a spec; say what was preserved."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.cli.common import write_new_file
from archspec.cli.outputs import OutputPath
from archspec.document import read_document
from archspec.isynet_format import import_isynet
from archspec.loading import load
from archspec.tables import shown_amount
from archspec.writing import written_json

FORMATS = {"isynet": import_isynet}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="FORMAT", choices=list(FORMATS), help="isynet")
    parser.add_argument("file", metavar="FILE", help="the network in that format")
    parser.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="SPEC", help="the spec to write"
    )


def run(options: argparse.Namespace) -> int:
    imported = FORMATS[options.kind](read_document(options.file), Path(options.output).stem)
    write_new_file(options.output, written_json(imported.spec) + "\n")
    graph = load(options.output)
    print(f"wrote {options.output}: {graph.params:,} parameters, {shown_amount(graph.macs)} MACs")
    if imported.quirks:
        print("preserved:")
        for quirk in imported.quirks:
            print(f"- {quirk}")
    return 0
