"""From an ONNX file to a graph of archspec's with its weights, held against what the file gives."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.importing.onnx.drafts import Plan, Result
from archspec.compiler.importing.onnx.naming import name_drafts
from archspec.compiler.importing.onnx.proof import hold
from archspec.compiler.importing.onnx.reading import read_model
from archspec.compiler.importing.onnx.recognising import recognise
from archspec.compiler.importing.onnx.settling import settle
from archspec.compiler.importing.onnx.tidying import unfold_norms
from archspec.compiler.model import Model
from archspec.graph import RESULT, Graph
from archspec.node import INPUT, Layer, Node, Tensor


@dataclass(frozen=True)
class Found:
    """A network that was read: its spec, its graph and weights, for each node the file's nodes that
    it stands for, how many nodes there were, and by how much the two differ."""

    spec: dict[str, Any]
    model: Model
    covers: dict[str, list[str]]
    nodes: int
    producer: str
    difference: float


def import_onnx(path: str | os.PathLike[str], name: str, *, with_norms: bool = False) -> Found:
    """With `with_norms` batch norms stand again behind convolutions that theirs were folded into.
    Raises SpecError for what is not a model, cannot be said, or gives other numbers."""
    shown = os.fspath(path)
    proto = read_model(shown)
    nodes = len(proto.graph.node)
    net = settle(proto, shown)
    del proto
    plan = recognise(net, shown)
    if with_norms:
        unfold_norms(plan)
    model, covers = _model(plan, name, Path(shown).name, net.producer)
    difference = hold(model, net, shown)
    return Found(
        _spec(model.graph, Path(shown).name), model, covers, nodes, net.producer, difference
    )


def _spec(graph: Graph, file: str) -> dict[str, Any]:
    """The flat spec, with what it shall come to."""
    shapes = graph.output_shapes
    outputs = {name: list(shape) for name, shape in shapes.items()}
    expect = {
        "params": graph.params, "macs": graph.macs,
        "output": outputs[RESULT] if list(outputs) == [RESULT] else outputs, "source": file,
    }  # fmt: skip
    return {**graph.normal_form(), "expect": expect}


def _model(plan: Plan, name: str, file: str, producer: str) -> tuple[Model, dict[str, list[str]]]:
    names = name_drafts(plan.drafts)
    nodes: dict[str, Node] = {}
    weights: dict[str, np.ndarray] = {}
    for draft in plan.drafts:
        own = names[draft]
        layer = Layer(draft.op, draft.shapes)
        nodes[own] = Node(own, layer, tuple(_tensor(result, names) for result in draft.inputs))
        for weight in layer.weights:
            array = np.ascontiguousarray(draft.weights.pop(weight.name), np.float32)
            weights[f"{own}.{weight.name}"] = array.reshape(weight.shape)
    keys = (
        [RESULT] if len(plan.outputs) == 1 else [f"result{i + 1}" for i in range(len(plan.outputs))]
    )
    outputs = {key: _tensor(result, names) for key, result in zip(keys, plan.outputs, strict=True)}
    by = f" ({producer})" if producer else ""
    graph = Graph(
        name, plan.image.shape, nodes, outputs, {"shape": list(plan.image.shape)},
        doc=f"imported from {file}{by}",
    )  # fmt: skip
    return Model(graph, weights), {names[draft]: draft.covers for draft in plan.drafts}


def _tensor(result: Result, names: dict) -> Tensor:
    return Tensor(INPUT) if result.draft is None else Tensor(names[result.draft], result.place)
