"""What leaves for a terminal. Texts of files (names, notes, classes, metadata) reach it by many
ways, so it is guarded at the exit: whatever would steer the terminal is written as its escape."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def harmless(text: str, encoding: str = "utf-8") -> str:
    r"""The text with each character that does not print, but for line ends and tabs, as \uXXXX,
    and so what the encoding lacks. JSON stays JSON of the same meaning."""
    # a whole table at once: one "…" in it would otherwise cost a step for each of its characters
    if all(map(str.isprintable, text.split("\n"))) and can_encode(text, encoding):
        return text
    return "".join(
        character if character in "\n\t" or "\x20" <= character <= "\x7e"
        else _escape(character, encoding)
        for character in text
    )  # fmt: skip


def _escape(character: str, encoding: str) -> str:
    if character.isprintable() and can_encode(character, encoding):
        return character
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def can_encode(text: str, encoding: str | None) -> bool:
    """Whether the encoding (None: that of a stream of text alone) has all of the text."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


OUTPUT = "the output"
"""`filename` of an OSError that a guarded stream raises, a BrokenPipeError excepted."""


@contextmanager
def _name_stream() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, OUTPUT) from error


class _Guard(io.TextIOBase):
    """A stream of text that lets only harmless text through. A carriage return may begin what is
    written, for a line of progress that replaces the one before."""

    def __init__(self, stream: Any):
        self.stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        start = "\r" if text.startswith("\r") else ""
        with _name_stream():
            self.stream.write(start + harmless(text[len(start) :], self.encoding))
        return len(text)

    def flush(self) -> None:
        with _name_stream():
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True


@contextmanager
def guard() -> Iterator[None]:
    """Guard sys.stdout and sys.stderr within the block. Does nothing where they are already, and
    to one that is closed."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_guard, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _guard(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, _Guard) else _Guard(stream)


def unguard(stream: Any) -> Any:
    """The stream behind a guard, for libraries that colour and move the cursor themselves; what
    they are given must be `harmless`."""
    return stream.stream if isinstance(stream, _Guard) else stream
