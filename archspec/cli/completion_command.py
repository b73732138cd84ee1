"""Complete subcommands, options, shipped specs and files in a shell."""

from __future__ import annotations

import argparse
from typing import Any

from archspec.cli.parsing import arguments_of, parser_of_all, parsers_below
from archspec.extras import need
from archspec.sources import shipped_names

SHELLS = ("bash", "zsh", "fish")
EXAMPLES = (
    "archspec completion bash > ~/.local/share/bash-completion/completions/archspec",
    "archspec completion zsh > ~/.zfunc/_archspec  # with fpath+=~/.zfunc before compinit",
    "archspec completion fish > ~/.config/fish/completions/archspec.fish",
)
FOLDERS = ("DIR", "RUN", "OUT", "FOLDER", "RESULTS")
WORDS = ("FILE", "PATH", "IMAGE", "MODEL", "NAME|FILE")
"""Metavars of arguments that are files, beside those that have SPEC in them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="whose script is written")


def run(options: argparse.Namespace) -> int:
    need("archspec completion", "shtab")
    import shtab

    parser = parser_of_all()
    for below in parsers_below(parser):
        for argument in arguments_of(below):
            _say_how(argument, shtab)
    print(shtab.complete(parser, options.shell))
    return 0


def _say_how(argument: Any, shtab: Any) -> None:
    """What may stand for an argument, by its metavar, which is what a person is told of it."""
    metavar = argument.metavar
    if argument.choices is not None or not isinstance(metavar, str):
        return
    if "SPEC" in metavar or metavar in ("A", "B", "NETWORK", "SPACE"):
        argument.complete = _specs()
    elif metavar in FOLDERS:
        argument.complete = shtab.DIRECTORY
    elif metavar.startswith(WORDS):
        argument.complete = shtab.FILE


def _specs() -> dict[str, Any]:
    """Shipped specs and files, as each shell wants to be told of a way to complete."""
    names = " ".join(shipped_names())
    return {
        "bash": "_archspec_specs",
        "zsh": "_archspec_specs",
        "fish": "(_archspec_specs)",
        "preamble": {
            "bash": f'_archspec_specs() {{\n  compgen -W "{names}" -- "$1"\n'
            '  compgen -f -- "$1"\n}\n',
            "zsh": f"_archspec_specs() {{\n  compadd -- {names}\n  _files\n}}\n",
            "fish": f"function _archspec_specs\n  printf '%s\\n' {names}\n"
            "  __fish_complete_path (commandline -ct)\nend\n",
        },
    }
