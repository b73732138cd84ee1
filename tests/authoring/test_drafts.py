"""What the room says of texts: shipped ones, wrong ones, and those that are not finished."""

from __future__ import annotations

import json
import re
from itertools import combinations

import pytest

from archspec import authoring, grammar
from archspec.sources import FILES, shipped_folder, shipped_names
from archspec.syntax import COPYING

PATHS = {name: str(shipped_folder() / f"{name}.json") for name in shipped_names()}


def draft_of(name: str):
    with open(PATHS[name], encoding="utf-8") as file:
        return authoring.read_draft(file.read(), name=PATHS[name], project=FILES)


@pytest.mark.parametrize("name", [name for name in PATHS if "/" not in name])
def test_shipped_specs_have_nothing_to_mend_and_their_counts(name):
    draft = draft_of(name)
    assert authoring.diagnose(draft) == ()
    body = draft.tree.get("body")
    if body is None:
        return  # it extends another spec, whose body that is
    total = next(h for h in authoring.find_hints(draft) if h.offset == body.start + 1)
    graph = draft.graph
    assert graph is not None
    stats = graph.stats()
    assert total.tooltip.startswith(f"{stats.params:,} parameters, {stats.macs:,} MACs")


def test_a_wrong_word_is_marked_and_mended():
    right = draft_of("resnet50").text
    for old, new in (('"kernel"', '"kernle"'), ('"op": "max_pool"', '"op": "max_pol"')):
        wrong = right.replace(old, new, 1)
        draft = authoring.read_draft(wrong, name=PATHS["resnet50"], project=FILES)
        (found,) = authoring.diagnose(draft)
        assert wrong[found.start : found.end] in new
        (fix,) = found.fixes
        assert authoring.apply_edits(wrong, fix.edits) == right


def test_offsets_are_told_as_editors_count():
    text = '{"doc": "\N{GRINNING FACE}é",\r\n "name": 1}'
    lines = authoring.Lines(text)
    for offset in range(len(text) + 1):
        before = text[:offset]
        line = before.count("\n")
        units = len(before.rpartition("\n")[2].encode("utf-16-le")) // 2
        assert lines.position(offset) == (line, units)
        assert lines.units(offset) == len(before.encode("utf-16-le")) // 2
        assert lines.from_units(lines.units(offset)) == offset
        if not re.search(r"\r\Z", before):
            assert lines.offset(line, units) == offset
    for encoding, codec, width in (("utf-8", "utf-8", 1), ("utf-32", "utf-32-le", 4)):
        lines = authoring.Lines(text, encoding)
        for offset in range(len(text) + 1):
            units = len(text[:offset].encode(codec)) // width
            assert (lines.units(offset), lines.from_units(units)) == (units, offset)


def test_words_at_a_position(mark):
    conv = '{"archspec": 1, "body": [{"op": "conv", "name": "stem", "channels": 8}, %s]}'
    draft, offset = mark(conv % '{"op": "ma|')
    labels = {word.label for word in authoring.complete(draft, offset)}
    assert {"max_pool", "MBConv"} <= labels and "relu" not in labels
    draft, offset = mark(conv % '{"op": "add", "from": ["|"]}')
    assert authoring.complete(draft, offset)[0].label == "stem"
    draft, offset = mark(conv % '{"op": "conv", |}')
    first = authoring.complete(draft, offset)[0]
    assert (first.label, first.detail) == ("channels", "required")
    whole = authoring.Edit(first.start, first.end, authoring.plain_insert(first))
    assert json.loads(authoring.apply_edits(draft.text, [whole]))


def copying_rules_are_kept(keys) -> bool:
    return not any(rule.broken_by(dict.fromkeys(keys, 2)) for rule in grammar.COPY_RULES)


def test_keys_are_offered_where_the_checker_takes_them(mark):
    """Of each node that is right, in whatever order its keys are written."""
    known = {*COPYING, "first", "last", "join"}
    for count in range(3):
        for written in filter(copying_rules_are_kept, combinations(sorted(known), count)):
            node = "".join(f'"{key}": 2, ' for key in written)
            draft, offset = mark(f'{{"archspec": 1, "body": [{{"op": "relu", {node}"|"}}]}}')
            offered = {word.label for word in authoring.complete(draft, offset)}
            for key in known - {*written}:
                assert (key in offered) == copying_rules_are_kept([*written, key]), (written, key)


def test_hover_tells_shapes_and_cost():
    draft = draft_of("resnet50")
    graph = draft.graph
    assert graph is not None
    offset = draft.text.index('"max_pool"') + 2
    told = authoring.hover(draft, offset)
    assert told is not None and told.title == "max_pool"
    rows = dict(told.rows)
    assert (rows["input"], rows["output"]) == ("64x112x112", "64x56x56")
    draft = draft_of("mobilenet_v3_large")
    graph = draft.graph
    assert graph is not None
    told = authoring.hover(draft, draft.text.index("divisible(16"))
    assert told is not None
    assert dict(told.rows)["comes to"] == str(graph.nodes["stem.conv"].op.channels)


def test_positions_and_nodes_find_each_other():
    """Of every node of the graph the place that wrote it, and of that place the node."""
    for name in ("resnet50", "hrnet_w18", "mobilenet_v3_large"):
        draft = draft_of(name)
        graph = draft.graph
        assert graph is not None
        for node in list(graph.nodes)[::17]:
            places = [place for place in authoring.find_places(draft, node) if place.is_here]
            assert places, node
            for place in places:
                origin = authoring.find_nodes(draft, place.start + 1)
                assert origin is not None and node in origin.nodes
        whole = authoring.find_nodes(draft, draft.tree.get("body").start)
        assert whole is None  # the body is not a node
