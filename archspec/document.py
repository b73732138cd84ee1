"""JSON text that remembers where each value stands, so that an error can point at it.

Parsing is the standard library's, made strict (no duplicate keys, NaN, infinities or half
characters, bounded size, depth and numbers). A position is looked up only once something is wrong:
by reading the text again up to there.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeAlias

from archspec.errors import Problem, SpecError
from archspec.project import ALONE, Source
from archspec.reading import NotRegular, kind_instead_of_text, open_regular

Pointer: TypeAlias = "tuple[str | int, ...]"

LARGEST_FILE = 16 * 2**20
DEEPEST_NESTING = 100
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


@dataclass(frozen=True, eq=False, repr=False)
class Document:
    """A parsed JSON text. `shown` is its name, or its file's path, as the user wrote it."""

    source: Source
    shown: str
    text: str
    data: Any
    _last: dict[int, _Entry] = field(default_factory=dict)
    """The entry last looked up in each container, by the container's offset: the next is near."""

    def where(self, pointer: Pointer) -> str:
        """file:line:col of the value at the pointer, or of its nearest ancestor that is there."""
        line, column = _line_column(self.text, _value_offset(self.text, pointer, self._last))
        return f"{self.shown}:{line}:{column}"

    def replace(self, pointer: Pointer, value: Any) -> str:
        """The text with another value at a pointer that is there, and all else as it stands."""
        start = _value_offset(self.text, pointer, {})
        _, end = json.JSONDecoder().raw_decode(self.text, start)
        return self.text[:start] + json.dumps(value, ensure_ascii=False) + self.text[end:]


def read_document(path: str | os.PathLike[str], shown: str | None = None) -> Document:
    """Read a JSON file that refers to no other. Raises SpecError where it does not exist, is not
    text, is not JSON or is too large."""
    name = shown if shown is not None else os.fspath(path)
    return parse_document(read_text(path, name), name)


def parse_document(text: str, shown: str = "<text>", source: Source | None = None) -> Document:
    """Parse JSON text; without a `source` it refers to no other. Raises SpecError with the place of
    what is not JSON."""
    text = _plain_text(text, shown)

    def refuse(message: str, offset: int = 0) -> NoReturn:
        line, column = _line_column(text, offset)
        raise SpecError(Problem(message, f"{shown}:{line}:{column}")) from None

    if not text.strip():
        refuse("the file is empty; it must be a JSON object")
    too_deep = f"values are nested too deeply; use at most {DEEPEST_NESTING} levels"
    # A hook costs ten times what a number does, so only text with long ones in it gets the hooks.
    has_long_numbers = _LONG_NUMBER.search(text) is not None
    try:
        data = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_int=_bounded_int if has_long_numbers else None,
            parse_float=_finite_float if has_long_numbers else None,
        )
    except json.JSONDecodeError as error:
        error = _behind_comma(error)
        refuse(f"this is not JSON: {_not_json(error)}", error.pos)
    except _Refused as error:
        refuse(str(error), _offset_of(text, error))
    except RecursionError:
        refuse(too_deep)
    if _depth(data) > DEEPEST_NESTING:
        refuse(too_deep)
    if _SURROGATE.search(text):
        for escape in _ESCAPE.finditer(text):
            if escape.group(1):
                refuse(
                    f"{escape.group()} is half a character; use both halves of a pair",
                    escape.start(),
                )
    return Document(source or Source(ALONE, shown), shown, text, data)


def written_pointer(pointer: Pointer) -> str:
    """RFC 6901: ("a/b", 0) is /a~1b/0."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in pointer)


_WANTED = {
    "Expecting value": "a value",
    "Expecting property name enclosed in double quotes": "a key in double quotes",
    "Expecting ':' delimiter": "a colon",
    "Expecting ',' delimiter": "a comma or a closing bracket",
    "Extra data": "the end of the file",
}
"""What must stand there, by what Python's parser says."""


_COMMA = re.compile(r",\s*")
_TRAILING = {
    "Illegal trailing comma before end of object": "Expecting property name enclosed in double"
    " quotes",
    "Illegal trailing comma before end of array": "Expecting value",
}


def _behind_comma(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """The error as Python up to 3.12 has it: later ones point at a comma too many, not at what
    stands behind it."""
    comma = _COMMA.match(error.doc, error.pos)
    if comma is None or error.msg not in _TRAILING:
        return error
    return json.JSONDecodeError(_TRAILING[error.msg], error.doc, comma.end())


def _not_json(error: json.JSONDecodeError) -> str:
    met = repr(error.doc[error.pos]) if error.pos < len(error.doc) else "the end of the file"
    if error.msg in _WANTED:
        return f"{met} stands where {_WANTED[error.msg]} must be"
    if error.msg.startswith("Unterminated string"):
        return "a string starts here and no quote ends it"
    if error.msg.startswith("Invalid control character"):
        return f"{met} stands in a string; use its escape"
    escape = error.doc[error.pos : error.pos + 2]
    return f"{escape} is not an escape of JSON; \\\\ is a backslash"


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
                    f"the key {key!r} appears twice in one object; use it once", key, True
                )
            seen.add(key)
    return result


