"""Answers for people: tables for a terminal, and a folder of tables and pictures.

classes.csv      of each class: recall (its own accuracy), precision, F1
confusion.csv    which classes were taken for which; confusion.png is the same as a picture
calibration.csv  how often answers of some confidence are right
mistakes.csv     the wrong answers, the surest first; mistakes.png shows them
summary.json     the figures that are one number
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from typing import Any

from archspec.compiler.images.answers import Answers
from archspec.compiler.images.confusion_picture import draw_confusion
from archspec.compiler.images.preprocess import open_image
from archspec.compiler.images.sheet import Tile, draw_sheet
from archspec.tables import Column, Table, as_csv, shown_count
from archspec.writing import whole_folder, write_whole

MAX_SHOWN = 20
"""Classes that a confusion matrix on a terminal has at most."""
MISTAKES, SHEET_COLUMNS = 48, 8
ALARM = "#b3401f"


def figures(answers: Answers) -> dict[str, Any]:
    """The figures that are one number."""
    return {
        "images": len(answers.labels),
        "accuracy": float((answers.labels == answers.guesses).mean()),
        "balanced_accuracy": answers.balanced_accuracy,
        "macro_f1": answers.macro_f1,
        "calibration_error": answers.calibration_error(),
    }


def as_json(answers: Answers) -> dict[str, Any]:
    """All figures and classes, and the confusion matrix where it is small."""
    found: dict[str, Any] = {**figures(answers), "per_class": _class_rows(answers)}
    if len(answers.met) <= MAX_SHOWN:
        names = [answers.name(number) for number in answers.met]
        found["confusion"] = {"classes": names, "counts": answers.confusion.tolist()}
    return found


def class_table(answers: Answers) -> Table:
    share = "{:.1%}".format
    columns = [
        Column("class", "class"), Column("number", "number", is_data=True),
        Column("images", "images", shown_count, True),
        Column("guesses", "guesses", shown_count, True),
        Column("recall", "recall", share, True), Column("precision", "precision", share, True),
        Column("f1", "F1", share, True),
    ]  # fmt: skip
    sums = figures(answers)
    notes = [
        "recall is the accuracy of a class; of all classes the mean is"
        f" {sums['balanced_accuracy']:.2%}, and of F1 {sums['macro_f1']:.2%}",
        f"calibration error {sums['calibration_error']:.2%}: by so much the confidence in an answer"
        " and how often such answers are right differ",
    ]
    return Table(columns, _class_rows(answers), notes=notes)


def confusion_table(answers: Answers, title: str = "") -> Table:
    """Rows are what images are of, columns what they were taken for."""
    names = [answers.name(number) for number in answers.met]
    columns = [
        Column("class", "is of, taken for:"),
        *(Column(str(place), name, _blank_zero, True) for place, name in enumerate(names)),
    ]
    rows = [
        {"class": name, **{str(place): count for place, count in enumerate(line)}}
        for name, line in zip(names, answers.confusion.tolist(), strict=True)
    ]
    return Table(columns, rows, title)


def fits_terminal(answers: Answers) -> bool:
    """Whether a confusion matrix has a place in a terminal's columns."""
    names = [answers.name(number) for number in answers.met]
    widths = [max(len(name), len(str(answers.confusion.max(initial=0)))) + 2 for name in names]
    return len(names) <= MAX_SHOWN and 20 + sum(widths) <= 100


def write_report(answers: Answers, folder: str | os.PathLike[str]) -> None:
    """Write tables and pictures into a folder that does not exist yet. Raises UsageError."""
    names = [answers.name(number) for number in answers.met]
    counts = answers.confusion
    title = f"{answers.images.where}: {len(answers.labels):,} images"
    with whole_folder(folder) as home:
        write_whole(home / "summary.json", json.dumps(figures(answers), indent=2) + "\n")
        write_whole(home / "classes.csv", as_csv(class_table(answers)))
        write_whole(home / "confusion.csv", _confusion_csv(names, counts.tolist()))
        write_whole(home / "confusion.png", draw_confusion(counts, names, title))
        write_whole(home / "calibration.csv", as_csv(_calibration_table(answers)))
        write_whole(home / "mistakes.csv", as_csv(_mistakes_table(answers)))
        if answers.mistakes(1):
            write_whole(home / "mistakes.png", draw_mistakes(answers))


def draw_mistakes(answers: Answers, most: int = MISTAKES) -> bytes:
    """The surest mistakes as a PNG."""
    numbers = answers.mistakes(most)
    wrong = int((answers.labels != answers.guesses).sum())
    title = f"{wrong:,} of {len(answers.labels):,} wrong; the {len(numbers):,} surest"
    return draw_sheet(_tiles(answers, numbers), SHEET_COLUMNS, title)


def _tiles(answers: Answers, numbers: list[int]) -> Iterator[Tile]:
    for number, load in zip(numbers, answers.images.loads(numbers), strict=True):
        guess = answers.name(int(answers.guesses[number]))
        said = f"said {guess}, {answers.confidences[number]:.0%}"
        truth = f"is {answers.name(int(answers.labels[number]))}"
        yield Tile(open_image(load()), (said, truth, answers.images.name(number)), ALARM)


def _class_rows(answers: Answers) -> list[dict[str, Any]]:
    return [
        {
            "class": one.name, "number": one.number, "images": one.images, "guesses": one.guesses,
            "recall": one.recall, "precision": one.precision, "f1": one.f1,
        }
        for one in answers.classes
    ]  # fmt: skip


def _confusion_csv(names: list[str], counts: list[list[int]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", *names])
    writer.writerows([name, *line] for name, line in zip(names, counts, strict=True))
    return text.getvalue()


def _calibration_table(answers: Answers) -> Table:
    keys = ("low", "high", "images", "confidence", "accuracy")
    rows = [{key: getattr(one, key) for key in keys} for one in answers.reliability()]
    return Table([Column(key, key) for key in keys], rows)


def _mistakes_table(answers: Answers) -> Table:
    keys = ("image", "class", "taken_for", "confidence")
    rows = [
        {
            "image": answers.images.name(number),
            "class": answers.name(int(answers.labels[number])),
            "taken_for": answers.name(int(answers.guesses[number])),
            "confidence": float(answers.confidences[number]),
        }
        for number in answers.mistakes(len(answers.labels))
    ]
    return Table([Column(key, key) for key in keys], rows)


def _blank_zero(count: int) -> str:
    return f"{count:,}" if count else "."
