"""docs/commands.md: every subcommand with what it takes and examples, from the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from archspec.cli.commands import GROUPS
from archspec.cli.parsing import CommandParser, arguments_of, parser_of, parsers_below


def commands_page(generated: str) -> Iterator[str]:
    yield from ("# Commands", "")
    yield from (f"`archspec COMMAND --help` prints one of these. {generated}", "")
    yield "Where a spec is named, a path or the bare name of a shipped one will do. Tables are for"
    yield "people (plain when piped); `--format json`, `csv` and `markdown` are for programs."
    yield from ("", "| exit code | what it says |", "|--:|---|")
    yield "| 0 | done; differences and findings are not faults, unless `--strict` asks for that |"
    yield "| 1 | a spec or a file is wrong, or this machine lacks something; a sentence says what |"
    yield "| 2 | the command is not used as it should be |"
    yield from ("| 130 | interrupted; a training or a search has saved where it was |", "")
    for group, rows in GROUPS.items():
        yield from (f"## {group.capitalize()}", "")
        for name, text in rows.items():
            yield from _section(name, text)


def _section(name: str, text: str) -> Iterator[str]:
    yield from (f"### {name}", "")
    whole = parser_of(name)
    for parser in parsers_below(whole):
        if parser is whole:
            yield from (_sentence(parser.description or text), "")
        else:
            yield from (f"#### {parser.prog.removeprefix('archspec ')}", "")
            yield from (_sentence(parser.description or ""), "")
        rows = [*_rows(parser)]
        if rows:
            yield from ("| argument | what it is |", "|---|---|", *rows, "")
        if isinstance(parser, CommandParser) and (examples := parser.own_examples()):
            yield from ("```sh", *examples, "```", "")


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _rows(parser: argparse.ArgumentParser) -> Iterator[str]:
    for argument in arguments_of(parser):
        if argument.dest != "help" and argument.help != argparse.SUPPRESS:
            what = (argument.help or "").replace("%(default)s", str(argument.default))
            if _is_of_actions(argument):
                what = ", ".join(map(str, argument.choices or ()))
            yield f"| {_spelling(argument)} | {_cell(what)} |"


def _is_of_actions(argument: argparse.Action) -> bool:
    return argument.metavar == "ACTION"


def _spelling(argument: argparse.Action) -> str:
    metavar = argument.metavar
    if isinstance(metavar, tuple):
        metavar = " ".join(metavar)
    choices = None if _is_of_actions(argument) else argument.choices
    value = metavar or ("|".join(map(str, choices)) if choices else argument.dest.upper())
    if not argument.option_strings:
        return _code(value)
    takes = "" if argument.nargs == 0 else f" {value}"
    return ", ".join(_code(f"{option}{takes}") for option in argument.option_strings)


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    """Text in a table of Markdown, in which a bar ends a cell even within code."""
    return _sentence(text).replace("|", "\\|")
