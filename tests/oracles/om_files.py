"""Offline models for tests: the container packed by hand, the definitions by Google's protobuf.

No device can run these: they have no kernels. Their message classes are made at run time from the
field numbers of ge.proto, so nothing of archspec's own reader is in them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _TYPES.TYPE_STRING, "bytes": _TYPES.TYPE_BYTES, "int64": _TYPES.TYPE_INT64,
    "uint32": _TYPES.TYPE_UINT32, "int32": _TYPES.TYPE_INT32, "bool": _TYPES.TYPE_BOOL,
    "float": _TYPES.TYPE_FLOAT,
}  # fmt: skip
_MESSAGES = {
    "AttrDef": {
        "list": (1, "ListValue"), "s": (2, "bytes"), "i": (3, "int64"), "f": (4, "float"),
        "b": (5, "bool"), "bt": (7, "bytes"), "dt": (15, "int64"),
    },
    "ListValue": {
        "s": (2, "*bytes"), "i": (3, "*int64"), "f": (4, "*float"), "b": (5, "*bool"),
        "val_type": (20, "int32"),
    },
    "ShapeDef": {"dim": (1, "*int64")},
    "TensorDescriptor": {
        "name": (1, "string"), "dtype": (2, "int32"), "shape": (3, "ShapeDef"),
        "layout": (4, "string"), "attr": (5, "{AttrDef"), "size": (10, "int64"),
        "weight_size": (11, "int64"),
    },
    "OpDef": {
        "name": (1, "string"), "type": (2, "string"), "input": (5, "*string"),
        "attr": (10, "{AttrDef"), "id": (21, "int64"), "src_name": (24, "*string"),
        "src_index": (25, "*int64"), "input_i": (28, "*int64"), "is_input_const": (32, "*bool"),
        "input_desc": (33, "*TensorDescriptor"), "output_desc": (34, "*TensorDescriptor"),
    },
    "GraphDef": {
        "name": (1, "string"), "input": (4, "*string"), "output": (5, "*string"),
        "op": (6, "*OpDef"), "attr": (11, "{AttrDef"),
    },
    "ModelDef": {
        "name": (1, "string"), "version": (2, "uint32"), "custom_version": (3, "string"),
        "graph": (7, "*GraphDef"), "attr": (11, "{AttrDef"),
    },
}  # fmt: skip
"""Fields by number and type: "*" for repeated, "{" for a map from strings."""

DTYPES = {
    "float32": 1, "float16": 2, "int8": 3, "uint8": 4, "int32": 7, "int64": 8, "bool": 11,
    "bfloat16": 27,
}  # fmt: skip


@cache
def message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="ge.proto", package="ge.proto", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, field, number, kind)
        if name == "AttrDef":
            message.oneof_decl.add(name="value")
            for field in message.field:
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"ge.proto.{name}"))
        for name in _MESSAGES
    }


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    label = _TYPES.LABEL_REPEATED if kind[0] in "*{" else _TYPES.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    kind = kind.lstrip("*")
    if kind.startswith("{"):
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, kind[1:])
        kind = f"{message.name}.{entry.name}"
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _TYPES.TYPE_MESSAGE, f".ge.proto.{kind}"


def set_attribute(attributes: Any, key: str, value: Any) -> None:
    """A Python value as an AttrDef of a map of them."""
    attribute = attributes[key]
    if isinstance(value, (list, tuple)):
        attribute.list.SetInParent()
        if value and isinstance(value[0], bool):
            attribute.list.b.extend(value)
        elif value and isinstance(value[0], str):
            attribute.list.s.extend(text.encode() for text in value)
        elif value and isinstance(value[0], float):
            attribute.list.f.extend(value)
        else:
            attribute.list.i.extend(value)
    elif isinstance(value, bool):
        attribute.b = value
    elif isinstance(value, int):
        attribute.i = value
    elif isinstance(value, float):
        attribute.f = value
    elif isinstance(value, str):
        attribute.s = value.encode()
    else:
        attribute.bt = value


def set_tensor(
    tensor: Any, dtype: str, shape: Sequence[int], layout: str, name: str = "", size: int = 0
) -> None:
    tensor.name, tensor.dtype, tensor.layout, tensor.size = name, DTYPES[dtype], layout, size
    tensor.shape.dim.extend(shape)


def definition(
    inputs: Sequence[tuple[str, str, Sequence[int], str]],
    outputs: Sequence[tuple[str, str, Sequence[int], str]],
    operators: Sequence[tuple[str, str]] = (),
    *,
    name: str = "net",
    batches: Sequence[int] = (),
    attributes: Mapping[str, Any] = {},
) -> Any:
    """A ModelDef as atc lays one out. Inputs and outputs are (name, dtype, shape, layout); an
    output's name is what its device calls it, such as "Gemm_1:0:logits". With `batches`, the first
    extent of inputs is any of them."""
    model = message_classes()["ModelDef"](name=name)
    graph = model.graph.add(name="graph")
    for index, (label, dtype, shape, layout) in enumerate(inputs):
        op = graph.op.add(name=label, type="Data")
        actual = [max(batches), *shape[1:]] if batches else shape
        for tensor in (op.input_desc.add(), op.output_desc.add()):
            set_tensor(tensor, dtype, actual, layout, size=_bytes(dtype, actual))
        set_attribute(op.attr, "index", index)
        if batches:
            set_attribute(op.attr, "_mbatch_origin_input_dims", [-1, *shape[1:]])
    if batches:
        op = graph.op.add(name="ascend_mbatch_shape_data", type="Data")
        set_tensor(op.input_desc.add(), "int32", [1], "ND", size=4)
        set_attribute(op.attr, "index", len(inputs))
        case = graph.op.add(name="ascend_mbatch_shape_case", type="Case")
        set_attribute(case.attr, "mbatch_dynamic_type", 1)
        set_attribute(case.attr, "_batch_num", len(batches))
        for place, batch in enumerate(batches):
            set_attribute(case.attr, f"_pred_value_{place}", [batch])
    for label, kind in operators:
        op = graph.op.add(name=label, type=kind)
        set_tensor(op.output_desc.add(), "float16", [1, 16, 4, 4], "NC1HWC0")
        set_attribute(op.attr, "tvm_magic", "RT_DEV_BINARY_MAGIC_ELF")
    end = graph.op.add(name="Node_Output", type="NetOutput")
    for label, dtype, shape, layout in outputs:
        actual = [max(batches), *shape[1:]] if batches else shape
        set_tensor(end.input_desc.add(), dtype, actual, layout)
        end.src_name.append(label.split(":")[0])
        end.src_index.append(0)
    set_attribute(model.attr, "attr_model_out_nodes_name", [output[0] for output in outputs])
    for key, value in attributes.items():
        set_attribute(model.attr, key, value)
    return model


def shorten(model: Any) -> None:
    """Replace the attributes of operators as newer versions of atc do: a key becomes a NUL and its
    number in a list, in base 127 from the lowest digit, each a character one above it; a text or a
    list of texts becomes numbers too."""
    keys: list[str] = []
    texts: list[str] = []
    are_texts: list[bool] = []

    def number(known: list[str], text: str) -> int:
        if text not in known:
            known.append(text)
        return known.index(text)

    for graph in model.graph:
        for op in graph.op:
            old = {
                key: type(value).FromString(value.SerializeToString())
                for key, value in op.attr.items()
            }
            op.attr.clear()
            for key, value in old.items():
                place = number(keys, key)
                is_text = value.HasField("s") or bool(value.list.s)
                if place == len(are_texts):
                    are_texts.append(is_text)
                new = op.attr[_digits(place)]
                if value.HasField("s"):
                    new.i = number(texts, value.s.decode())
                elif is_text:
                    new.list.i.extend(number(texts, text.decode()) for text in value.list.s)
                else:
                    new.CopyFrom(value)
    set_attribute(model.attr, "om_compress_version", 1)
    set_attribute(model.attr, "attr_name_enum", keys)
    set_attribute(model.attr, "attr_value_enum", texts)
    set_attribute(model.attr, "attrs_use_string_value", are_texts)


def _digits(number: int) -> str:
    digits = "\0"
    while True:
        digits += chr(number % 127 + 1)
        number //= 127
        if not number:
            return digits


def _bytes(dtype: str, shape: Sequence[int]) -> int:
    size = {"float32": 4, "float16": 2, "uint8": 1, "int32": 4, "int64": 8}[dtype]
    for extent in shape:
        size *= extent
    return size


Parts = Sequence[tuple[int, bytes]]
"""The partitions of one model: type and content."""


def container(
    *models: Parts,
    has_wide_table: bool = True,
    version: int = 0x20000000,
    kind: int = 0,
    name: bytes = b"stand-in",
) -> bytes:
    """A file of these models, by the table of offsets in the header's own C struct."""
    body = b"".join(
        _table(parts, has_wide_table) + b"".join(p for _, p in parts) for parts in models
    )
    header = bytearray(256)
    header[0:4] = b"IMOD"
    struct.pack_into("<II", header, 4, 256, version)
    header[82] = kind
    header[84 : 84 + len(name)] = name
    struct.pack_into("<II", header, 152, 1, len(models))
    header[160:163] = b"1.0"
    if has_wide_table:
        struct.pack_into("<Q", header, 184, len(body))
    else:
        struct.pack_into("<I", header, 76, len(body))
    return bytes(header) + body


def _table(parts: Parts, is_wide: bool) -> bytes:
    rows, offset = [], 0
    for kind, content in parts:
        row = (kind, 0, offset, len(content)) if is_wide else (kind, offset, len(content))
        rows.append(struct.pack("<IIQQ" if is_wide else "<III", *row))
        offset += len(content)
    count = struct.pack("<II", len(parts), 0) if is_wide else struct.pack("<I", len(parts))
    return count + b"".join(rows)
