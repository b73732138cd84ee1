"""The JSON Schema of specs, for editors; with --for, a spec's own templates complete too."""

from __future__ import annotations

import argparse
import sys

from archspec.cli.outputs import OutputPath
from archspec.editor import document_schema, schema_for, written_schema
from archspec.writing import write_whole

EXAMPLES = (
    "archspec schema -o archspec.schema.json",
    "archspec schema --for mynet.json -o mynet.schema.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="spec", metavar="FILE", help="a spec or a template library")
    parser.add_argument(
        "-o", "--output", type=OutputPath, metavar="FILE", help="default: standard output"
    )


def run(options: argparse.Namespace) -> int:
    schema = document_schema() if options.spec is None else schema_for(options.spec)
    text = written_schema(schema)
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_whole(options.output, text)
    return 0
