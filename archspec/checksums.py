"""Text that carries its own checksum, so that what changed on disk is noticed before it is used.

    lines     {"step": 3, "loss": 0.5, "crc32": "9a1e03f2"}, each by itself, of a file that grows
    objects   a JSON file whose last key is "crc32": over what it says, not how it is laid out
    files     listed in such an object by `checksum_of_bytes`: text that cannot carry its own

A checksum finds damage, and a hand that edits; it keeps no forger out. What was written without
checksums, by an archspec before they were, is read as it is: whoever reads knows from elsewhere
(the version in a sealed run.json) whether there must be one, for a flipped bit can hide a checksum.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from archspec.document import At, parse_document, read_text
from archspec.errors import Problem, SpecError

CHECKSUM = "crc32"
DAMAGED = ".damaged"
"""The ending of files that are set aside."""

_SEAL = re.compile(rb'(?:, )?"crc32": "([0-9a-f]{8})"\}\Z')
_LENGTH = len(', "crc32": "01234567"}')


def checksum_of_bytes(content: bytes) -> str:
    """Eight hexadecimal digits."""
    return f"{zlib.crc32(content):08x}"


def checksum_of(data: Any) -> str:
    """Of plain JSON data: the same for the same data, however it is laid out and ordered."""
    return checksum_of_bytes(json.dumps(data, sort_keys=True, separators=(",", ":")).encode())


# Objects.


def seal(data: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its checksum as its last key."""
    plain = {key: value for key, value in data.items() if key != CHECKSUM}
    return {**plain, CHECKSUM: checksum_of(plain)}


def read_sealed(
    path: str | os.PathLike[str], check: Callable[[At], Iterable[Problem]] = lambda at: ()
) -> tuple[dict[str, Any], bool]:
    """The object in a JSON file without its checksum, and whether it had one.

    `check` says what else is wrong with it; the object it looks at has its checksum. Raises
    SpecError, which says that the file is damaged, or was edited by hand, where it is not a JSON
    object or does not meet its checksum, and SpecError with what `check` found.
    """
    shown = os.fspath(path)
    try:
        document = parse_document(read_text(path, shown), shown)
    except SpecError as error:
        raise damage_error(path, error.problems[0].message) from None
    if not isinstance(document.data, dict):
        raise damage_error(path, "it is not a JSON object")
    problems = [*check(At(document))]
    data = {key: value for key, value in document.data.items() if key != CHECKSUM}
    is_sealed = CHECKSUM in document.data
    if is_sealed and document.data[CHECKSUM] != checksum_of(data):
        first = problems[0] if problems else Problem("it does not meet its checksum")
        raise damage_error(
            path, f"at {first.pointer}: {first.message}" if first.pointer else first.message
        )
    if problems:
        raise SpecError(problems)
    return data, is_sealed


def damage_error(path: str | os.PathLike[str], why: str) -> SpecError:
    """The error for a file that is not as it was written."""
    return SpecError(
        Problem(
            f"the file is damaged, or was edited by hand ({why}); use a copy of it as it was"
            " written",
            os.fspath(path),
        )
    )


def set_aside(path: Path) -> Path:
    """Give a damaged file another name beside its own, under which nothing reads it and nothing is
    overwritten; that name."""
    target = free_name(path)
    path.rename(target)
    return target


def free_name(path: Path) -> Path:
    """A name for what of a file is damaged, beside it, under which there is nothing yet."""
    names = (
        path.with_name(f"{path.name}{DAMAGED}{'' if count == 1 else f'-{count}'}")
        for count in itertools.count(1)
    )
    return next(name for name in names if not os.path.lexists(name))


# Lines.


@dataclass(frozen=True)
class DamagedLine:
    """A line that cannot be used; `number` counts from 1, `why` is the end of a sentence."""

    number: int
    content: bytes
    why: str


@dataclass(frozen=True)
class Lines:
    """What a file of lines holds. `unfinished` is what follows the last line break and is not a
    whole record: a process was killed as it wrote. `is_sealed` is whether every good record had a
    checksum; False for a file that an archspec without checksums wrote."""

    records: tuple[dict[str, Any], ...]
    damaged: tuple[DamagedLine, ...]
    unfinished: bytes
    is_sealed: bool


def seal_line(record: Mapping[str, Any]) -> str:
    """A record as a line of JSON with its checksum and its line break."""
    return seal_text(json.dumps({key: value for key, value in record.items() if key != CHECKSUM}))


