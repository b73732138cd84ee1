"""Edit specs in the browser: errors, the picture and the numbers as you type, on a page that this
machine alone serves."""

from __future__ import annotations

import argparse

from archspec.errors import UsageError
from archspec.extras import need

EXAMPLES = (
    "archspec studio",
    "archspec studio resnet50",
    "archspec studio specs --port 8000 --no-browser",
)
LARGEST_PORT = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        metavar="SPEC|FOLDER|RUN",
        help="a spec (FILE:LINE opens it there), a shipped one's bare name, a folder, or the folder"
        " of a training or a search; default: the shipped specs",
    )
    parser.add_argument("--port", type=int, metavar="N", help="default: 7353, or any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def run(options: argparse.Namespace) -> int:
    if options.port is not None and not 0 <= options.port <= LARGEST_PORT:
        raise UsageError(f"--port {options.port}: must be 0 to {LARGEST_PORT:,}")
    for package in ("starlette", "uvicorn"):
        need("the studio", package)
    from archspec.studio.app import serve
    from archspec.studio.opening import open_what

    serve(open_what(options.what), options.port, not options.no_browser)
    return 0
