"""Where a node comes from: the template calls above it, and who gave each attribute its value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.document import written_pointer
from archspec.errors import SpecError, did_you_mean, listed
from archspec.expressions import read_expression
from archspec.graph import Graph
from archspec.node import Node
from archspec.ops.base import applies, convert
from archspec.shapes import written
from archspec.syntax import Branches, Call, Modifiers, Value
from archspec.tables import shown_amount, shown_bytes

_LAYERS = {
    "node": "as written",
    "default": "the default",
    "defaults": "the spec's defaults",
    "extends": "the extending spec",
    "first": "for the first copy",
    "last": "for the last copy",
}


def explain(graph: Graph, name: str) -> list[str]:
    """Lines that say all of a node or a template call. Raises SpecError for an unknown name."""
    if name in graph.nodes:
        return [*_node_lines(graph, graph.nodes[name]), *_origin_lines(graph, name)]
    owner, _, weight = name.rpartition(".")
    if owner in graph.nodes and any(w.name == weight for w in graph.nodes[owner].layer.uses):
        return explain(graph, owner)
    below = [node for node in graph.nodes.values() if node.name.startswith(f"{name}.")]
    if not below:
        known = [*graph.nodes, *graph.calls]
        raise SpecError(f"{graph.name} has no node {name!r}{did_you_mean(name, known)}")
    return [*_part_lines(graph, name, below), *_origin_lines(graph, name)]


def _node_lines(graph: Graph, node: Node) -> Iterator[str]:
    layer = node.layer
    yield f"{node.name}: {node.op.name}, {type(node.op).doc}"
    sources = [
        f"{tensor.node} ({written(shape)})"
        for tensor, shape in zip(node.inputs, layer.input_shapes, strict=True)
    ]
    yield f"  input       {', '.join(sources)}"
    yield f"  output      {', '.join(map(written, layer.output_shapes))}"
    users = [
        other.name
        for other in graph.nodes.values()
        if any(tensor.node == node.name for tensor in other.inputs)
    ]
    users += [
        f"the output {key}" for key, tensor in graph.outputs.items() if tensor.node == node.name
    ]
    yield f"  used by     {', '.join(users) or 'nothing'}"
    for weight in layer.uses:
        kind = "" if weight.trainable else ", running statistic"
        shape = f"{written(weight.shape)} ({weight.size:,}{kind})"
        yield f"  weight      {node.owner}.{weight.name} {shape}"
    sharing = [other.name for other in graph.nodes.values() if other.owner == node.owner]
    if len(sharing) > 1 and layer.uses:
        yield f"  shared by   {', '.join(sharing)}"
    share = f", {100 * layer.macs / graph.macs:.2f}% of the network's" if graph.macs else ""
    if layer.macs:
        yield f"  MACs        {layer.macs:,}{share}"
    if layer.elementwise:
        yield f"  other ops   {layer.elementwise:,}"
    yield f"  memory      {shown_bytes(4 * layer.stored)}"


def _part_lines(graph: Graph, name: str, nodes: list[Node]) -> Iterator[str]:
    inside = {node.name for node in nodes}
    params = sum(node.layer.params for node in nodes)
    macs = sum(node.layer.macs for node in nodes)
    call = graph.calls.get(name)
    yield f"{name}: {call.template if call else 'a part of the network'}, {len(nodes)} nodes"
    entering = {
        f"{tensor.node} ({written(shape)})": None
        for node in nodes
        for tensor, shape in zip(node.inputs, node.layer.input_shapes, strict=True)
        if tensor.node not in inside
    }
    yield f"  input       {', '.join(entering)}"
    yield f"  output      {written(nodes[-1].layer.output_shapes[0])}"
    yield f"  parameters  {params:,}"
    yield f"  MACs        {macs:,} ({shown_amount(macs)})"


def _origin_lines(graph: Graph, name: str) -> Iterator[str]:
    yield ""
    yield from _values_of(graph, name, "  ")
    for path in _ancestors(graph, name):
        call = graph.calls[path]
        yield f"  in {call.template}, called at {call.origin.node.at.where} as {path}"


def _values_of(graph: Graph, name: str, indent: str) -> Iterator[str]:
    origin = graph.nodes[name].origin if name in graph.nodes else None
    if name in graph.calls:
        origin = graph.calls[name].origin
    if origin is None:
        return
    at = origin.node.at
    copy = "" if origin.copy is None else f", copy {origin.copy + 1}"
    yield f"{indent}written at {at.where} ({written_pointer(at.pointer) or '/'}){copy}"
    if not isinstance(origin.node, Call):
        yield f"{indent}  joins {_describe_join(origin.node)}"
        return
    idle = _idle(graph, name)
    evaluated = _as_given(graph, name)
    for key, shown in evaluated.items():
        value = origin.values.get(key)
        if value is None and key in idle:
            continue
        if value is None:
            yield f"{indent}  {key} = {_word(shown)}: the default"
            continue
        effect = f"; it means nothing here, {idle[key]}" if key in idle else ""
        yield f"{indent}  {key} = {_word(shown)}: {_source(value)}{effect}"
        yield from _names_behind(graph, name, value, indent + "      ")


def _describe_join(node: Modifiers) -> str:
    """What a join takes, in its order, which concat keeps."""
    if isinstance(node, Branches):
        return f"the branches, in this order: {', '.join(name for name, _ in node.branches)}"
    return "the body and the shortcut, in this order"


def _as_given(graph: Graph, name: str) -> Mapping[str, Any]:
    """Values as they were given, which says who gave them; those of an op that mean the same are in
    one form from there on."""
    if name in graph.calls:
        return graph.calls[name].arguments
    layer = graph.nodes[name].layer
    return {
        item.name: convert(item, layer.given.get(item.name, getattr(layer.op, item.name)))
        for item in layer.op.attributes()
    }


def _idle(graph: Graph, name: str) -> dict[str, str]:
    """The attributes of a node that mean nothing beside the others, and for what they would."""
    if name not in graph.nodes:
        return {}
    op = graph.nodes[name].op
    return {
        item.name: f"only for {listed([*known])}"
        for item in op.attributes()
        for known in item.metadata["only_for"].values()
        if not applies(item, vars(op))
    }


def _source(value: Value) -> str:
    layer = _LAYERS.get(value.layer, value.layer)
    is_expression = isinstance(value.raw, str) and value.raw.startswith("=")
    return f"{json.dumps(value.raw) + ', ' if is_expression else ''}{layer} at {value.at.where}"


def _names_behind(graph: Graph, name: str, value: Value, indent: str) -> Iterator[str]:
    """For an expression, where the arguments it names got their values, template by template."""
    if not (isinstance(value.raw, str) and value.raw.startswith("=")):
        return
    outer = next(iter(_ancestors(graph, name)), None)
    arguments = graph.arguments if outer is None else graph.calls[outer].arguments
    for word in sorted(read_expression(value.raw[1:]).names):
        if word not in arguments:
            continue
        if outer is None:
            yield f"{indent}{word} = {_word(arguments[word])}: an arg of {graph.name}"
            continue
        given = graph.calls[outer].origin.values.get(word)
        template = graph.calls[outer].template
        if given is None:
            yield f"{indent}{word} = {_word(arguments[word])}: the default of {template}"
            continue
        yield f"{indent}{word} = {_word(arguments[word])}: {_source(given)}"
        yield from _names_behind(graph, outer, given, indent + "  ")


def _ancestors(graph: Graph, name: str) -> Iterator[str]:
    """The template calls around a node, innermost first."""
    while "." in name:
        name = name.rpartition(".")[0]
        if name in graph.calls:
            yield name


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return written(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 50 else text[:47] + "..."
