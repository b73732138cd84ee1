"""npz: a zip of numpy arrays, each with a checksum by the zip. Pickled arrays are never read."""

from __future__ import annotations

import json
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from archspec.compiler.weights.arrays import Array, Entry, TensorFile, check_number, damage_error
from archspec.errors import Problem, SpecError

METADATA = "__metadata__"
LONGEST_METADATA = 1 << 20
SUFFIX = ".npy"
_CONSTANT_DATE = (1980, 1, 1, 0, 0, 0)

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    length: int


def open_npz(path: str, file: IO[bytes]) -> TensorFile:
    """Raises SpecError for what is not a zip of plain arrays."""
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
        infos = {info.filename.removesuffix(SUFFIX): info for info in archive.infolist()}
    except (*_DAMAGE, OSError):
        raise damage_error(path, "it is not a zip, or its end is missing") from None
    check_number(path, len(infos))
    headers = {name: _header(path, archive, name, info) for name, info in infos.items()}

    def fetch(name: str) -> Array:
        header = headers[name]
        content = _content(path, archive, infos[name])[header.length :]
        array = np.frombuffer(content, header.dtype)
        if not header.is_fortran:
            return array
        return array.reshape(header.shape[::-1]).transpose()

    metadata: dict[str, str] = {}
    if METADATA in headers:
        if infos[METADATA].file_size > LONGEST_METADATA:
            raise damage_error(path, "its metadata is too long")
        metadata = _metadata(path, fetch(METADATA))
        del headers[METADATA]
    entries = {name: Entry(header.shape, header.dtype.name) for name, header in headers.items()}

    def close() -> None:
        archive.close()
        file.close()

    return TensorFile(path, entries, metadata, fetch, close)


def write_npz(file: IO[bytes], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Uncompressed, with constant dates: one content has one sequence of bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        words = np.array(json.dumps(dict(metadata)))
        for name, array in {METADATA: words, **arrays}.items():
            info = zipfile.ZipInfo(name + SUFFIX, _CONSTANT_DATE)
            with archive.open(info, "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def _header(path: str, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> _Header:
    if not info.filename.endswith(SUFFIX):
        raise damage_error(path, f"{info.filename[:100]!r} in it is not a numpy array")
    try:
        with archive.open(info) as entry, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's on files of Python 2, which are fine
            version = np.lib.format.read_magic(entry)
            if version == (1, 0):
                header = np.lib.format.read_array_header_1_0(entry)
            else:
                header = np.lib.format.read_array_header_2_0(entry)
            length = entry.tell()
    except Exception:  # numpy reads headers with Python's parser, which raises what it likes
        raise damage_error(path, f"{name[:100]!r} in it is not a numpy array") from None
    shape, is_fortran, dtype = header
    if dtype.hasobject:
        raise SpecError(
            Problem(
                f"{name[:100]!r} is a pickled array, which could run code when read; use arrays of"
                " numbers",
                path,
            )
        )
    stated = Entry(shape, dtype.name).size * dtype.itemsize + length
    if min(shape, default=0) < 0 or stated != info.file_size:
        raise damage_error(path, f"{name[:100]!r} does not have the bytes that its shape takes")
    return _Header(shape, is_fortran, dtype, length)


def _content(path: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (*_DAMAGE, OSError):
        raise damage_error(path, f"{info.filename[:100]!r} does not meet its checksum") from None


def _metadata(path: str, array: Array) -> dict[str, str]:
    try:
        value = json.loads(str(array.reshape(())))
    except (ValueError, RecursionError):
        raise damage_error(path, "its metadata is not JSON") from None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise damage_error(path, "its metadata is not words by name")
    return value
