"""A JSON text as it stands while someone writes it: every value with its place, and no error.

A key without a value has one that is missing, brackets that nobody closed end where the one around
them does, and a string without its second quote ends with its line.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from archspec.document import Pointer

DEEPEST = 200
"""Values nested deeper are left out: no spec may be as deep."""
_TOKEN = re.compile(r'("(?:[^"\\\n]|\\.)*"?)|([{}\[\],:])|([^\s{}\[\],:"]+)')
_CLOSING = re.compile(r"[}\],\s]+\Z")


class Item:
    """A value: `kind` is "object", "array", "string", "word" (a number, true, null, or what is no
    JSON) or "missing"; `key` its key or number in its parent, and where a key stands."""

    __slots__ = (
        "end", "is_open", "items", "key", "key_end", "key_start", "kind", "parent", "start",
        "value",
    )  # fmt: skip

    def __init__(self, kind: str, start: int, end: int, value: Any = None):
        self.kind = kind
        self.start = start
        self.end = end
        self.value = value
        self.parent: Item | None = None
        self.key: str | int = ""
        self.key_start = self.key_end = -1
        self.is_open = kind in ("object", "array")
        """Whether the bracket that closes it is not there."""
        self.items: list[Item] = []

    @property
    def pointer(self) -> Pointer:
        steps: list[str | int] = []
        item = self
        while item.parent is not None:
            steps.append(item.key)
            item = item.parent
        return tuple(reversed(steps))

    def get(self, *keys: str | int) -> Item | None:
        """The value under a key, or under a key under that; None where there is none."""
        item = self
        for key in keys:
            if item.kind == "array" and isinstance(key, int):
                item = item.items[key] if 0 <= key < len(item.items) else None
            else:
                item = next((each for each in item.items if each.key == key), None)
            if item is None:
                return None
        return item

    def text(self, *keys: str | int) -> str | None:
        """The string under a key, or None."""
        item = self.get(*keys)
        return item.value if item is not None and item.kind == "string" else None

    @property
    def span(self) -> tuple[int, int]:
        return self.start, self.end

    @property
    def key_span(self) -> tuple[int, int]:
        return self.key_start, self.key_end

    @property
    def inner(self) -> tuple[int, int]:
        """Of a string what is between its quotes."""
        return self.start + 1, self.end - (self.end - self.start > 1)

    def plain(self) -> Any:
        """The value as Python has it; what is missing is None."""
        if self.kind == "object":
            return {str(item.key): item.plain() for item in self.items}
        return [item.plain() for item in self.items] if self.kind == "array" else self.value

    def walk(self) -> Iterator[Item]:
        """This value and all inside it."""
        yield self
        for item in self.items:
            yield from item.walk()

    def ancestors(self) -> Iterator[Item]:
        """This value and those around it, innermost first."""
        item: Item | None = self
        while item is not None:
            yield item
            item = item.parent

    def holds(self, offset: int) -> bool:
        """Whether an offset is within: between brackets, or at a scalar."""
        if self.kind not in ("object", "array"):
            return self.start <= offset <= self.end
        return self.start < offset < self.end + self.is_open

    def innermost(self, offset: int) -> Item:
        """The smallest value around an offset; a scalar has its ends too, an object or a list ends
        inside its brackets. A value's key counts as the object's."""
        item = self
        while item.items:
            place = bisect_right(item.items, offset, key=lambda each: each.start)
            found = None
            for each in item.items[max(0, place - 2) : place + 1]:
                if each.holds(offset):
                    found = each
            if found is None:
                return item
            item = found
        return item


def read_tree(text: str) -> Item:
    """The value that a text is, whatever is wrong with it."""
    return _Reader(text).read()


class _Reader:
    """Reads one text, keeping the containers that are open."""

    def __init__(self, text: str):
        self.text = text
        self.root: Item | None = None
        self.open: list[Item] = []
        self.key: tuple[str, int, int] | None = None
        """The key that waits for its value."""
        self.colon = -1

    def read(self) -> Item:
        place, text = 0, self.text
        while (token := _TOKEN.search(text, place)) is not None:
            start, place = token.span()
            string, mark, word = token.groups()
            if string is not None:
                place = self._string(string, start)
            elif mark is None:
                self._scalar(Item("word", start, place, _literal(word)))
            elif mark in "{[":
                self._begin(Item("object" if mark == "{" else "array", start, len(text)))
            elif mark in "}]":
                self._end("object" if mark == "}" else "array", start)
            elif mark == ":":
                self.colon = place if self.key is not None else -1
            else:
                self._lack(start)
        self._lack(len(text))
        return self.root or Item("missing", 0, len(text))

    def _string(self, written: str, start: int) -> int:
        is_ended = len(written) > 1 and written[-1] == '"' and _is_closed(written)
        if not is_ended:
            written = _CLOSING.sub("", written) or '"'
        end = start + len(written)
        content = _content(written, is_ended)
        if self._needs_key and self.key is None:
            self.key = content, start, end
        elif self._needs_key and self.colon < 0:
            self._lack(start)
            self.key = content, start, end
        else:
            self._add(Item("string", start, end, content))
        return end

    def _scalar(self, item: Item) -> None:
        if self._needs_key and (self.key is None or self.colon < 0):
            self._lack(item.start)
            self.key = str(self.text[item.start : item.end]), item.start, item.end
        else:
            self._add(item)

    @property
    def _needs_key(self) -> bool:
        return bool(self.open) and self.open[-1].kind == "object"

    def _begin(self, item: Item) -> None:
        self._add(item)
        self.open.append(item)

    def _end(self, kind: str, place: int) -> None:
        if all(item.kind != kind for item in self.open):
            return
        while self.open:
            self._lack(place)
            item = self.open.pop()
            item.end = place + (item.kind == kind)
            item.is_open = item.kind != kind
            if item.kind == kind:
                return

    def _lack(self, place: int) -> None:
        """What waits for a value up to `place` has none."""
        if self.key is not None:
            self._add(Item("missing", self.colon if self.colon >= 0 else self.key[2], place))

    def _add(self, item: Item) -> None:
        if not self.open:
            self.root = self.root or item
            return
        parent = self.open[-1]
        if len(self.open) > DEEPEST:
            self.key, self.colon = None, -1
            return
        item.parent = parent
        if parent.kind == "array":
            item.key = len(parent.items)
        elif self.key is not None:
            item.key, item.key_start, item.key_end = self.key
        else:
            item.key_start = item.key_end = item.start
        parent.items.append(item)
        self.key, self.colon = None, -1


def _is_closed(written: str) -> bool:
    """Whether the last quote is one, and not an escaped one."""
    body = written[:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 0


def _content(written: str, is_ended: bool) -> str:
    if is_ended and "\\" in written:
        try:
            return json.loads(written)
        except ValueError:
            pass
    return written[1:-1] if is_ended else written[1:]


def _literal(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return None
