"""What stats say, arranged for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.graph import Graph
from archspec.shapes import Shape, written
from archspec.stats import LayerStats, Stats
from archspec.tables import (
    Column,
    Table,
    shown_amount,
    shown_bytes,
    shown_bytes_briefly,
    shown_count,
    shown_share,
)

GROUPINGS = ("node", "block", "op")


@dataclass(frozen=True)
class Timing:
    """What a device takes, as whoever can estimate it hands it in: milliseconds for the whole batch
    by the name of a row, and lines that say what the estimate rests on. `cautions` are what it does
    not rest on, for programs."""

    device: str
    ms: Mapping[str, float]
    notes: Sequence[str]
    cautions: Sequence[Mapping[str, str]]

    @property
    def total_ms(self) -> float:
        return sum(self.ms.values())


def rows_of(stats: Stats, by: str) -> Sequence[LayerStats]:
    """The rows of stats, folded as asked: "node", "block" or "op"."""
    if by == "block":
        return stats.by_block()
    return stats.by_op() if by == "op" else stats.layers


def stats_as_json(
    graph: Graph, stats: Stats, by: str = "node", timing: Timing | None = None
) -> dict[str, Any]:
    """The stats of one network as a JSON object: exact integers; shapes as lists, of one sample;
    a receptive field is [height, width], or "all" where it is the whole input. A timing must be
    folded as the rows are."""
    shapes = {name: list(shape) for name, shape in graph.output_shapes.items()}
    return {
        "name": graph.name,
        "fingerprint": graph.fingerprint,
        "input": list(graph.input_shape),
        "output": next(iter(shapes.values())) if len(shapes) == 1 else shapes,
        "batch": stats.batch,
        "params": stats.params,
        "buffers": stats.buffers,
        "macs": stats.macs,
        "elementwise": stats.elementwise,
        "activation_bytes": stats.activation_bytes,
        "peak_activation_bytes": stats.peak_activation_bytes,
        "peak_node": stats.peak_node,
        "published": dict(graph.source.get("published", {})),
        **_timing_as_json(timing, stats.batch),
        "layers": [
            {
                **_row_values(row, stats, timing),
                "output": None if row.output is None else list(row.output),
                "receptive_field": "all" if row.receptive_field is None else row.receptive_field,
            }
            for row in rows_of(stats, by)
        ],
    }


def stats_table(
    graph: Graph, stats: Stats, by: str = "node", timing: Timing | None = None
) -> Table:
    """One network, a row per node, block or op, with totals below. A timing must be folded as the
    rows are."""
    columns = [
        Column("name", {"node": "node", "block": "block", "op": "op"}[by]),
        *([Column("op", "op")] if by == "node" else []),
        *([Column("nodes", "nodes", is_number=True)] if by != "node" else []),
        *([Column("output", "output", written, True)] if by != "op" else []),
        Column("params", "params", _shown_or_nothing(shown_count), True),
        Column("macs", "MACs", _shown_or_nothing(shown_amount), True),
        Column("macs_share", "share", shown_share, True),
        Column("elementwise", "other ops", _shown_or_nothing(shown_amount), True, by == "node"),
        Column("activation_bytes", "memory", _shown_or_nothing(shown_bytes_briefly), True),
        *([Column("receptive_field", "sees", _shown_field, True)] if by != "op" else []),
        *([Column("ms", "ms", _shown_or_nothing(shown_ms), True)] if timing else []),
    ]
    rows = [_row_values(row, stats, timing) for row in rows_of(stats, by)]
    for row in rows:
        row["receptive_field"] = row["receptive_field"] or ()
    return Table(columns, rows, graph.name, [*_totals(graph, stats), *_timing_notes(timing, stats)])


def comparison_table(
    graphs: Sequence[Graph], all_stats: Sequence[Stats], timings: Sequence[Timing] = ()
) -> Table:
    """Several networks, a row each, with the figures their sources publish beside ours."""
    columns = [
        Column("name", "network"),
        Column("input", "input", written, True),
        Column("params", "params", shown_count, True),
        Column("published_params", "published", shown_amount, True),
        Column("macs", "MACs", shown_amount, True),
        Column("published_macs", "published", shown_amount, True),
        Column("published_top1", "top-1", lambda value: f"{value:g}%", True),
        Column("activation_bytes", "memory", shown_bytes, True),
        Column("peak_activation_bytes", "peak", shown_bytes, True),
        *([Column("ms", "ms", shown_ms, True)] if timings else []),
    ]
    rows: list[dict[str, Any]] = []
    for graph, stats in zip(graphs, all_stats, strict=True):
        published = graph.source.get("published", {})
        rows.append(
            {
                "name": graph.name,
                "input": graph.input_shape,
                "params": stats.params,
                "macs": stats.macs,
                "activation_bytes": stats.activation_bytes,
                "peak_activation_bytes": stats.peak_activation_bytes,
                **{f"published_{key}": value for key, value in published.items()},
            }
        )
    for row, timing in zip(rows, timings, strict=False):
        row["ms"] = timing.total_ms
    notes = [
        f"batch {all_stats[0].batch}, float32; memory is all activations,"
        " peak the most alive at once",
        *(
            f"published for {graph.name}: {graph.source['published']['note']}"
            for graph in graphs
            if "note" in graph.source.get("published", {})
        ),
        *([f"ms are estimates for a batch on {timings[0].device}"] if timings else []),
        *(
            f"{graph.name}: {caution['text']}"
            for graph, timing in zip(graphs, timings, strict=False)
            for caution in timing.cautions
        ),
    ]
    return Table(columns, rows, notes=notes)


def shown_ms(ms: float) -> str:
    return f"{ms:.3f}"


def _row_values(row: LayerStats, stats: Stats, timing: Timing | None = None) -> dict[str, Any]:
    values: dict[str, Any] = row._asdict()
    if timing is not None:
        values["ms"] = timing.ms.get(row.name, 0.0)
    values["params_share"] = row.params / stats.params if stats.params else 0.0
    values["macs_share"] = row.macs / stats.macs if stats.macs else 0.0
    return values


def _totals(graph: Graph, stats: Stats) -> list[str]:
    outputs = ", ".join(f"{name} {written(shape)}" for name, shape in graph.output_shapes.items())
    lines = [
        f"{graph.name}: input {written(graph.input_shape)}, output {outputs}, batch {stats.batch}",
        f"parameters   {stats.params:,} trainable, {stats.buffers:,} running statistics",
        *_sharing(graph),
        f"MACs         {stats.macs:,} (multiply-accumulates of layers and matrix products)",
        f"other ops    {stats.elementwise:,} element-wise, normalising and pooling",
        f"activations  {shown_bytes(stats.activation_bytes)} in float32,"
        f" at most {shown_bytes(stats.peak_activation_bytes)} alive at once (at {stats.peak_node})",
        f"fingerprint  {graph.fingerprint}",
    ]
    published = {k: v for k, v in graph.source.get("published", {}).items() if k != "note"}
    if published:
        names = {"params": "parameters", "macs": "MACs", "top1": "% top-1", "top5": "% top-5"}
        figures = ", ".join(
            f"{shown_amount(v) if k in ('params', 'macs') else f'{v:g}'} {names[k]}".replace(
                " %", "%"
            )
            for k, v in published.items()
        )
        note = graph.source["published"].get("note", "")
        lines.append(f"published    {figures}{f' ({note})' if note else ''}")
    return lines


def _sharing(graph: Graph) -> list[str]:
    """A line on weights that several nodes use, where there are any."""
    count = sum(node.borrows for node in graph.nodes.values())
    nodes = "1 node uses" if count == 1 else f"{count:,} nodes use"
    return [f"shared       {nodes} weights of others, which count once"] if count else []


def _timing_as_json(timing: Timing | None, batch: int) -> dict[str, Any]:
    if timing is None:
        return {}
    return {
        "device": timing.device,
        "is_estimate": True,
        "ms_per_batch": timing.total_ms,
        "ms_per_image": timing.total_ms / batch,
        "cautions": [*timing.cautions],
    }


def _timing_notes(timing: Timing | None, stats: Stats) -> list[str]:
    if timing is None:
        return []
    total = timing.total_ms
    return [
        f"time         {total:.2f} ms a batch, {total / stats.batch:.3f} ms an image on"
        f" {timing.device}: an estimate",
        *timing.notes,
    ]


def _shown_or_nothing(show: Any) -> Any:
    return lambda value: show(value) if value else ""


def _shown_field(field: Shape) -> str:
    if not field:
        return "all"
    return str(field[0]) if field[0] == field[1] else written(field)
