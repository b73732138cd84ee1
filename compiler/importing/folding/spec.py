"""A graph as a folded spec, which is taken only where it expands to that graph again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from archspec.compiler.importing.folding.elements import CALL, USUAL, Element
from archspec.compiler.importing.folding.folded import fold, read_names
from archspec.compiler.importing.folding.known import DEFAULTS
from archspec.compiler.importing.folding.lanes import write_lanes
from archspec.compiler.importing.folding.modules import Ways, read_modules
from archspec.compiler.importing.folding.sequences import EITHER_WAY, Tangled
from archspec.compiler.importing.folding.streams import join_streams
from archspec.compiler.importing.folding.templates import Table
from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.loading import loads
from archspec.node import Node, Tensor
from archspec.ops import OPS
from archspec.ops.base import as_json, default_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Folded:
    """The spec, the graph that it expands to, and for each of its nodes the flat graph's."""

    spec: Json
    graph: Graph
    flat: Mapping[str, str]


def fold_graph(graph: Graph) -> Folded | None:
    """The shortest that is found; None where none gives the graph again, node by node."""
    ways = product((False, True), repeat=len(Ways._fields))
    found = [_fold_by(graph, Ways(*said)) for said in ways]
    return min(filter(None, found), key=_length, default=None)


def _length(folded: Folded) -> tuple[int, int]:
    text = spec_text(folded.spec)
    return text.count("\n"), len(text)


def _fold_by(graph: Graph, ways: Ways) -> Folded | None:
    try:
        table = Table()
        body = fold(read_modules(graph, ways), table)
        if ways.uses_lists:
            write_lanes(body, table)
            body = join_streams(body, table)
    except Tangled:
        return None
    order = [name for element in body for name in element.flat_names()]
    spec = _spec(graph, body, table)
    try:
        expanded = loads(json.dumps(spec))
    except SpecError:
        return None
    if len(order) != len(expanded.nodes):
        return None
    flat = dict(zip(expanded.nodes, order, strict=True))
    again = _reorder(graph, expanded, flat)
    if again is None or again.fingerprint != expanded.fingerprint:
        return None
    return Folded(spec, expanded, flat)


def _reorder(graph: Graph, expanded: Graph, flat: Mapping[str, str]) -> Graph | None:
    """The flat graph in the order of the expanded one, sums and products taken in its order too:
    the same network."""
    if set(flat.values()) != set(graph.nodes) or len(set(flat.values())) != len(flat):
        return None
    nodes: dict[str, Node] = {}
    for name, node in expanded.nodes.items():
        mine = graph.nodes[flat[name]]
        theirs = tuple(
            Tensor(flat.get(tensor.node, tensor.node), tensor.output) for tensor in node.inputs
        )
        inputs = mine.inputs
        if mine.op.name in EITHER_WAY and Counter(theirs) == Counter(inputs):
            inputs = theirs
        if any(t.node in graph.nodes and t.node not in nodes for t in inputs):
            return None
        nodes[mine.name] = Node(mine.name, mine.layer, inputs, owner=mine.owner)
    return replace(graph, nodes=nodes)


def _spec(graph: Graph, body: list[Element], table: Table) -> Json:
    usual = _usual(body, table)
    read = read_names(body)
    for template in table.templates.values():
        read |= read_names(template["body"])
    classes = _name_classes(body)
    writer = _Writer({**DEFAULTS, **table.defaults, CALL: {**USUAL, **usual}}, read)
    spec: Json = {"archspec": 1, "name": graph.name}
    if graph.doc:
        spec["doc"] = graph.doc
    spec["input"] = graph.normal_form()["input"]
    if classes:
        spec["args"] = {"classes": classes}
    defaults = {key: value for key, value in usual.items() if value != USUAL[key]}
    if defaults:
        spec["defaults"] = {CALL: defaults}
    if table.templates:
        spec["templates"] = {
            name: writer.template(template) for name, template in table.templates.items()
        }
    spec["body"] = writer.body(body)
    return spec


def _name_classes(body: list[Element]) -> int:
    """Let the width of the last layer be an argument, as who trains for other classes wants it;
    what it is, 0 where no such layer is the last."""
    last = body[-1].node
    key = {"Classifier": "classes", "dense": "channels"}.get(last.get("op", ""), "")
    count = last.get(key)
    if not isinstance(count, int):
        return 0
    last[key] = "=classes"
    return count


