"""The `archspec` command. Each subcommand is a module here, imported only when it is called."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from archspec.cli.commands import COMMANDS, GROUPS
from archspec.cli.outputs import folders_above
from archspec.cli.parsing import module_of, parser_of
from archspec.errors import SpecError, UsageError, find_slip, printable, use
from archspec.terminal import OUTPUT, guard

NO_THREAD = "can't start new thread"
"""Python's words where there is no memory for one, or there are too many."""
OK, WRONG, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the result is its exit code: 0, 1 for bad input, 2 for bad usage."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # An expansion makes many values and no rubbish: collecting often only costs, a third of the
    # time at 100,000 nodes.
    gc.set_threshold(100_000, 50, 1000)
    if sys.stdout is None:  # the next file that is opened would take its place
        return _fail("standard output is closed; redirect it to a file or to /dev/null", WRONG)
    with guard(), warnings.catch_warnings():
        # Pillow warns of half the pixels that it refuses, which the refusal says well enough
        warnings.filterwarnings("ignore", r"Image size \(\d+ pixels\) exceeds limit")
        return _guarded_main(arguments)


def _guarded_main(arguments: list[str]) -> int:
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _abandon_output()  # whoever read it has gone
        return OK
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except (SpecError, UsageError) as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(_words_of(error), WRONG)
    except Exception as error:
        if isinstance(error, MemoryError) or NO_THREAD in str(error):
            return _fail("this takes more memory than is left; use a machine with more", WRONG)
        if os.environ.get("ARCHSPEC_TRACEBACK"):
            raise
        return _fail(
            f"archspec itself went wrong ({type(error).__name__}: {error}); please report it with"
            " what ARCHSPEC_TRACEBACK=1 prints",
            WRONG,
        )


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return OK if arguments else USAGE
    if arguments[0] in ("-V", "--version"):
        from archspec.extras import PACKAGE, version_of

        print(f"archspec {version_of(PACKAGE, 'unknown')}")
        return OK
    name = arguments[0]
    if name not in COMMANDS:
        raise UsageError(
            f"archspec has no command {name!r}{_advice(name)} (archspec --help lists them)"
        )
    try:
        options = parser_of(name).parse_args(arguments[1:])
    except SystemExit as stop:
        return int(stop.code or 0)
    with folders_above(options):
        return module_of(name).run(options)


def _advice(name: str) -> str:
    from archspec.words import COMMANDS as SAME  # reads all ops, and only where something is wrong

    same = SAME.get(name.lower())
    return use(f"archspec {same}") if same else find_slip(name, COMMANDS)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [
        "usage: archspec COMMAND ...",
        "",
        "Convolutional networks as data: one JSON spec, known before it runs.",
        "A spec is named by its path, or a shipped one by its bare name (archspec stats resnet50).",
        "",
        *(line for group, rows in GROUPS.items() for line in _lines_of(group, rows, width)),
        "archspec COMMAND --help says more of one.",
    ]
    return "\n".join(lines)


def _lines_of(group: str, rows: Mapping[str, str], width: int) -> list[str]:
    return [f"{group}:", *(f"  {name:<{width}}  {text}" for name, text in rows.items()), ""]


def _words_of(error: OSError) -> str:
    if error.filename == OUTPUT:
        _abandon_output()
    try:
        Path.cwd()
    except OSError:
        return "the working folder does not exist any more; use another one"
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{(error.strerror or str(error)).lower()}"


def _abandon_output() -> None:
    """Let Python write what is left of it nowhere, for at its exit it would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    if sys.stderr is not None:
        print("\n".join(map(printable, f"error: {message}".splitlines())), file=sys.stderr)
    return code
