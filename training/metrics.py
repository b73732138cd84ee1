"""metrics.jsonl: a line for each epoch and some within it, each with its own checksum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.checksums import (
    DamagedLine,
    Lines,
    append_lines,
    free_name,
    read_lines,
    seal_lines,
)
from archspec.writing import write_whole

WHOLE = ("epoch", "step")
"""Counts, from 1 on."""
NUMBERS = {
    "step": ("loss", "accuracy", "lr", "images_per_second"),
    "epoch": ("loss", "accuracy", "val_loss", "top1", "top5", "lr", "seconds", "best_epoch"),
}
"""What else a line has, by its kind."""

Line = Mapping[str, Any]


def read_metrics(path: Path, is_sealed: bool) -> Lines:
    """The lines of a file, none where there is no file; those that are not such as a run writes are
    among the damaged. Raises OSError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    found = read_lines(content, required=is_sealed)
    good = tuple(line for line in found.records if _is_line(line))
    odd = [
        DamagedLine(number, seal_lines([line]).encode(), "it is not a line of metrics")
        for number, line in enumerate(found.records, 1)
        if not _is_line(line)
    ]
    return replace(found, records=good, damaged=(*found.damaged, *odd))


def add_metrics(path: Path, line: Line) -> None:
    append_lines(path, [line], sync=False)


def write_metrics(path: Path, lines: Sequence[Line]) -> None:
    """Rewrite the file. Raises UsageError where the disk does not take it."""
    write_whole(path, seal_lines(lines), within=path.parent)


def rewind_metrics(
    path: Path, is_sealed: bool, step: int, epochs: int, known: Sequence[Line]
) -> tuple[str, ...]:
    """Leave out what was written after a checkpoint of this many steps and whole epochs: it will be
    written again. Lines of epochs that are lost are taken from those that the checkpoint has
    `known`; damaged lines go into a file of their own. What was amiss, in sentences."""
    found = read_metrics(path, is_sealed)
    kept = [line for line in found.records if line["step"] <= step and line["kind"] == "step"]
    here = [line for line in found.records if line["kind"] == "epoch"]
    over, notes = epoch_lines(path, here, known, range(1, epochs + 1))
    notes = (*set_lines_aside(path, found.damaged), *notes)
    write_metrics(path, sorted([*kept, *over], key=_place))
    return notes


def set_lines_aside(path: Path, lines: Sequence[DamagedLine]) -> tuple[str, ...]:
    """Keep damaged lines of a file in one of their own beside it; what was done, in a sentence."""
    if not lines:
        return ()
    aside = free_name(path)
    write_whole(aside, b"".join(line.content + b"\n" for line in lines), path.parent)
    some = ", ".join(str(line.number) for line in lines[:10])
    more = ", ..." if len(lines) > 10 else ""
    return (
        f"{path} has {len(lines)} damaged lines (line {some}{more}: {lines[0].why}), which are set"
        f" aside in {aside.name}",
    )


def epoch_lines(
    path: Path, here: Sequence[Line], known: Sequence[Line], epochs: Iterable[int]
) -> tuple[list[Line], tuple[str, ...]]:
    """The lines of these epochs, from those that a file has `here`, else from those that a
    checkpoint has `known`; what was amiss, in sentences."""
    found, there = ({line["epoch"]: line for line in lines} for lines in (here, known))
    over = {number: found.get(number) or there.get(number) for number in epochs}
    restored = [number for number, line in over.items() if line and number not in found]
    lost = [number for number, line in over.items() if line is None]
    notes: list[str] = []
    if restored:
        notes.append(f"{path} has its lines of {_epochs(restored)} from the checkpoint again")
    if lost:
        notes.append(f"{path} has lost its lines of {_epochs(lost)}, which no checkpoint has")
    return [line for line in over.values() if line], tuple(notes)


def _epochs(numbers: Sequence[int]) -> str:
    some = ", ".join(map(str, numbers[:10]))
    return f"epoch {some}" + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")


def _place(line: Line) -> tuple[int, bool]:
    return line["step"], line["kind"] == "epoch"


def _is_line(line: Line) -> bool:
    names = NUMBERS.get(str(line.get("kind")))
    if names is None or not all(type(line.get(name)) is int and line[name] > 0 for name in WHOLE):
        return False
    return all(type(line.get(name)) in (int, float) for name in names)


__all__ = [
    "Line", "add_metrics", "epoch_lines", "read_metrics", "rewind_metrics", "set_lines_aside",
    "write_metrics",
]  # fmt: skip
