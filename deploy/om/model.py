"""The model definition inside an offline model: a `ge.proto.ModelDef`, read by field numbers.

Read are names, types, shapes and the attributes of the model; of the operators' attributes only
those that say what goes in and out. Newer files shorten attributes: a key is then a number in a
list of names that the model carries, and so may be a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from archspec.deploy.om import wire
from archspec.deploy.om.messages import Allowance, Messages, lenient

MAX_OPERATORS = 200_000
MAX_GRAPHS = 1000
MAX_EXTENTS = 32
MAX_BATCHES = 1000
LONGEST_KEY = 8

DTYPES = {
    0: "undefined", 1: "float32", 2: "float16", 3: "int8", 4: "uint8", 5: "int16", 6: "uint16",
    7: "int32", 8: "int64", 9: "uint32", 10: "uint64", 11: "bool", 12: "float64", 13: "string",
    14: "dual_sub_int8", 15: "dual_sub_uint8", 16: "complex64", 17: "complex128", 18: "qint8",
    19: "qint16", 20: "qint32", 21: "quint8", 22: "quint16", 23: "resource", 24: "string_ref",
    25: "dual", 26: "variant", 27: "bfloat16",
}  # fmt: skip
"""ge.proto.DataType, by numpy's names where numpy has one."""

INPUT_TYPES = ("Data", "AippData", "AnnData")
OUTPUT_TYPE = "NetOutput"
BRANCH_TYPE = "Case"
"""The operator that chooses among the batches of a model that has several."""

# Attributes, by the names that the graph engine gives them.
INPUT_INDEX = "index"
DYNAMIC_SHAPES = ("_dynamic_aipp_input_dims", "_mbatch_origin_input_dims")
DYNAMIC_TYPE, DYNAMIC_BATCH = "mbatch_dynamic_type", 1
BATCH_COUNT, BATCH_VALUE = "_batch_num", "_pred_value"
OUTPUT_NAMES = "attr_model_out_nodes_name"
KEYS, TEXTS, KEYS_OF_TEXTS = "attr_name_enum", "attr_value_enum", "attrs_use_string_value"


@dataclass(frozen=True)
class Tensor:
    """What a tensor's descriptor says; -1 in a shape is an extent that may change."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str
    size: int
    """Bytes, 0 where the file does not say."""


@dataclass(frozen=True)
class Operator:
    """An operator of any of the model's graphs, with the first of its results."""

    name: str
    type: str
    output: Tensor | None


@dataclass(frozen=True)
class ModelDefinition:
    """One model of a file. `batches` are the sizes that a dynamic batch may have."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batches: tuple[int, ...]
    operators: tuple[Operator, ...]
    attributes: Mapping[str, Any]


def read_definition(
    message: memoryview, what: str, problems: list[str], allowance: Allowance
) -> ModelDefinition:
    """The model in a message, which `what` calls in `problems`: what is damaged is told there, and
    all that can still be read is read."""
    return _Definition(message, Messages(what, problems, allowance)).read()


class _Keys(NamedTuple):
    """How a model's attributes are shortened; all empty where they are not."""

    names: list[Any]
    texts: list[Any]
    are_texts: list[Any]


class _RawOperator(NamedTuple):
    name: str
    type: str
    attributes: list[memoryview]
    inputs: list[memoryview]
    outputs: list[memoryview]
    sources: list[str]
    source_indices: list[int]


class _Ends(NamedTuple):
    """What goes in, by its number, and comes out; the batches that there may be."""

    inputs: dict[int, Tensor]
    outputs: list[Tensor]
    batches: list[int]


