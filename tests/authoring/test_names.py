"""Names found in a text alone are those that expanding it gives; renaming changes nothing else."""

from __future__ import annotations

import pytest

from archspec import authoring
from archspec.errors import SpecError
from archspec.expand import Expander
from archspec.program import parse_program
from archspec.sources import FILES, shipped_folder, shipped_names

NAMES = [name for name in shipped_names() if "/" not in name or name.startswith("spaces")]


class Paths:
    """Who writes down the path of each node of a text as it is expanded."""

    def __init__(self, shown):
        self.shown = shown
        self.met: dict[tuple, set[str]] = {}

    def enter(self, body, node, path):
        if node.at.document.shown == self.shown:
            self.met.setdefault(node.at.pointer, set()).add(path)

    def leave(self, body, results):
        pass

    def settle(self, key, decision):
        pass


def open_shipped(name):
    path = shipped_folder() / f"{name}.json"
    return authoring.read_draft(path.read_text(), name=str(path), project=FILES)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_the_expansion(name):
    draft = open_shipped(name)
    program = parse_program(draft.text, name=draft.name, project=FILES)
    paths = Paths(draft.name)
    Expander(program).fragment(decide=lambda key, decision: 0, observer=paths)
    told = {part.item.pointer: (body, part) for body in draft.bodies for part in body.parts
            if part.kind != "branch"}  # fmt: skip
    for pointer, met in paths.met.items():
        body, part = told[pointer]
        assert part.path in _without_calls(met, body, part), (pointer, part.path, met)


def _without_calls(met, body, part):
    """Paths within their body: those of a template's nodes begin with the path of a call."""
    if body.template is None:
        return met
    depth = part.path.count(".") + 1
    return {".".join(path.split(".")[-depth:]) for path in met}


@pytest.mark.parametrize(
    "name", ["resnet50", "unet", "inception_v3", "hrnet_w18", "shufflenet_v2_x1_0"]
)
def test_every_name_can_be_another(name):
    draft = open_shipped(name)
    before = draft.graph
    assert before is not None
    count = 0
    for body in draft.bodies:
        for part in body.parts:
            if part.name is None:
                continue
            count += 1
            edits = authoring.rename(draft, part.name[0], "zz_9")
            text = authoring.apply_edits(draft.text, edits)
            after = authoring.read_draft(text, name=draft.name, project=FILES).graph
            assert after is not None and after.fingerprint == before.fingerprint
            old, new = set(before.nodes) - set(after.nodes), set(after.nodes) - set(before.nodes)
            assert len(old) == len(new)
            own = part.path[len(part.prefix) :]
            assert {node.replace("zz_9", own) for node in new} == old
    assert count


def test_templates_and_arguments_are_renamed(mark):
    text = """{"archspec": 1, "name": "n", "input": {"shape": [3, 8, 8]}, "args": {"wide": 4},
    "defaults": {"Block": {"width": 2}},
    "templates": {"Block": {"args": {"width": {"type": "integer"}, "twice": "=width * 2"},
      "body": {"op": "conv", "kernel": 1, "channels": "=[width for i in range(2)][0] + twice"}}},
    "body": [{"op": "Block", "each": [{"width": 3}, {"width": "=wide"}]}, "Block"]}"""
    draft = authoring.read_draft(text, name="n.json")
    assert draft.verdict.is_ok, draft.verdict.problems
    for old, new, times in (("wide", "w", 2), ("width", "size", 6), ("Block", "Unit", 4)):
        edits = authoring.rename(draft, text.index(f'"{old}"') + 1, new)
        assert len(edits) == times
        assert all(text[edit.start : edit.end] == old for edit in edits)
    for offset, new in ((text.index('"width"') + 1, "index"), (text.index('"wide"') + 1, "a b"),
                        (text.index('"Block"') + 1, "MBConv"), (2, "x")):  # fmt: skip
        with pytest.raises(SpecError):
            authoring.rename(draft, offset, new)


def test_definitions_are_found_here_and_in_other_texts():
    blocks = '{"archspec": 1, "templates": {"A": {"args": {"n": 1}, "body": "relu"}}}'
    text = """{"archspec": 1, "name": "n", "input": {"shape": [3, 8, 8]}, "import": {"b": "b.json"},
    "body": [{"op": "conv", "name": "stem", "channels": 8, "kernel": 1}, {"op": "b.A", "n": 2},
             {"op": "add", "from": ["stem", "a"]}]}"""
    draft = authoring.read_draft(text, name="n.json", project={"b.json": blocks})
    assert not [each for each in authoring.diagnose(draft) if each.severity == "error"]
    call = authoring.find_definition(draft, text.index("b.A") + 1)
    assert call is not None and (call.name, call.is_here) == ("b.json", False)
    assert blocks[call.start : call.end].startswith('{"args"')
    argument = authoring.find_definition(draft, text.index('"n": 2') + 1)
    assert argument is not None and blocks[argument.start : argument.end] == "1"
    stem = authoring.find_definition(draft, text.index('"stem", "a"') + 1)
    assert stem is not None and stem.start == text.index("stem")
    assert len(authoring.find_references(draft, stem.start)) == 2
    other = authoring.find_definition(draft, text.index("b.json"))
    assert other is not None and (other.name, other.text) == ("b.json", blocks)
    (link,) = authoring.find_links(draft)
    assert (text[link.start : link.end], link.target, link.is_file) == ("b.json", "b.json", False)
