"""Times in files that others' tools wrote: msprof's op_summary and op_statistic, ais_bench's JSON.

NAME_summary.json   of `python3 -m ais_bench --model net.om --loop 100 --output DIR`: the whole
                    network, its device time in milliseconds a batch
op_summary_*.csv    of msprof: each operator (see op_summary)
op_statistic_*.csv  of msprof: operators by kind, added up over all runs
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.deploy.profile.joining import Kernel
from archspec.deploy.profile.op_summary import number_in, read_table
from archspec.errors import SpecError, UsageError
from archspec.reading import open_regular

COMPUTE = "NPU_compute_time"
LARGEST = 1 << 26
"""Bytes of a summary; ais_bench lists the files of its inputs there."""
KIND, COUNT, TOTAL = "optype", "count", "totaltime(us)"


def is_ais_bench(path: Path) -> bool:
    """Whether a file is to be read as one of ais_bench's, by its ending."""
    return path.suffix.lower() == ".json"


def read_ais_bench(path: Path) -> float:
    """Milliseconds of a batch on the device, the median of all loops. Raises SpecError for what is
    not a summary of ais_bench's, UsageError where there is no such file."""
    said = read_object(path, "a *_summary.json of ais_bench's").get(COMPUTE)
    if not isinstance(said, Mapping):
        raise SpecError(
            f"{path} is not a summary of ais_bench's: it has no {COMPUTE}; use the *_summary.json"
            " that --output DIR leaves"
        )
    value = said.get("median", said.get("mean"))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SpecError(f"{path}: {COMPUTE} has neither a median nor a mean that is a number")
    if not 0 < value < math.inf:
        raise SpecError(f"{path}: {COMPUTE} is {value}; it must be more than 0 milliseconds")
    return float(value)


def read_object(path: Path, what: str) -> Mapping[str, Any]:
    """The JSON object in a file that another program wrote; `what` it should be is for the
    sentence. Raises UsageError where it does not exist, SpecError where it is none."""
    try:
        with open_regular(path) as file:
            content = json.loads(file.read(LARGEST))
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; use {what}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SpecError(f"{path} cannot be read as JSON ({error}); use {what}") from None
    if not isinstance(content, dict):
        raise SpecError(f"{path} is not one JSON object; use {what}")
    return content


def is_op_statistic(path: Path) -> bool:
    return path.is_file() and path.name.startswith("op_statistic")


def read_op_statistic(path: Path) -> list[Kernel]:
    """A row for each kind of operator, its time added up over all runs of the file, the longest
    first. Raises SpecError for what is not such a table."""
    titles = ("OP Type", "Count", "Total Time(us)")
    totals: dict[str, float] = {}
    counts: dict[str, int] = {}
    for row in read_table(path, "op_statistic", titles):
        total, count = number_in(row.get(TOTAL)), number_in(row.get(COUNT))
        if total is None or count is None:
            continue
        kind = row[KIND]
        totals[kind] = totals.get(kind, 0.0) + total
        counts[kind] = counts.get(kind, 0) + int(count)
    if not totals:
        raise SpecError(f"{path} has no operator that ran; use one of a whole run")
    order = sorted(totals, key=lambda kind: -totals[kind])
    return [Kernel(f"{counts[kind]:,} x {kind}", kind, totals[kind] / 1e3) for kind in order]
