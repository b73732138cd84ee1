"""All that is wrong with a text, each where it stands, with what mends it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from archspec.authoring.draft import Draft
from archspec.authoring.fixing import find_fixes
from archspec.authoring.tree import Item
from archspec.authoring.values import Diagnostic, Severity
from archspec.document import Pointer
from archspec.errors import Problem

_WHERE = re.compile(r"(?P<name>.*?):(?P<line>\d+):(?P<column>\d+)\Z", re.DOTALL)
_CALLED = re.compile(r"(?:called|referred to) at (?P<where>.*?:\d+:\d+)(?: as .*)?\Z", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'")
_MET = re.compile(r", not '([^']*)'")
_WORD = re.compile(r"[\w.$+-]+|.", re.DOTALL)


def diagnose(draft: Draft) -> tuple[Diagnostic, ...]:
    """Errors, or, where there are none, warnings. What is wrong in a text that this one refers to
    is marked where it does so."""
    verdict = draft.verdict
    found = [*_located(draft, verdict.problems, "error")]
    found += _located(draft, verdict.warnings, "warning")
    return tuple(sorted(found, key=lambda each: (each.start, each.end)))


def _located(draft: Draft, problems: Sequence[Problem], severity: Severity) -> Iterator[Diagnostic]:
    for problem in problems:
        item, start, end = _place(draft, problem)
        is_here = _offset(draft, problem.where) is not None
        is_elsewhere = problem.where and not is_here
        message = f"{problem.where}: {problem.message}" if is_elsewhere else problem.message
        is_fixable = is_here or (item is not None and item.kind == "string")
        fixes = find_fixes(draft, problem.message, item, (start, end)) if is_fixable else ()
        yield Diagnostic(
            start, end, severity, message, fixes, problem.where, problem.pointer, problem.stack
        )


def _place(draft: Draft, problem: Problem) -> tuple[Item | None, int, int]:
    """The value that a problem is about, and the part of the text to mark."""
    offset = _offset(draft, problem.where)
    if offset is not None and problem.pointer is not None:
        item = _item_at(draft.tree, _steps(problem.pointer))
        if item is not None:
            return item, *_span_to_mark(draft, item, problem.message)
    for call in problem.stack if offset is None else ():
        called = _CALLED.search(call)
        offset = None if called is None else _offset(draft, called["where"])
        if offset is not None:
            item = _culprit(draft.tree.innermost(offset + 1), problem.message)
            return item, *_first_line(draft, item.start, item.end)
    if offset is None:
        return None, *_first_line(draft, draft.tree.start, draft.tree.end)
    word = _WORD.match(draft.text, offset)
    end = word.end() if word is not None else offset
    return None, offset if offset < end else max(0, offset - 1), end


def _culprit(call: Item, message: str) -> Item:
    """What a call gives that is found wrong in the template, or the call itself."""
    met = _MET.search(message)
    if met is None:
        return call
    return next((i for i in call.walk() if i.kind == "string" and i.value == met[1]), call)


def _offset(draft: Draft, where: str) -> int | None:
    """The offset that "name:line:col" means, if that is in this text."""
    place = _WHERE.match(where)
    if place is None or place["name"] != draft.name:
        return None
    return draft.lines.at_column(int(place["line"]), int(place["column"]))


def _steps(pointer: str) -> Pointer:
    parts = pointer.split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def _item_at(root: Item, pointer: Pointer) -> Item | None:
    """The value at a pointer, or its nearest ancestor that is there."""
    item = root
    for step in pointer:
        key = int(step) if item.kind == "array" and str(step).isdecimal() else step
        found = item.get(key)
        if found is None:
            return item
        item = found
    return item


def _span_to_mark(draft: Draft, item: Item, message: str) -> tuple[int, int]:
    """The key where the message is about that, else the value, of a long one its first line."""
    quoted = _QUOTED.search(message)
    is_key = quoted is not None and quoted[1] == item.key and item.key_start >= 0
    if is_key and item.value != item.key:
        return item.key_span
    return _first_line(draft, item.start, item.end)


def _first_line(draft: Draft, start: int, end: int) -> tuple[int, int]:
    line = draft.text.find("\n", start, end)
    return start, end if line < 0 else line
