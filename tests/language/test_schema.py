"""The committed schema: generated, valid, and of one mind with archspec's own piecewise check."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import MISSING
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from oracles.covering import slow
from test_random import BLOCK, SHIPPED, damaged, examples, specs

import archspec
from archspec.check import check_document
from archspec.dialect import Validator
from archspec.document import parse_document
from archspec.document_schema import DOCUMENTS
from archspec.editor import document_schema, schema_for, schema_of, written_schema
from archspec.errors import SpecError
from archspec.judging import judge
from archspec.library import read_library, standard_library
from archspec.loading import build
from archspec.ops import FUNCTIONS, OPS
from archspec.program import program_of
from archspec.referring import read_spec
from archspec.shallow import shallow_document, shallow_op
from archspec.sources import shipped_libraries, shipped_names
from archspec.strict_dialect import StrictValidator

COMMITTED = Path(archspec.__file__).parent / "schema.json"
WHOLE = json.loads(COMMITTED.read_text())


GRAMMAR = {
    **WHOLE,
    "else": {
        "if": {"required": ["body"]},
        "then": WHOLE["else"]["then"]["then"],
        "else": WHOLE["else"]["else"]["else"]["then"]["then"],
    },
}
"""What it asks of files with templates named as standard ones are: no call's arguments."""


def verdicts(text, schema=WHOLE):
    """Whether a document is valid by the whole schema, by it with our notion of an integer and of
    a pattern, and by archspec's check."""
    document = parse_document(text, "net.json")
    plain, strict = (
        kind(schema).is_valid(document.data) for kind in (Draft202012Validator, Validator)
    )
    return plain, strict, not check_document(document)


def test_the_committed_schema_is_the_generated_one():
    assert COMMITTED.read_text() == written_schema(document_schema())


