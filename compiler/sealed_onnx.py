"""A checksum over all bytes of an ONNX file, as the last of its metadata. It needs no onnx.

Protobuf takes a message's fields in any order and a repeated one in several places, so that
entries of `metadata_props` can be put behind a whole model. The last of them ends in the digits of
the CRC-32 of all before these digits; the one before it says that they must be there.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

from archspec.checksums import checksum_of_bytes, damage_error
from archspec.compiler.metadata import CHECKSUM, CURRENT, VERSION, check_metadata
from archspec.reading import CHUNK, open_regular

DIGITS = 8


def _entry(key: str, value: bytes) -> bytes:
    """Field 14 of a ModelProto: a message of a key (1) and a value (2), all shorter than 128."""
    inner = b"\x0a%c%b\x12%c%b" % (len(key), key.encode(), len(value), value)
    return b"\x72%c%b" % (len(inner), inner)


_VERSION = _entry(VERSION, CURRENT.encode())
_BEFORE_DIGITS = _entry(CHECKSUM, bytes(DIGITS))[:-DIGITS]


def seal_onnx(content: bytes) -> bytes:
    """The bytes of a model with their checksum behind them."""
    whole = content + _VERSION + _BEFORE_DIGITS
    return whole + checksum_of_bytes(whole).encode()


def check_onnx_bytes(path: str | os.PathLike[str]) -> None:
    """Raises SpecError where a file has a checksum and does not meet it, OSError where it cannot be
    read."""
    with open_regular(path) as file:
        left = os.fstat(file.fileno()).st_size - DIGITS
        checksum, end = 0, b""
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            checksum = zlib.crc32(chunk, checksum)
            end = (end + chunk)[-len(_BEFORE_DIGITS) :]
            left -= len(chunk)
        digits = file.read()
    if end == _BEFORE_DIGITS and digits != f"{checksum:08x}".encode():
        raise damage_error(path, "it does not meet its checksum")


def check_onnx_metadata(path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """Raises SpecError where a file whose bytes passed says that it has a checksum, and has none
    at its end; and as `check_metadata` does."""
    with open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - DIGITS - len(_BEFORE_DIGITS)))
        is_sealed = file.read().startswith(_BEFORE_DIGITS)
    if is_sealed:
        return
    if VERSION in metadata or CHECKSUM in metadata:
        raise damage_error(path, "its checksum is not at its end")
    check_metadata(path, metadata)
