"""What eval and infer tell of each class, as options."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError
from archspec.tables import write_table

if TYPE_CHECKING:
    from archspec.api.evaluating import Evaluation


def add_answers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--per-class",
        action="store_true",
        help="recall (the accuracy of a class), precision and F1 of each class, the calibration"
        " error, and for up to 20 classes which are taken for which",
    )
    parser.add_argument(
        "--report",
        type=OutputPath,
        metavar="DIR",
        help="a new folder for the same as CSV, the confusion matrix as a picture, and the surest"
        " mistakes as a contact sheet",
    )


def check_report(folder: str | None) -> None:
    """Say before anything runs where the folder is there already. Raises UsageError."""
    if folder is not None and os.path.lexists(folder):
        raise UsageError(f"{folder} exists already; use another name, or remove it")


def answers_as_json(found: Evaluation, options: argparse.Namespace) -> dict[str, Any]:
    if not options.per_class:
        return {}
    from archspec.compiler.images.answer_report import as_json

    return as_json(found.answers)


def tell_answers(found: Evaluation, options: argparse.Namespace) -> None:
    """The folder, and tables, where they are asked for."""
    if options.report is not None:
        found.write_report(options.report)
    if options.per_class and options.format == "table":
        from archspec.compiler.images.answer_report import (
            class_table,
            confusion_table,
            fits_terminal,
        )

        print()
        write_table(class_table(found.answers), "table")
        if fits_terminal(found.answers):
            print()
            write_table(confusion_table(found.answers), "table")
    if options.report is not None and options.format == "table":
        print(f"wrote {options.report}")
