"""PyTorch's own files, a zip or the older stream, which are pickles: read as data, run never.

    zip     archive/data.pkl, and archive/data/KEY with the numbers of each storage
    stream  pickles of a magic number, a version, the machine, the content and the storages' keys,
            then of each storage how many numbers there are, in eight bytes, and the numbers

A pickle of a tensor calls a function of torch's with a storage, an offset, a size and strides;
those calls are understood here by their names, and nothing is imported or called. A file may hold a
state dict, alone or in a training checkpoint, or a whole module: its parameters and buffers are
tensors all the same, whatever its class. What else it would call is refused.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any, NamedTuple

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
    widen,
)
from archspec.compiler.weights.formats.nesting import flatten, state_dicts
from archspec.compiler.weights.formats.pickles import (
    MAX_BYTES,
    Bytes,
    Damage,
    Name,
    Refused,
    Thing,
    read_pickle,
)
from archspec.errors import Problem, SpecError

ZIP = b"PK\x03\x04"
MAGIC = 0x1950A86A20F9469CFC6C

_TYPES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool",
}  # fmt: skip


class _Storage(NamedTuple):
    key: str
    dtype: str
    numbers: int


@dataclass(frozen=True)
class Tensor:
    """What a pickle says of a tensor."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


ReadStorage = Callable[[_Storage], Array]


def open_pth(path: str, file: IO[bytes], *, is_whole: bool = False) -> TensorFile:
    """The likeliest state dict of the file, or, where it `is_whole`ly wanted, all tensors by their
    keys and names. Raises SpecError for what is not a file of tensors, and for one that would run
    something."""
    file.seek(0)
    is_zip = file.read(len(ZIP)) == ZIP
    try:
        content, read = _read_zip(path, file) if is_zip else _read_stream(path, file)
    except Damage as why:
        raise damage_error(path, str(why)) from None
    except Refused as called:
        raise SpecError(
            Problem(
                f"it holds {str(called)[:100]!r}, which could run code if it were loaded by pickle,"
                " and nothing was run; use a file with a state dict of tensors alone",
                path,
            )
        ) from None
    tensors, left_out = _tensors(path, content, is_whole)
    check_number(path, len(tensors))
    for name, tensor in tensors.items():
        _check(path, name, tensor)

    def fetch(name: str) -> Array:
        tensor = tensors[name]
        numbers = read(tensor.storage)[tensor.offset :]
        bytes_each = [stride * numbers.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(numbers, tensor.shape, bytes_each, writeable=False)
        return np.ascontiguousarray(view).reshape(-1)

    entries = {name: Entry(one.shape, one.storage.dtype) for name, one in tensors.items()}
    return TensorFile(path, entries, {}, fetch, file.close, left_out)


def _tensors(path: str, content: Any, is_whole: bool) -> tuple[dict[str, Tensor], dict[str, int]]:
    """All tensors by their names, and by its key how many each state dict that is not taken has."""
    try:
        found = state_dicts(content, Tensor)
    except Damage as why:
        raise damage_error(path, str(why)) from None
    if not found:
        raise SpecError(
            Problem(
                "no state dict of tensors is in the file;"
                " torch.save(model.state_dict(), ...) writes one",
                path,
            )
        )
    return flatten(found, is_whole)


def _check(path: str, name: str, tensor: Tensor) -> None:
    """Raises SpecError where a tensor reaches out of its storage, or repeats numbers of it."""
    shape, strides, storage = tensor.shape, tensor.strides, tensor.storage
    last = sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
    entry = Entry(shape, storage.dtype)
    if entry.size == 0:
        return
    if len(shape) > MAX_EXTENTS or tensor.offset + last >= storage.numbers:
        raise damage_error(path, f"{name[:100]!r} reaches out of its storage")
    if entry.size > storage.numbers:
        # one number can be repeated without end: a view takes no memory until it is copied
        raise damage_error(path, f"{name[:100]!r} has more numbers than the file")


# The two kinds of file.


def _read_zip(path: str, file: IO[bytes]) -> tuple[Any, ReadStorage]:
    try:
        archive = zipfile.ZipFile(file)
        listed = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        raise Damage("it is not a zip, or its end is missing") from None
    check_number(path, len(listed))
    infos = {info.filename.partition("/")[2]: info for info in listed}
    size = os.fstat(file.fileno()).st_size
    unpacked = sum(info.file_size for info in listed)
    if unpacked > size or any(info.compress_type != zipfile.ZIP_STORED for info in listed):
        raise Damage(
            f"its {size:,} bytes would unpack to {unpacked:,}, and torch.save compresses nothing"
        )
    if "data.pkl" not in infos:
        raise Damage("the zip has no data.pkl, as PyTorch's files have")
    info = infos["data.pkl"]
    order = "<"

    def member(info: zipfile.ZipInfo) -> bytes:
        try:
            return archive.read(info)
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError):
            raise damage_error(
                path, f"{info.filename[:100]!r} does not meet its checksum"
            ) from None

    if "byteorder" in infos and member(infos["byteorder"]) == b"big":
        order = ">"

    @lru_cache(maxsize=1)
    def read(storage: _Storage) -> Array:
        found = infos.get(f"data/{storage.key}")
        if found is None or found.file_size < storage.numbers * item_size(storage.dtype):
            raise damage_error(path, f"storage {storage.key[:100]!r} is cut short")
        content = member(found)
        if storage.dtype == "bfloat16":
            return widen(np.frombuffer(content, f"{order}u2"))
        return np.frombuffer(content, np.dtype(storage.dtype).newbyteorder(order))

    if info.file_size > MAX_BYTES:
        raise Damage(f"its pickle has {info.file_size:,} bytes")
    content = read_pickle(Bytes(io.BytesIO(member(info)), info.file_size), CALLS, _storage_of)
    return content, read


