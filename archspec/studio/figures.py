"""What a network costs, as values for the page: totals, rows by block and by node, and what there
is to set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.graph import Graph
from archspec.shapes import written
from archspec.stats import LayerStats, Stats
from archspec.studio.subject import Settings, Subject

MAX_ROWS = 2000
"""Of nodes that are sent; a page of more is of no use, and rows by block show all of them."""
MAX_DECISIONS = 400


def totals(graph: Graph, stats: Stats) -> dict[str, Any]:
    """Totals for a batch: parameters, MACs, bytes of activations in float32."""
    return {
        "nodes": len(graph.nodes),
        "params": stats.params,
        "buffers": stats.buffers,
        "macs": stats.macs,
        "memory": stats.activation_bytes,
        "peak": stats.peak_activation_bytes,
        "peak_node": stats.peak_node,
    }


def figures(subject: Subject, settings: Settings) -> dict[str, Any]:
    """The totals, the rows and the controls of a network."""
    graph = subject.graph
    assert graph is not None
    stats = graph.stats(settings.batch)
    outputs = {name: written(shape) for name, shape in graph.output_shapes.items()}
    return {
        "name": graph.name,
        "doc": graph.doc,
        "input": list(graph.input_shape),
        "outputs": outputs,
        "totals": totals(graph, stats),
        "blocks": _rows(stats.by_block()),
        "nodes": _rows(stats.layers[:MAX_ROWS]),
        "left_out": max(0, len(stats.layers) - MAX_ROWS),
        "args": _args(subject, graph),
        "choices": _choices(subject),
    }


def _rows(rows: Sequence[LayerStats]) -> list[list[Any]]:
    """name, op, nodes, output, params, MACs, bytes, what it sees."""
    return [
        [
            row.name,
            row.op,
            row.nodes,
            "" if row.output is None else written(row.output),
            row.params,
            row.macs,
            row.activation_bytes,
            "all" if row.receptive_field is None else max(row.receptive_field),
        ]
        for row in rows
    ]


def _args(subject: Subject, graph: Graph) -> list[dict[str, Any]]:
    program = subject.verdict.program
    if program is None:
        return []
    return [
        {
            "name": name,
            "doc": parameter.doc,
            "schema": _plain(parameter.schema),
            "value": _plain(graph.arguments.get(name)),
        }
        for name, parameter in program.parameters.items()
        if parameter.passes is None
    ]


def _choices(subject: Subject) -> list[dict[str, Any]]:
    taken = subject.decisions
    return [
        {"key": key, "options": [_plain(option) for option in options], "taken": _plain(taken[key])}
        for key, options in [*subject.options.items()][:MAX_DECISIONS]
        if key in taken
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
