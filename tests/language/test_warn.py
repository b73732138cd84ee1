"""Nothing dead is silent: what has no effect is named with its place, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_random import BLOCK, check, examples, specs

import archspec
from archspec.cli import main
from archspec.document import parse_document
from archspec.library import read_library, standard_library
from archspec.loading import build
from archspec.sources import shipped_folder, shipped_names
from archspec.space import Space
from archspec.warn import find_library_warnings, find_warnings, sample_networks, softmax_results

CONV = {"op": "conv", "channels": 4, "kernel": 3}
WIDE = {**CONV, "channels": 6}
SOME = {"op": "conv", "channels": 2, "kernel": 1, "when": "=on"}
SWITCH = {"args": {"on": True}, "body": [SOME]}
"""A template that leaves no node where it is switched off."""
TWO = {
    "body": [{**CONV, "name": "low"}, {**CONV, "name": "high", "from": "in"}],
    "outputs": {"low": "low", "high": "high"},
}


EDGE = {"op": {"choice": "=edges"}}
EDGES = {"T": {"args": {"edges": {"type": "array"}}, "body": EDGE}}
FROM_A_C = {"choice": ["a", "c", "c"]}
PASSED = ("op", "template", "node")


def net(body, **keys):
    return {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, **keys, "body": body}


def network(arguments, *nodes, network="resnet18"):
    call = {"op": "b.Network", "name": "b", **arguments}
    shape = {"import": {"b": network}, "input": {"shape": [3, 64, 64]}}
    return {**net([call, *nodes]), **shape}


def warnings_of(spec):
    """The warnings of a spec: pointer and sentence."""
    program = check(parse_document(json.dumps(spec), "net.json"))
    graphs = sample_networks(Space(program)) if program.has_choice else [build(program)]
    found = find_warnings(program, graphs)
    assert all(warning.where.startswith("net.json:1:") for warning in found)
    return [(warning.pointer, warning.message) for warning in found]


def library_warnings(**keys):
    document = parse_document(json.dumps({"archspec": 1, **keys}), "net.json")
    return [
        (problem.pointer, problem.message)
        for problem in find_library_warnings(read_library(document))
    ]


DEAD = {
    # the issue's own: 216 parameters, of which ONNX holds 108
    "a node": (
        net([{**CONV, "name": "a"}, {**CONV, "name": "b", "from": "in"}]),
        ["/body/0", "nothing uses the result of a; name it in a from or in outputs, or remove it"],
    ),
    "a chain": (
        net([{**CONV, "name": "a"}, {**CONV, "name": "b"}, {**CONV, "name": "c", "from": "in"}]),
        ["/body/0", "the result of a feeds only 'b', which nothing uses; remove it too"],
        ["/body/1", "nothing uses the result of b; name it in a from or in outputs, or remove it"],
    ),
    "a call": (
        net([{"op": "MBConv", "channels": 4, "name": "m"}, {**CONV, "from": "in"}]),
        ["/body/0", "nothing uses the result of m;"],
    ),
    "a residual, said once": (
        net([{"residual": [CONV, "relu"], "join": "concat"}, {**CONV, "from": "in"}]),
        ["/body/0", "nothing uses the result of concat;"],
    ),
    "a branch": (
        net(
            [
                {"branches": {"a": [CONV], "b": [CONV]}, "join": "none", "name": "two"},
                {"op": "concat", "from": ["two.a"]},
            ]
        ),
        ["/body/0/branches/b/0", "nothing uses the result of two.b.conv;"],
    ),
    "a result of a call": (
        net([{"op": "Two", "name": "t"}, {**CONV, "from": "t.low"}], templates={"Two": TWO}),
        ["/templates/Two/body/1", "nothing uses the result of t.high;"],
    ),
    "copies, once": (
        net([{**CONV, "name": "a", "repeat": 3}, {**CONV, "from": "in"}]),
        ["/body/0", "the result of a1 feeds only 'a2', which nothing uses; remove it too"],
    ),
    "beside outputs": (
        net([{**CONV, "name": "a"}, {**CONV, "name": "b"}], outputs={"x": "a"}),
        ["/body/1", "nothing uses the result of b;"],
    ),
    "an arg": (
        net([CONV], args={"n": 1, "m": "=n"}),
        ["/args/n", 'nothing in net reads its argument n; use "=n" or remove it'],
        ["/args/m", 'nothing in net reads its argument m; use "=m" or remove it'],
    ),
    "an arg of a template": (
        net(["T"], templates={"T": {"args": {"x": 1}, "body": [CONV]}}),
        ["/templates/T/args/x", "nothing in T reads its argument x;"],
    ),
    "an input of a template": (
        net(
            [{**CONV, "name": "c"}, {"op": "T", "from": {"a": "c", "b": "in"}}],
            templates={"T": {"inputs": ["a", "b"], "body": [{**CONV, "from": "a"}]}},
        ),
        ["/templates/T/inputs/1", "no node of T takes its input b;"],
    ),
    "templates": (
        net([CONV], templates={"T": {"body": ["U"]}, "U": {"body": [CONV]}}),
        ["/templates/T", "nothing calls the template T; call it or remove it"],
        ["/templates/U", "nothing calls the template U;"],
    ),
    "an import": (
        net([CONV], **{"import": {"lib": "blocks/isynet"}}),
        ["/import/lib", "nothing calls a template of the import lib;"],
    ),
    "defaults of nothing": (
        net([CONV], defaults={"dense": {"bias": False}, "MBConv": {"act": "silu"}}),
        ["/defaults/dense", "nothing calls dense, so its defaults have no effect; remove them"],
        ["/defaults/MBConv", "nothing calls MBConv,"],
    ),
    "a default that all give": (
        net([CONV, CONV], defaults={"conv": {"kernel": 1, "bias": True}}),
        ["/defaults/conv/kernel", "every call of conv gives its own kernel,"],
    ),
    "a default for another function": (
        net(["relu", "silu"], defaults={"act": {"approximate": True, "alpha": 0.2}}),
        ["/defaults/act/alpha", "alpha means something only for the function 'leaky_relu' or"],
        ["/defaults/act/approximate", "approximate means something only for the function 'gelu',"],
    ),
    "when": (
        net([CONV, {"op": "identity", "when": "=1 > 2"}, {"body": CONV, "when": True}]),
        ["/body/1/when", "when is always false, so the node is never there; remove it"],
        ["/body/2/when", "when is always true, as without it; remove it"],
    ),
    "no copies": (
        net([CONV, {**CONV, "repeat": "=2 - 2"}, {**CONV, "each": []}]),
        ["/body/1/repeat", "there are no copies, so the node is never there; remove it"],
        ["/body/2/each", "there are no copies,"],
    ),
    "values that others replace": (
        net(
            [
                {**CONV, "repeat": 1, "first": {"kernel": 1}},
                {**CONV, "each": [{"channels": 1}, {"channels": 2}], "last": {"channels": 3}},
            ]
        ),
        ["/body/0/kernel", "every copy that this kernel is for is given another; remove it"],
        ["/body/1/channels", "every copy that this channels is for is given another;"],
        ["/body/1/each/1/channels", "every copy that this channels is for is given another;"],
    ),
    "a join of one branch": (
        net([{"branches": [[CONV]], "join": "concat"}]),
        ["/body/0/join", "one branch has nothing to join; use a body in its place"],
    ),
    "a shortcut left out": (
        net([{"residual": [CONV], "shortcut": CONV, "join": "none"}]),
        ["/body/0/shortcut", "the join 'none' leaves the shortcut out;"],
    ),
    "a call that leaves nothing": (
        net([CONV, {"op": "Switch", "on": False}], templates={"Switch": SWITCH}),
        ["/body/1", "this call of Switch leaves no node, as nothing in it is there for these"],
    ),
    "a call inside that leaves nothing": (
        net(
            [CONV, {"op": "Outer"}],
            templates={"Switch": SWITCH, "Outer": {"body": [{"op": "Switch", "on": False}]}},
        ),
        ["/templates/Outer/body/0", "this call of Switch leaves no node,"],
    ),
    "a standard template that leaves nothing": (
        net([CONV, {"op": "MBConv", "channels": 4, "expand": 0}]),
        ["/body/1", "this call of MBConv leaves no node,"],
    ),
    "a softmax before the loss": (
        net(["flatten", {"op": "dense", "channels": 3}, "softmax", "identity"]),
        ["/body/2", "the result logits is a softmax, and training's losses take their own,"],
    ),
    "a choice of one": (
        net([{**CONV, "kernel": {"choice": [3]}}]),
        ["/body/0/kernel/choice", "a choice of one option decides nothing; use the option alone"],
    ),
    "options twice": (
        net([{**CONV, "kernel": {"choice": [1, 3, 1]}}, "relu"]),
        ["/body/0/kernel/choice/2", "1 is an option of this choice already; remove it"],
    ),
    "a list of options that no choice reads": (
        net([CONV], args={"edges": ["relu", "T"]}, templates={"T": {"body": CONV}}),
        ["/args/edges", 'nothing in net reads its argument edges; use "=edges" or remove it'],
    ),
    "options twice in a list": (
        net([EDGE, CONV], args={"edges": ["relu", "silu", "relu"]}),
        ["/body/0/op/choice", "'=edges' gives the option 'relu' twice; remove one"],
    ),
    "a list of one option": (
        net([{"op": "T", "edges": "=edges"}, CONV], args={"edges": ["relu"]}, templates=EDGES),
        ["/templates/T/body/op/choice", "'=edges' gives one option, which decides nothing;"],
    ),
    "a template that no list of options names": (
        net([EDGE, CONV], args={"edges": ["relu", "T"]}, templates={**EDGES, "U": {"body": CONV}}),
        ["/templates/U", "nothing calls the template U;"],
    ),
    "a source that no option is": (
        net([{**CONV, "name": n} for n in "abc"] + [{"op": "identity", "from": FROM_A_C}]),
        ["/body/3/from/choice/2", "'c' is an option of this choice already; remove it"],
    ),
    "a source beside the options": (
        net(
            [{**CONV, "name": n, "from": "in"} for n in "abc"]
            + [{"op": "identity", "from": {"choice": ["a", "c"]}}]
        ),
        ["/body/1", "nothing uses the result of b;"],
    ),
    "a lane": (
        net([{**CONV, "name": "p", "parallel": 3}, {"op": "add", "from": ["p[0]", "p[2]"]}]),
        ["/body/0", "nothing uses the result of p2;"],
    ),
    "a lane's result of a list": (
        net(
            [{"op": "T", "name": "t"}, {"op": "identity", "from": "t.low[1]"}],
            templates={
                "T": {
                    "body": {**CONV, "name": "c", "parallel": 2},
                    "outputs": {"low[]": "c"},
                }
            },
        ),
        ["/templates/T/body", "nothing uses the result of t.c1;"],
    ),
    "a join of one lane": (
        net([{**CONV, "parallel": 1, "join": "add"}, {**CONV, "parallel": [{}], "join": "max"}]),
        ["/body/0/join", "one lane has nothing to join; leave the join out"],
        ["/body/1/join", "one lane has nothing to join; leave the join out"],
    ),
    "an op, a template and a node as arguments": (
        net(
            [{"op": "T", "one": "relu", "two": "U", "three": CONV}],
            templates={
                "T": {
                    "args": {
                        n: {"type": t} for n, t in zip(("one", "two", "three"), PASSED, strict=True)
                    },
                    "body": CONV,
                },
                "U": {"body": CONV},
            },
        ),
        ["/templates/T/args/one", "nothing in T reads its argument one;"],
        ["/templates/T/args/two", "nothing in T reads its argument two;"],
        ["/templates/T/args/three", "nothing in T reads its argument three;"],
    ),
    "what a network gives besides": (
        network({}, {"op": "identity", "from": "b.stage2"}),
        ["/body/0", 'nothing uses all that the network b gives; use "until": "stage2", behind'],
    ),
    "one of a network's results": (
        network({}, {"op": "identity", "from": "b.c3"}, network="cspdarknet53_detector"),
        ["/body/0", 'nothing uses all that the network b gives; use "until": "stage3", behind'],
    ),
    "a cut that cuts nothing": (
        network({"until": "classifier"}),
        ["/body/0/until", "nothing of the network lies behind 'classifier', so until cuts nothing"],
    ),
    "an argument of what is cut off": (
        network({"until": "stage3", "classes": 5, "depths": [1, 1, 1, 1]}),
        ["/body/0/classes", "what reads classes lies behind 'stage3', where the network is cut;"],
    ),
    "the image's channels for a node that takes others": (
        net([WIDE, {**WIDE, "groups": "=in_channels"}, {**WIDE, "when": "=in_channels != 6"}]),
        ["/body/1/groups", "in_channels is 3 here, of the network's input, and the node takes 6;"],
        ["/body/2/when", "in_channels is 3 here, of the network's input, and the node takes 6;"],
    ),
    "the image's channels for a call": (
        net(
            [CONV, {"residual": [{"op": "T", "w": "=2 * in_channels"}], "join": "concat"}],
            templates={"T": {"args": {"w": {}}, "body": [{**CONV, "channels": "=w"}]}},
        ),
        ["/body/1/residual/0/w", "in_channels is 3 here,"],
    ),
    "the image's channels for copies": (
        net([{**CONV, "repeat": 2, "channels": "=in_channels * 2"}]),
        ["/body/0/channels", "in_channels is 3 here, of the network's input, and the node takes 6"],
    ),
    "dead in every network of a space": (
        net([{**CONV, "name": "a", "kernel": {"choice": [1, 3]}}, {**CONV, "from": "in"}]),
        ["/body/0", "nothing uses the result of a;"],
    ),
}

ALIVE = {
    "a default for a copy's function": net(
        ["relu", {"op": "act", "each": [{"function": "elu"}, {"function": "relu"}]}],
        defaults={"act": {"alpha": 0.2}},
    ),
    "a default for a computed function": net(
        ["relu", {"op": "act", "function": "=f"}],
        args={"f": "gelu"},
        defaults={"act": {"approximate": True}},
    ),
    "a stream by name": net([{**CONV, "name": "a"}, {"op": "add", "from": ["a", "a"]}]),
    "outputs": net(
        [{**CONV, "name": "a"}, {**CONV, "name": "b", "from": "in"}], outputs={"x": "a", "y": "b"}
    ),
    "args through args": net([{**CONV, "channels": "=m"}], args={"n": 1, "m": "=n + 1"}),
    "an arg for defaults": net(
        [{"op": "conv", "channels": 4}], args={"k": 3}, defaults={"conv": {"kernel": "=k"}}
    ),
    "a template by a template": net(["T"], templates={"T": {"body": ["U"]}, "U": {"body": [CONV]}}),
    "an import in a template": net(
        ["T"],
        templates={"T": {"body": [{"op": "lib.Stage", "width": 4, "depth": 1}]}},
        **{"import": {"lib": "blocks/resnet"}},
    ),
    "first of several": net(
        [{**CONV, "repeat": 2, "first": {"kernel": 1}, "last": {"channels": 2}}]
    ),
    "when by an arg": net([CONV, {**CONV, "when": "=deep"}], args={"deep": False}),
    "no copies by an arg": net([CONV, {**CONV, "repeat": "=n"}], args={"n": 0}),
    "a call switched off": net(
        [CONV, {"op": "Switch", "on": "=on", "when": "=on"}],
        args={"on": False},
        templates={"Switch": SWITCH},
    ),
    "an empty template": net([CONV, "Nothing"], templates={"Nothing": {"body": []}}),
    "an option that is not taken": net([{"choice": [CONV, {**CONV, "kernel": 1}]}]),
    "expand 0 as an option": net([{"op": "MBConv", "channels": 3, "expand": {"choice": [0, 2]}}]),
    "a result that one of many options takes": net(
        [{**CONV, "name": f"c{n}", "from": "in"} for n in range(25)]
        + [{"op": "identity", "from": {"choice": [f"c{n}" for n in range(25)]}}]
    ),
    "a result that few combinations of options take": net(
        [{**CONV, "name": f"c{n}", "from": "in"} for n in range(9)]
        + [{"op": "identity", "name": "a", "from": {"choice": [f"c{n}" for n in range(9)]}}]
        + [{"op": "identity", "from": {"choice": ["a", *(f"c{n}" for n in range(1, 9))]}}]
    ),
    "layers of which some are left out in each network": net(
        [CONV, {"op": "MBConv", "channels": 4, "expand": {"choice": [0, 2]}, "repeat": 6}]
    ),
    "options that a list of the spec's names": net(
        [{"op": "U", "edges": "=edges"}],
        args={"edges": ["relu", "T"]},
        templates={"U": EDGES["T"], "T": {"body": CONV}},
    ),
    "a list of one in one call and of more in another": net(
        [{"op": "T", "edges": ["relu"]}, {"op": "T", "edges": ["relu", "silu"]}, CONV],
        templates=EDGES,
    ),
    "a network, cut": network({"until": "stage2", "depths": [1, 1, 1, 1]}),
    "a cut that leaves one result": network({"until": "stage5"}, network="cspdarknet53_detector"),
    "a node of a network beside its result": network(
        {},
        {"op": "global_avg_pool", "from": "b.stage4"},
        "flatten",
        {"op": "concat", "from": ["b", "flatten"]},
    ),
    "the image's channels where they are taken": net(
        [
            {**CONV, "groups": "=in_channels", "channels": 3, "repeat": 2},
            {**CONV, "name": "a"},
            {**CONV, "from": "in", "channels": "=2 * in_channels", "name": "b"},
            {"op": "concat", "from": ["a", "b"]},
        ]
    ),
    "a template's own channels": net(
        [CONV, "T"], templates={"T": {"body": [{**CONV, "groups": "=in_channels"}]}}
    ),
    "the image's channels by name, and of a parameter": net(
        [
            CONV,
            {**CONV, "channels": "=channels('in')", "name": "c"},
            {"op": "param", "name": "p", "shape": ["=in_channels", 1, 1]},
            {"op": "add", "from": ["c", "p"]},
        ]
    ),
    "one copy that takes the image": net(
        [{**CONV, "repeat": 2, "first": {"channels": "=in_channels"}}]
    ),
    "softmax inside": net([CONV, {"residual": ["softmax"], "join": "mul"}]),
}


@pytest.mark.parametrize(
    "spec, expected", [(spec, rest) for spec, *rest in DEAD.values()], ids=DEAD
)
def test_what_is_dead_is_named(spec, expected):
    found = warnings_of(spec)
    assert [pointer for pointer, _ in found] == [pointer for pointer, _ in expected]
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert message.startswith(words)


@pytest.mark.parametrize("spec", ALIVE.values(), ids=ALIVE)
def test_what_is_alive_is_not(spec):
    assert warnings_of(spec) == []


def test_what_is_dead_in_a_call_says_which_call():
    spec = net([{"op": "Two", "name": "t"}, {**CONV, "from": "t.low"}], templates={"Two": TWO})
    program = check(parse_document(json.dumps(spec), "net.json"))
    (warning,) = find_warnings(program, [build(program)])
    (call,) = warning.stack
    assert call.startswith("in Two, called at net.json:1:") and call.endswith(" as t")


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_specs_have_no_warnings(name):
    program = archspec.Space(name).program
    graphs = sample_networks(Space(program)) if program.has_choice else [build(program)]
    assert find_warnings(program, graphs) == []


def test_shipped_libraries_have_no_warnings(capsys):
    assert find_library_warnings(standard_library()) == []
    libraries = [str(path) for path in (shipped_folder() / "blocks").glob("*.json")]
    assert main(["validate", "--strict", *libraries]) == 0
    assert capsys.readouterr().err == ""


def test_a_library_is_judged_without_being_called():
    body = [{**CONV, "name": "a"}, {**CONV, "from": "in"}, {"op": "add", "from": ["in", "conv"]}]
    assert library_warnings(templates={"T": {"args": {"x": 1}, "body": body}}) == [
        ("/templates/T/args/x", 'nothing in T reads its argument x; use "=x" or remove it'),
        (
            "/templates/T/body/0",
            "nothing in T uses the result of this node; name it in a from or in outputs,"
            " or remove it",
        ),
    ]
    assert library_warnings(templates={"Two": TWO, "Switch": SWITCH, "Block": BLOCK}) == []


# --- any spec, with something dead in it


def with_dead_node(spec, node):
    return {**spec, "body": [node, {"body": spec["body"], "from": "in"}]}


def append(spec, *nodes):
    return {**spec, "body": [{"body": spec["body"]}, *nodes]}


IDLE = {
    "node": lambda spec: (with_dead_node(spec, {**CONV, "name": "zz"}), "/body/0"),
    "word": lambda spec: (with_dead_node(spec, "global_avg_pool"), "/body/0"),
    "call": lambda spec: (with_dead_node(spec, {"op": "MBConv", "channels": 3}), "/body/0"),
    "residual": lambda spec: (
        with_dead_node(spec, {"residual": [], "shortcut": "relu"}),
        "/body/0",
    ),
    "arg": lambda spec: ({**spec, "args": {**spec["args"], "zz": 1}}, "/args/zz"),
    "template": lambda spec: (
        {**spec, "templates": {**spec.get("templates", {}), "Zz": {"body": [CONV]}}},
        "/templates/Zz",
    ),
    "import": lambda spec: ({**spec, "import": {"zz": "blocks/resnet"}}, "/import/zz"),
    "defaults": lambda spec: (
        {**spec, "defaults": {"Bottleneck": {"stride": 2}}},
        "/defaults/Bottleneck",
    ),
    "when": lambda spec: (append(spec, {"op": "identity", "when": "=3 < 2"}), "/body/1/when"),
    "repeat": lambda spec: (append(spec, {"op": "identity", "repeat": 0}), "/body/1/repeat"),
    "argument": lambda spec: (
        append(spec, {"op": "layer_scale", "initial": 1, "repeat": 1, "last": {"initial": 2}}),
        "/body/1/initial",
    ),
    "shortcut": lambda spec: (
        append(spec, {"residual": "relu", "shortcut": "relu", "join": "none"}),
        "/body/1/shortcut",
    ),
    "empty": lambda spec: (
        {
            **append(spec, {"op": "Zz", "on": False}),
            "templates": {**spec.get("templates", {}), "Zz": SWITCH},
        },
        "/body/1",
    ),
}


@examples(120)
@given(specs(), st.sampled_from(sorted(IDLE)))
def test_something_dead_in_any_spec_is_named_at_its_place(drawn, kind):
    spec = {key: value for key, value in drawn[0].items() if key != "outputs"}
    idle, pointer = IDLE[kind](spec)
    found = dead_places(idle)
    assert pointer in found
    assert len(found) == len(dead_places(spec)) + 1


def dead_places(spec):
    """Without the warning of a softmax as result, which is one no more with a node after it."""
    return [place for place, text in warnings_of(spec) if "is a softmax" not in text]


# --- commands


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("net.json").write_text(json.dumps(DEAD["a node"][0]))

    def call(*arguments):
        code = main(arguments)
        return code, *capsys.readouterr()

    return call


LINE = (
    "net.json:1:72: at /body/0: warning: nothing uses the result of a; name it in a from or in"
    " outputs, or remove it"
)


def test_validate_warns_and_passes(run):
    code, out, err = run("validate", "net.json")
    assert (code, out) == (0, "net.json: ok, 2 nodes, 216 parameters, 13.8 K MACs\n")
    assert err.splitlines() == [LINE, "1 warning"]


def test_strict_makes_warnings_fail(run):
    assert run("validate", "--strict", "net.json")[0] == 1
    assert run("validate", "--strict", "resnet18")[0] == 0


def test_warnings_are_data(run):
    code, out, err = run("validate", "--format", "json", "net.json", "resnet18")
    first, second = json.loads(out)
    assert (code, err, first["ok"], first["problems"]) == (0, "", True, [])
    assert first["warnings"] == [
        {
            "message": LINE.partition("warning: ")[2],
            "where": "net.json:1:72",
            "pointer": "/body/0",
            "stack": [],
        }
    ]
    assert second["warnings"] == []


def test_other_commands_say_that_there_are_warnings(run):
    code, out, err = run("hash", "net.json")
    assert code == 0 and len(out.split()[0]) == 64
    assert err == "net.json: 1 warning; archspec validate net.json shows it\n"
    assert run("hash", "resnet18")[2] == ""


def test_softmax_results_are_found_through_what_passes_values_on():
    head = ["flatten", {"op": "dense", "channels": 4}]
    for tail, found in (
        ([], []),
        (["softmax"], ["logits"]),
        (["softmax", {"op": "dropout", "rate": 0.5}, "identity"], ["logits"]),
        (["softmax", "relu"], []),
        (["sigmoid"], []),
    ):
        program = check(parse_document(json.dumps(net([*head, *tail])), "net.json"))
        assert list(softmax_results(build(program))) == found
