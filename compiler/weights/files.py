"""Which file is read how, by its first bytes, and which is written how, by its name's ending."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias, TypeVar

import numpy as np

from archspec.compiler.metadata import check_metadata, seal_metadata, unseal
from archspec.compiler.weights.arrays import (
    Array,
    Entry,
    TensorFile,
    check_entries,
    damage_error,
)
from archspec.compiler.weights.formats.ckpt import open_ckpt, write_ckpt
from archspec.compiler.weights.formats.npz import open_npz, write_npz
from archspec.compiler.weights.formats.pth import ZIP, open_pth
from archspec.compiler.weights.formats.safetensors import open_safetensors, write_safetensors
from archspec.errors import Problem, SpecError, UsageError, listed
from archspec.reading import NotRegular, kind_of, open_regular
from archspec.writing import whole_file

Kind = TypeVar("Kind")

Open: TypeAlias = Callable[[str, IO[bytes]], TensorFile]
Write: TypeAlias = Callable[[IO[bytes], Mapping[str, Array], Mapping[str, str]], None]

READERS: dict[str, Open] = {
    ".safetensors": open_safetensors,
    ".npz": open_npz,
    ".ckpt": open_ckpt,
    ".pth": open_pth,
    ".pt": open_pth,
}
"""Every kind of file that is read, by the ending of its name; its first bytes count for more."""

WRITERS: dict[str, Write] = {
    ".safetensors": write_safetensors,
    ".npz": write_npz,
    ".ckpt": write_ckpt,
}
"""Every kind of file that is written."""

SEALED_WHOLE = (".ckpt",)
"""Kinds with a checksum over all their bytes. Of the others it is over the numbers alone, and one
of archspec's stands beside the metadata."""


def open_tensors(path: str | os.PathLike[str], key: str | None = None) -> TensorFile:
    """The tensors of a file, its index read and checked; use it in a `with`.

    Of a file with several parts the likeliest counts, with a `key` what is below it, by the names
    from there on. Raises UsageError for a file of no kind that is known and for a key
    that is not there, SpecError for a file that is not there or damaged.
    """
    shown = os.fspath(path)
    try:
        file = open_regular(shown)
    except NotRegular as error:
        raise SpecError(Problem(f"this is {error.kind}; use a file of weights", shown)) from None
    except OSError as error:
        _by_ending(shown, READERS, "weights are in files ending in")
        raise SpecError(Problem((error.strerror or str(error)).lower(), shown)) from None
    try:
        kind = _kind(shown, file)
        if kind is None:
            kind = _by_ending(shown, READERS, "weights are in files ending in")
            file.seek(0)
            _check_kind(shown, file.read(16))
        if key is not None and kind is open_pth:
            tensors = open_pth(shown, file, is_whole=True)
        else:
            tensors = kind(shown, file)
        check_entries(shown, tensors.entries)
        check_metadata(shown, tensors.metadata, _index(tensors.entries))
        tensors.metadata = unseal(tensors.metadata)
        return tensors if key is None else tensors.below(key)
    except BaseException:
        file.close()
        raise


def _kind(path: str, file: IO[bytes]) -> Open | None:
    """What reads a file with these first bytes; None where they do not say."""
    file.seek(0)
    head = file.read(16)
    size = os.fstat(file.fileno()).st_size
    if head[:4] == ZIP:
        by_name = READERS.get(_ending(path))
        return open_pth if by_name is open_pth or _has_pickle(file) else open_npz
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return open_safetensors
    if head[:1] == b"\x80" and 2 <= head[1] <= 5:
        return open_pth
    is_text = head.lstrip()[:1] == b"{"
    return open_ckpt if head[:1] == b"\n" and not is_text else None


def _has_pickle(file: IO[bytes]) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return False


def write_tensors(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write float32 arrays, and words about them, so that the file is what it was or all new.

    What was written is read again and compared before it takes its place. Raises UsageError for an
    ending that is not written here and for a path that cannot be.
    """
    shown = os.fspath(path)
    check_writable(shown)
    contiguous = {name: np.ascontiguousarray(array, "<f4") for name, array in arrays.items()}
    if _ending(shown) not in SEALED_WHOLE:
        entries = {name: Entry(one.shape, one.dtype.name) for name, one in contiguous.items()}
        metadata = seal_metadata(metadata, _index(entries))
    with whole_file(shown) as file:
        WRITERS[_ending(shown)](file, contiguous, metadata)
        file.flush()
        _check_written(shown, file, contiguous)
        os.fsync(file.fileno())


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises UsageError for an ending that is not written here, before any work is done."""
    _by_ending(os.fspath(path), WRITERS, "weights are written to files ending in")


def _by_ending(path: str, kinds: Mapping[str, Kind], told: str) -> Kind:
    if _ending(path) not in kinds:
        raise UsageError(f"{path}: {told} {listed(list(kinds))}")
    return kinds[_ending(path)]


def _check_kind(path: str, head: bytes) -> None:
    """Raises SpecError for a file whose first bytes say that it is not what its ending says."""
    if not head:
        raise damage_error(path, "it is empty")
    found = kind_of(head)
    if found is None and head.lstrip()[:1] == b"{" and b"\0" not in head:
        found = "text, as a spec is", ()
    if found is None or _ending(path) in found[1]:
        return
    kind, endings = found
    use = f"give it the ending {listed(endings)}" if endings else "use a file of weights"
    raise SpecError(Problem(f"this is {kind}, not what its ending says; {use}", path))


def _ending(path: str) -> str:
    return Path(path).suffix.lower()


def _index(entries: Mapping[str, Entry]) -> dict[str, Any]:
    """What the checksum of the metadata is over as well: names, types and shapes of the tensors,
    whose numbers have a checksum of their own."""
    return {name: [entry.dtype, list(entry.shape)] for name, entry in entries.items()}


def _check_written(path: str, file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Raises OSError, as the disk would, where what can be read is not what was written."""
    again = open(os.dup(file.fileno()), "rb")  # noqa: SIM115  # the TensorFile closes it
    with READERS[_ending(path)](path, again) as written:
        same = written.entries.keys() == arrays.keys() and all(
            written.read(name).tobytes() == array.tobytes() for name, array in arrays.items()
        )
    if not same:
        raise OSError(f"{path} does not hold what was written to it")
