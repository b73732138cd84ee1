"""What mends a problem, by the sentence that says it: "did you mean", "use", "leave it out"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from archspec.authoring.draft import Draft
from archspec.authoring.linking import texts_beside
from archspec.authoring.roles import role_of
from archspec.authoring.tree import Item
from archspec.authoring.values import Edit, Fix
from archspec.errors import find_close

_MEANT = re.compile(r"; did you mean (?P<quote>'?)(?P<word>.+?)(?P=quote)\?")
_USE = re.compile(r"; use '(?P<word>[^']+)'\Z")
_USE_CALL = re.compile(r'; use (?P<node>\{"op": .*\})\Z')
_EXPECTED = re.compile(r"\Aexpected [\d,]+ (?:params|macs).* the network has (?P<number>[\d,]+) \(")
_REMOVE = re.compile(r"(?:leave it out|remove it|remove the import|use it once)\Z")
_NO_TEXT = re.compile(r"cannot be read: no such file|there is no text of this name")
_MET = re.compile(r"'(?P<word>[^']*)'")
_EXTRA_COMMA = re.compile(r"\A'[}\]]' stands where (?:a key in double quotes|a value) must be")
_NO_COMMA = re.compile(r" stands where a comma or a closing bracket must be\Z")

Span = tuple[int, int]


def find_fixes(draft: Draft, message: str, item: Item | None, span: Span) -> tuple[Fix, ...]:
    """The fixes of a problem with a value, of which `span` is marked; none where its sentence knows
    no word for it."""
    if item is None:
        found = _fix_comma(draft, message.partition(": ")[2], span)
    else:
        makers = (_fix_word, _fix_call, _fix_number, _fix_by_removing, _fix_reference)
        found = next(filter(None, (make(draft, message, item, span) for make in makers)), None)
    return () if found is None else (found,)


def _fix_word(draft: Draft, message: str, item: Item, span: Span) -> Fix | None:
    """Another word in place of the one that was met."""
    meant = _MEANT.search(message) or _USE.search(message)
    if meant is None:
        return None
    word = meant["word"]
    title = f"Change to {word}"
    if not meant.groupdict().get("quote") and _MEANT.search(message):
        return Fix(title, (Edit(*item.span, word),)) if item.kind == "word" else None
    if span == item.key_span:
        return Fix(title, (Edit(*span, json.dumps(word, ensure_ascii=False)),))
    place = _place_of_word(draft, message[: meant.start()], item)
    if place is None and item.kind == "object":
        place = _key_near(item, word)
    return None if place is None else Fix(title, (Edit(*place, word),))


def _place_of_word(draft: Draft, message: str, item: Item) -> Span | None:
    """Where the word stands that the message found wrong: all of a string, or a part of it."""
    if item.kind != "string":
        return _key_in(item, message)
    start, end = item.inner
    content = draft.text[start:end]
    for met in _MET.finditer(message):
        word = met["word"]
        if word == content:
            return start, end
        found = re.search(rf"(?<![\w.]){re.escape(word)}(?![\w])", content) if word else None
        if found is not None:
            return start + found.start(), start + found.end()
    return (start, end) if not content.startswith("=") else None


def _key_in(item: Item, message: str) -> Span | None:
    """The key of an object that a message finds wrong in it."""
    for met in _MET.finditer(message):
        found = item.get(met["word"]) if item.kind == "object" else None
        if found is not None and found.key_start >= 0:
            return found.key_start + 1, found.key_end - 1
    return None


def _key_near(item: Item, word: str) -> Span | None:
    """The key of an object that is nearest to one that it lacks."""
    keys = {str(each.key): each for each in item.items if each.key_start >= 0}
    near = keys.get(find_close(word, keys))
    return None if near is None else (near.key_start + 1, near.key_end - 1)


def _fix_call(draft: Draft, message: str, item: Item, span: Span) -> Fix | None:
    """A node, for a word that is none by itself."""
    use = _USE_CALL.search(message)
    if use is None or item.kind != "string":
        return None
    title = f"Change to {use['node']}"
    if item.key == "op":
        return Fix(title, (Edit(item.key_start, item.end, use["node"][1:-1]),))
    return Fix(title, (Edit(*item.span, use["node"]),))


def _fix_number(draft: Draft, message: str, item: Item, span: Span) -> Fix | None:
    """What the network has, for what was expected of it."""
    expected = _EXPECTED.match(message)
    if expected is None:
        return None
    number = expected["number"].replace(",", "")
    return Fix(f"Expect {expected['number']}", (Edit(*item.span, number),))


def _fix_by_removing(draft: Draft, message: str, item: Item, span: Span) -> Fix | None:
    if _REMOVE.search(message) is None or item.parent is None:
        return None
    what = item.key if isinstance(item.key, str) else "it"
    return Fix(f"Remove {what}", (remove_entry(draft.text, item),))


def _fix_reference(draft: Draft, message: str, item: Item, span: Span) -> Fix | None:
    """Another text of the project for one that is not there."""
    if _NO_TEXT.search(message) is None or role_of(item) != "reference":
        return None
    near = find_close(item.value, texts_beside(draft))
    return Fix(f"Change to {near}", (Edit(*item.inner, near),)) if near else None


def remove_entry(text: str, item: Item) -> Edit:
    """Takes out an entry of an object or a list with the comma that it leaves over."""
    start = item.key_start if item.key_start >= 0 else item.start
    behind = re.compile(r"\s*,\s*").match(text, item.end)
    if behind is not None:
        return Edit(start, behind.end(), "")
    before = re.search(r",?\s*\Z", text[:start])
    return Edit(before.start() if before is not None else start, item.end, "")


def _fix_comma(draft: Draft, message: str, span: Span) -> Fix | None:
    """A comma too many, or one that lacks, before the place where the text stops being JSON."""
    makers: Iterator[tuple[re.Pattern[str], Callable[[], Fix | None]]] = iter((
        (_EXTRA_COMMA, lambda: _drop_comma(draft.text, span[0])),
        (_NO_COMMA, lambda: _put_comma(draft.text, span[0])),
    ))  # fmt: skip
    return next((make() for pattern, make in makers if pattern.search(message)), None)


def _drop_comma(text: str, offset: int) -> Fix | None:
    comma = len(text[:offset].rstrip()) - 1
    if comma < 0 or text[comma] != ",":
        return None
    return Fix("Remove the comma", (Edit(comma, comma + 1, ""),))


def _put_comma(text: str, offset: int) -> Fix | None:
    if text[offset : offset + 1] not in ('"', "{", "["):
        return None
    place = len(text[:offset].rstrip())
    return Fix("Add a comma", (Edit(place, place, ","),))
