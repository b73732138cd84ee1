"""safetensors: eight bytes of length, a JSON index, the numbers (the format of Hugging Face).

Read and written here because the library's numpy side refuses bfloat16, which published files come
in, and keeps no checksum of the numbers, which ours have in their metadata. The tests hold both
directions against the library.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from archspec.compiler.weights.arrays import (
    Array,
    Entry,
    TensorFile,
    damage_error,
    item_size,
    read_exactly,
)

METADATA = "__metadata__"
CHECKSUM = "crc32"
LONGEST_INDEX = 1 << 25
"""Bytes; the index of a network of 4,000 tensors has half a million."""
CHUNK = 1 << 22

_NUMPY_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_TYPES = {name: kind for kind, name in _NUMPY_NAMES.items() if kind != "BF16"}


class _Place(NamedTuple):
    entry: Entry
    start: int
    stop: int


def open_safetensors(path: str, file: IO[bytes]) -> TensorFile:
    """Raises SpecError where the index and the numbers do not fit each other."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise damage_error(path, "it ends before its index does")
    if length > LONGEST_INDEX:
        raise damage_error(path, f"its index claims {length:,} bytes")
    first = 8 + length
    index = _read_index(path, file.read(length))
    metadata = _metadata(path, index.pop(METADATA, {}))
    places = {name: _place(path, name, value) for name, value in index.items()}
    _check_cover(path, places, size - first)
    if CHECKSUM in metadata and metadata[CHECKSUM] != _checksum(file, first):
        raise damage_error(path, "its numbers do not meet its checksum")

    def fetch(name: str) -> Array:
        entry, start, _ = places[name]
        return read_exactly(file, first + start, entry.size, entry.dtype, path)

    entries = {name: place.entry for name, place in places.items()}
    return TensorFile(path, entries, metadata, fetch, file.close)


def write_safetensors(
    file: IO[bytes], arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Arrays of numpy's own types and words about them, with a checksum."""
    checksum = 0
    for array in arrays.values():
        checksum = zlib.crc32(array.data, checksum)
    index: dict[str, Any] = {METADATA: {**metadata, CHECKSUM: f"{checksum:08x}"}}
    start = 0
    for name, array in arrays.items():
        stop = start + array.nbytes
        shape = list(array.shape)
        kind = _TYPES[array.dtype.name]
        index[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(index, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of eight bytes
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(array.data)


def _read_index(path: str, text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a name appears twice in its index")
        return dict(pairs)

    try:
        index = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise damage_error(path, "its index is nested too deeply") from None
    except ValueError as error:
        why = str(error) if "twice" in str(error) else "its index is not JSON"
        raise damage_error(path, why) from None
    if not isinstance(index, dict):
        raise damage_error(path, "its index is not an object")
    return index


def _metadata(path: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise damage_error(path, "its metadata is not words by name")
    return value


def _place(path: str, name: str, value: Any) -> _Place:
    try:
        dtype, shape, (start, stop) = value["dtype"], value["shape"], value["data_offsets"]
        numbers = [*shape, start, stop]
    except (KeyError, TypeError, ValueError):
        raise damage_error(path, f"its index says too little of {name[:100]!r}") from None
    if not all(type(number) is int and 0 <= number < 1 << 62 for number in numbers):
        raise damage_error(path, f"its index has no sizes for {name[:100]!r}")
    known = _NUMPY_NAMES.get(dtype) if isinstance(dtype, str) else None
    entry = Entry(tuple(shape), known or str(dtype)[:20].lower())
    if known is not None and math.prod(shape) * item_size(known) != stop - start:
        raise damage_error(path, f"{name[:100]!r} does not have the bytes that its shape takes")
    return _Place(entry, start, stop)


def _check_cover(path: str, places: Mapping[str, _Place], size: int) -> None:
    """Tensors lie one behind another without holes, from the first byte to the last."""
    end = 0
    for place in sorted(places.values(), key=lambda place: (place.start, place.stop)):
        if place.start != end:
            raise damage_error(path, "its tensors overlap or leave holes")
        end = place.stop
    if end != size:
        raise damage_error(
            path, f"its index describes {end:,} bytes of numbers and there are {size:,}"
        )


def _checksum(file: IO[bytes], first: int) -> str:
    checksum = 0
    for chunk in _chunks(file, first):
        checksum = zlib.crc32(chunk, checksum)
    return f"{checksum:08x}"


def _chunks(file: IO[bytes], first: int) -> Iterator[bytes]:
    file.seek(first)
    while chunk := file.read(CHUNK):
        yield chunk