def seal_text(body: str) -> str:
    """The same for a record that is JSON already, without a checksum."""
    comma = "" if body == "{}" else ", "
    checksum = checksum_of_bytes(body.encode())
    return f'{body[:-1]}{comma}"{CHECKSUM}": "{checksum}"}}\n'


def seal_lines(records: Iterable[Mapping[str, Any]]) -> str:
    return "".join(map(seal_line, records))


def read_lines(content: bytes, required: bool = False) -> Lines:
    """The records of a file of lines, in their order, without their checksums; and the lines that
    are damaged. Raises nothing, whatever the bytes.

    Where checksums are `required`, or one line has one, a line without is damaged. So a file of
    old lines is to be rewritten, by `seal_lines`, before a line is added to it.
    """
    *lines, rest = content.split(b"\n")
    read = [(number, line, _read_line(line)) for number, line in enumerate(lines, 1) if line]
    last = _read_line(rest) if rest else None
    if last is not None and last.is_sealed and last.record is not None:
        read.append((len(lines) + 1, rest, last))  # only its line break is not there
        rest = b""
    sealed = required or any(found.is_sealed and not found.why for _, _, found in read)
    records: list[dict[str, Any]] = []
    bad: list[DamagedLine] = []
    for number, line, found in read:
        if found.record is None:
            bad.append(DamagedLine(number, line, found.why))
        elif sealed and not found.is_sealed:
            bad.append(DamagedLine(number, line, "it has no checksum"))
        else:
            records.append(found.record)
    return Lines(tuple(records), tuple(bad), rest, sealed)


def append_lines(
    path: str | os.PathLike[str], records: Iterable[Mapping[str, Any]], sync: bool = True
) -> None:
    """Add records to a file of lines, by one process at a time; with `sync` they outlast the
    machine. What a killed process left unfinished is cut off. Raises OSError."""
    append_text(path, seal_lines(records), sync)


def append_text(path: str | os.PathLike[str], lines: str, sync: bool = True) -> None:
    """The same for lines that are sealed already."""
    with open(path, "ab+") as file:
        start, rest = _find_tail(file)
        last = _read_line(rest) if rest else None
        if last is not None and last.is_sealed and last.record is not None:
            file.write(b"\n")
        elif rest:
            file.truncate(start)
        file.write(lines.encode())
        file.flush()
        if sync:
            os.fsync(file.fileno())


def _find_tail(file: IO[bytes]) -> tuple[int, bytes]:
    """What follows the last line break of a file, and where it starts."""
    start = seek_tail(file)
    return start, file.read()


def seek_tail(file: IO[bytes]) -> int:
    """Seek to what follows the last line break of a file, which is nothing unless a process was
    killed while it wrote a line; where that starts."""
    start = file.seek(0, os.SEEK_END)
    while start:
        step = min(start, 4096)
        start -= step
        file.seek(start)
        found = file.read(step).rfind(b"\n")
        if found >= 0:
            start += found + 1
            break
    return file.seek(start)


class _Read(NamedTuple):
    record: dict[str, Any] | None
    is_sealed: bool
    why: str = ""


def _read_line(line: bytes) -> _Read:
    seal = _SEAL.search(line, max(0, len(line) - _LENGTH))
    body = line if seal is None else line[: seal.start()] + b"}"
    if seal is not None and seal.group(1).decode() != checksum_of_bytes(body):
        return _Read(None, True, "it does not meet its checksum")
    try:
        record = json.loads(body.decode())
    except (ValueError, RecursionError):
        return _Read(None, False, "it is not JSON")
    if not isinstance(record, dict):
        return _Read(None, False, "it is not a JSON object")
    if seal is None and (CHECKSUM in record or _hides_checksum(record)):
        return _Read(None, True, "its checksum is not as it was written")
    return _Read(record, seal is not None)


def _hides_checksum(record: Mapping[str, Any]) -> bool:
    """Whether the last value could be a checksum whose key was damaged."""
    last = [*record.values()][-1] if record else None
    return isinstance(last, str) and re.fullmatch("[0-9a-f]{8}", last) is not None


__all__ = [
    "CHECKSUM", "DAMAGED", "DamagedLine", "Lines", "append_lines", "append_text", "checksum_of",
    "checksum_of_bytes", "damage_error", "free_name", "read_lines", "read_sealed", "seal",
    "seal_line", "seal_lines", "seal_text", "seek_tail", "set_aside",
]  # fmt: skip
