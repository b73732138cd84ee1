"""msprof's table of the operators that ran on the device, op_summary_*.csv.

Its columns differ between generations of CANN: "mac_ratio" and "vec_ratio" where a core is one,
"aic_mac_ratio" and "aiv_vec_ratio" where cube and vector cores are counted apart, and no ratios at
all with --task-time=l0.
"""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from archspec.deploy.profile.joining import Kernel
from archspec.errors import SpecError, UsageError
from archspec.reading import open_regular

PATTERN = "op_summary*.csv"
STAND_IN = "ARCHSPEC-STANDIN"
"""A file of this name in a folder of msprof's says that a stand-in made it."""

NAME, KIND, DURATION = "opname", "optype", "taskduration(us)"
UNITS: Mapping[str, str] = {
    "mac": "cube",
    "cube": "cube",
    "vec": "vector",
    "scalar": "scalar",
    "mte1": "memory",
    "mte2": "memory",
    "mte3": "memory",
    "fixpipe": "memory",
}
"""The units whose share of the time msprof counts, by the beginning of a ratio's name."""
RATIO = re.compile(r"(?:aic_|aiv_)?(mac|cube|vec|scalar|mte[123]|fixpipe)(?:_\w+)?_ratio$")


def find_op_summary(place: Path) -> list[Path]:
    """The tables in a folder of msprof's, or the one that is named. Raises UsageError."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UsageError(f"{place} does not exist; use a folder of msprof's, or {PATTERN}")
    found = sorted(place.rglob(PATTERN))
    if not found:
        raise UsageError(
            f"{place} has no {PATTERN}; up to CANN 6 `python3 $ASCEND_TOOLKIT_HOME/tools/profiler/"
            "profiler_tool/analysis/msprof/msprof.py export summary -dir PROF_...` makes it of the"
            " files that --keep DIR keeps, and --op-summary DIR reads it"
        )
    return found


def is_stand_in(place: Path) -> bool:
    """Whether a stand-in for msprof made the folder that a table is in, or below it."""
    folder = place if place.is_dir() else place.parent
    above = [folder, *folder.parents][:4]
    return any((one / STAND_IN).exists() for one in above) or any(folder.rglob(STAND_IN))


def read_op_summary(paths: Iterable[Path], warm_up: int = 0) -> list[Kernel]:
    """Each operator of the tables, in the order of its first run; its time is the median over its
    runs after those to warm up. Raises SpecError for what is not such a table."""
    times: dict[tuple[str, str], list[float]] = {}
    bounds: dict[tuple[str, str], str | None] = {}
    paths = [*paths]
    for path in paths:
        for row in _rows(path):
            key = (row[NAME], row[KIND])
            times.setdefault(key, []).append(float(row[DURATION]) / 1e3)
            bounds[key] = _bound(row)
    if not times:
        named = ", ".join(map(str, paths)) or "op_summary"
        raise SpecError(f"{named} has no operator that ran; use one of a whole run")
    return [
        Kernel(name, kind, statistics.median(found[warm_up:] or found), bounds[name, kind])
        for (name, kind), found in times.items()
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows by their columns' names; those without a time left out. Raises SpecError for a time
    that none can be."""
    rows = read_table(path, "op_summary", ("Op Name", "OP Type", "Task Duration(us)"))
    timed = [row for row in rows if number_in(row.get(DURATION)) is not None]
    for row in timed:
        if not 0 <= float(row[DURATION]) < math.inf:
            raise SpecError(
                f"{path}: Task Duration(us) of {row[NAME]} is {row[DURATION]}; it must be 0 or more"
            )
    return timed


def read_table(path: Path, what: str, titles: Sequence[str]) -> list[dict[str, str]]:
    """Rows of one of msprof's tables by their columns' names, small and without spaces. Raises
    SpecError where it cannot be read or lacks one of these titles."""
    try:
        with io.TextIOWrapper(open_regular(path), "utf-8-sig", newline="") as file:
            table = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpecError(
            f"{path} cannot be read ({error}); use the CSV file as msprof wrote it"
        ) from None
    found = [_key(title) for title in table[0]] if table else []
    if any(_key(title) not in found for title in titles):
        raise SpecError(f"{path} is not an {what}: it has no column {_listed(titles)}")
    return [dict(zip(found, line, strict=False)) for line in table[1:]]


def _listed(titles: Sequence[str]) -> str:
    return f"{', '.join(titles[:-1])} or {titles[-1]}"


def _key(title: str) -> str:
    return re.sub(r"\s+", "", title).lower()


def _bound(row: Mapping[str, str]) -> str | None:
    """The unit that was busy for the largest share of the time."""
    shares: dict[str, float] = {}
    for title, text in row.items():
        met, share = RATIO.match(title), number_in(text)
        if met and share is not None:
            unit = UNITS[met[1]]
            shares[unit] = max(shares.get(unit, 0.0), share)
    busiest = max(shares, key=shares.__getitem__, default=None)
    return busiest if busiest is not None and shares[busiest] > 0 else None


def number_in(text: str | None) -> float | None:
    """A cell's number; None for what msprof writes where it has nothing: "N/A", or nothing."""
    try:
        return float(text or "")
    except ValueError:
        return None
