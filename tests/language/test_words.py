"""A wrong word is answered by the right one, and never by another function of the field."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from archspec.errors import find_slip
from archspec.ops import FUNCTIONS, OPS
from archspec.words import ABSENT, ATTRIBUTES, CALLS, OTHERWISE, plain, suggest_call


@pytest.fixture
def said(tmp_path, monkeypatch, told):
    monkeypatch.chdir(tmp_path)

    def call(node):
        spec = {"archspec": 1, "name": "t", "input": {"shape": [3, 8, 8]}, "body": [node]}
        Path("t.json").write_text(json.dumps(spec))
        return told("validate", "t.json", code=1)

    return call


@pytest.mark.parametrize("function, right", {
    "swish": "use 'silu'", "hardswish": "use 'hswish'", "hard_swish": "use 'hswish'",
    "HardSigmoid": "use 'hsigmoid'", "leakyrelu": "use 'leaky_relu'", "lrelu": "use 'leaky_relu'",
    "rleu": "did you mean 'relu'?", "sigmod": "did you mean 'sigmoid'?",
}.items())  # fmt: skip
def test_functions(said, function, right):
    assert right in said({"op": "act", "function": function})


@pytest.mark.parametrize("function", ["softsign", "selu", "celu", "glu", "hardtanh", "relu1"])
def test_another_function_is_not_suggested(said, function):
    text = said({"op": "act", "function": function})
    assert "did you mean" not in text and "; use" not in text
    assert "'relu', 'relu6'" in text


@pytest.mark.parametrize("op, right", {
    "swish": 'use {"op": "act", "function": "silu"}', "linear": "use 'dense'", "fc": "use 'dense'",
    "bn": "use 'batch_norm'", "maxpool": "use 'max_pool'", "MaxPool2d": "use the op 'max_pool'",
    "gap": "use 'global_avg_pool'", "depthwise": '"groups": "=in_channels"',
    "deconv": "use 'conv_transpose'", "ConvTranspose2d": "use the op 'conv_transpose'",
    "pixel_unshuffle": "use 'space_to_depth'", "lrn": "use 'local_response_norm'",
    "SEBlock": "use 'SqueezeExcite'", "cat": "use 'concat'",
    "cnov": "did you mean 'conv'?", "batchnrom": "did you mean 'batch_norm'?",
}.items())  # fmt: skip
def test_ops(said, op, right):
    assert right in said({"op": op})


def test_a_template_as_an_op_would_be_written(said):
    from archspec.library import standard_library

    for name in standard_library().own_names:
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        assert f"use the template '{name}'" in said({"op": snake}), snake


@pytest.mark.parametrize("op", ["lstm", "weight_norm", "embedding"])
def test_another_op_is_not_suggested(said, op):
    text = said({"op": op})
    assert "did you mean" not in text and "; use 'conv', 'conv_transpose', " in text


@pytest.mark.parametrize("attribute, right", [
    ("kernel_size", "kernel"), ("filters", "channels"), ("strides", "stride"), ("pads", "padding"),
    ("use_bias", "bias"), ("dilation_rate", "dilation"), ("gruops", "groups"),
])  # fmt: skip
def test_attributes(said, attribute, right):
    text = said({"op": "conv", "channels": 4, "kernel": 3, attribute: 1})
    assert f"use '{right}'" in text or f"did you mean '{right}'?" in text


def test_the_tables_lead_to_what_there_is():
    from archspec.library import standard_library

    templates = set(standard_library().own_names)
    assert {name for names in CALLS.values() for name in names} <= (
        {*OPS, *FUNCTIONS, "none"} | templates
    )
    known = {plain(name) for name in (*OPS, *FUNCTIONS)}
    tables = (CALLS, OTHERWISE, ABSENT)
    assert all(word == plain(word) or word in ABSENT for table in tables for word in table)
    assert not ABSENT & known
    assert not OTHERWISE.keys() & (CALLS.keys() | ABSENT | known)
    assert all(word == plain(word) for word in ATTRIBUTES)


def test_a_name_is_not_suggested_for_another_s_words():
    for word in {*ABSENT, *OTHERWISE}:
        assert "did you mean" not in suggest_call(word, [*OPS, *FUNCTIONS])
    for name in (*OPS, *FUNCTIONS):
        # one letter less or two swapped is what a slip makes of it
        for slip in (name[1:], f"{name[1]}{name[0]}{name[2:]}"):
            if len(name) > 4 and plain(slip) not in {*CALLS, *OTHERWISE, *ABSENT}:
                assert find_slip(slip, [*OPS, *FUNCTIONS]) or slip in (*OPS, *FUNCTIONS)


def test_libraries_are_listed_and_found(told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = told("list", "--blocks")
    assert "blocks/isynet" in listed and "MBConv" in listed
    assert max(map(len, listed.splitlines())) <= 100
    rows = json.loads(told("list", "--blocks", "--format", "json"))
    assert {"import": "blocks/cspdarknet"}.items() <= {row["import"]: row for row in rows}[
        "blocks/cspdarknet"
    ].items()
    spec = {
        "archspec": 1, "name": "t", "input": {"shape": [3, 8, 8]},
        "import": {"csp": "cspdarknett"}, "body": ["relu"],
    }  # fmt: skip
    Path("t.json").write_text(json.dumps(spec))
    assert "did you mean 'blocks/cspdarknet'?" in told("validate", "t.json", code=1)
    spec["import"] = {"csp": "cspdarknet"}
    Path("t.json").write_text(json.dumps(spec))
    told("validate", "t.json")
