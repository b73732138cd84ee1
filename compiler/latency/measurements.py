"""Measured latencies: a CSV file with a row for each network measured.

    spec,batch,ms_per_image
    isynet_n1,16,0.72
    mine.json,16,0.85

`spec` is named as on the command line. The time is `ms_per_image` or `ms_per_batch`. There may be
more columns: `set`, values for the spec's args ("classes=1001 last_norm=true"); `input`, another
input shape ("3x256x256"); `export`, "archspec" (the default) where `archspec export` wrote the
network, "other" where it was converted as its spec writes it; `name` and `source`, for readers.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from archspec.compiler.pipeline import for_deployment
from archspec.document import read_text
from archspec.errors import Problem, SpecError, UsageError, did_you_mean, first_problems, listed
from archspec.graph import Graph
from archspec.loading import build, load
from archspec.program import read_program
from archspec.shapes import Shape

PUBLISHED = Path(__file__).with_name("published.csv")
PUBLISHED_ON = "ascend310"

TIMES = ("ms_per_image", "ms_per_batch")
EXPORTS = ("archspec", "other")
COLUMNS = ("spec", "batch", *TIMES, "set", "input", "export", "name", "source")
LARGEST_FILE = 2**20
MAX_ROWS = 1000
LARGEST_BATCH = 1_000_000


@dataclass(frozen=True)
class Measurement:
    """One network's measured time, in milliseconds for a batch; `where` is its file and line."""

    spec: str
    batch: int
    ms: float
    args: Mapping[str, Any]
    input_shape: Shape | None
    export: str
    name: str
    source: str
    where: str

    @property
    def ms_per_image(self) -> float:
        return self.ms / self.batch

    @cached_property
    def written_graph(self) -> Graph:
        """The network as its spec writes it. Raises SpecError."""
        return build(read_program(self.spec), self.args, self.input_shape)

    @cached_property
    def graph(self) -> Graph:
        """The network as it was measured. Raises SpecError."""
        graph = self.written_graph
        return graph if self.export == "other" else for_deployment(graph).graph


def measured_network(spec: str, batch: int, ms: float, source: str) -> Measurement:
    """A network as archspec exports it, and milliseconds of a batch."""
    return Measurement(spec, batch, ms, {}, None, EXPORTS[0], spec, source, source)


@cache
def load_published() -> tuple[Measurement, ...]:
    """Latencies on an Ascend 310 that were published with their networks."""
    return tuple(_rows_of(PUBLISHED))


def published_for(graph: Graph, device_name: str, batch: int) -> Measurement | None:
    """What was published of this network, whatever the number of classes it was measured with."""
    if device_name != PUBLISHED_ON:
        return None
    for measurement in load_published():
        if (measurement.spec, measurement.batch) == (graph.name, batch):
            same = (measurement.written_graph.fingerprint, load(measurement.spec).fingerprint)
            if graph.fingerprint in same:
                return measurement
    return None


def read_measurements(path: str | Path) -> list[Measurement]:
    """The rows of a CSV file, each of whose networks exists.

    Raises UsageError where the file is not there, SpecError with everything wrong in it.
    """
    measurements = _rows_of(path)
    problems = first_problems(_unknown_networks(measurements))
    if problems:
        raise SpecError(problems)
    return measurements


def _rows_of(path: str | Path) -> list[Measurement]:
    if not Path(path).exists():
        raise UsageError(f"{path} does not exist; use a CSV file of measurements")
    name = str(path)
    text = read_text(path, name, "a CSV file of measurements", LARGEST_FILE)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header, name)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise SpecError(Problem(f"this is not CSV: {error}", f"{name}:{reader.line_num}")) from None
    if not 1 <= len(rows) <= MAX_ROWS:
        raise SpecError(Problem(f"the file has {len(rows):,} rows; use 1 to {MAX_ROWS:,}", name))
    measurements: list[Measurement] = []
    problems: list[Problem] = []
    for line, row in rows:
        where = f"{name}:{line}"
        wrong = list(_wrong_cells(header, row))
        problems += [Problem(sentence, where) for sentence in wrong]
        if not wrong:
            measurements.append(
                _measurement(dict(zip(header, map(str.strip, row), strict=True)), where)
            )
    if problems:
        raise SpecError(first_problems(problems))
    return measurements


def _check_header(header: Sequence[str], name: str) -> None:
    for column in header:
        if column not in COLUMNS:
            raise SpecError(
                Problem(
                    f"there is no column {column!r}{did_you_mean(column, COLUMNS)} (columns are"
                    f" {listed(COLUMNS, 'and')})",
                    f"{name}:1",
                )
            )
        if header.count(column) > 1:
            raise SpecError(Problem(f"the column {column!r} appears twice; keep one", f"{name}:1"))
    missing = [column for column in ("spec", "batch") if column not in header]
    if missing:
        raise SpecError(Problem(f"the column {missing[0]!r} is missing", f"{name}:1"))
    if sum(column in header for column in TIMES) != 1:
        raise SpecError(Problem(f"use one column of times: {listed(TIMES)}", f"{name}:1"))


def _wrong_cells(header: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    if len(row) != len(header):
        yield f"the row has {len(row)} cells; use {len(header)}, as the first line"
        return
    cells = dict(zip(header, map(str.strip, row), strict=True))
    if not cells["spec"]:
        yield "spec is empty; use the path of a spec, or the name of a shipped one"
    if not (cells["batch"].isascii() and cells["batch"].isdigit()) or not (
        1 <= int(cells["batch"][:20]) <= LARGEST_BATCH
    ):
        yield f"batch is {cells['batch']!r}; use a whole number from 1 to {LARGEST_BATCH:,}"
    time = next(column for column in TIMES if column in cells)
    if not 0 < _number(cells[time]) < math.inf:
        yield f"{time} is {cells[time]!r}; use a number of milliseconds over 0"
    if _shape(cells.get("input", "")) == ():
        yield f"input is {cells['input']!r}; use channels x height x width such as 3x224x224"
    if any("=" not in setting for setting in cells.get("set", "").split()):
        yield f"set is {cells['set']!r}; use ARG=VALUE, several with spaces between"
    if cells.get("export", "") not in ("", *EXPORTS):
        yield f"export is {cells['export']!r}; use {listed(EXPORTS)}"


def _measurement(cells: Mapping[str, str], where: str) -> Measurement:
    batch = int(cells["batch"])
    if "ms_per_batch" in cells:
        ms = float(cells["ms_per_batch"])
    else:
        ms = float(cells["ms_per_image"]) * batch
    return Measurement(
        spec=cells["spec"],
        batch=batch,
        ms=ms,
        args=dict(map(_setting, cells.get("set", "").split())),
        input_shape=_shape(cells.get("input", "")),
        export=cells.get("export") or EXPORTS[0],
        name=cells.get("name") or cells["spec"],
        source=cells.get("source", ""),
        where=where,
    )


def _unknown_networks(measurements: Sequence[Measurement]) -> Iterator[Problem]:
    for measurement in measurements:
        try:
            _ = measurement.graph
        except SpecError as error:
            first = error.problems[0]
            yield Problem(f"{first.where}: {first.message}", measurement.where)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _shape(text: str) -> Shape | None:
    """The shape written as 3x224x224; None where nothing is, () where it is not a shape."""
    if not text:
        return None
    parts = text.split("x")
    fits = all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts)
    return tuple(map(int, parts)) if len(parts) == 3 and fits and "0" not in parts else ()


def _setting(text: str) -> tuple[str, Any]:
    """An arg and its value, JSON or a bare word."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):
        return name, value