def test_it_is_a_schema():
    assert WHOLE["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(WHOLE)


def test_every_reference_leads_somewhere():
    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from references(item)

    found = set(references(WHOLE))
    assert {reference.removeprefix("#/$defs/") for reference in found} == set(WHOLE["$defs"])


def test_every_op_has_its_attributes_with_notes():
    for name, op in OPS.items():
        properties = WHOLE["$defs"][f"op_{name}"]["properties"]
        own = [item.name for item in op.attributes()]
        assert list(properties)[: len(own)] == own
        assert all(properties[attribute]["description"] for attribute in own)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_specs_are_valid(name):
    assert verdicts(SHIPPED[name]) == (True, True, True)


def test_standard_templates_are_valid():
    path = COMMITTED.parent / "templates" / "standard.json"
    assert verdicts(path.read_text()) == (True, True, True)


@examples(100)
@given(specs())
def test_random_specs_are_valid(drawn):
    assert verdicts(json.dumps(drawn[0])) == (True, True, True)


@examples(150)
@given(damaged())
def test_of_damaged_specs_both_checks_think_alike(drawn):
    """But for rows of each, first and last, whose attributes only archspec's own check knows."""
    text = json.dumps(drawn[1])
    plain, strict, own = verdicts(text, GRAMMAR)
    assert plain or not strict
    if strict and not own:
        for problem in check_document(parse_document(text, "net.json")):
            assert problem.pointer is not None
            assert {"each", "first", "last"} & set(problem.pointer.split("/"))
    else:
        assert own == strict


@examples(150)
@given(damaged())
def test_what_the_whole_schema_asks_beside_is_refused_by_loading_too(drawn):
    """Arguments of standard templates, and those without a default. Parts that nothing uses are
    judged by the schema alone."""
    document = parse_document(json.dumps(drawn[1]), "net.json")
    if Validator(WHOLE).is_valid(document.data) or check_document(document):
        return
    with pytest.raises(archspec.SpecError):
        build(program_of(document))


def net(body, **keys):
    return {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, **keys, "body": body}


CONV = {"op": "conv", "channels": 4, "kernel": 3}
VALID = [
    net([]),
    net("relu"),
    net("none"),
    net("Block", templates={"Block": BLOCK}),
    net("isynet.Block"),
    net({"op": "any.Template", "anything": {"goes": [1]}}),
    net([{"body": [CONV], "repeat": "=n", "name": "a.b_2.c"}], args={"n": 2}),
    net({**CONV, "kernel": ["=k", {"choice": [1, 3]}], "each": "=rows"}),
    net({**CONV, "channels": {"choice": [4, "=n"], "name": "w", "share": "superkernel"}}),
    net({"choice": [CONV, "none"], "share": "paths"}),
    net({**CONV, "from": {"in": "in"}, "when": {"choice": [True, False]}}),
    net({"residual": [], "shortcut": "relu", "join": "=j", "doc": "a note"}),
    net({"op": "act", "function": "none"}),
    {"archspec": 1, "name": "net", "extends": "resnet18", "args": {"any": [{"thing": 1}]}},
    {"archspec": 1, "templates": {}},
    {"$schema": "schema.json", "archspec": 1, "name": "n-1+2.3", "templates": {"B": {"body": []}}},
]
INVALID = [
    3, [], {}, None, "net",
    {**net([]), "archspec": 2},
    {**net([]), "archspec": True},
    {**net([]), "name": ""},
    {**net([]), "name": "é"},
    {**net([]), "input": {}},
    {**net([]), "input": {"shape": [3, 8, 8, 8]}},
    {**net([]), "input": {"shape": [3, 8, 8], "std": [0, 1, 1]}},
    net(None), net(3), net([None]), net(""), net("Relu x"), net("a.b"), net({}), net({"name": "a"}),
    net({**CONV, "body": []}),
    net({**CONV, "unknown": 1}),
    net({**CONV, "residual": []}),
    net({**CONV, "repeat": 2, "each": []}),
    net({**CONV, "first": {}}),
    net({**CONV, "repeat": True}),
    net({**CONV, "channels": 0}),
    net({**CONV, "channels": "four"}),
    net({**CONV, "channels": {"choice": []}}),
    net({**CONV, "channels": {"choice": [4], "share": "none"}}),
    net({**CONV, "padding": [1, 2, 3]}),
    net({**CONV, "name": "1a"}),
    net({**CONV, "name": "a."}),
    net({**CONV, "from": {}}),
    net({**CONV, "when": 1}),
    net({"op": "relu"}),
    net({"op": ["conv"]}),
    net({"branches": [[]]}),
    net({"branches": {}, "join": "add"}),
    net({"branches": [[]], "join": "sum"}),
    net({"body": [], "channels": 4}),
    net({"residual": [], "shortcut": 3}),
    net({"choice": []}),
    net({"op": "T", "x": {"choice": []}}),
    net({"op": "T", "x": [{"y": {"choice": None}}]}),
    net({"op": "T", "each": [{"x": {"choice": [1], "shared": "w"}}]}),
    net({**CONV, "kernel": {"choice": [{"choice": []}]}}),
    net({**CONV, "when": {"choice": [{"choice": []}]}}),
    net([], args={"a": {"choice": []}}), net([], args={"a": {"default": {"choice": []}}}),
    net([], defaults={"T": {"x": {"choice": []}}}),
    {"archspec": 1, "name": "net", "extends": "resnet18", "args": {"a": {"choice": []}}},
    net([], args={"in": 1}), net([], args={"a": {"kind": "integer"}}), net([], outputs={}),
    net([], templates={"b": {"body": []}}), net([], templates={"B": {}}),
    net([], templates={"B": {"body": {"op": "cnov"}}}),
    net([], templates={"B": {"body": [], "inputs": ["a", "a"]}}),
    net([], defaults={"conv": 3}), net([], expect={"param": 3}), net([], expect={"params": -1}),
    net([], extends="resnet18"),
    {"archspec": 1, "templates": {}, "input": {"shape": [3, 8, 8]}},
]  # fmt: skip


@pytest.mark.parametrize("spec", VALID, ids=json.dumps)
def test_valid(spec):
    assert verdicts(json.dumps(spec)) == (True, True, True)


@pytest.mark.parametrize("spec", INVALID, ids=json.dumps)
def test_invalid(spec):
    assert verdicts(json.dumps(spec)) == (False, False, False)


@pytest.mark.parametrize(
    "spec", [{**net([]), "archspec": 1.0}, net({**CONV, "kernel": 3.0}), net([], name="net\n")]
)
def test_what_plain_json_schema_lets_pass(spec):
    """It takes 3.0 for an integer, and Python's "$" stands before a line break too."""
    assert verdicts(json.dumps(spec)) == (True, False, False)


def test_every_word_is_a_node_unless_it_needs_arguments():
    needy = {
        name for name, op in OPS.items() if any(item.default is MISSING for item in op.attributes())
    }
    assert {"conv", "dense", "dropout"} <= needy
    for word in (*FUNCTIONS, *OPS, "none"):
        judged = word not in needy
        assert verdicts(json.dumps(net(word))) == (judged, judged, True)
        assert judged or verdicts(json.dumps(net(word)), GRAMMAR) == (True, True, True)


OF_EACH_KIND = ("resnet18", "spaces/tiny", "swin_tiny_patch4_window7_224", "tiny/isynet")
"""Of standard templates, with choices, with templates from other files, with its own."""


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", [name if name in OF_EACH_KIND else slow(name) for name in shipped_names()]
)
def test_the_schema_for_one_file_knows_its_templates(name):
    schema = schema_for(name)
    check_schema(json.dumps(schema))
    assert Validator(schema).is_valid(json.loads(SHIPPED[f"{name}.json"]))


