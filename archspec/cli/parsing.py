"""Parsers of subcommands, whose help ends with examples."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from archspec.cli.commands import COMMANDS

WIDEST = 100
SHOWN = 3
"""Examples under one help."""


class CommandParser(argparse.ArgumentParser):
    """A parser that ends its help with those examples that are of it: `archspec weights --help`
    with the first ones of `archspec weights`, `archspec weights import --help` with its own."""

    def __init__(self, *, examples: Sequence[str] = (), **options: Any):
        super().__init__(**options)
        self.examples = examples

    def add_subparsers(self, **options: Any) -> Any:
        options.setdefault("parser_class", partial(CommandParser, examples=self.examples))
        return super().add_subparsers(**options)

    def own_examples(self) -> list[str]:
        own = f"{self.prog} "
        return [line for line in self.examples if f"{called_by(line)} ".startswith(own)][:SHOWN]

    def format_help(self) -> str:
        lines = "".join(f"  {fold(line)}\n" for line in self.own_examples())
        return f"{super().format_help()}\nexamples:\n{lines}" if lines else super().format_help()


def fold(example: str) -> str:
    """A line of a shell within WIDEST columns where it stands in a help, broken before options."""
    first, *options = example.split(" --")
    lines = [first]
    for option in options:
        if len(lines[-1]) + len(option) + len("   --  \\") > WIDEST:
            lines.append(f"    --{option}")
        else:
            lines[-1] += f" --{option}"
    return " \\\n  ".join(lines)


def called_by(example: str) -> str:
    """The last command of a line of a shell, without where its output goes."""
    return example.rpartition(" | ")[2].partition(" > ")[0]


def module_of(name: str) -> ModuleType:
    return import_module(f"archspec.cli.{name.replace('-', '_')}_command")


def parser_of(name: str) -> CommandParser:
    """The whole parser of a subcommand, whose module is imported for it."""
    module = module_of(name)
    parser = CommandParser(
        prog=f"archspec {name}", description=module.__doc__, examples=module.EXAMPLES
    )
    module.add_arguments(parser)
    return parser


def parser_of_all() -> argparse.ArgumentParser:
    """One parser of all subcommands, for what must know them all. Imports every module."""
    parser = argparse.ArgumentParser(prog="archspec")
    actions = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in COMMANDS.items():
        module = module_of(name)
        module.add_arguments(actions.add_parser(name, help=text, description=module.__doc__))
    return parser


def arguments_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a parser takes. argparse has no public way to it."""
    return parser._actions


def parsers_below(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of its actions."""
    yield parser
    for argument in arguments_of(parser):
        choices = argument.choices
        for below in choices.values() if isinstance(choices, Mapping) else ():
            if isinstance(below, argparse.ArgumentParser):
                yield from parsers_below(below)
