"""From an ONNX file to a graph of archspec's with its weights, held against what the file gives."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.importing.folding.spec import fold_graph, spec_text
from archspec.compiler.importing.onnx.drafts import Plan, Result
from archspec.compiler.importing.onnx.naming import name_drafts
from archspec.compiler.importing.onnx.proof import Agreement, hold
from archspec.compiler.importing.onnx.reading import read_model
from archspec.compiler.importing.onnx.recognising import recognise
from archspec.compiler.importing.onnx.settling import settle
from archspec.compiler.importing.onnx.tidying import unfold_norms
from archspec.compiler.model import Model, Weights
from archspec.errors import Problem, SpecError
from archspec.graph import RESULT, Graph
from archspec.loading import loads
from archspec.node import INPUT, Layer, Node, Tensor
from archspec.writing import written_json


@dataclass(frozen=True)
class Found:
    """A network that was read: its spec as text, its graph and weights, for each
    node the file's nodes that it stands for, how many those are, and how far the two agree."""

    text: str
    model: Model
    covers: dict[str, list[str]]
    nodes: int
    producer: str
    agreement: Agreement

    def tell(self) -> list[str]:
        """What was read and how far it is proven, a sentence each."""
        ops = [node.op.name for node in self.model.graph.nodes.values()]
        counted = ", ".join(f"{count} {name}" for name, count in Counter(ops).most_common())
        return [f"read {self.nodes:,} nodes as {len(ops):,}: {counted}", str(self.agreement)]


def name_for(path: str | os.PathLike[str]) -> str:
    """What is left of a file's name that a spec may be called."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", Path(path).stem).lstrip(".+-") or "imported"


def import_onnx(
    path: str | os.PathLike[str], name: str, *, with_norms: bool = False, is_flat: bool = False
) -> Found:
    """With `with_norms` batch norms stand again behind convolutions that theirs were folded into;
    `is_flat` leaves the spec node by node. Raises SpecError for what is not a model, cannot be
    said, or gives other numbers."""
    shown = os.fspath(path)
    proto = read_model(shown)
    nodes = len(proto.graph.node)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    net = settle(proto, shown)
    del proto
    with np.errstate(all="ignore"):  # numbers that are none are refused where they are compared
        plan = recognise(net, shown)
        if with_norms:
            unfold_norms(plan)
    model, covers = _model(plan, name, Path(shown).name, net.producer, _read_input(said, plan))
    net.constants.clear()  # those that stand otherwise in ours: the proof needs the memory
    folded = None if is_flat else fold_graph(model.graph)
    spec = model.graph.normal_form()
    if folded:
        spec = folded.spec
        model = Model(folded.graph, _under_names(model.weights or {}, folded.flat))
        covers = {ours: covers[flat] for ours, flat in folded.flat.items()}
    spec = {**spec, "expect": _claims(model.graph, Path(shown).name)}
    agreement = hold(model, net, shown)
    text = (spec_text if folded else written_json)(spec) + "\n"
    if loads(text).fingerprint != model.graph.fingerprint:
        raise SpecError(Problem("the spec that was made of it is another network", shown))
    return Found(text, model, covers, nodes, net.producer, agreement)


def _read_input(said: Mapping[str, str], plan: Plan) -> dict[str, Any]:
    """What becomes of images before they go in, where archspec wrote the file and says it."""
    shape = {"shape": list(plan.image.shape)}
    try:
        settings = json.loads(said.get("preprocessing", "null"))
        spec = {"archspec": 1, "name": "input", "input": settings, "body": "relu"}
        is_fit = loads(json.dumps(spec)).input_shape == plan.image.shape
    except (ValueError, RecursionError, SpecError):
        return shape
    return settings if is_fit else shape


def _under_names(weights: Weights, flat: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The arrays under the names that the folded spec has."""
    ours = {name: own for own, name in flat.items()}
    renamed: dict[str, np.ndarray] = {}
    for path, array in weights.items():
        node, _, weight = path.rpartition(".")
        renamed[f"{ours[node]}.{weight}"] = array
    return renamed


def _claims(graph: Graph, file: str) -> dict[str, Any]:
    """What the spec shall come to."""
    outputs = {name: list(shape) for name, shape in graph.output_shapes.items()}
    return {
        "params": graph.params, "macs": graph.macs,
        "output": outputs[RESULT] if list(outputs) == [RESULT] else outputs, "source": file,
    }  # fmt: skip


def _model(
    plan: Plan, name: str, file: str, producer: str, settings: Mapping[str, Any]
) -> tuple[Model, dict[str, list[str]]]:
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
        name, plan.image.shape, nodes, outputs, settings,
        doc=f"imported from {file}{by}",
    )  # fmt: skip
    return Model(graph, weights), {names[draft]: draft.covers for draft in plan.drafts}


def _tensor(result: Result, names: dict) -> Tensor:
    return Tensor(INPUT) if result.draft is None else Tensor(names[result.draft], result.place)
