"""A whole ONNX model of a graph and its weights, checked, and its file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper

from archspec.compiler.model import Model
from archspec.compiler.passes.standardize_filters import standardize_filters
from archspec.compiler.pipeline import run
from archspec.compiler.sealed_onnx import seal_onnx
from archspec.compiler.targets import check_spellings
from archspec.compiler.targets.onnx.allowed import IR_VERSIONS
from archspec.compiler.targets.onnx.net import INPUT_NAME, Net, Site
from archspec.compiler.targets.onnx.operators import spell
from archspec.errors import UsageError
from archspec.extras import PACKAGE, version_of
from archspec.graph import Graph
from archspec.node import Node
from archspec.shapes import Shape
from archspec.writing import write_whole

if TYPE_CHECKING:
    from archspec.compiler.quantize.quantization import Quantization

DYNAMIC_BATCH = "N"
LARGEST = 2**31 - 1
"""Bytes that a protobuf message can have."""


def to_onnx(
    model: Model,
    *,
    opset: int = 11,
    batch: int | None = 1,
    notes: Mapping[str, str] | None = None,
    quantization: Quantization | None = None,
) -> onnx.ModelProto:
    """The model in ONNX: input "image" (batch, channels, height, width), outputs as the spec calls
    them, weights by their paths; any batch ("N") where `batch` is None. `notes` join what the file
    says of its spec. With the `quantization` of the model what is int8 is written so, see
    `quantized`, which takes opset 13 or 17.

    The same model gives the same bytes. Raises UsageError where the model has no weights, is too
    large for one file, or has an output called "image", and for an opset that is not written;
    ModelError where the weights are not the graph's.
    """
    proto = _write(model, opset, batch, notes, quantization)
    _check(serialize(proto), model.graph.name)
    return proto


def write_onnx(
    model: Model, path: str | os.PathLike[str], *, opset: int = 11, batch: int | None = 1
) -> None:
    """Write `to_onnx(...)` to a file, which is either whole or as it was. Raises UsageError."""
    content = serialize(_write(model, opset, batch, None, None))
    _check(content, model.graph.name)
    write_whole(path, content)


def serialize(proto: onnx.ModelProto) -> bytes:
    """The bytes of a model with their checksum, the same for the same model."""
    return seal_onnx(proto.SerializeToString(deterministic=True))


def operators_of(graph: Graph, weights: Mapping[str, Any], node: Node, opset: int) -> list[str]:
    """The kinds of the operators that one node of a graph becomes, in their order."""
    check_spellings("onnx", graph)
    proto = onnx.GraphProto(name=graph.name)
    net = Net(proto, graph, weights, opset)
    for other in graph.nodes.values():
        before = len(proto.node)
        spell(other.op, Site(net, other))
        if other is node:
            return [operator.op_type for operator in proto.node[before:]]
    raise ValueError(f"{graph.name} has no node {node.name}")


def _write(
    model: Model,
    opset: int,
    batch: int | None,
    notes: Mapping[str, str] | None,
    quantization: Quantization | None,
) -> onnx.ModelProto:
    _refuse_what_cannot_be_written(model, opset, batch)
    check_spellings("onnx", model.graph)
    model = run(model, (standardize_filters,))
    assert model.weights is not None
    graph = model.graph
    proto = onnx.ModelProto(
        ir_version=IR_VERSIONS[opset],
        opset_import=[helper.make_opsetid("", opset)],
        producer_name="archspec",
        producer_version=version_of(PACKAGE),
    )
    proto.graph.name = graph.name
    proto.graph.input.extend(_values({INPUT_NAME: graph.input_shape}, batch))
    for key, tensor in graph.outputs.items():
        size = 1 if tensor.node in graph.without_image else batch
        proto.graph.output.extend(_values({key: graph.shape(tensor)}, size))
    net = _net(proto.graph, model, opset, quantization)
    for node in graph.nodes.values():
        spell(node.op, Site(net, node))
    _name_again(graph, net)
    helper.set_model_props(proto, {**_properties(model), **(notes or {})})
    return proto


def _net(
    proto: onnx.GraphProto, model: Model, opset: int, quantization: Quantization | None
) -> Net:
    weights = model.weights or {}
    if quantization is None:
        return Net(proto, model.graph, weights, opset)
    from archspec.compiler.targets.onnx.quantized import QuantizedNet

    return QuantizedNet(proto, model.graph, weights, opset, quantization)


def _refuse_what_cannot_be_written(model: Model, opset: int, batch: int | None) -> None:
    graph = model.graph
    if opset not in IR_VERSIONS:
        raise UsageError(f"ONNX opset {opset} is not written; it must be 11, 13 or 17")
    if batch is not None and batch < 1:
        raise UsageError(f"a batch of {batch} holds no image; it must be 1 or more, or any (None)")
    if model.weights is None:
        raise UsageError(
            f"an ONNX file holds weights and {graph.name} has none here; use weights of a"
            " checkpoint, or fresh ones"
        )
    if INPUT_NAME in graph.outputs:
        raise UsageError(
            f"{graph.name} calls an output {INPUT_NAME!r}, which is the input's name in ONNX;"
            " use another name in its `outputs`"
        )
    size = sum(array.nbytes for array in model.weights.values())
    if size > LARGEST:
        raise UsageError(
            f"the weights of {graph.name} take {size / 2**30:.1f} GiB and an ONNX file holds less"
            " than 2; use a smaller network"
        )


def _name_again(graph: Graph, net: Net) -> None:
    """Give the outputs that are the input, or another output too, a value of their own name."""
    for key, tensor in graph.outputs.items():
        value = net.value(tensor)
        if value != key:
            net.add("Identity", net.reserve(f"{key}/Identity"), [value], [key])


def _values(shapes: Mapping[str, Shape], batch: int | None) -> list[onnx.ValueInfoProto]:
    first = DYNAMIC_BATCH if batch is None else batch
    return [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (first, *shape))
        for name, shape in shapes.items()
    ]


def _properties(model: Model) -> dict[str, str]:
    """What a reader of the file can know of the spec: `preprocessing` is its `input`, as JSON."""
    spec = model.spec_graph
    return {
        "name": spec.name,
        "fingerprint": spec.fingerprint,
        "preprocessing": json.dumps(spec.settings, sort_keys=True),
        "producer": f"archspec {version_of(PACKAGE)}".strip(),
    }


def _check(content: bytes, name: str) -> None:
    """ONNX's own check, with the shapes it infers held against those declared."""
    try:
        onnx.checker.check_model(content, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise AssertionError(f"the ONNX written of {name} is not valid: {error}") from error
