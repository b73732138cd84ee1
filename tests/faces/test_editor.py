"""What an author sees in an editor: by the engine inside VS Code and Monaco, and by ajv.

One node process (tests/editor/ask.mjs) answers for the whole file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from archspec.editor import document_schema, schema_for
from archspec.ops import FUNCTIONS, OPS
from archspec.sources import shipped_folder, shipped_names

HERE = Path(__file__).parents[1] / "editor"
STANDARD = Path(__file__).parents[2] / "archspec" / "templates" / "standard.json"
FOLDER = shipped_folder()
SPECS = {path.relative_to(FOLDER).as_posix(): path for path in sorted(FOLDER.rglob("*.json"))}
PLAIN = "plain"
FOR = ("isynet_n1", "resnet50_bifpn", "mobilenet_v2", "spaces/isynet", "inception_v3")
"""Specs of which `schema --for` is asked: imports, several inputs, defaults, a space."""

CONV = {"op": "conv", "channels": 4, "kernel": 3}
CALL = {"op": "ConvNormAct", "channels": 4}
MBCONV = {"op": "MBConv", "channels": 4}


def net(body, **keys):
    return {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, **keys, "body": body}


ONE_KIND = "A node must have one of the keys op, body, residual, branches and choice."
MISTAKES = {
    # what is written: (the text that is marked, what the author reads of it), first mark first
    json.dumps(spec): marks
    for spec, marks in [
        (net({**CONV, "chanels": 4}), [("chanels", "Property chanels is not allowed.")]),
        (net([{"op": "conv", "kernel": 3}]), [("{", 'Missing property "channels".')]),
        (net([{"op": "dropout"}]), [("{", 'Missing property "rate".')]),
        (net(["conv"]), [("conv", "This must be an object with the arguments it needs:")]),
        (net([{"op": "MBConv", "kernel": 3}]), [("{", 'Missing property "channels".')]),
        (
            net([{"op": "MBConv", "channels": 8, "expnd": 3}]),
            [("expnd", "Property expnd is not allowed.")],
        ),
        (net([{"op": "MBConv", "channels": "8"}]), [("8", 'Expected "integer".')]),
        # what the op that an argument is passed to declares, and what the template does
        (net({**CALL, "padding": -1}), [("-1", 'Valid values: "half", "same", "valid".')]),
        (net({**CALL, "stride": [2, 0]}), [("0", "Value is below the minimum of 1.")]),
        (net({**CALL, "act": "swish"}), [("swish", 'Valid values: "relu", "relu6",')]),
        (net({**MBCONV, "drop_path": 1}), [("1", "Value is above the exclusive maximum of 1.")]),
        (net({**MBCONV, "kernel": 0}), [("0", "Value is below the minimum of 1.")]),
        (net({**CONV, "residual": []}), [("[]", ONE_KIND)]),
        (net({"residual": [], "body": [CONV]}), [("[]", ONE_KIND)]),
        (net([{"residul": []}]), [('{"residul": []}', ONE_KIND)]),
        (net([{}]), [("{}", ONE_KIND)]),
        (net([3]), [("3", "A node must be an object, a list of nodes or a word.")]),
        (net({"op": "act", "function": "swish"}), [("swish", 'Valid values: "relu", "relu6",')]),
        (net(["swish"]), [("swish", 'Valid values: "none", "relu", "relu6",')]),
        (net({"op": "cnov", "kernel": 3}), [("cnov", 'Valid values: "conv", "conv_transpose",')]),
        (net({**CONV, "channels": 0}), [("0", "Value is below the minimum of 1.")]),
        (net({**CONV, "channels": "four"}), [("four", 'Expected "integer".')]),
        (net({**CONV, "padding": "full"}), [("full", 'Valid values: "half", "same", "valid".')]),
        (net({**CONV, "channels": {"choice": []}}), [("[]", "Array has too few items.")]),
        (net({**CONV, "name": "a b"}), [("a b", "A name must be letters, digits and _,")]),
        (net({**CONV, "when": 1}), [("1", 'Expected "boolean".')]),
        (net({**CONV, "first": {}}), [("{", "must stand beside a repeat, an each or a")]),
        (net({**CONV, "repeat": 2, "each": []}), [("{", "must have repeat or each, not both.")]),
        (net([{"branches": [[]]}]), [("{", 'Missing property "join".')]),
        (net([{"branches": [[]], "join": "sum"}]), [("sum", 'Valid values: "add", "sub",')]),
        (net([], input={"shape": [3, 8]}), [("[3, 8]", "Array has too few items. Expected 3")]),
        (net([], expect={"param": 3}), [("param", "Property param is not allowed.")]),
        (net([], args={"in": 1}), [("in", "An argument's name must be letters, digits and _,")]),
        (net([], templates={"b": {"body": []}}), [("b", "must start with a capital")]),
        ({"archspec": 1, "name": "net"}, [("{", "must have a body, or extends, or templates.")]),
        (
            {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}},
            [("{", 'Missing property "body".')],
        ),
    ]
}

RIGHT = [
    json.dumps(spec)
    for spec in [
        net({"op": "conv", "kernel": 3}, defaults={"conv": {"channels": 4}}),
        net(["conv"], defaults={"conv": {"channels": 4, "kernel": 3}}),
        net({"op": "conv", "kernel": 3, "each": [{"channels": 4}, {"channels": 8}]}),
        net({"op": "conv", "kernel": 3, "repeat": 1, "first": {"channels": 4}}),
        net({"op": "MBConv", "x": 3}, templates={"MBConv": {"args": {"x": 1}, "body": []}}),
        net(["MBConv"], templates={"MBConv": {"body": ["relu"]}}),
        net({"op": "Own", "anything": {"goes": [1]}}, templates={"Own": {"body": []}}),
        net({"op": "lib.Block", "width": 3}, **{"import": {"lib": "lib.json"}}),
        net({**CONV, "channels": {"choice": [4, "=8 + 8"], "share": "superkernel"}}),
        net({**CONV, "kernel": ["=1 + 2", 3], "when": "=in_channels > 2", "repeat": 2}),
        net({"residual": [CONV], "shortcut": {**CONV, "kernel": 1}, "join": "concat"}),
        net({**CALL, "padding": [0, 1, 0, 1], "bias": None, "alpha": "=1 / 2", "norm": "none"}),
        net({**MBCONV, "squeeze": 0, "kernel": {"choice": [3, "=5"]}, "act": "none"}),
        net({"branches": {"a": [], "b": "relu"}, "join": "none", "name": "two"}),
    ]
]

COMPLETIONS = {
    # "|" is the cursor: some of what is offered, each with words beside it
    '[{"op": "|"}]': ['"conv"', '"global_avg_pool"', '"MBConv"', '"Classifier"'],
    '[{"op": "MBConv", |}]': ["channels", "expand", "squeeze", "repeat", "name"],
    '[{"op": "MBConv", "|"}]': ["channels", "expand", "squeeze", "repeat", "name"],
    '[{"op": "conv", "channels": 3, |}]': ["kernel", "groups", "from", "when", "each"],
    '[{"op": "act", "function": "|"}]': ['"relu"', '"hswish"', '"silu"', '"none"'],
    '[{"op": "act", "function": |}]': ['"relu"', '"hswish"', '"silu"', '"none"'],
    "[|]": ['"relu"', '"flatten"', "conv ...", "MBConv ...", "residual ...", "branches ..."],
    '["re|"]': ['"relu"', '"relu6"'],
    "|": ['"relu"', "conv ...", "residual ..."],
    '{"residual": [|]}': ['"relu"', "conv ...", "MBConv ..."],
    "[{|}]": ["op", "residual", "branches", "body", "choice", "name", "repeat"],
    '{"residual": [], |}': ["shortcut", "join", "name"],
    '{"residual": [], "join": |}': ['"add"', '"concat"', '"mul"', '"none"'],
}
ABSENT = {
    '[{"op": "conv", "channels": 3, |}]': ["channels", "residual", "body"],
    '{"residual": [], |}': ["op", "residual", "branches"],
}

HOVERS = {
    # "|" is the mouse: words shown there
    '[{"op": "co|nv"}]': OPS["conv"].doc,
    '[{"o|p": "conv"}]': OPS["conv"].doc,
    '[{"op": "MBCo|nv"}]': "Inverted residual",
    '["hsw|ish"]': FUNCTIONS["hswish"],
    '["Classi|fier"]': "one dense layer",
    '[{"op": "act", "function": "hsw|ish"}]': FUNCTIONS["hswish"],
    '[{"op": "conv", "chan|nels": 3}]': "output channels",
    '[{"op": "MBConv", "exp|and": 3}]': "hidden channels per input channel; default: 6",
    '{"resi|dual": []}': "the main path",
    '{"residual": [], "join": "con|cat"}': "the body's before the shortcut's",
    '[{"op": "relu", "rep|eat": 3}]': "copies in sequence",
}


def at_cursor(body):
    before, after = json.dumps(net("BODY")).split('"BODY"')
    text = before + body + after
    return [PLAIN, text.replace("|", ""), text.index("|")]


@cache
def answers():
    """What the engines say of everything in this file."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed, which runs the engines of editors")
    assert (HERE / "node_modules").is_dir(), "run npm ci in tests/editor (make test does)"
    documents = [[PLAIN, path.read_text()] for path in (*SPECS.values(), STANDARD)]
    documents += [[name, SPECS[f"{name}.json"].read_text()] for name in FOR]
    documents += [[PLAIN, text] for text in (*MISTAKES, *RIGHT)]
    asked = {
        "schemas": {PLAIN: document_schema(), **{name: schema_for(name) for name in FOR}},
        "documents": documents,
        "cursors": [at_cursor(body) for body in (*COMPLETIONS, *HOVERS)],
    }
    result = subprocess.run(
        ["node", "ask.mjs"], input=json.dumps(asked), capture_output=True, text=True, cwd=HERE
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    keys = [*SPECS, "standard", *(f"{name} for itself" for name in FOR), *MISTAKES, *RIGHT]
    return (
        told["compiled"],
        dict(zip(keys, told["documents"], strict=True)),
        dict(zip((*COMPLETIONS, *HOVERS), told["cursors"], strict=True)),
    )


def test_ajv_compiles_the_schemas():
    compiled, _, _ = answers()
    assert compiled == dict.fromkeys([PLAIN, *FOR])


def test_every_shipped_spec_is_clean_in_both_engines():
    _, documents, _ = answers()
    assert set(shipped_names()) < {name.removesuffix(".json") for name in SPECS}
    keys = [*SPECS, "standard", *(f"{name} for itself" for name in FOR)]
    for key in keys:
        assert documents[key] == {"ajv": True, "marks": []}, key


def test_what_is_right_is_clean_in_both_engines():
    _, documents, _ = answers()
    for text in RIGHT:
        assert documents[text] == {"ajv": True, "marks": []}, text


def test_each_mistake_is_marked_at_its_place_in_words():
    _, documents, _ = answers()
    for text, expected in MISTAKES.items():
        assert not documents[text]["ajv"], text
        marks = documents[text]["marks"]
        assert len(marks) == len(expected), (text, marks)
        for (place, message), (wanted_place, words) in zip(marks, expected, strict=True):
            assert place.strip('"').startswith(wanted_place), (text, marks)
            assert words in message, (text, marks)


def test_completion_offers_what_may_stand_there_with_its_note():
    _, _, cursors = answers()
    for body, wanted in COMPLETIONS.items():
        labels = cursors[body]["labels"]
        assert set(wanted) <= set(labels), body
        assert all(labels[label] for label in wanted), body
        assert not set(ABSENT.get(body, ())) & set(labels), body


def test_a_snippet_holds_the_arguments_that_are_needed():
    _, _, cursors = answers()
    inserted = cursors["[|]"]["inserted"]
    assert {"conv ...", "dense ...", "dropout ...", "Bottleneck ...", "add ..."} <= set(inserted)
    for argument in ('"op": "conv"', '"channels": ${1:64}', '"kernel": ${2:3}'):
        assert argument in inserted["conv ..."]
    assert '"function": "${1|relu,' in inserted["act ..."]
    assert '"from": [' in inserted["add ..."]


def test_hovering_shows_the_notes_of_ops_templates_and_attributes():
    _, _, cursors = answers()
    for body, words in HOVERS.items():
        assert words.replace("`", "") in cursors[body]["hover"], body