class _Definition:
    """One ModelDef on its way into a ModelDefinition."""

    def __init__(self, message: memoryview, messages: Messages) -> None:
        self._message = message
        self._messages = messages
        self._keys = _Keys([], [], [])

    def read(self) -> ModelDefinition:
        name, graphs, entries = self._parts()
        attributes = self._model_attributes(entries)
        operators: list[Operator] = []
        ends = _Ends({}, [], [])
        for number, graph in enumerate(graphs):
            for raw in self._operators(graph, f"graph {number}", len(operators)):
                first = self._tensor(raw.outputs[0], raw.name) if raw.outputs else None
                operators.append(Operator(raw.name, raw.type, first))
                if number == 0:  # the others are called by the first, which alone has ends
                    self._add_end(raw, attributes, ends)
        inputs = tuple(ends.inputs[index] for index in sorted(ends.inputs))
        return ModelDefinition(
            name, inputs, tuple(ends.outputs), tuple(ends.batches), tuple(operators), attributes
        )

    def _parts(self) -> tuple[str, list[memoryview], list[memoryview]]:
        """Name, graphs and attributes."""
        name, graphs, entries = "", [], []
        for field in self._messages.fields(self._message, "it"):
            match field.number, field.kind:
                case 1, wire.BYTES:
                    name = self._messages.text(field, "the model's name")
                case 7, wire.BYTES:
                    graphs.append(field.content)
                case 11, wire.BYTES:
                    entries.append(field.content)
        if len(graphs) > MAX_GRAPHS:
            self._messages.note(f"it has {len(graphs):,} graphs; {MAX_GRAPHS:,} are read")
        return name, graphs[:MAX_GRAPHS], entries

    def _add_end(self, raw: _RawOperator, attributes: Mapping[str, Any], ends: _Ends) -> None:
        if raw.type in INPUT_TYPES:
            index, tensor = self._input(raw, len(ends.inputs))
            ends.inputs[index] = tensor
        elif raw.type == OUTPUT_TYPE:
            ends.outputs.extend(self._outputs(raw, attributes))
        elif raw.type == BRANCH_TYPE:
            ends.batches.extend(self._batches(raw))

    def _model_attributes(self, entries: list[memoryview]) -> dict[str, Any]:
        """Attributes of the model; those that only shorten others become `_keys`."""
        found: dict[str, Any] = {}
        for entry in entries:
            key, value = self._messages.entry(entry, "the model")
            found[key] = self._messages.value(value, f"attribute {key[:100]!r} of the model")
        lists = [found.pop(key, None) for key in (KEYS, TEXTS, KEYS_OF_TEXTS)]
        self._keys = _Keys(*(value if isinstance(value, list) else [] for value in lists))
        return dict(self._lengthen(key, value) for key, value in found.items())

    def _lengthen(self, key: str, value: Any) -> tuple[str, Any]:
        """An attribute as it was before it was shortened: after a NUL, the key is a number of base
        127, its lowest digit first, each a character one above it."""
        if not key.startswith("\0"):
            return key, value
        digits = [ord(character) - 1 for character in key[1 : 1 + LONGEST_KEY]]
        position = sum(digit * 127**power for power, digit in enumerate(digits))
        if not 0 <= position < min(len(self._keys.names), len(self._keys.are_texts)):
            self._messages.note(
                f"an attribute's name is number {position:,} of {len(self._keys.names):,}"
            )
            return f"number {position}", value
        name = str(self._keys.names[position])
        if not self._keys.are_texts[position]:
            return name, value
        if isinstance(value, list):
            return name, [self._text_at(at) for at in value]
        return name, self._text_at(value)

    def _text_at(self, position: Any) -> Any:
        texts = self._keys.texts
        if type(position) is int and 0 <= position < len(texts):
            return texts[position]
        self._messages.note(f"an attribute's text is number {position} of {len(texts):,}")
        return position

    def _operators(self, graph: memoryview, part: str, known: int) -> Iterator[_RawOperator]:
        for field in self._messages.fields(graph, part):
            if (field.number, field.kind) != (6, wire.BYTES):
                continue
            if known == MAX_OPERATORS:
                self._messages.note(f"it has more than {known:,} operators; no more are read")
                return
            yield self._operator(field.content, f"operator {known} of {part}")
            known += 1

    def _operator(self, message: memoryview, part: str) -> _RawOperator:
        raw = _RawOperator("", "", [], [], [], [], [])
        for field in self._messages.fields(message, part):
            match field.number, field.kind:
                case 1, wire.BYTES:
                    raw = raw._replace(name=self._messages.text(field, f"the name of {part}"))
                case 2, wire.BYTES:
                    raw = raw._replace(type=self._messages.text(field, f"the type of {part}"))
                case 10, wire.BYTES:
                    raw.attributes.append(field.content)
                case 24, wire.BYTES:
                    raw.sources.append(lenient(field.content))
                case 25, (wire.VARINT | wire.BYTES):
                    numbers = self._messages.numbers(field, f"the sources of {part}")
                    raw.source_indices.extend(map(wire.as_signed, numbers))
                case 33, wire.BYTES:
                    raw.inputs.append(field.content)
                case 34, wire.BYTES:
                    raw.outputs.append(field.content)
        return raw

    def _attributes(self, raw: _RawOperator) -> dict[str, Any]:
        """Of the few operators whose attributes are asked for."""
        found: dict[str, Any] = {}
        for entry in raw.attributes:
            key, value = self._messages.entry(entry, raw.name)
            value = self._messages.value(value, f"attribute {key[:100]!r} of {raw.name}")
            key, value = self._lengthen(key, value)
            found[key] = value
        return found

    def _tensor(self, message: memoryview, operator: str) -> Tensor:
        name, dtype, layout, size = "", 0, "", 0
        shape: list[int] = []
        part = f"a tensor of {operator[:100]}"
        for field in self._messages.fields(message, part):
            match field.number, field.kind:
                case 1, wire.BYTES:
                    name = self._messages.text(field, f"the name of {part}")
                case 2, wire.VARINT:
                    dtype = wire.as_signed(field.value, 32)
                case 3, wire.BYTES:
                    for inner in self._messages.fields(field.content, f"the shape of {part}"):
                        if inner.number == 1 and inner.kind in (wire.VARINT, wire.BYTES):
                            shape += self._messages.numbers(inner, f"the shape of {part}")
                case 4, wire.BYTES:
                    layout = self._messages.text(field, f"the layout of {part}")
                case 10, wire.VARINT:
                    size = wire.as_signed(field.value)
        if len(shape) > MAX_EXTENTS:
            self._messages.note(f"{part} has {len(shape):,} extents")
        extents = tuple(map(wire.as_signed, shape[:MAX_EXTENTS]))
        return Tensor(name, DTYPES.get(dtype, f"type {dtype}"), extents, layout, size)

    def _input(self, raw: _RawOperator, default: int) -> tuple[int, Tensor]:
        """An input with its place; its shape is that before a batch or a picture size was set."""
        attributes = self._attributes(raw)
        descriptors = raw.inputs or raw.outputs
        tensor = self._tensor(descriptors[0] if descriptors else wire.NOTHING, raw.name)
        for key in DYNAMIC_SHAPES:
            shape = attributes.get(key)
            if isinstance(shape, list) and all(type(extent) is int for extent in shape):
                tensor = replace(tensor, shape=tuple(shape[:MAX_EXTENTS]))
                break
        index = attributes.get(INPUT_INDEX)
        return index if type(index) is int else default, replace(tensor, name=raw.name)

    def _outputs(self, raw: _RawOperator, attributes: Mapping[str, Any]) -> list[Tensor]:
        """What NetOutput takes, under the names that a device gives."""
        names = attributes.get(OUTPUT_NAMES)
        given = names if isinstance(names, list) and len(names) == len(raw.inputs) else None
        found: list[Tensor] = []
        for number, message in enumerate(raw.inputs):
            source = raw.sources[number] if number < len(raw.sources) else ""
            at = raw.source_indices[number] if number < len(raw.source_indices) else 0
            if given is None:
                name = f"output_{number}_{source}_{at}"
            else:
                name = str(given[number])
                name = name if ":" in name else f"{name}:{at}"
            found.append(replace(self._tensor(message, raw.name), name=name))
        return found

    def _batches(self, raw: _RawOperator) -> list[int]:
        attributes = self._attributes(raw)
        count = attributes.get(BATCH_COUNT)
        if attributes.get(DYNAMIC_TYPE) != DYNAMIC_BATCH or type(count) is not int:
            return []
        values = [attributes.get(f"{BATCH_VALUE}_{at}") for at in range(min(count, MAX_BATCHES))]
        return [value[0] for value in values if type(value) is list and value]
