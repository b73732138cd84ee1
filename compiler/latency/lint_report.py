"""What a network's findings say, arranged for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.compiler.latency.device import Device
from archspec.compiler.latency.lint import RULES, Finding, findings
from archspec.compiler.latency.model import Estimate
from archspec.compiler.latency.report import Told, grounds, tell, title_of
from archspec.graph import Graph
from archspec.report import shown_ms
from archspec.tables import Column, Table, shown_share


@dataclass(frozen=True)
class Linted:
    """The findings of a network with the estimate they were weighed by."""

    told: Told
    findings: Sequence[Finding]


def lint(graph: Graph, device: Device, batch: int, least_share: float) -> Linted:
    """What costs a network, as it is deployed, more than a share of its time."""
    told = tell(graph, device, batch)
    return Linted(told, findings(told.estimate.graph, device, batch, least_share))


def lint_as_json(linted: Linted) -> dict[str, Any]:
    """Findings as a JSON object, the costliest first: costs in milliseconds a batch."""
    found = linted.told.estimate
    return {
        "name": linted.told.network.name,
        "fingerprint": linted.told.network.fingerprint,
        "device": found.device.name,
        "batch": found.batch,
        "is_estimate": True,
        "is_calibrated": found.device.calibration is not None,
        "ms_per_batch": found.ms,
        "cautions": [caution._asdict() for caution in linted.told.cautions],
        "findings": [_finding_values(finding, found) for finding in linted.findings],
    }


def findings_table(linted: Linted, most: int | None) -> Table:
    """The findings of one network, at most so many rows, and what to use instead. Nodes of which
    the same is said share a row."""
    found = linted.told.estimate
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in linted.findings:
        alike.setdefault((finding.rule, finding.what), []).append(finding)
    rows = [_row_of_findings(findings, found) for findings in alike.values()]
    rows.sort(key=lambda row: -row["cost_ms"])
    shown = rows[:most]
    columns = [
        Column("node", "node"),
        Column("more", "more", lambda count: f"+{count}", True),
        Column("rule", "rule"),
        Column("what", "what"),
        Column("cost_ms", "cost ms", shown_ms, True),
        Column("share", "share", shown_share, True),
    ]
    notes = [
        *([f"{len(rows) - len(shown)} rows that cost less are left out"] if shown != rows else []),
        *(["nothing that costs as much as was asked for"] if not rows else []),
        *(f"{rule:<12} {RULES[rule].advice}" for rule in dict.fromkeys(r["rule"] for r in shown)),
        f"cost         milliseconds of the estimated {found.ms:.2f} beyond what the work would take"
        " on a device well used; two findings can hold the same ones",
        *_saves(shown),
        *grounds(found.device, linted.told.cautions),
    ]
    return Table(columns, shown, title_of(found), notes)


def _saves(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line on what following the advice saves, by rule: all of the cost, some of it or nothing,
    where the advice is to do more in the same time."""
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_rule.setdefault(row["rule"], []).append(row)
    all_of_it: list[str] = []
    nothing: list[str] = []
    some: list[str] = []
    for rule, same in by_rule.items():
        saved = [row["saved_ms"] or 0.0 for row in same]
        if not any(saved):
            nothing.append(rule)
        elif saved == [row["cost_ms"] for row in same]:
            all_of_it.append(rule)
        else:
            some.append(f"up to {shown_ms(max(saved))} at one node ({rule})")
    told = [
        *([f"all of the cost ({', '.join(all_of_it)})"] if all_of_it else []),
        *some,
        *([f"nothing, but the same time can do more ({', '.join(nothing)})"] if nothing else []),
    ]
    return [f"saves        where the advice is followed: {'; '.join(told)}"] if told else []


def all_findings_table(all_linted: Sequence[Linted]) -> Table:
    """Every finding of several networks, for programs."""
    columns = ["network", "node", "rule", "what", "cost_ms", "saved_ms", "share", "advice"]
    rows = [
        {"network": one.told.network.name, **_finding_values(finding, one.told.estimate)}
        for one in all_linted
        for finding in one.findings
    ]
    return Table([Column(column, column) for column in columns], rows)


def _row_of_findings(findings: Sequence[Finding], found: Estimate) -> dict[str, Any]:
    cost = sum(finding.cost_ms for finding in findings)
    saved = [finding.saved_ms for finding in findings if finding.saved_ms is not None]
    return {
        **_finding_values(findings[0], found),
        "more": len(findings) - 1 or None,
        "cost_ms": cost,
        "saved_ms": sum(saved) if saved else None,
        "share": cost / found.ms,
    }


def _finding_values(finding: Finding, found: Estimate) -> dict[str, Any]:
    return {
        **finding._asdict(),
        "share": finding.cost_ms / found.ms,
        "advice": RULES[finding.rule].advice,
    }
