"""The page of an op."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field
from typing import Any

from archspec.faults import described
from archspec.graph import Graph
from archspec.loading import loads
from archspec.node import Node
from archspec.ops import FUNCTIONS, OPS, Op
from archspec.ops.activation import Act
from archspec.ops.base import as_json, default_of
from archspec.pages.entry import Argument, Entry, Fact, counts
from archspec.shapes import written

TellTargets = Callable[[Graph, Node], Mapping[str, str]]
"""What each target makes of a node of a graph, by the target's name."""


def op_entry(name: str, tell_targets: TellTargets) -> Entry:
    """The page of the op of this name."""
    op = OPS[name]
    example = example_of(op)
    graph = loads(example)
    node = next(node for node in graph.nodes.values() if type(node.op) is op)
    return Entry(
        name,
        op.doc,
        [*_facts_of(op)],
        [argument_of(item) for item in op.attributes()],
        "attributes",
        example,
        [*_worked_out(graph, node), *(Fact(*pair) for pair in tell_targets(graph, node).items())],
    )


def example_of(op: type[Op]) -> str:
    """A spec of three lines in which the op stands once."""
    shape = json.dumps(list(op.page.input))
    body = json.loads(op.page.example)
    nodes = body if isinstance(body, list) else [body]
    inner = f",\n{' ' * 10}".join(json.dumps(node, ensure_ascii=False) for node in nodes)
    written_body = f"[{inner}]" if isinstance(body, list) else inner
    return (
        f'{{"archspec": 1, "name": "example",\n "input": {{"shape": {shape}}},\n'
        f' "body": {written_body}}}'
    )


def argument_of(item: Field[Any]) -> Argument:
    """A row of the table of attributes."""
    default = "required"
    if default_of(item) is not MISSING:
        default = json.dumps(as_json(default_of(item)))
    only = [
        f"only for {name} {' or '.join(map(str, values))}"
        for name, values in item.metadata["only_for"].items()
    ]
    doc = "; ".join([item.metadata["doc"], *only])
    return Argument(item.name, described(item.metadata["schema"]), default, doc)


def _facts_of(op: type[Op]) -> Iterator[Fact]:
    yield Fact("category", op.category)
    yield Fact("inputs", _inputs_in_words(op))
    yield Fact("shape", op.page.shape)
    yield Fact("MACs", op.page.macs or "none")
    if op is Act:
        yield from (Fact(function, formula) for function, formula in FUNCTIONS.items())


def _inputs_in_words(op: type[Op]) -> str:
    fewest, most = op.inputs
    if op.input_names:
        return f"{', '.join(op.input_names)}, by these names"
    if most == 0:
        return "none"
    if most is None:
        return f"{fewest} or more"
    return str(fewest) if fewest == most else f"{fewest} to {most}"


def _worked_out(graph: Graph, node: Node) -> Iterator[Fact]:
    layer = node.layer
    if layer.input_shapes:
        yield Fact("input", ", ".join(map(written, layer.input_shapes)))
    yield Fact("output", ", ".join(map(written, layer.output_shapes)))
    for weight in layer.weights:
        kind = "" if weight.trainable else ", not trained"
        yield Fact("weight", f"{weight.name} {written(weight.shape)} ({weight.size:,}{kind})")
    yield Fact("parameters", f"{layer.params:,}")
    yield Fact("MACs", f"{layer.macs:,}")
    if len(graph.nodes) > 1:
        whole = ", ".join(f"{text} {label}" for label, text in counts(graph))
        yield Fact("network", whole)
