"""Write a starter spec with notes in it, or a copy of another spec that stands alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.check import check_document
from archspec.cli.common import write_new_file
from archspec.cli.outputs import OutputPath
from archspec.document import parse_document
from archspec.errors import UsageError
from archspec.starter import starter

EXAMPLES = (
    "archspec new mynet",
    "archspec new mine --like isynet_n1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=OutputPath, metavar="NAME", help="writes NAME.json here")
    parser.add_argument("--like", metavar="SPEC", help="start from this spec")


def run(options: argparse.Namespace) -> int:
    path = Path(options.name if options.name.endswith(".json") else f"{options.name}.json")
    text = starter(path.stem, options.like)
    if check_document(parse_document(text)):
        raise UsageError(
            f"{path.stem!r} cannot name a network; use letters, digits, '_', '.', '+' and '-'"
        )
    write_new_file(path, text)
    print(
        f"wrote {path}; archspec stats {path} counts it,"
        f" archspec plot {path} -o {path.stem}.svg draws it"
    )
    return 0
