"""MindSpore's checkpoints: a protobuf message of named tensors, with a CRC-32 behind it.

    Checkpoint  1: Value, any number
    Value       1: name; 2: tensor; 3: hash map (not a weight, so refused)
    Tensor      1: extents; 2: type, such as "Float32"; 3: bytes, little endian

A large tensor may lie in several Values of its name that follow each other. Words are tensors of
type "str" in UTF-32. Read and written here rather than by MindSpore: no framework is needed, damage
is one sentence instead of log lines, the checksum is always used where there is one, and the file
keeps normal permissions. tests/compiler/test_weights.py holds both against MindSpore's own.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple

import numpy as np

from archspec.compiler.weights.arrays import (
    MAX_EXTENTS,
    Array,
    Entry,
    TensorFile,
    check_number,
    damage_error,
    item_size,
    read_exactly,
)
from archspec.errors import Problem, SpecError

CHECKSUM_MARK = b"crc_num"
CHECKSUM_LENGTH = len(CHECKSUM_MARK) + 10
LONGEST_NAME = 4096
MAX_FIELDS = 100
"""Of one tensor; there are at most a few and its extents."""
CHUNK = 1 << 22

_NUMPY_NAMES = {
    "Float64": "float64", "Float32": "float32", "Float16": "float16", "BFloat16": "bfloat16",
    "Int64": "int64", "Int32": "int32", "Int16": "int16", "Int8": "int8", "UInt64": "uint64",
    "UInt32": "uint32", "UInt16": "uint16", "UInt8": "uint8", "Bool": "bool", "str": "str",
}  # fmt: skip
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Damage(Exception):
    """Why the bytes are not a checkpoint."""


class _Piece(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    length: int


def open_ckpt(path: str, file: IO[bytes]) -> TensorFile:
    """Raises SpecError for what is not a checkpoint or does not meet its checksum."""
    size = os.fstat(file.fileno()).st_size
    try:
        end = _checked_end(file, size)
        places = _places(path, _pieces(path, file, end))
    except _Damage as why:
        raise damage_error(path, str(why)) from None

    def fetch(name: str) -> Array:
        pieces = places[name]
        item = item_size(pieces[0].dtype)
        if any(piece.length % item for piece in pieces):
            raise damage_error(path, f"{name[:100]!r} does not have the bytes that its shape takes")
        parts = [
            read_exactly(file, piece.offset, piece.length // item, piece.dtype, path)
            for piece in pieces
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    entries: dict[str, Entry] = {}
    metadata: dict[str, str] = {}
    for name, pieces in places.items():
        if pieces[0].dtype == "str":
            metadata[name] = _words(path, file, pieces[0])
        else:
            entries[name] = _entry(path, name, pieces)
    return TensorFile(path, entries, metadata, fetch, file.close)


def write_ckpt(file: IO[bytes], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """float32 arrays and words, with the checksum that MindSpore's crc_check reads."""
    checksum = 0
    for name, array in arrays.items():
        head = _head(name, array.shape, "Float32", array.nbytes)
        file.write(head)
        file.write(array.data)
        checksum = zlib.crc32(array.data, zlib.crc32(head, checksum))
    for name, text in metadata.items():
        content = text.encode("utf-32-le")
        entry = _head(name, (0,), "str", len(content)) + content
        file.write(entry)
        checksum = zlib.crc32(entry, checksum)
    file.write(CHECKSUM_MARK + checksum.to_bytes(10, "big"))


# Writing: a message's head needs the lengths of all that is inside it.


