"""Ascend chips by the names that atc's --soc_version takes.

A name is "Ascend" followed by the Name that `npu-smi info` shows on the device; for the Atlas A3
and later it is the Chip Name, "_" and the NPU Name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from archspec.errors import UsageError, did_you_mean

SOCS = (
    "Ascend310",
    *(f"Ascend310P{number}" for number in (1, 3, 5, 7)),
    *(f"Ascend310B{number}" for number in range(1, 5)),
    "Ascend910A",
    "Ascend910B",
    "Ascend910ProA",
    "Ascend910ProB",
    "Ascend910PremiumA",
    *(f"Ascend910B{number}" for number in range(1, 5)),
    "Ascend910B2C",
)

FAMILIES = re.compile(r"Ascend910_9[35]\w+|Ascend950\w*")
"""Atlas A3 and Ascend 950, which have too many names to list."""

LAST_CANN: Mapping[str, tuple[int, int]] = {"Ascend310": (8, 2)}
"""The last CANN whose manual lists a chip, where a later one no longer does."""

CAUTIONS: Mapping[str, str] = {
    "Ascend910B": "Ascend910B is a chip of the first generation; an Atlas A2 has Ascend910B1 to B4",
}

WHERE = (
    "it is the Name that npu-smi info shows on the device, with Ascend before it, such as Ascend310"
    " or Ascend310P3"
)


def check_soc(name: str | None, besides: Collection[str] = ()) -> str:
    """The name, where it is one; `besides` are others, which an installed CANN knows.

    Raises UsageError where it is missing or unknown.
    """
    if not name:
        raise UsageError(f"an OM is for one chip, and --soc is missing; {WHERE}")
    if name not in SOCS and name not in besides and not FAMILIES.fullmatch(name):
        raise UsageError(
            f"--soc {name} is not an Ascend chip{did_you_mean(name, [*SOCS, *besides])} ({WHERE})"
        )
    return name


def cautions(name: str, version: tuple[int, int] | None) -> list[str]:
    """What may go wrong with a chip, under a CANN of this version (None: not known), in words."""
    found = [CAUTIONS[name]] if name in CAUTIONS else []
    last = LAST_CANN.get(name)
    if last and version and version > last:
        found.append(
            f"CANN {version[0]}.{version[1]} no longer lists {name}; use CANN 7.0 to"
            f" {last[0]}.{last[1]}, and the device needs one that is not older"
        )
    return found
