"""A language server for editors, over standard input and output: what is wrong as you type, with
fixes; completion, hover, shapes between the words, outline, go to definition, rename."""

from __future__ import annotations

import argparse

from archspec.extras import need

EXAMPLES = ("archspec lsp", "archspec lsp --stdio")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stdio", action="store_true", help="what is done anyway; many editors say it"
    )


def run(options: argparse.Namespace) -> int:
    need("archspec lsp", "pygls")
    from archspec.lsp.server import serve

    serve()
    return 0