def _head(name: str, shape: tuple[int, ...], dtype: str, length: int) -> bytes:
    """All of a Value but the bytes of its tensor, which come last."""
    extents = b"".join(_key(1, _VARINT) + _varint(extent) for extent in shape)
    tensor = extents + _text(2, dtype) + _key(3, _BYTES) + _varint(length)
    value = _text(1, name) + _key(2, _BYTES) + _varint(len(tensor) + length) + tensor
    return _key(1, _BYTES) + _varint(len(value) + length) + value


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _text(number: int, text: str) -> bytes:
    content = text.encode()
    return _key(number, _BYTES) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all bytes but the last have the eighth set."""
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


# Reading.


class _Field(NamedTuple):
    """A field of a message: its number and either a number or a place in the file."""

    number: int
    value: int
    offset: int
    length: int


def _checked_end(file: IO[bytes], size: int) -> int:
    """Where the message ends. Raises _Damage where there is a checksum and it is not met."""
    if size == 0:
        raise _Damage("it is empty")
    if size < CHECKSUM_LENGTH:
        return size
    file.seek(size - CHECKSUM_LENGTH)
    mark = file.read(CHECKSUM_LENGTH)
    if not mark.startswith(CHECKSUM_MARK):
        return size
    end = size - CHECKSUM_LENGTH
    checksum, left = 0, end
    file.seek(0)
    while left:
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            raise _Damage("it ends too early")
        checksum = zlib.crc32(chunk, checksum)
        left -= len(chunk)
    if checksum != int.from_bytes(mark[len(CHECKSUM_MARK) :], "big"):
        raise _Damage("it does not meet its checksum")
    return end


def _pieces(path: str, file: IO[bytes], end: int) -> Iterator[_Piece]:
    for field in _fields(file, 0, end):
        if field.number != 1 or field.length < 0:
            raise _Damage("it is not a MindSpore checkpoint, or an encrypted one")
        yield _piece(path, file, field)


def _piece(path: str, file: IO[bytes], value: _Field) -> _Piece:
    name, tensor = "", None
    for field in _few_fields(file, value):
        if field.number == 1:
            name = _string(file, field)
        elif field.number == 2:
            tensor = field
        elif field.number == 3:
            raise SpecError(
                Problem(
                    f"{name[:100]!r} is a hash map of MindSpore, which no network here has", path
                )
            )
    if not name or tensor is None or tensor.length < 0:
        raise _Damage("it is not a MindSpore checkpoint, or an encrypted one")
    shape: list[int] = []
    dtype, content = "", None
    for field in _few_fields(file, tensor):
        if field.number == 1:
            shape += [field.value] if field.length < 0 else _unpack(file, field)
        elif field.number == 2:
            dtype = _string(file, field)
        elif field.number == 3:
            content = field
    if content is None or content.length < 0 or len(shape) > MAX_EXTENTS:
        raise _Damage(f"{name[:100]!r} has no numbers")
    if dtype not in _NUMPY_NAMES:
        raise _Damage(f"{name[:100]!r} is of the unknown type {dtype[:20]!r}")
    # MindSpore writes the shape of a single number as (0,)
    extents = () if shape == [0] else tuple(shape)
    return _Piece(name, extents, _NUMPY_NAMES[dtype], content.offset, content.length)


def _places(path: str, pieces: Iterator[_Piece]) -> dict[str, list[_Piece]]:
    places: dict[str, list[_Piece]] = {}
    last = ""
    for number, piece in enumerate(pieces, 1):
        known = places.setdefault(piece.name, [])
        if known and (last != piece.name or known[0][:3] != piece[:3]):
            raise _Damage(f"{piece.name[:100]!r} appears twice in it")
        known.append(piece)
        check_number(path, number)
        last = piece.name
    return places


def _entry(path: str, name: str, pieces: list[_Piece]) -> Entry:
    entry = Entry(pieces[0].shape, pieces[0].dtype)
    if entry.size * item_size(entry.dtype) != sum(piece.length for piece in pieces):
        raise damage_error(path, f"{name[:100]!r} does not have the bytes that its shape takes")
    return entry


def _words(path: str, file: IO[bytes], piece: _Piece) -> str:
    if piece.length > 1 << 20:
        raise damage_error(path, f"{piece.name[:100]!r} is too long")
    file.seek(piece.offset)
    try:
        return file.read(piece.length).decode("utf-32-le")
    except UnicodeDecodeError:
        raise damage_error(path, f"{piece.name[:100]!r} is not text") from None


def _few_fields(file: IO[bytes], message: _Field) -> Iterator[_Field]:
    """The fields of a message inside another. Raises _Damage for more than a tensor can have."""
    fields = _fields(file, message.offset, message.offset + message.length)
    for count, field in enumerate(fields):
        if count > MAX_FIELDS:
            raise _Damage("it is not a MindSpore checkpoint, or an encrypted one")
        yield field


def _fields(file: IO[bytes], start: int, stop: int) -> Iterator[_Field]:
    """The fields of the message between two places of the file."""
    at = start
    while at < stop:
        file.seek(at)
        key, size = _read_varint(file)
        at += size
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, size = _read_varint(file)
            yield _Field(number, value, at, -1)
            at += size
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        elif kind == _BYTES:
            length, size = _read_varint(file)
            at += size
            if length > stop - at:
                raise _Damage("it ends too early, or it is not a MindSpore checkpoint")
            yield _Field(number, 0, at, length)
            at += length
        else:
            raise _Damage("it is not a MindSpore checkpoint, or an encrypted one")
    if at != stop:
        raise _Damage("it ends too early, or it is not a MindSpore checkpoint")


def _read_varint(file: IO[bytes]) -> tuple[int, int]:
    """A number and how many bytes it took."""
    number = 0
    for size in range(1, 11):
        byte = file.read(1)
        if not byte:
            break
        number |= (byte[0] & 0x7F) << (7 * (size - 1))
        if byte[0] < 0x80:
            return number, size
    raise _Damage("it ends too early, or it is not a MindSpore checkpoint")


def _unpack(file: IO[bytes], field: _Field) -> list[int]:
    file.seek(field.offset)
    numbers: list[int] = []
    used = 0
    while used < field.length and len(numbers) <= MAX_EXTENTS:
        number, size = _read_varint(file)
        numbers.append(number)
        used += size
    return numbers


def _string(file: IO[bytes], field: _Field) -> str:
    if not 0 <= field.length <= LONGEST_NAME:
        raise _Damage("it is not a MindSpore checkpoint, or an encrypted one")
    file.seek(field.offset)
    try:
        return file.read(field.length).decode()
    except UnicodeDecodeError:
        raise _Damage("it is not a MindSpore checkpoint, or an encrypted one") from None
