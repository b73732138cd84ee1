"""Options that several subcommands take, and what they mean."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archspec.document import read_document
from archspec.errors import SpecError, UsageError, did_you_mean, printable
from archspec.graph import Graph
from archspec.loading import build
from archspec.program import Program, read_program
from archspec.shapes import Shape
from archspec.sources import shipped_name
from archspec.space import Space
from archspec.writing import write_whole

FORMATS = ("table", "json", "csv", "markdown")


def add_spec(parser: argparse.ArgumentParser, name: str = "spec", **options: Any) -> None:
    parser.add_argument(
        name, help="path of a spec, or the bare name of a shipped one", metavar="SPEC", **options
    )


def add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="ARG=VALUE",
        help="another value for one of the spec's args (JSON, or a bare word)",
    )
    parser.add_argument("--input", metavar="CxHxW", help="another input shape, such as 3x256x256")
    parser.add_argument(
        "--decisions",
        default="first",
        metavar="FILE",
        help="for a search space: a JSON file of decisions, random:SEED, or first",
    )


def add_format(parser: argparse.ArgumentParser, formats: Sequence[str] = FORMATS) -> None:
    parser.add_argument("--format", choices=formats, default="table", help="default: table")


def graph_of(name: str, options: argparse.Namespace) -> Graph:
    """The graph that a spec and the options of add_overrides mean."""
    program = read_program(name)
    arguments = arguments_of(program, options.set)
    shape = input_shape_of(options.input)
    if not program.has_choice:
        graph = build(program, arguments, shape)
        _say_warnings(name, program, graph)
        return graph
    if arguments or shape:
        raise UsageError(f"{name} is a search space; --set and --input are for plain specs")
    return _assign(program, options.decisions)


def _say_warnings(name: str, program: Program, graph: Graph) -> None:
    """One line of a spec's warnings, where it has any; validate tells them. Shipped specs have
    none, which a test holds, and are not looked at."""
    if shipped_name(program.at.document.source) is not None:
        return
    import shlex  # costs a millisecond, so only when it is needed

    from archspec.warn import find_warnings

    count = len(find_warnings(program, [graph]))
    if count:
        shows = "shows it" if count == 1 else "shows them"
        command = f"archspec validate {shlex.quote(name)} {shows}"
        print(printable(f"{name}: {counted(count, 'warning')}; {command}"), file=sys.stderr)


def counted(count: int, what: str) -> str:
    """ "1 problem", "2 problems", or nothing of none."""
    return f"{count} {what}{'s' * (count > 1)}" if count else ""


def _assign(program: Program, decisions: str) -> Graph:
    space = Space(program)
    if decisions == "first":
        note = "this is a search space; what follows is the network of every choice's first option"
        print(f"{program.name}: {note} (--decisions picks another)", file=sys.stderr)
        return space.assign(space.first())
    kind, _, seed = decisions.partition(":")
    if kind == "random" and seed.lstrip("-").isdigit():
        return space.assign(space.sample(random.Random(int(seed))))
    assignment = read_document(decisions).data
    if not isinstance(assignment, dict):
        raise SpecError(f"{decisions}: decisions are one object, choice: option")
    return space.assign(assignment)


def arguments_of(program: Program, settings: Sequence[str]) -> dict[str, Any]:
    """Values for a spec's args from settings such as "classes=10". Raises UsageError."""
    arguments: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting} lacks its value; use --set {setting}=VALUE")
        if name not in program.parameters:
            raise UsageError(
                f"{program.name} has no arg {name!r}{did_you_mean(name, program.parameters)}"
                f" (its args: {', '.join(program.parameters) or 'none'})"
            )
        try:
            arguments[name] = json.loads(text, parse_constant=str)
        except (ValueError, RecursionError):
            arguments[name] = text
    return arguments


def input_shape_of(text: str | None) -> Shape | None:
    """The shape that "3x256x256" means. Raises UsageError."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(
        part.isascii() and part.isdigit() and len(part) < 7 for part in parts
    ):
        raise UsageError(
            f"--input {text} is not a shape; use channels x height x width such as 3x256x256"
        )
    shape = tuple(map(int, parts))
    if 0 in shape:
        raise UsageError(f"--input {text} has an extent of 0; use 1 or more")
    return shape


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, default=list))


def write_new_file(path: str | os.PathLike[str], text: str) -> None:
    """Write a file that is not there yet. Raises UsageError where it is."""
    if Path(path).exists():
        raise UsageError(f"{path} exists already; use another name, or remove it")
    write_whole(path, text)
