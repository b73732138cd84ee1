"""Texts that are not finished, or damaged: every service answers, within the text."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from archspec import authoring
from archspec.errors import SpecError
from archspec.sources import FILES, shipped_folder

PIECES = (
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    '"from": "',
    "\\",
    "\0",
    "\N{GRINNING FACE}",
    "null",
)


def ask_all(draft: authoring.Draft, draw: random.Random) -> None:
    size = len(draft.text)
    for found in authoring.diagnose(draft):
        assert 0 <= found.start <= found.end <= size
        for fix in found.fixes:
            assert authoring.apply_edits(draft.text, fix.edits) != draft.text
    authoring.outline(draft)
    authoring.find_links(draft)
    assert all(0 <= hint.offset <= size for hint in authoring.find_hints(draft))
    for offset in (draw.randint(0, size), size):
        for word in authoring.complete(draft, offset):
            assert 0 <= word.start <= word.end <= size and authoring.plain_insert(word)
        authoring.hover(draft, offset)
        authoring.find_definition(draft, offset)
        for place in authoring.find_references(draft, offset):
            assert place.start < place.end
        authoring.find_nodes(draft, offset)
        with suppress(SpecError):
            authoring.rename(draft, offset, draw.choice(("x", "Zed", "in", "a b")))


def damage(text: str, draw: random.Random) -> str:
    place = draw.randrange(len(text))
    how = draw.random()
    if how < 0.3:
        return text[:place]
    if how < 0.5:
        return text[:place] + text[place + draw.randint(1, 4) :]
    if how < 0.8:
        return text[:place] + draw.choice(PIECES) + text[place:]
    other = draw.randrange(len(text))
    return text[:place] + text[other : other + draw.randint(1, 80)] + text[place:]


@pytest.mark.parametrize(
    "name", ["mobilenet_v3_large", "inception_v3", "blocks/isynet", "spaces/tiny"]
)
def test_every_service_answers_whatever_the_text(name):
    path = shipped_folder() / f"{name}.json"
    draw = random.Random(name)
    for _ in range(25):
        text = damage(path.read_text(), draw)
        ask_all(authoring.read_draft(text, name=str(path), project=FILES), draw)


def test_a_slip_in_a_word_is_mended():
    """Two letters of each word swapped: most have one fix, which brings the text back. What names
    something of the text's own may be mended at its uses instead, and notes are nobody's."""
    path = shipped_folder() / "mobilenet_v2.json"
    right = path.read_text()
    tree = authoring.read_draft(right, name=str(path), project=FILES).tree
    own = {*tree.get("args").plain(), "name", "paper", "code", "interpolation"}
    tried = mended = 0
    for item in tree.get("body").walk():
        for start, end in (item.key_span, item.span):
            word = right[start:end].strip('"')
            if not 5 <= len(word) == end - start - 2 or word in own or word[0] == "=":
                continue
            wrong = right[: start + 3] + right[start + 4] + right[start + 3] + right[start + 5 :]
            draft = authoring.read_draft(wrong, name=str(path), project=FILES)
            fixes = [fix for found in authoring.diagnose(draft) for fix in found.fixes]
            tried += wrong != right
            mended += any(authoring.apply_edits(wrong, fix.edits) == right for fix in fixes)
    assert tried > 20 and mended >= 0.9 * tried, (tried, mended)


def test_syntax_is_mended(mark):
    for text, right in (
        ('{"archspec": 1, "body": ["relu",]}', '{"archspec": 1, "body": ["relu"]}'),
        ('{"archspec": 1 "body": []}', '{"archspec": 1, "body": []}'),
        ('{"archspec": 1, "body": ["relu" "relu"]}', '{"archspec": 1, "body": ["relu", "relu"]}'),
    ):
        (found,) = authoring.diagnose(authoring.read_draft(text))
        (fix,) = found.fixes
        assert authoring.apply_edits(text, fix.edits) == right


def test_what_has_no_effect_is_removed():
    text = """{"archspec": 1, "name": "n", "input": {"shape": [3, 8, 8]}, "args": {"a": 1, "b": 2},
    "body": [{"op": "MBConv", "channels": "=b"}], "expect": {"params": 7}}"""
    (found,) = authoring.diagnose(authoring.read_draft(text, name="n.json"))
    text = authoring.apply_edits(text, found.fixes[0].edits)
    (found,) = authoring.diagnose(authoring.read_draft(text, name="n.json"))
    assert found.severity == "warning" and text[found.start : found.end] in ('"a"', "1")
    text = authoring.apply_edits(text, found.fixes[0].edits)
    draft = authoring.read_draft(text, name="n.json")
    assert authoring.diagnose(draft) == () and '"a"' not in text
