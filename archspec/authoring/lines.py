"""Offsets of a text as lines and characters, and as editors count: in UTF-16."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cached_property

_END = re.compile(r"\r\n|\n|\r")


class Lines:
    """The lines of one text. Offsets that are outside are taken as its ends. A character counts
    as many units as the encoding has for it: "utf-16", "utf-8", or "utf-32" for one each."""

    def __init__(self, text: str, encoding: str = "utf-16"):
        self.text = text
        self._width = _WIDTHS[encoding]
        self._starts = [0, *(end.end() for end in _END.finditer(text))]

    @cached_property
    def _is_narrow(self) -> bool:
        """Whether every character is one unit."""
        return self.text.isascii() or self._width(max(self.text)) == 1

    def position(self, offset: int) -> tuple[int, int]:
        """Line and unit of an offset, both from 0."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        return line, offset - start if self._is_narrow else self._units(start, offset)

    def offset(self, line: int, character: int) -> int:
        """The offset at a line and a unit of it; within the line, whatever the unit is."""
        if line < 0 or line >= len(self._starts):
            return 0 if line < 0 else len(self.text)
        start = self._starts[line]
        end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self.text)
        content = self.text[start:end].rstrip("\r\n")
        if self._is_narrow:
            return start + max(0, min(character, len(content)))
        return start + self._characters(content, character)

    def units(self, offset: int) -> int:
        """An offset counted in units, in UTF-16 as JavaScript counts."""
        return offset if self._is_narrow else self._units(0, offset)

    def from_units(self, units: int) -> int:
        """The offset at this many units from the start."""
        if self._is_narrow:
            return min(units, len(self.text))
        return self._characters(self.text, units)

    def at_column(self, line: int, column: int) -> int:
        """The offset of a line and a column as archspec's errors count them: from 1, in characters,
        and a line ends at a line feed."""
        start = 0
        for _ in range(line - 1):
            start = self.text.find("\n", start) + 1
            if start == 0:
                return len(self.text)
        return min(start + column - 1, len(self.text))

    def _units(self, start: int, end: int) -> int:
        return sum(map(self._width, self.text[start:end]))

    def _characters(self, text: str, units: int) -> int:
        """How many characters the first units are, a part of a character being none."""
        for count, character in enumerate(text):
            units -= self._width(character)
            if units < 0:
                return count
        return len(text)


_WIDTHS: Mapping[str, Callable[[str], int]] = {
    "utf-16": lambda character: 2 if character > "\uffff" else 1,
    "utf-32": lambda character: 1,
    "utf-8": lambda character: len(character.encode(errors="surrogatepass")),
}
