"""Ascend chips by the names that atc's --soc_version takes.

A name is "Ascend" followed by the Name that `npu-smi info` shows on the device; for the Atlas A3
and later it is the Chip Name, "_" and the NPU Name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from archspec.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Chip:
    """A family of chips with one set of kernels. `socs` are its names; `since` and `last` the first
    and last CANN (None: those there are) whose manual names it; `precision` what its units compute
    in; `int8` which tool makes an int8 model for it; `device` the name under which its time is
    estimated, if any, and `speed` on what that rests."""

    name: str
    boards: str
    socs: tuple[str, ...]
    since: tuple[int, int]
    last: tuple[int, int] | None
    precision: str
    int8: str
    device: str | None = None
    speed: str = "nothing"

    @property
    def cann(self) -> str:
        """Which CANN it takes, in words."""
        first = ".".join(map(str, self.since))
        return f"{first} or newer" if self.last is None else f"{first} to {_spell(self.last)}"


def _spell(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


AMCT = "AMCT of CANN 8.5 or newer"
DATA_SHEET = "its data sheet, uncalibrated"

CHIPS: tuple[Chip, ...] = (
    Chip(
        "310B", "Atlas 200I DK A2, Orange Pi AIpro",
        tuple(f"Ascend310B{n}" for n in (4, 1, 2, 3)),
        (7, 0), None, "fp16, int8", AMCT, "ascend310b1", DATA_SHEET,
    ),
    Chip(
        "310P", "Atlas 300I Pro, 300I Duo, 300V", tuple(f"Ascend310P{n}" for n in (3, 1, 5, 7)),
        (6, 0), None, "fp16, int8", AMCT, "ascend310p3", DATA_SHEET,
    ),
    Chip(
        "310", "Atlas 200 DK, 300I, 500", ("Ascend310",),
        (5, 0), (8, 2), "fp16, int8", "AMCT of CANN 8.2 or older (untried)", "ascend310",
        "ten published networks",
    ),
    Chip(
        "910", "Atlas 300T, 800 (first generation)",
        ("Ascend910A", "Ascend910B", "Ascend910ProA", "Ascend910ProB", "Ascend910PremiumA"),
        (5, 0), None, "fp16, fp32, int8", AMCT, "ascend910a", DATA_SHEET,
    ),
    Chip(
        "A2", "Atlas 300T A2, 800T A2, 800I A2",
        (*(f"Ascend910B{n}" for n in range(1, 5)), "Ascend910B2C"),
        (7, 0), None, "fp16, bf16, fp32, int8", AMCT,
    ),
)  # fmt: skip
"""Most asked for first. `last` is what the manuals of --soc_version show: 310 stands on the pages
of CANN 8.1 and 8.2 and on none from 8.3 on. `since` is common knowledge that nobody here checked;
it warns, and refuses nothing."""

SOCS = tuple(name for chip in CHIPS for name in chip.socs)

FAMILIES = re.compile(r"Ascend910_9[35]\w+|Ascend950\w*")
"""Atlas A3 and Ascend 950, which have too many names to list."""

CAUTIONS: Mapping[str, str] = {
    "Ascend910B": "Ascend910B is a chip of the first generation; an Atlas A2 has Ascend910B1 to B4",
}

WHERE = (
    "it is the Name that npu-smi info shows on the device, with Ascend before it, such as"
    " Ascend310B4"
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


def chip_of(name: str) -> Chip | None:
    """The chip of a name; None for those of families that have too many names."""
    return next((chip for chip in CHIPS if name in chip.socs), None)


def cautions(name: str, version: tuple[int, int] | None) -> list[str]:
    """What may go wrong with a chip, under a CANN of this version (None: not known), in words."""
    found = [CAUTIONS[name]] if name in CAUTIONS else []
    chip = chip_of(name)
    if chip is None or version is None:
        return found
    if chip.last is not None and version > chip.last:
        found.append(
            f"CANN {_spell(version)} no longer lists {name}; use CANN {chip.cann}, and the device"
            " needs one that is not older"
        )
    elif version < chip.since:
        found.append(f"CANN {_spell(version)} may not know {name}; use CANN {chip.cann}")
    return found


def chips_under(version: tuple[int, int] | None) -> list[Chip]:
    """The chips that a CANN of this version lists; all where it is not known."""
    return [
        chip
        for chip in CHIPS
        if version is None
        or (chip.since <= version and (chip.last is None or version <= chip.last))
    ]


def chip_table() -> list[dict[str, str]]:
    """A row a chip, for people."""
    return [
        {
            "chip": chip.name, "boards": chip.boards, "--soc": chip.socs[0], "CANN": chip.cann,
            "precision": chip.precision, "int8": chip.int8,
            "time": f"`--device {chip.device}`: {chip.speed}" if chip.device else "not estimated",
        }
        for chip in CHIPS
    ]  # fmt: skip