def _usual(body: list[Element], table: Table) -> Json:
    """The norm and the bias that most convolutions have."""
    met: Counter[tuple[Any, Any, Any]] = Counter()

    def look(elements: list[Element]) -> None:
        for element in elements:
            if element.op == CALL:
                node = element.node
                count = node.get("repeat", 1)
                met[node.get("norm"), node.get("bias"), node.get("act")] += count
            if "norm" in element.node and element.op != CALL:
                met[element.node["norm"], element.node["bias"], element.node["act"]] += 100
            for inner in element.lists():
                look(inner)

    look(body)
    for template in table.templates.values():
        look(template["body"])
    plain: Counter[tuple[Any, Any]] = Counter()
    for (norm, bias, _), count in met.items():
        if isinstance(bias, bool) and norm in ("none", "batch_norm"):
            plain[norm, bias] += count
    if not plain:
        return {}
    norm, bias = plain.most_common(1)[0][0]
    return {"norm": norm, "bias": bias}


def spec_text(value: Any, indent: int = 0, label: int = 0) -> str:
    """JSON with whatever fits on a line on one line, as `written_json` has it, but that what is
    inside has the whole line."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value:
        return line
    if indent and indent + label + len(line) <= WIDEST_LINE:
        return line
    margin = " " * (indent + 2)
    if isinstance(value, list):
        parts = [spec_text(item, indent + 2) for item in value]
        left, right = "[]"
    else:
        keys = [json.dumps(key, ensure_ascii=False) for key in value]
        step = 1 if "op" in value else 2
        parts = [
            f"{key}: {spec_text(item, indent + step, len(key) + 2)}"
            for key, item in zip(keys, value.values(), strict=True)
        ]
        left, right = "{}"
        if "op" in value:
            return _fill(parts, indent)
    inner = ",\n".join(f"{margin}{part}" for part in parts)
    return f"{left}\n{inner}\n{' ' * indent}{right}"


def _fill(parts: list[str], indent: int) -> str:
    """A call over as many lines as it needs, each as full as it can be."""
    lines: list[str] = []
    for part in parts:
        wide = bool(lines) and indent + 3 + len(lines[-1]) + len(part) <= WIDEST_LINE
        if wide and "\n" not in part:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return "{" + f",\n{' ' * (indent + 1)}".join(lines) + "}"


WIDEST_LINE = 120
"""Of a spec that is read more often than it is written."""


class _Writer:
    """Elements as JSON, without what a call or an op has anyway."""

    def __init__(self, defaults: Mapping[str, Mapping[str, Any]], read: set[str]):
        self.defaults = defaults
        self.read = read

    def template(self, template: Json) -> Json:
        written = {key: template[key] for key in ("inputs", "args") if template.get(key)}
        written["body"] = self.body(template["body"])
        if "outputs" in template:
            written["outputs"] = template["outputs"]
        return written

    def body(self, body: list[Element]) -> Any:
        written = [self.node(element) for element in body]
        return written[0] if len(written) == 1 else written

    def node(self, element: Element) -> Any:
        node = element.node
        result: Json = {}
        for key, value in node.items():
            if key in ("residual", "shortcut"):
                result[key] = self.body(value)
            elif key == "branches":
                result[key] = [self.body(inner) if inner else [] for inner in value]
            elif key in ("op", "name", "from", "repeat", "each", "first", "parallel"):
                result[key] = value
            elif key == "join":
                if value != "add" or "residual" not in node:
                    result[key] = value
            elif not self._is_usual(element.op, key, value, node):
                result[key] = value
        if element.op == "act" and set(result) <= {"op", "name", "function"}:
            is_plain = not result["function"].startswith("=") and not self._is_weighted(element)
            return result["function"] if is_plain else result
        is_short = set(result) <= {"op", "name"} and element.op in OPS
        return element.op if is_short and not self._is_weighted(element) else result

    def _is_weighted(self, element: Element) -> bool:
        """Whether its name is that of weights, or others read it."""
        return "from" in element.node or element.name in self.read

    def _is_usual(self, op: str, key: str, value: Any, node: Json) -> bool:
        if op in OPS:
            item = next(item for item in OPS[op].attributes() if item.name == key)
            return as_json(default_of(item)) == value
        if key in ("norm", "bias") and op in ("Bottleneck", "BasicBlock"):
            return True
        known = self.defaults.get(op, {})
        return key in known and known[key] == value
