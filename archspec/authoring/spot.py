"""Where in a text someone types: before a key or a value, in which object, over which words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from archspec.authoring.draft import Draft
from archspec.authoring.roles import role_of
from archspec.authoring.tree import Item
from archspec.authoring.values import Completion

_COLON = re.compile(r"\s*:")
_NEXT = re.compile(r'\s*["{\[\w=-]')
_STOP = re.compile(r'"\^(\$\{\d+[^"]*\})"')


@dataclass(frozen=True, eq=False)
class Spot:
    """`holder` is the object or list around it, `item` the value that is there, or the entry whose
    key is; what is typed stands from `start` up to `end`."""

    text: str
    offset: int
    holder: Item
    item: Item | None
    is_key: bool
    start: int
    end: int

    @property
    def place(self) -> Item:
        """The value at the spot, or one that stands for it where there is none yet."""
        if self.item is not None:
            return self.item
        made = Item("missing", self.start, self.end)
        made.parent = self.holder
        made.key = sum(item.start < self.offset for item in self.holder.items)
        return made

    @property
    def role(self) -> str:
        """What the value at the spot is for."""
        return role_of(self.place)

    @property
    def is_in_string(self) -> bool:
        return self.item is not None and self.item.kind == "string"

    @property
    def is_expression(self) -> bool:
        """Whether a value is typed that begins with "=", or has such a part, "levels[=lane]"."""
        item = self.item
        if self.is_key or item is None or item.kind != "string":
            return False
        before = self.text[item.start + 1 : self.offset]
        return before.startswith("=") or "[=" in before

    def key(self, name: str, kind: str, detail: str, doc: str, value: str) -> Completion:
        """An entry with this key, and what its value begins with where it has none."""
        insert = json.dumps(name)
        if _COLON.match(self.text, self.end):
            return Completion(name, kind, detail, doc, insert, self.start, self.end)
        comma = "," if _NEXT.match(self.text, self.end) else ""
        insert = f"{insert}: {value}{comma}"
        return Completion(name, kind, detail, doc, insert, self.start, self.end, True)

    def string(self, word: str, kind: str, doc: str, detail: str = "") -> Completion:
        """A word in quotes."""
        insert = json.dumps(word, ensure_ascii=False)
        return Completion(word, kind, detail, doc, insert, self.start, self.end)

    def value(self, value: Any, doc: str) -> Completion:
        """A JSON value."""
        insert = json.dumps(value, ensure_ascii=False)
        label = value if isinstance(value, str) else insert
        return Completion(label, "value", "", doc, insert, self.start, self.end)

    def snippet(self, label: str, kind: str, doc: str, body: Any) -> Completion:
        """A node with places to fill in."""
        insert = _STOP.sub(r"\1", json.dumps(body))
        is_snippet = "$" in insert
        return Completion(label, kind, "", doc, insert, self.start, self.end, is_snippet)


def find_spot(draft: Draft, offset: int) -> Spot | None:
    """The spot at an offset; None outside of the text's object."""
    text = draft.plain
    offset = max(0, min(offset, len(text)))
    item = draft.tree.innermost(offset)
    if item.kind in ("object", "array"):
        return _in_container(text, item, offset) if item.holds(offset) else None
    if item.parent is None:
        return None
    span = item.span if item.kind in ("string", "word") else (offset, offset)
    return Spot(text, offset, item.parent, item, False, *span)


def _in_container(text: str, holder: Item, offset: int) -> Spot | None:
    for item in holder.items:
        if 0 <= item.key_start <= offset <= item.key_end:
            return Spot(text, offset, holder, item, True, *item.key_span)
        if item.kind == "missing" and item.start <= offset <= item.end:
            return Spot(text, offset, holder, item, False, offset, offset)
    is_key = holder.kind == "object"
    return Spot(text, offset, holder, None, is_key, offset, offset)
