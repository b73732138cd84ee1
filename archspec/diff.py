"""What differs between two networks, in words and numbers.

Networks are compared as outlines: template calls and nodes by name. A call whose own arguments
differ is one change, worth all that follows from them inside it; where arguments agree the search
goes on below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.graph import Graph
from archspec.identity import resolve_input
from archspec.node import Node
from archspec.shapes import written
from archspec.tables import shown_amount


@dataclass(frozen=True)
class Change:
    """One difference: where, what in words, and what it adds in weights and MACs of one sample."""

    where: str
    what: str
    params: int
    macs: int

    def __str__(self) -> str:
        costs = [
            text
            for amount, text in (
                (self.params, f"{self.params:+,} parameters"),
                (self.macs, f"{signed_amount(self.macs)} MACs"),
            )
            if amount
        ]
        return ", ".join([f"{self.where}: {self.what}", *costs])


def signed_amount(amount: int) -> str:
    """+19.3 M."""
    return ("-" if amount < 0 else "+") + shown_amount(abs(amount))


@dataclass(eq=False)
class _Part:
    """A node, or everything below one step of the names, with the template call that made it."""

    path: str
    template: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    node: Node | None = None
    parts: dict[str, _Part] = field(default_factory=dict)
    params: int = 0
    macs: int = 0

    @property
    def signature(self) -> tuple[Any, ...]:
        """Equal for parts that do the same on the same shapes."""
        if self.node is not None:
            return (self.node.layer.meaning, self.node.layer.input_shapes, self.node.borrows)
        return tuple((name, part.signature) for name, part in self.parts.items())


def changes(old: Graph, new: Graph) -> list[Change]:
    """Everything that differs, in the order of the networks; empty where, and only where, they
    have one fingerprint, whatever their nodes are called."""
    if old.fingerprint == new.fingerprint:
        return []
    result = list(_head_changes(old, new))
    result += _compare(_outline(old), _outline(new))
    if not result:
        result += _wiring_changes(old, new)
    return result or [Change("nodes", "the same ones run in another order", 0, 0)]


def find_renamed(old: Graph, new: Graph) -> list[tuple[str, str]]:
    """The nodes of one architecture that have another name in another spec of it."""
    return [(a, b) for a, b in zip(old.nodes, new.nodes, strict=True) if a != b]


def _head_changes(old: Graph, new: Graph) -> Iterator[Change]:
    if old.input_shape != new.input_shape:
        yield Change(
            "input", f"shape {written(old.input_shape)} -> {written(new.input_shape)}", 0, 0
        )
    one = resolve_input(old.preprocessing, old.input_shape)
    other = resolve_input(new.preprocessing, new.input_shape)
    for key in dict.fromkeys((*one, *other)):
        if key != "shape" and one.get(key) != other.get(key):
            yield Change("input", f"{key} {_word(one.get(key))} -> {_word(other.get(key))}", 0, 0)
    if list(old.outputs) != list(new.outputs):
        yield Change("outputs", f"{', '.join(old.outputs)} -> {', '.join(new.outputs)}", 0, 0)


def _outline(graph: Graph) -> _Part:
    root = _Part("")
    for node in graph.nodes.values():
        part = root
        steps = node.name.split(".")
        for depth in range(len(steps)):
            part.params += node.layer.params
            part.macs += node.layer.macs
            path = ".".join(steps[: depth + 1])
            if steps[depth] not in part.parts:
                call = graph.calls.get(path)
                part.parts[steps[depth]] = _Part(
                    path,
                    call.template if call else "",
                    call.arguments if call else {},
                )
            part = part.parts[steps[depth]]
        part.node = node
        part.params = node.layer.params
        part.macs = node.layer.macs
    return root


def _compare(old: _Part, new: _Part) -> Iterator[Change]:
    for name in dict.fromkeys((*old.parts, *new.parts)):
        one, other = old.parts.get(name), new.parts.get(name)
        if one is None and other is not None:
            yield Change(other.path, f"added, {_kind(other)}", other.params, other.macs)
        elif other is None and one is not None:
            yield Change(one.path, f"removed, {_kind(one)}", -one.params, -one.macs)
        elif one is not None and other is not None:
            yield from _compare_parts(one, other)


def _compare_parts(one: _Part, other: _Part) -> Iterator[Change]:
    if one.signature == other.signature:
        return
    params, macs = other.params - one.params, other.macs - one.macs
    if one.node is not None and other.node is not None:
        yield Change(one.path, _node_change(one.node, other.node), params, macs)
        return
    if one.template != other.template or (one.node is None) != (other.node is None):
        yield Change(one.path, f"{_kind(one)} -> {_kind(other)}", params, macs)
        return
    differing = _argument_changes(one.arguments, other.arguments)
    if differing:
        yield Change(one.path, ", ".join(differing), params, macs)
        return
    yield from _compare(one, other)


def _node_change(one: Node, other: Node) -> str:
    if one.op.name != other.op.name:
        return f"{one.op.name} -> {other.op.name}"
    before, after = one.layer, other.layer
    ops = (one.op, other.op)
    meanings = (before.meaning, after.meaning)
    if before.input_shapes == after.input_shapes and type(meanings[0]) is type(meanings[1]):
        ops = meanings
    words = _argument_changes(vars(ops[0]), vars(ops[1]))
    if one.borrows != other.borrows:
        words.append(f"weights of {one.owner} -> {other.owner}")
    if words:
        return ", ".join(words)
    shapes = [" and ".join(map(written, layer.input_shapes)) for layer in (before, after)]
    return f"input {shapes[0]} -> {shapes[1]}"


def _argument_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            words += _value_changes(key, old.get(key), new.get(key))
    return words


def _value_changes(key: str, old: Any, new: Any) -> list[str]:
    """Lists of one length are compared item by item, so that one changed row reads as one."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs: Sequence[tuple[Any, Any, Any]] = [
            (f"{key}[{i}]", a, b) for i, (a, b) in enumerate(zip(old, new, strict=True))
        ]
    elif isinstance(old, dict) and isinstance(new, dict):
        pairs = [(f"{key}.{k}", old.get(k), new.get(k)) for k in dict.fromkeys((*old, *new))]
    else:
        return [f"{key} {_word(old)} -> {_word(new)}"]
    return [word for name, a, b in pairs if a != b for word in _value_changes(name, a, b)]


def _wiring_changes(old: Graph, new: Graph) -> Iterator[Change]:
    """Nodes that agree in all but what they take, for networks that differ in nothing else."""
    for node in old.nodes.values():
        other = new.nodes.get(node.name)
        if other is not None and node.inputs != other.inputs:
            before = ", ".join(tensor.node for tensor in node.inputs)
            after = ", ".join(tensor.node for tensor in other.inputs)
            yield Change(node.name, f"takes {before} -> {after}", 0, 0)
        if other is not None and node.owner != other.owner:
            yield Change(node.name, f"weights of {node.owner} -> {other.owner}", 0, 0)
    for name in old.outputs:
        if new.outputs.get(name) != old.outputs[name]:
            yield Change("outputs", f"{name} is another node's result", 0, 0)


def _kind(part: _Part) -> str:
    if part.node is not None:
        return part.node.op.name
    return part.template or f"{len(part.parts)} nodes"


def _word(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