def _read_stream(path: str, file: IO[bytes]) -> tuple[Any, ReadStorage]:
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    source = Bytes(file, size)
    if read_pickle(source, {}) != MAGIC:
        raise Damage("it is not a file of PyTorch's, or one of before PyTorch 0.1.10")
    read_pickle(source, {})
    read_pickle(source, {})
    storages: dict[str, _Storage] = {}

    def find_storage(said: Any) -> Any:
        if isinstance(said, tuple) and said and said[0] == "module":
            return said[1]
        storage = _storage_of(said[:5])
        storages[storage.key] = storage
        return storage

    content = read_pickle(source, CALLS, find_storage)
    keys = read_pickle(source, {})
    places: dict[str, int] = {}
    for key in keys if isinstance(keys, list) else ():
        if key not in storages or key in places:
            raise Damage("its storages are not those of its tensors")
        start = file.tell()
        numbers = int.from_bytes(file.read(8), "little")
        end = start + 8 + numbers * item_size(storages[key].dtype)
        if numbers != storages[key].numbers or end > size:
            raise Damage("it ends too early, or its storages are not those of its tensors")
        places[key] = start + 8
        file.seek(end)
    if storages.keys() - places:
        raise Damage("it ends too early")

    @lru_cache(maxsize=1)
    def read(storage: _Storage) -> Array:
        return read_exactly(file, places[storage.key], storage.numbers, storage.dtype, path)

    return content, read


# What a pickle of PyTorch's calls.


def _storage_of(said: Any) -> _Storage:
    kind, name, key, _, numbers = said
    dtype = _TYPES.get(name.text.rpartition(".")[2].removesuffix("Storage"))
    if kind != "storage" or not isinstance(key, str) or not _is_count(numbers):
        raise Damage("it is not a pickle of tensors")
    if dtype is None:
        raise Damage(f"it has numbers of the type {name.text[:60]}")
    return _Storage(key, dtype, numbers)


def _rebuild_tensor(arguments: tuple[Any, ...]) -> Tensor:
    storage, offset, shape, strides = arguments[:4]
    numbers = (offset, *shape, *strides)
    if (
        not isinstance(storage, _Storage)
        or len(shape) != len(strides)
        or not all(_is_count(number) for number in numbers)
    ):
        raise Damage("it has a tensor that is not described as one")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _is_count(number: Any) -> bool:
    return type(number) is int and 0 <= number < 1 << 62


def _rebuild_from_type(arguments: tuple[Any, ...]) -> Any:
    called, _, inner, _ = arguments
    return CALLS[called.text](tuple(inner))


def _as_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    pairs = arguments[0] if arguments else ()
    if isinstance(pairs, dict):
        return pairs
    return {pair[0]: pair[1] for pair in pairs if isinstance(pair[0], str)}


def _thing(name: str) -> Callable[[tuple[Any, ...]], Thing]:
    return lambda arguments: Thing(name)


def _reconstruct(arguments: tuple[Any, ...]) -> Thing:
    return Thing(arguments[0].text if isinstance(arguments[0], Name) else "an object")


_DATA = (
    "torch.Size", "torch.device", "torch.Generator", "torch._utils._rebuild_device",
    "builtins.set", "builtins.frozenset", "builtins.complex", "builtins.slice", "builtins.range",
    "builtins.bytearray", "__builtin__.set", "__builtin__.frozenset", "__builtin__.bytearray",
    "_codecs.encode", "datetime.datetime", "datetime.date", "datetime.timedelta",
    "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib.Path",
    "pathlib._local.PosixPath", "argparse.Namespace", "numpy.dtype", "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core")
      for name in ("scalar", "_reconstruct")),
)  # fmt: skip
"""Calls that give plain data, which is not looked at."""

CALLS: Mapping[str, Callable[[tuple[Any, ...]], Any]] = {
    **{name: _thing(name) for name in _DATA},
    **dict.fromkeys(
        ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"), _rebuild_tensor
    ),
    **dict.fromkeys(
        ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"),
        lambda arguments: arguments[0],
    ),
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
    "collections.OrderedDict": _as_dict,
    "collections.defaultdict": lambda arguments: {},
    "collections.Counter": lambda arguments: {},
    "copyreg._reconstructor": _reconstruct,
    "copy_reg._reconstructor": _reconstruct,
}
"""What the calls in a pickle of PyTorch's give; whatever is not here is refused."""
