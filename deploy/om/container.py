"""The container of an Ascend offline model: a header of 256 bytes, then for each model a table of
partitions and the partitions themselves, one after another.

There are two layouts of the table: of 32-bit numbers in older files, of 64-bit numbers where the
header has a length of 64 bits. Offsets, types and this rule are those of Ascend's graph engine.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import IO

from archspec.errors import Problem, SpecError, UsageError
from archspec.reading import NotRegular, open_regular

MAGIC = b"IMOD"
STAND_IN = b"ARCHSPEC-STANDIN-NOT-AN-OM"
"""What the files of the tests' own atc begin with, so that none passes for a model."""
HEADER_SIZE = 256
COUNTED_MODELS = 0x2000_0000
"""The version of files from which on the header says how many models there are."""
MAX_PARTITIONS = 4096
"""Of all models together."""

KINDS = {
    0: "IR model",
    1: "standard model",
    2: "tiny model",
    3: "flow model",
    4: "lite model",
    5: "bundle of models",
}
READ_KINDS = (0, 1)
"""The kinds whose model definition is known."""
FLOW = 3

MODEL_DEF, WEIGHTS_DATA = 0, 1
PARTITIONS = {
    0: "MODEL_DEF", 1: "WEIGHTS_DATA", 2: "TASK_INFO", 3: "TBE_KERNELS", 4: "CUST_AICPU_KERNELS",
    5: "SO_BINS", 6: "FLOW_MODEL", 7: "FLOW_SUBMODEL", 8: "MODEL_INOUT_INFO",
    9: "STATIC_TASK_DESC", 10: "DYNAMIC_TASK_DESC", 11: "TASK_PARAM", 12: "TILING_DATA",
    20: "PRE_MODEL_DESC", 21: "PRE_MODEL_SQE", 22: "PRE_KERNEL_ARGS", 23: "PRE_MODEL_DESC_EXTEND",
    24: "BUNDLE_MODEL_INFO", 25: "BUNDLE_MODEL_VAR_INFO",
}  # fmt: skip

# magic, head size, version, checksum, length, encrypted, checksum there, kind, made online, name,
# ops, user's words, IR version, models, platform version and type, model length, OS to be checked,
# dynamic; the rest is reserved
_HEADER = struct.Struct("<4s2I64sI4B32sI32s2I20sB3xQ2B62x")


class NotAnOm(SpecError):
    """The file is something else."""


@dataclass(frozen=True)
class Header:
    """The fields of a header; `body_length` is what must follow it, in bytes."""

    size: int
    version: int
    body_length: int
    has_wide_table: bool
    is_encrypted: bool
    kind: int
    is_made_online: bool
    name: str
    user_info: str
    ir_version: int
    models: int
    platform_version: str
    platform_type: int
    needs_host_check: bool
    """Whether a host of another operating system or processor must refuse it."""
    is_dynamic: bool
    """Whether shapes are known only when it runs."""

    @property
    def kind_name(self) -> str:
        return KINDS.get(self.kind, f"model of unknown kind {self.kind}")

    @property
    def is_readable(self) -> bool:
        """Whether its model definitions are of a known form and not encrypted."""
        return self.kind in READ_KINDS and not self.is_encrypted


@dataclass(frozen=True)
class Partition:
    """A part of one model; `offset` is its place in the file."""

    model: int
    type: int
    offset: int
    size: int

    @property
    def name(self) -> str:
        return PARTITIONS.get(self.type, f"type {self.type}")


