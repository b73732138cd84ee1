"""The commands as tools for programs that write specs, over the Model Context Protocol on standard
input and output. Files are those below the folder it is started in, no others."""

from __future__ import annotations

import argparse
from pathlib import Path

from archspec.errors import UsageError
from archspec.extras import need

EXAMPLES = ("archspec mcp", "archspec mcp networks")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", default=".", metavar="FOLDER", help="default: the working folder"
    )


def run(options: argparse.Namespace) -> int:
    need("archspec mcp", "mcp")
    folder = Path(options.folder)
    if not folder.is_dir():
        raise UsageError(f"{options.folder} is not a folder; use one that has the specs")
    from archspec.mcp.server import serve

    serve(folder)
    return 0