@cache
def check_schema(text):
    """Once for all files that have the same."""
    Draft202012Validator.check_schema(json.loads(text))


def test_templates_that_would_share_a_definition_have_two():
    templates = {"a_B.C": {"args": {"x": 1}, "body": []}, "a.B_C": {"args": {"y": 1}, "body": []}}
    schema = document_schema(templates)
    Draft202012Validator.check_schema(schema)
    for word, arguments, expected in (
        ("a_B.C", {"x": 2}, True), ("a_B.C", {"y": 2}, False),
        ("a.B_C", {"x": 2}, False), ("a.B_C", {"y": 2}, True),
    ):  # fmt: skip
        assert Validator(schema).is_valid(net({"op": word, **arguments})) == expected


def test_the_schema_for_one_file_refuses_unknown_arguments():
    schema = schema_for("isynet_n1")
    spec = json.loads(SHIPPED["isynet_n1.json"])
    spec["body"] = [{"op": "ConvNormAct", "chanels": 4}]
    assert not Validator(schema).is_valid(spec)
    spec["body"] = [{"op": "ConvNormAct", "channels": 4}]
    assert Validator(schema).is_valid(spec)


ODD = (
    True, False, None, 0, 1, -1, 1.0, 2.5, -0.0, math.nan, math.inf, 10**400, "", "half", "a b",
    "x\n", "=1", [], [1], [1, 1], ["a", "a"], [1.0, True], [[]], {}, {"choice": []}, {"op": 1},
    {"choice": [1, "=2"], "name": "x"}, {"type": "integer", "default": 2}, ["in", "in"],
)  # fmt: skip


def test_what_is_judged_without_jsonschema_it_judges_alike():
    validators = [*map(shallow_op, OPS), *map(shallow_document, DOCUMENTS)]
    fragments = [f for one in validators for f in one.schema["properties"].values()]
    settled = 0
    for fragment in fragments:
        for value in ODD:
            judged = judge(fragment, value)
            settled += judged is not None
            assert judged in (None, StrictValidator(fragment).is_valid(value)), (fragment, value)
    assert settled > len(fragments) * len(ODD) / 2


@examples(100)
@given(damaged())
def test_whole_documents_are_judged_alike(drawn):
    for validator in map(shallow_document, DOCUMENTS):
        judged = judge(validator.schema, drawn[1])
        assert judged in (None, StrictValidator(validator.schema).is_valid(drawn[1]))


def test_what_is_right_never_asks_jsonschema(monkeypatch):
    """Which takes longer to import than a network to be read."""
    monkeypatch.setitem(sys.modules, "archspec.strict_dialect", None)
    for name in ("isynet_n1", "resnet50", "resnext152_64x4d", "swin_tiny_patch4_window7_224"):
        archspec.load(name)


NEEDED = {
    "channels": 12, "width": 12, "middle": 6, "heads": 4, "depth": 1, "kernel": 3, "classes": 5,
    "operations": [{"kernel": 3}, {"kernel": 1}],
}  # fmt: skip
VALUES = (-1, 0, 2, 0.5, 10**8, "x", None, [3, 3], [1, 0])


@pytest.mark.parametrize("name", ["standard", *shipped_libraries()])
def test_what_an_editor_refuses_of_an_argument_archspec_refuses_too(name):
    """By what the argument is passed to, too: every argument of every shipped template."""
    library = standard_library() if name == "standard" else read_library(read_spec(name))
    schema = schema_of(library)
    told = 0
    for template in library.own_names:
        properties = schema["$defs"][f"template_{template}"]["properties"]
        args = library.written(template)["args"]
        needed = {key: value for key, value in NEEDED.items() if key in args}
        if "squeeze" in args:  # what it is for counts
            needed["squeeze"] = 4
        for argument in args:
            may_be = Validator({"$defs": schema["$defs"], **properties[argument]})
            for value in VALUES:
                call = {"op": template, **needed, argument: value}
                spec = {**net(call), "input": {"shape": [12, 16, 16]}}
                if name != "standard":
                    spec["templates"] = library.document.data["templates"]
                if not may_be.is_valid(value):
                    told += 1
                    with pytest.raises(SpecError):
                        archspec.loads(json.dumps(spec))
    assert told >= 4 * len(library.own_names)
