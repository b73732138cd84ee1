"""One table for people and programs: for a terminal, as text, CSV or Markdown."""

from __future__ import annotations

import csv
import io
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.terminal import can_encode, harmless, unguard

WIDEST = 100
"""Columns of text that a table keeps within."""
SHORTEST_CUT = 12
NOTE_INDENT = 13


@dataclass(frozen=True, eq=False, repr=False)
class Column:
    """A column: the key of its values, its title, and how people read a value. What only programs
    want (`is_data`) stands in CSV alone. A row too wide is cut where it is prose, else in its first
    column."""

    key: str
    title: str
    show: Callable[[Any], str] = str
    is_number: bool = False
    is_data: bool = False
    is_prose: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Rows of raw values with columns that show them; `notes` are lines below."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    title: str = ""
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def shown_columns(self) -> list[Column]:
        return [column for column in self.columns if not column.is_data]

    def shown(self) -> list[list[str]]:
        """The rows as people read them, empty where there is no value."""
        return [
            [
                "" if row.get(c.key) is None else _cell(c.show(row[c.key]))
                for c in self.shown_columns
            ]
            for row in self.rows
        ]


def _cell(text: str) -> str:
    """A cell is one line, whatever a file's name or class has in it."""
    return text if text.isprintable() else harmless(text).replace("\n", "\\n").replace("\t", " ")


def write_table(table: Table, style: str) -> None:
    """Print a table: "table" (rich on a terminal, plain text elsewhere), "csv" or "markdown"."""
    if style == "csv":
        sys.stdout.write(as_csv(table))
    elif style == "markdown":
        sys.stdout.write(as_markdown(table))
    elif sys.stdout.isatty():
        _print_rich(table)
    else:
        sys.stdout.write(as_text(table))


def as_text(table: Table, widest: int = WIDEST) -> str:
    """Aligned columns, none passing `widest`."""
    titles = [column.title for column in table.shown_columns]
    rows = _cut_rows(table, widest)
    widths = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for cell, width, column in zip(cells, widths, table.shown_columns, strict=True)
        )
        return "  ".join(aligned).rstrip()

    lines = [table.title] if table.title else []
    lines += [line(titles), "  ".join("-" * width for width in widths), *map(line, rows)]
    if table.notes:
        lines += ["", *_wrap(table.notes, widest)]
    return "\n".join(lines) + "\n"


def as_csv(table: Table) -> str:
    """Raw values under their keys; shapes as 64x56x56."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow([_plain(row.get(column.key)) for column in table.columns])
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """A pipe table."""
    lines = [f"**{table.title}**", ""] if table.title else []
    lines.append("| " + " | ".join(column.title for column in table.shown_columns) + " |")
    lines.append("|" + "|".join("--:" if c.is_number else "---" for c in table.shown_columns) + "|")
    for cells in table.shown():
        lines.append("| " + " | ".join(map(markdown_text, cells)) + " |")
    if table.notes:
        lines += ["", *(f"{note}  " for note in table.notes)]
    return "\n".join(lines) + "\n"


def markdown_text(text: str) -> str:
    """Text in a line or a cell of Markdown, as it is: no markup, HTML or line end of its own."""
    text = harmless(text).replace("\n", "\\n").replace("\t", " ")
    return text.replace("<", "&lt;").replace("|", "\\|")


def shown_count(count: int) -> str:
    """1,234,567."""
    return f"{count:,}"


def shown_amount(amount: float, unit: str = "") -> str:
    """1.23 K, 4.56 M, 7.89 G: four digits at most."""
    if amount == 0:
        return f"0 {unit}".rstrip()
    for power, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(amount) >= power * 0.9995:
            value = amount / power
            digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
            return f"{value:.{digits}f} {prefix}{unit}"
    return f"{amount:.0f} {unit}".rstrip()


def shown_bytes(count: int) -> str:
    """Binary units: 3.1 MiB."""
    for power, prefix in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >= 1 << power:
            value = count / (1 << power)
            return f"{value:.{1 if value < 100 else 0}f} {prefix}"
    return f"{count} B"


def shown_bytes_briefly(count: int) -> str:
    """3.1M, for narrow columns."""
    return shown_bytes(count).replace(" ", "").removesuffix("iB")


def shown_share(share: float) -> str:
    """12.3%, and nothing for nothing."""
    return f"{100 * share:.1f}%" if share else ""


def _cut_rows(table: Table, widest: int) -> list[list[str]]:
    """The shown rows with one column cut so that all fit."""
    columns = table.shown_columns
    rows = table.shown()
    elastic = next((i for i, column in enumerate(columns) if column.is_prose), 0)
    titles = [column.title for column in columns]
    widths = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]
    others = sum(widths) - widths[elastic] + 2 * (len(widths) - 1)
    room = max(widest - others, SHORTEST_CUT)
    cut = _cut_tail if columns[elastic].is_prose else _cut_middle
    return [[*row[:elastic], cut(row[elastic], room), *row[elastic + 1 :]] for row in rows]


def _wrap(notes: Sequence[str], widest: int) -> list[str]:
    """Long notes continue below, indented."""
    indent = " " * NOTE_INDENT
    lines: list[str] = []
    for note in notes:
        long = len(note) > widest
        lines += textwrap.wrap(note, widest, subsequent_indent=indent) if long else [note]
    return lines


def _cut_tail(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1].rstrip()}{_cut_mark()}"


def _cut_middle(text: str, room: int) -> str:
    """Names differ at their ends, so more of the tail is kept."""
    if len(text) <= room:
        return text
    head = (room - 1) // 3
    return f"{text[:head]}{_cut_mark()}{text[len(text) - (room - 1 - head) :]}"


def _cut_mark() -> str:
    return "…" if can_encode("…", getattr(sys.stdout, "encoding", None)) else "~"


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return "x".join(map(str, value))
    return "" if value is None else value


def _print_rich(table: Table) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    # where the terminal is too narrow it may wrap the line; a number cut short would be wrong
    console = Console(file=unguard(sys.stdout))
    rows = _cut_rows(table, min(console.width, WIDEST))
    console.width = max(console.width, 2 * WIDEST)
    drawn = RichTable(
        title=table.title or None,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in table.shown_columns:
        justify = "right" if column.is_number else "left"
        drawn.add_column(column.title, justify=justify, no_wrap=True)
    for row in rows:
        drawn.add_row(*map(Text, row))
    console.print(drawn)
    console.print()
    for line in _wrap(table.notes, WIDEST):
        console.print(Text(harmless(line)), soft_wrap=True)
