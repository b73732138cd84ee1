"""Tensors in a file: an index that is read at once, and arrays that are read when asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, NamedTuple, TypeAlias

import numpy as np

from archspec.errors import Problem, SpecError, UsageError, listed

Array: TypeAlias = np.ndarray

FLOATS = ("float32", "float16", "bfloat16", "float64")
"""What weights may be in a file. Half precision is widened, which is exact; float64 is rounded,
which is what every target does with it."""


MAX_TENSORS = 20_000
"""Of a file; a network of a thousand layers has five thousand weights."""
MAX_EXTENTS = 32
MAX_NUMBERS = 1 << 60
"""Of a tensor, an extent of 0 left aside: numpy refuses shapes that are much larger, though there
be nothing in them."""


class Entry(NamedTuple):
    """What a file's index says of one tensor; `dtype` is numpy's name, or "bfloat16"."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class TensorFile:
    """An open file of tensors; a context manager.

    `entries` are in the file's order, `metadata` is what else the file says of itself in words,
    `left_out` how many tensors each other part of the file has, by the part's key.
    Nothing is read but the index until `read`, so a check of names and shapes comes before memory
    is spent on a file that may lie.
    """

    def __init__(
        self,
        path: str,
        entries: Mapping[str, Entry],
        metadata: Mapping[str, str],
        fetch: Callable[[str], Array],
        close: Callable[[], None],
        left_out: Mapping[str, int] | None = None,
    ):
        self.path = path
        self.entries = entries
        self.metadata = metadata
        self.left_out = left_out or {}
        self._fetch = fetch
        self._close = close

    def read(self, name: str) -> Array:
        """The tensor as the file holds it (bfloat16 as float32). Raises SpecError if damaged."""
        entry = self.entries[name]
        array = self._fetch(name)
        if array.size != entry.size:
            raise damage_error(self.path, f"{name} is cut short")
        return array.reshape(entry.shape)

    def below(self, key: str) -> TensorFile:
        """The tensors whose names begin with a key, without it. Raises UsageError for none."""
        start = f"{key}."
        names = {name.removeprefix(start): name for name in self.entries if name.startswith(start)}
        others = Counter(name.partition(".")[0] for name in self.entries.keys() - names.values())
        if not names:
            raise UsageError(
                f"{self.path}: no tensor is below --key {key}; use one of"
                f" {listed(sorted(others), 'and', 20)}"
            )
        entries = {short: self.entries[name] for short, name in names.items()}
        return TensorFile(
            self.path,
            entries,
            self.metadata,
            lambda name: self.read(names[name]),
            self._close,
            others,
        )

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()


def check_entries(path: str, entries: Mapping[str, Entry]) -> None:
    """Raises SpecError for more tensors, or other shapes, than any file of weights has."""
    check_number(path, len(entries))
    for name, entry in entries.items():
        numbers = math.prod(extent for extent in entry.shape if extent)
        if len(entry.shape) > MAX_EXTENTS or not 0 < numbers <= MAX_NUMBERS:
            raise damage_error(path, f"{name[:100]!r} has a shape that no weight has")


def check_number(path: str, count: int) -> None:
    """Raises SpecError for more tensors than any file of weights has."""
    if count > MAX_TENSORS:
        raise damage_error(
            path, f"it has more than {MAX_TENSORS:,} tensors, of which at most as many are read"
        )


def damage_error(path: str, why: str) -> SpecError:
    """The error for a file that cannot be what its name says."""
    return SpecError(Problem(f"the file is damaged ({why}); use a fresh copy", path))


def as_float32(array: Array, name: str, path: str) -> Array:
    """The array in the precision that networks have here. Raises SpecError for numbers that are not
    finite, or no longer so as float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        result = np.ascontiguousarray(array, dtype=np.float32)
        total = result.sum()
    # one sum is cheaper than a mask, and not finite where any number is not (or where it overflows)
    if not np.isfinite(total) and not np.isfinite(result).all():
        count = int(np.count_nonzero(~np.isfinite(result)))
        raise SpecError(
            Problem(
                f"{name} holds {count:,} of {result.size:,} numbers that are infinite, no numbers"
                " or too large for float32; use weights of a run that had not diverged",
                path,
            )
        )
    return result


def widen(bits: Array) -> Array:
    """float32 from the 16 bits of bfloat16, which are the upper half of one."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_exactly(file: IO[bytes], offset: int, count: int, dtype: str, path: str) -> Array:
    """`count` numbers from an offset of a file, as a new array of their own."""
    file.seek(offset)
    content = file.read(count * item_size(dtype))
    if len(content) != count * item_size(dtype):
        raise damage_error(path, "it ends too early")
    if dtype == "bfloat16":
        return widen(np.frombuffer(content, "<u2"))
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<"))


def item_size(dtype: str) -> int:
    """Bytes of one number."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
