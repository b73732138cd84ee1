"""Matching tensors without names: by kinds and shapes, in execution order, where only one way fits.

PyTorch lists a model's tensors in the order in which its modules were made, mostly that in which
they run. So the file's order is taken for an execution order of the network. Where exactly one
execution order has the file's kinds and shapes, each tensor has its place; where two have (parallel
branches of one shape), the file cannot say which is which, and nothing is matched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from archspec.compiler.weights.arrays import Entry
from archspec.compiler.weights.families import Source
from archspec.compiler.weights.layouts import TORCH
from archspec.graph import Graph
from archspec.node import INPUT
from archspec.shapes import Shape, written

MAX_STEPS = 200_000
"""Placements that are tried before the search gives up."""


class Signature(NamedTuple):
    """An op and its weights: what a module and a node agree in."""

    op: str
    weights: tuple[tuple[str, Shape], ...]

    def __str__(self) -> str:
        return f"{self.op} {written(self.weights[0][1])}"


@dataclass(frozen=True)
class Module:
    """A module of the file: the names of its tensors by the names of our weights."""

    name: str
    tensors: Mapping[str, str]
    signature: Signature


@dataclass(frozen=True)
class Match:
    """The way by structure, or in `why` a sentence's end that says why there is none."""

    sources: Mapping[str, Source] | None
    why: str = ""


def match_structure(graph: Graph, entries: Mapping[str, Entry]) -> Match:
    """Place every tensor by kind, shape and execution order, or say why that cannot be."""
    modules, odd = modules_of(entries)
    if odd:
        return Match(
            None, f"{odd} is not a tensor of a convolution, dense layer, batch norm or prelu"
        )
    signatures = {
        node.name: Signature(
            node.op.name, tuple((weight.name, weight.shape) for weight in node.layer.weights)
        )
        for node in graph.nodes.values()
        if node.layer.weights
    }
    if len(modules) != len(signatures):
        return Match(
            None,
            f"the file has {len(modules):,} layers with weights and the network"
            f" {len(signatures):,}",
        )
    return _search(modules, signatures, _waits_for(graph))


def modules_of(entries: Mapping[str, Entry]) -> tuple[list[Module], str]:
    """The file's modules in its order, and the first name that belongs to none (or "")."""
    grouped: dict[str, dict[str, Shape]] = {}
    for name, entry in entries.items():
        module, _, weight = name.rpartition(".")
        grouped.setdefault(module, {})[weight] = entry.shape
    modules: list[Module] = []
    for module, shapes in grouped.items():
        op = _op_of(shapes)
        if op is None:
            return [], f"{module}.{next(iter(shapes))}"
        ours = {ours: theirs for ours, theirs in TORCH[op].items() if theirs in shapes}
        signature = Signature(op, tuple((o, shapes[t]) for o, t in ours.items()))
        modules.append(Module(module, {o: f"{module}.{t}" for o, t in ours.items()}, signature))
    return modules, ""


def _op_of(shapes: Mapping[str, Shape]) -> str | None:
    names = set(shapes)
    extents = len(shapes.get("weight", ()))
    if names == {"weight", "bias", "running_mean", "running_var"}:
        return "batch_norm"
    if {"weight"} <= names <= {"weight", "bias"} and extents in (2, 4):
        return "conv" if extents == 4 else "dense"
    return "act" if names == {"weight"} and extents == 1 else None


def _waits_for(graph: Graph) -> dict[str, set[str]]:
    """For each node with weights, the nearest nodes with weights before it on every path."""
    nearest: dict[str, set[str]] = {INPUT: set()}
    waits: dict[str, set[str]] = {}
    for node in graph.nodes.values():
        before: set[str] = set().union(*(nearest[tensor.node] for tensor in node.inputs))
        if node.layer.weights:
            waits[node.name] = before
            nearest[node.name] = {node.name}
        else:
            nearest[node.name] = before
    return waits


def _search(
    modules: list[Module], signatures: Mapping[str, Signature], waits: Mapping[str, set[str]]
) -> Match:
    """Depth first over execution orders; stops at the second that fits."""
    found: dict[str, Module] | None = None
    placed: dict[str, Module] = {}
    farthest = 0
    ways: list[Iterator[str]] = [iter(_ready(modules[0], signatures, waits, placed))]
    for _ in range(MAX_STEPS):
        if not ways:
            break
        name = next(ways[-1], None)
        if name is None:
            ways.pop()
            if placed:
                placed.popitem()
            continue
        placed[name] = modules[len(placed)]
        farthest = max(farthest, len(placed))
        if len(placed) < len(modules):
            ways.append(iter(_ready(modules[len(placed)], signatures, waits, placed)))
            continue
        if found is not None:
            return Match(None, _two_ways(found, placed))
        found = dict(placed)
        placed.popitem()
    else:
        return Match(None, "there are too many ways to try")
    if found is None:
        module = modules[farthest]
        return Match(
            None,
            f"layer {farthest + 1} of the file, {module.name} ({module.signature}), has no place"
            " behind those before it",
        )
    return Match(
        {
            f"{name}.{ours}": Source((theirs,))
            for name, module in found.items()
            for ours, theirs in module.tensors.items()
        }
    )


def _ready(
    module: Module,
    signatures: Mapping[str, Signature],
    waits: Mapping[str, set[str]],
    placed: Mapping[str, Module],
) -> list[str]:
    """The nodes that could be this module, given what has run."""
    return [
        name
        for name, signature in signatures.items()
        if signature == module.signature and name not in placed and waits[name] <= placed.keys()
    ]


def _two_ways(one: Mapping[str, Module], other: Mapping[str, Module]) -> str:
    name = next(name for name in one if one[name] is not other[name])
    return (
        f"{one[name].name} and {other[name].name} could both be {name} ({one[name].signature}), and"
        " the order of a file does not say which"
    )
