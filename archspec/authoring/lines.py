"""Offsets of a text as lines and characters, and as editors count: in UTF-16."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

_END = re.compile(r"\r\n|\n|\r")


class Lines:
    """The lines of one text. Offsets that are outside are taken as its ends."""

    def __init__(self, text: str):
        self.text = text
        self._starts = [0, *(end.end() for end in _END.finditer(text))]

    @cached_property
    def _is_narrow(self) -> bool:
        """Whether every character is one unit of UTF-16."""
        return self.text.isascii() or max(self.text) <= "\uffff"

    def position(self, offset: int) -> tuple[int, int]:
        """Line and UTF-16 unit of an offset, both from 0."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        return line, offset - start if self._is_narrow else _units(self.text[start:offset])

    def offset(self, line: int, character: int) -> int:
        """The offset at a line and a UTF-16 unit of it; within the line, whatever the unit is."""
        if line < 0 or line >= len(self._starts):
            return 0 if line < 0 else len(self.text)
        start = self._starts[line]
        end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self.text)
        content = self.text[start:end].rstrip("\r\n")
        if self._is_narrow:
            return start + max(0, min(character, len(content)))
        return start + _characters(content, character)

    def units(self, offset: int) -> int:
        """An offset counted in UTF-16 units, as JavaScript counts."""
        return offset if self._is_narrow else _units(self.text[:offset])

    def from_units(self, units: int) -> int:
        """The offset at this many UTF-16 units from the start."""
        return min(units, len(self.text)) if self._is_narrow else _characters(self.text, units)

    def at_column(self, line: int, column: int) -> int:
        """The offset of a line and a column as archspec's errors count them: from 1, in characters,
        and a line ends at a line feed."""
        start = 0
        for _ in range(line - 1):
            start = self.text.find("\n", start) + 1
            if start == 0:
                return len(self.text)
        return min(start + column - 1, len(self.text))


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _characters(text: str, units: int) -> int:
    """How many characters the first units are, half a character being none."""
    for count, character in enumerate(text):
        units -= 2 if character > "\uffff" else 1
        if units < 0:
            return count
    return len(text)
