"""The time of each layer, for people and as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archspec.tables import Column, Table, shown_amount, shown_share

MEASURED, ESTIMATED, SIMULATED = "measured", "ESTIMATE", "SIMULATED"
"""What a profile is: run on the device it names, computed by the latency model, or made by a
stand-in, so that no figure says anything of a device."""


MACS = (
    Column("macs", "MACs", shown_amount, True),
    Column("gigamacs_per_second", "GMAC/s", "{:,.0f}".format, True),
)


@dataclass(frozen=True)
class LayerTime:
    """A kernel, or several that work on one node of the spec.

    `layer` is the node that has most of the work, `op` what all its nodes do ("conv+act"), `macs`
    for the whole batch, `bound` what the time is due to, where that is known. A kernel that is of
    no node has its own name for a layer and None for MACs.
    """

    layer: str
    op: str
    milliseconds: float
    macs: int | None = None
    bound: str | None = None

    @property
    def gigamacs_per_second(self) -> float | None:
        if not self.macs or not self.milliseconds:
            return None
        return self.macs / self.milliseconds / 1e6


@dataclass(frozen=True)
class Profile:
    """`kind` is MEASURED, ESTIMATED or SIMULATED; `source` who says so and of what device. Times
    are of a batch, or of all runs together where `is_of_all_runs`."""

    network: str
    kind: str
    source: str
    batch: int
    rows: tuple[LayerTime, ...]
    notes: tuple[str, ...] = ()
    is_of_all_runs: bool = False

    @property
    def milliseconds(self) -> float:
        return sum(row.milliseconds for row in self.rows)

    def by(self, grouping: str) -> Profile:
        """Rows folded by "block" (the first part of a layer's name) or "op"; "node" as they are."""
        keys: Mapping[str, Callable[[LayerTime], str]] = {
            "block": lambda row: row.layer.partition(".")[0],
            "op": lambda row: row.op,
        }
        if grouping not in keys:
            return self
        groups: dict[str, list[LayerTime]] = {}
        for row in self.rows:
            groups.setdefault(keys[grouping](row), []).append(row)
        folded = (_fold(name, rows) for name, rows in groups.items())
        if grouping == "op":
            folded = sorted(folded, key=lambda row: -row.milliseconds)
        return replace(self, rows=tuple(folded))

    def as_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "kind": self.kind.lower(),
            "source": self.source,
            "batch": self.batch,
            "is_of_all_runs": self.is_of_all_runs,
            "milliseconds": self.milliseconds,
            "notes": list(self.notes),
            "layers": self._rows(),
        }

    def table(self) -> Table:
        has_bounds = any(row.bound for row in self.rows)
        has_macs = any(row.macs is not None for row in self.rows)
        columns = [
            Column("layer", "layer"),
            Column("op", "op"),
            Column("milliseconds", "ms", "{:.3f}".format, True),
            Column("share", "share", shown_share, True),
            *(MACS if has_macs else []),
            *([Column("bound", "bound")] if has_bounds else []),
        ]
        total = self.milliseconds
        an_image = total / self.batch
        said = f"total       {total:.3f} ms a batch of {self.batch}, {an_image:.3f} ms an image"
        if has_macs:
            macs = sum(row.macs or 0 for row in self.rows)
            rate = macs / total / 1e6 if total else 0.0
            said += f", {shown_amount(macs)} MACs, {rate:,.0f} GMAC/s"
        else:
            said += "; with --spec SPEC its MACs too"
        if self.is_of_all_runs:
            said = f"total       {total:.3f} ms of all runs together"
        notes = [said, *(f"note        {note}" for note in self.notes)]
        title = f"{self.network}, batch {self.batch}: {self.kind}, {self.source}"
        return Table(columns, self._rows(), title=title, notes=notes)

    def _rows(self) -> list[dict[str, Any]]:
        total = self.milliseconds
        return [
            {
                "layer": row.layer,
                "op": row.op,
                "milliseconds": row.milliseconds,
                "share": row.milliseconds / total if total else 0.0,
                "macs": row.macs,
                "gigamacs_per_second": row.gigamacs_per_second,
                "bound": row.bound,
            }
            for row in self.rows
        ]


def _fold(name: str, rows: Sequence[LayerTime]) -> LayerTime:
    counted = [row.macs for row in rows if row.macs is not None]
    bounds: dict[str, float] = {}
    for row in rows:
        if row.bound is not None:
            bounds[row.bound] = bounds.get(row.bound, 0.0) + row.milliseconds
    return LayerTime(
        name,
        rows[0].op if len({row.op for row in rows}) == 1 else "",
        sum(row.milliseconds for row in rows),
        sum(counted) if counted else None,
        max(bounds, key=bounds.__getitem__, default=None),
    )