@dataclass(frozen=True)
class Container:
    """A file as its header and its tables tell it. `partitions` are those that lie in the file, or
    as much of them as does; `problems` are sentences on what is damaged."""

    path: str
    size: int
    header: Header
    partitions: tuple[Partition, ...]
    problems: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is as long as it says; the graph engine loads no other."""
        return self.size == HEADER_SIZE + self.header.body_length


def read_container(path: str | os.PathLike[str]) -> Container:
    """The header and the tables of a file, nothing more of it.

    Raises UsageError where there is no such file, NotAnOm where it is something else or ends before
    its header does.
    """
    shown = os.fspath(path)
    with open_file(shown) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(HEADER_SIZE)
        _check_kind(shown, start)
        problems: list[str] = []
        header = _header(start, problems)
        _check_length(header, size, problems)
        damage: list[str] = []
        partitions = _partitions(file, header, size, damage)
    if damage and header.kind not in READ_KINDS:
        partitions = []  # its tables may be of a form that is not known here
    else:
        problems += damage
    return Container(shown, size, header, tuple(partitions), tuple(problems))


def open_file(path: str | os.PathLike[str]) -> IO[bytes]:
    """A file to read. Raises UsageError where there is none, or it is not a regular file."""
    try:
        return open_regular(path)
    except NotRegular as error:
        raise UsageError(f"{path} is {error.kind}; use a file that atc wrote") from None
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{path}: {why}; use a file that atc wrote") from None


def text_of(raw: bytes) -> str:
    """A C string in a field of fixed length."""
    return raw.split(b"\0")[0].decode(errors="replace")


def _check_kind(path: str, start: bytes) -> None:
    if start.startswith(STAND_IN):
        raise _not_an_om(
            path,
            "a stand-in of archspec's tests, which no device can run; use what CANN's own"
            " atc writes",
        )
    if not start:
        raise _not_an_om(path, "it is empty")
    if not start.startswith(MAGIC):
        raise _not_an_om(path, f"no offline model: it begins with {start[:4]!r}, not {MAGIC!r}")
    if len(start) < HEADER_SIZE:
        raise _not_an_om(
            path, f"cut short: it ends after {len(start)} of the {HEADER_SIZE} bytes of its header"
        )


def _not_an_om(path: str, why: str) -> NotAnOm:
    return NotAnOm(Problem(why, path))


def _header(start: bytes, problems: list[str]) -> Header:
    (
        _, size, version, _, length, encrypted, _, kind, online, name, _, user_info, ir_version,
        models, platform_version, platform_type, model_length, host_check, dynamic,
    ) = _HEADER.unpack(start)  # fmt: skip
    if size != HEADER_SIZE:
        problems.append(f"its header says that it is {size:,} bytes long; it must be {HEADER_SIZE}")
    is_counted = version >= COUNTED_MODELS
    return Header(
        size=size,
        version=version,
        body_length=model_length or length,
        has_wide_table=bool(model_length) or kind == FLOW,
        is_encrypted=bool(encrypted),
        kind=kind,
        is_made_online=bool(online),
        name=text_of(name),
        user_info=text_of(user_info),
        ir_version=ir_version,
        # older files have the platform's version where newer ones count their models
        models=max(1, models) if is_counted else 1,
        platform_version=text_of(platform_version) if is_counted else "",
        platform_type=platform_type,
        needs_host_check=bool(host_check),
        is_dynamic=bool(dynamic),
    )


def _check_length(header: Header, size: int, problems: list[str]) -> None:
    body = size - HEADER_SIZE
    if body < header.body_length:
        problems.append(
            f"it is cut short: {header.body_length:,} bytes should follow its header, {body:,} do"
        )
    elif body > header.body_length:
        problems.append(
            f"its lengths disagree: {header.body_length:,} bytes should follow its header,"
            f" {body:,} do"
        )


def _partitions(file: IO[bytes], header: Header, size: int, problems: list[str]) -> list[Partition]:
    """All partitions, or their parts, that lie in the file, as far as its tables can be followed.

    The graph engine takes partitions one after another and reads no offset of the table; so does
    this, and says where an offset disagrees.
    """
    found: list[Partition] = []
    start = HEADER_SIZE
    for model in range(0 if header.is_encrypted else header.models):
        entries = _table(file, header, model, start, size, problems)
        if entries is None:
            break
        if len(found) + len(entries) > MAX_PARTITIONS:
            problems.append(f"it has more than {MAX_PARTITIONS:,} partitions; no more are read")
            break
        start = data = start + _table_size(header, len(entries))
        for type_, offset, length in entries:
            partition = Partition(model, type_, start, length)
            if data + offset != start:
                problems.append(
                    f"{_of(partition)} is said to begin {offset:,} bytes into the model's data;"
                    f" what is before it ends at {start - data:,}"
                )
            found += _within(partition, size, problems)
            start += length
    return found


def _layout(header: Header) -> tuple[int, struct.Struct]:
    """The bytes before a table's first entry, which begin with the count, and an entry."""
    if header.has_wide_table:
        return 8, struct.Struct("<I4x2Q")
    return 4, struct.Struct("<3I")


def _table_size(header: Header, entries: int) -> int:
    head, entry = _layout(header)
    return head + entries * entry.size


def _table(
    file: IO[bytes], header: Header, model: int, start: int, size: int, problems: list[str]
) -> list[tuple[int, int, int]] | None:
    """For each partition its type, offset and size; None where no whole table is at `start`."""
    head, entry = _layout(header)
    if start + head > size:
        problems.append(f"it ends before the partition table of model {model}")
        return None
    file.seek(start)
    count = int.from_bytes(file.read(head)[:4], "little")
    room = (size - start - head) // entry.size
    if not 0 < count <= room:
        problems.append(
            f"the partition table of model {model} says that it has {count:,} entries; there is"
            f" room for {room:,}"
        )
        return None
    return list(entry.iter_unpack(file.read(min(count, MAX_PARTITIONS + 1) * entry.size)))


def _within(partition: Partition, size: int, problems: list[str]) -> list[Partition]:
    """The partition, or as much of it as the file has."""
    end = partition.offset + partition.size
    if end <= size:
        return [partition]
    problems.append(
        f"{_of(partition)} should lie in bytes {partition.offset:,} to {end:,} of a file of"
        f" {size:,}"
    )
    if partition.offset >= size:
        return []
    return [Partition(partition.model, partition.type, partition.offset, size - partition.offset)]


def _of(partition: Partition) -> str:
    return f"{partition.name} of model {partition.model}"