def _no_constant(token: str) -> NoReturn:
    raise _Refused(f"{token} is not JSON; use a finite number", token)


def _bounded_int(token: str) -> int:
    if len(token) > 17 or abs(int(token)) > LARGEST_INTEGER:
        raise _Refused(f"the number {_short(token)} is too large; it must be at most 2**53", token)
    return int(token)


def _finite_float(token: str) -> float:
    value = float(token)
    if value in (float("inf"), float("-inf")):
        raise _Refused(f"the number {_short(token)} is too large; it must be under 1.8e308", token)
    return value


def _short(token: str) -> str:
    return token if len(token) <= 20 else f"{token[:20]}..."


def read_text(
    path: str | os.PathLike[str], name: str, what: str = "a JSON file", largest: int = LARGEST_FILE
) -> str:
    """The text of a UTF-8 file of at most `largest` bytes, which an error calls `name`; `what`
    would have done. Raises SpecError."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > largest:
                raise SpecError(
                    Problem(f"the file has {size:,} bytes; use at most {largest:,}", name)
                )
            content = file.read(largest + 1)
    except NotRegular as error:
        raise SpecError(Problem(f"this is {error.kind}; use {what}", name)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(Problem(f"the file cannot be read: {reason.lower()}", name)) from None
    kind = kind_instead_of_text(path, content)
    if kind is not None:
        raise SpecError(Problem(f"this is {kind}; use {what}", name))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise SpecError(
            Problem(f"this is not UTF-8 text; use {what} in UTF-8", f"{name}:{line}:{column}")
        ) from None


def _plain_text(text: str, shown: str) -> str:
    """Text as a UTF-8 file could hold it, without a byte order mark. Raises SpecError."""
    text = text.removeprefix("\ufeff")
    size = len(text)
    if not text.isascii():
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            line, column = _line_column(text, error.start)
            raise SpecError(
                Problem(
                    f"{text[error.start]!a} is half a character; use both halves of a pair",
                    f"{shown}:{line}:{column}",
                )
            ) from None
    if size > LARGEST_FILE:
        raise SpecError(
            Problem(f"the text has {size:,} bytes; it must have at most {LARGEST_FILE:,}", shown)
        )
    return text


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


_LONG_NUMBER = re.compile(r"[0-9]{16}|[0-9][eE]\+?[0-9]{3}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_SPACE = re.compile(r"[ \t\n\r]*")


def _offset_of(text: str, refused: _Refused) -> int:
    """Where the refused token stands: for a duplicate key, its second place in one object."""
    if not refused.duplicate:
        words = re.finditer(rf"{_STRING}|[-+.\w]+", text)
        return next((word.start() for word in words if word.group() == refused.token), 0)
    open_keys: list[set[str]] = []
    for match in re.finditer(rf"({_STRING})\s*:|{_STRING}|[{{}}]", text):
        if match.group() == "{":
            open_keys.append(set())
        elif match.group() == "}":
            open_keys.pop()
        elif match.group(1):
            key = json.loads(match.group(1))
            if key == refused.token and key in open_keys[-1]:
                return match.start()
            open_keys[-1].add(key)
    return 0


class _Entry(NamedTuple):
    """An entry of a list or an object: its number, and where it and its value start in the text."""

    number: int
    offset: int
    value: int


def _value_offset(text: str, pointer: Pointer, last: dict[int, _Entry]) -> int:
    """Offset, in valid JSON text, of the value at the pointer or of its nearest ancestor there."""
    value = _skip(text, 0)
    for step in pointer:
        if text[value] != ("{" if isinstance(step, str) else "["):
            return value
        near = last.get(value)
        found = None
        if near is not None and (isinstance(step, str) or near.number <= step):
            found = _find(text, step, near.number, near.offset)
        if found is None:
            found = _find(text, step, 0, _skip(text, value + 1))
        if found is None:
            return value
        last[value] = found
        value = found.value
    return value


def _find(text: str, step: str | int, index: int, offset: int) -> _Entry | None:
    """The entry of this key or number among those from the given one on."""
    while text[offset] not in "}]":
        key, value = index, offset
        if isinstance(step, str):
            key, value = _READ(text, offset)
            value = _skip(text, _skip(text, value) + 1)
        if key == step:
            return _Entry(index, offset, value)
        offset = _skip(text, _READ(text, value)[1])
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
        index += 1
    return None


_READ = json.JSONDecoder().raw_decode


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return offset if match is None else match.end()
