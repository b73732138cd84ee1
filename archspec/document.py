"""JSON text that remembers where each value stands, so that an error can point at it.

Parsing is the standard library's, made strict (no duplicate keys, NaN or infinities, bounded size,
depth and numbers). Positions cost a second reading and are only looked up once something is wrong.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from archspec.errors import Problem, SpecError

Pointer: TypeAlias = "tuple[str | int, ...]"

LARGEST_FILE = 64 * 2**20
DEEPEST_NESTING = 200
LARGEST_INTEGER = 2**53


@dataclass(frozen=True)
class At:
    """A place in a document."""

    document: Document
    pointer: Pointer = ()

    def __truediv__(self, step: str | int) -> At:
        return At(self.document, (*self.pointer, step))

    @property
    def where(self) -> str:
        """file:line:col."""
        return self.document.where(self.pointer)

    def problem(self, message: str) -> Problem:
        return Problem(message, self.where, written_pointer(self.pointer))

    def error(self, message: str) -> SpecError:
        return SpecError(self.problem(message))


@dataclass(frozen=True, eq=False)
class Document:
    """A parsed JSON file. `shown` is its path as the user wrote it."""

    path: Path
    shown: str
    text: str = field(repr=False)
    data: Any = field(repr=False)

    @cached_property
    def _offsets(self) -> dict[Pointer, int]:
        return _value_offsets(self.text)

    def where(self, pointer: Pointer) -> str:
        """file:line:col of the value at the pointer, or of its nearest ancestor that is there."""
        while pointer not in self._offsets and pointer:
            pointer = pointer[:-1]
        line, column = _line_column(self.text, self._offsets.get(pointer, 0))
        return f"{self.shown}:{line}:{column}"


def read_document(path: str | os.PathLike[str], shown: str | None = None) -> Document:
    """Read a JSON file. Raises SpecError where it is not there, not text, not JSON or too large."""
    name = shown if shown is not None else os.fspath(path)
    return parse_document(_read_text(path, name), path, name)


def parse_document(
    text: str, path: str | os.PathLike[str] = "<text>", shown: str | None = None
) -> Document:
    """Parse JSON text. Raises SpecError with the place of what is not JSON."""
    name = shown if shown is not None else os.fspath(path)

    def refuse(message: str, offset: int = 0) -> NoReturn:
        line, column = _line_column(text, offset)
        raise SpecError(Problem(message, f"{name}:{line}:{column}")) from None

    too_deep = f"values are nested too deeply; at most {DEEPEST_NESTING} levels would do"
    try:
        data = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_int=_bounded_int,
            parse_float=_finite_float,
        )
    except json.JSONDecodeError as error:
        refuse(f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}", error.pos)
    except _Refused as error:
        refuse(str(error), _offset_of(text, error))
    except RecursionError:
        refuse(too_deep)
    if _depth(data) > DEEPEST_NESTING:
        refuse(too_deep)
    return Document(Path(path), name, text, data)


def written_pointer(pointer: Pointer) -> str:
    """RFC 6901: ("a/b", 0) is /a~1b/0."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in pointer)


class _Refused(ValueError):
    """JSON that Python would take and we do not; `token` is the text to point at."""

    def __init__(self, message: str, token: str, duplicate: bool = False):
        super().__init__(message)
        self.token = token
        self.duplicate = duplicate


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(
                    f"the key {key!r} stands twice in one object; once would do", key, True
                )
            seen.add(key)
    return result


def _no_constant(token: str) -> NoReturn:
    raise _Refused(f"{token} is not JSON; a finite number would do", token)


def _bounded_int(token: str) -> int:
    if len(token) > 17 or abs(int(token)) > LARGEST_INTEGER:
        raise _Refused(
            f"the number {token[:20]}{'...' * (len(token) > 20)} is too large;"
            f" at most 2**53 would do",
            token,
        )
    return int(token)


def _finite_float(token: str) -> float:
    value = float(token)
    if value in (float("inf"), float("-inf")):
        raise _Refused(f"the number {token[:20]} is too large for a float", token)
    return value


def _read_text(path: str | os.PathLike[str], name: str) -> str:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise SpecError(Problem("this is a folder; a JSON file would do", name))
        if not stat.S_ISREG(status.st_mode):
            raise SpecError(Problem("this is not a regular file; a JSON file would do", name))
        if status.st_size > LARGEST_FILE:
            raise SpecError(
                Problem(
                    f"the file has {status.st_size:,} bytes; at most {LARGEST_FILE:,} would do",
                    name,
                )
            )
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(Problem(f"the file cannot be read: {reason.lower()}", name)) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise SpecError(
            Problem(
                "this is not UTF-8 text; a JSON file in UTF-8 would do", f"{name}:{line}:{column}"
            )
        ) from None


def _line_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _depth(data: Any) -> int:
    depth, level = 0, [data]
    while level:
        depth += 1
        level = [
            child
            for value in level
            if isinstance(value, (dict, list))
            for child in (value.values() if isinstance(value, dict) else value)
        ]
    return depth


_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|-?[0-9][-+.eE0-9]*|true|false|null|-?Infinity|NaN', re.DOTALL
)


def _offset_of(text: str, refused: _Refused) -> int:
    """Where the refused token stands: for a duplicate key, its second place in one object."""
    open_keys: list[set[str] | None] = []
    tokens = list(_TOKEN.finditer(text))
    for index, match in enumerate(tokens):
        token = match.group()
        if token in "{[":
            open_keys.append(set() if token == "{" else None)
        elif token in "}]":
            if open_keys:
                open_keys.pop()
        elif not refused.duplicate:
            if token == refused.token:
                return match.start()
        elif index + 1 < len(tokens) and tokens[index + 1].group() == ":":
            keys = open_keys[-1] if open_keys else None
            key = json.loads(token)
            if keys is not None and key == refused.token and key in keys:
                return match.start()
            if keys is not None:
                keys.add(key)
    return 0


def _value_offsets(text: str) -> dict[Pointer, int]:
    """Offset of every value of valid JSON text, by pointer."""
    offsets: dict[Pointer, int] = {}
    pointer: list[str | int] = []
    in_object: list[bool] = []
    expects_key = False
    key = ""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in "}]":
            in_object.pop()
            if pointer:
                pointer.pop()
            expects_key = False
            continue
        if token == ",":
            if in_object[-1]:
                expects_key = True
            else:
                last = pointer.pop()
                pointer.append(int(last) + 1)
            continue
        if token == ":":
            pointer[-1] = key
            continue
        if expects_key:
            key = json.loads(token)
            expects_key = False
            continue
        offsets.setdefault(tuple(pointer), match.start())
        if token in "{[":
            in_object.append(token == "{")
            pointer.append("" if token == "{" else 0)
            expects_key = token == "{"
    return offsets
