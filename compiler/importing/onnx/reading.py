"""An ONNX file as its protobuf message, with bounds: nothing is run, nothing outside its folder is
opened, and sizes are checked before memory is taken."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from archspec.errors import Problem, SpecError, use
from archspec.reading import open_regular

MAX_BYTES = 2**31 - 1
"""Of a protobuf message, by its own rules."""
MAX_OPERATORS = 20_000
MAX_WEIGHTS = 2**29
"""Elements of all tensors of a file together: two gigabytes of float32."""
OPSETS = (7, 25)
"""The versions of ONNX's own operators that are read: before 7 sums broadcast by another rule."""
DOMAINS = ("", "ai.onnx")


def read_model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """The model in a file, checked as far as this page promises. Raises SpecError."""
    shown = os.fspath(path)
    try:
        with open_regular(shown) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise _error(shown, f"{size:,} bytes, and a model must be below 2 GB")
            content = file.read()
    except (OSError, ValueError) as error:
        raise _error(shown, str(getattr(error, "strerror", None) or error).lower()) from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception:  # protobuf's own class, of which it has several
        model = onnx.ModelProto()
    if not model.graph.node or not model.opset_import:
        raise _error(
            shown,
            "not an ONNX model, or one cut short; use a file as torch.onnx.export writes it",
        )
    _check(shown, model)
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    _check(shown, model)
    return model


def opset_of(model: onnx.ModelProto) -> int:
    return next(entry.version for entry in model.opset_import if entry.domain in DOMAINS)


def _error(path: str, what: str) -> SpecError:
    return SpecError(Problem(what, path))


def _check(path: str, model: onnx.ModelProto) -> None:
    if len(model.graph.node) > MAX_OPERATORS:
        raise _error(
            path, f"{len(model.graph.node):,} nodes, and at most {MAX_OPERATORS:,} are read"
        )
    if not all(isinstance(name, str) for name in _names_in(model)):
        raise _error(path, "a name in it is not UTF-8 text")
    versions = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
    if not versions or not OPSETS[0] <= versions[0] <= OPSETS[1]:
        met = f"opset {versions[0]}" if versions else "no opset of ONNX's own"
        raise _error(path, f"made of {met}{use(f'opset {OPSETS[0]} to {OPSETS[1]}')}")
    total = 0
    for tensor in tensors_of(model):
        if any(extent < 0 for extent in tensor.dims) or len(tensor.dims) > 16:
            raise _error(path, f"the tensor {tensor.name[:100]!r} has an impossible shape")
        total += math.prod(tensor.dims)
        if total > MAX_WEIGHTS:
            raise _error(path, f"more than {MAX_WEIGHTS:,} numbers, and no more are read")
    if model.graph.sparse_initializer:
        raise _error(path, "sparse tensors are not read; use dense ones")


def _names_in(model: onnx.ModelProto) -> Iterator[str | bytes]:
    """All names there are; protobuf gives those that are not text as bytes."""
    graph = model.graph
    yield from (model.producer_name, model.producer_version, graph.name)
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    for named in (*graph.input, *graph.output, *graph.initializer):
        yield named.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
        for entry in node.metadata_props:
            yield from (entry.key, entry.value)


def tensors_of(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t


def array_of(tensor: onnx.TensorProto, folder: Path) -> np.ndarray:
    """A tensor's numbers, from the file or one beside it. Raises SpecError."""
    name = tensor.name[:100] or "a constant"
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return _external(tensor, folder)
        _check_size(tensor)
        return numpy_helper.to_array(tensor)
    except SpecError:
        raise
    except Exception as error:  # numpy's and onnx's own
        why = str(error).partition("\n")[0][:200]
        raise SpecError(f"the tensor {name!r} cannot be read ({why})") from None


def _check_size(tensor: onnx.TensorProto) -> None:
    """Raises ValueError where there are fewer numbers than the shape says, or more."""
    count = math.prod(tensor.dims)
    if tensor.HasField("raw_data"):
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if len(tensor.raw_data) != count * dtype.itemsize and tensor.data_type < 17:
            raise ValueError("its bytes do not fit its shape")
    elif tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.float_data) != count:
        raise ValueError("its numbers do not fit its shape")


def _external(tensor: onnx.TensorProto, folder: Path) -> np.ndarray:
    said = {entry.key: entry.value for entry in tensor.external_data}
    root = os.path.realpath(folder)
    place = os.path.realpath(Path(root) / said.get("location", ""))
    if not place.startswith(root + os.sep):
        raise SpecError(
            f"the tensor {tensor.name[:100]!r} is kept in {said.get('location', '')[:100]!r},"
            " outside the folder of the model; use a model whose files lie together"
        )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count = math.prod(tensor.dims)
    start = int(said.get("offset", 0))
    with open_regular(place) as file:
        if start < 0 or start + count * dtype.itemsize > os.fstat(file.fileno()).st_size:
            raise ValueError(f"{said['location'][:100]} is too short for it")
        return np.fromfile(file, dtype, count, offset=start).reshape(tuple(tensor.dims))


def attributes_of(node: onnx.NodeProto, folder: Path) -> dict[str, Any]:
    """A node's attributes by name; graphs in it are left out."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            found[attribute.name] = array_of(attribute.t, folder)
        elif attribute.type not in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            value = onnx.helper.get_attribute_value(attribute)
            found[attribute.name] = (
                value.decode(errors="replace") if isinstance(value, bytes) else value
            )
    return found


def has_graphs(node: onnx.NodeProto) -> bool:
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(attribute.type in kinds for attribute in node.attribute)
