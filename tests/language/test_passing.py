"""Ops, templates and nodes as arguments, each rule by the smallest spec that shows it."""

import json

import pytest
from test_language import CONV, conv, expand, nodes, refusal

import archspec
from archspec.expand import Expander
from archspec.program import parse_program
from archspec.space import Space
from archspec.space_gates import assignments_of

BLOCK = {
    "Stage": {
        "args": {"block": {"type": "template"}, "norm": {"type": "op", "default": "none"}},
        "body": [{"op": "=block", "width": 4, "repeat": 2}, "=norm"],
    },
    "Wide": {"args": {"width": 1}, "body": conv(channels="=8 * width")},
}
AROUND = {
    "Around": {
        "args": {"inner": {"type": "node", "default": "relu"}},
        "body": [{"residual": "=inner"}, {"body": "=inner", "name": "tail"}],
    }
}


def test_a_template_is_an_argument():
    graph = expand({"op": "Stage", "block": "Wide"}, templates=BLOCK)
    assert list(graph.nodes) == ["stage.block1.conv", "stage.block2.conv"]
    assert graph.output_shapes["logits"] == (32, 8, 8)
    other = expand({"op": "Stage", "block": "BasicBlock"}, templates=BLOCK)
    assert other.calls["stage.block1"].template == "BasicBlock"
    assert other.calls["stage"].arguments["block"] == "BasicBlock"


def test_a_spec_s_own_argument_is_one():
    args = {"block": {"type": "template", "default": "Wide"}}
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "args": args,
            "templates": BLOCK, "body": {"op": "Stage", "block": "=block"}}  # fmt: skip
    program = parse_program(json.dumps(spec))
    assert Expander(program).graph().output_shapes["logits"] == (32, 8, 8)
    assert Expander(program).graph({"block": "BasicBlock"}).output_shapes["logits"] == (4, 8, 8)
    with pytest.raises(archspec.SpecError, match="block must be the name of a template"):
        Expander(program).graph({"block": "relu"})


@pytest.mark.parametrize(
    "norm, ops",
    [
        ("none", []),
        ("batch_norm", ["batch_norm"]),
        ("gelu", ["act"]),
        ("SqueezeExcite", None),
    ],
)
def test_an_op_a_function_a_template_or_none_is_an_argument(norm, ops):
    body = [{"op": "Stage", "block": "Wide", "norm": norm}, "flatten"]
    if ops is None:
        assert "SqueezeExcite lacks its argument 'channels'" in refusal(body, templates=BLOCK)
        return
    graph = expand(body, templates=BLOCK)
    assert [node.op.name for node in graph.nodes.values()] == ["conv", "conv", *ops, "flatten"]


def test_what_a_name_means_is_what_it_means_where_it_is_written():
    """A library places a template of the spec that calls it, though it has one of that name."""
    library = {"archspec": 1, "templates": {**BLOCK, "Own": {"body": "relu"}}}
    own = {"Own": {"args": {"width": 1}, "body": conv(channels="=width")}}
    body = [{"op": "lib.Stage", "block": "Own"}, {"op": "lib.Stage", "block": "lib.Wide"}]
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "templates": own,
            "import": {"lib": "l.json"}, "body": body}  # fmt: skip
    texts = {"l.json": json.dumps(library), "net.json": json.dumps(spec)}
    graph = archspec.loads(texts["net.json"], name="net.json", project=texts)
    assert [node.layer.output_shapes[0][0] for node in graph.nodes.values()] == [4, 4, 32, 32]


def test_a_node_is_an_argument():
    inner = [conv(channels="=width", kernel=1), "relu"]
    body = {"op": "Around", "inner": inner}
    graph = expand(body, args={"width": 3}, templates=AROUND)
    assert nodes(body, args={"width": 3}, templates=AROUND) == [
        "around.inner.conv: conv -> 3x8x8",
        "around.inner.act: act -> 3x8x8",
        "around.add: add around.inner.act in -> 3x8x8",
        "around.tail.inner.conv: conv -> 3x8x8",
        "around.tail.inner.act: act -> 3x8x8",
    ]
    assert graph.calls["around"].arguments["inner"][0]["channels"] == 3
    assert list(expand("Around", templates=AROUND).nodes) == [
        "around.inner.act", "around.add", "around.tail.inner.act",
    ]  # fmt: skip


def test_copies_of_what_is_passed():
    templates = {"Twice": {"args": {"inner": {"type": "node"}},
                           "body": {"body": "=inner", "name": "part", "repeat": 2}}}  # fmt: skip
    graph = expand({"op": "Twice", "inner": CONV}, templates=templates)
    assert list(graph.nodes) == ["twice.part1.inner.conv", "twice.part2.inner.conv"]


def test_the_op_may_be_a_choice():
    body = [
        {"op": {"choice": "=edges", "name": "edge"}, "name": "a"},
        {"op": {"choice": ["relu", "Wide"]}, "name": "b"},
    ]
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "templates": BLOCK,
            "args": {"edges": ["identity", "gelu", "batch_norm"]}, "body": body}  # fmt: skip
    space = Space(parse_program(json.dumps(spec)))
    assert assignments_of(space) == 6
    graph = space.assign({"edge": "batch_norm", "b.op": "Wide"})
    assert list(graph.nodes) == ["a", "b.conv"]


def test_what_comes_before_may_be_a_choice():
    body = [conv(name="a"), conv(name="b"), {"op": "add", "from": ["b", {"choice": ["a", "b"]}]}]
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": body}
    space = Space(parse_program(json.dumps(spec)))
    assert assignments_of(space) == 2
    assert [t.node for t in space.assign({"add.from.1": "b"}).nodes["add"].inputs] == ["b", "b"]


def test_what_is_passed_with_choices_in_it_is_expanded_each_time():
    """Each copy settles its own decisions, though the arguments are the same."""
    templates = {**BLOCK, "Open": {"args": {"width": 1}, "body": conv(kernel={"choice": [1, 3]})}}
    body = [{"op": "Stage", "block": "Open"}, {"op": "Stage", "block": "Open"}]
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": body,
            "templates": templates}  # fmt: skip
    space = Space(parse_program(json.dumps(spec)))
    assert sorted(space.first()) == [
        "stage.block1.conv.kernel", "stage.block2.conv.kernel",
        "stage2.block1.conv.kernel", "stage2.block2.conv.kernel",
    ]  # fmt: skip


STAGE = {"op": "Stage", "block": "Wide"}
REFUSALS = {
    "no such template": ({**STAGE, "block": "Wyde"}, "'Wyde' is not an op or a template; did you"),
    "not a name": ({**STAGE, "block": 3}, "block must be the name of a template, not 3"),
    "an op for a template": ({**STAGE, "block": "conv"}, "must be the name of a template"),
    "an argument it lacks": ({"op": "Stage", "block": "ConvNormAct"}, "no argument 'width'"),
    "a node that is none": (
        {"op": "Around", "inner": {"opp": "conv"}},
        "one of the keys",
    ),
    "a node with a name of nothing": ({"op": "Around", "inner": "Cnv"}, "no template 'Cnv'"),
    "a node with arguments": ({"op": "Given", "inner": "relu"}, "takes no arguments"),
    "a number as an op": ({"op": "=3 + 4"}, "op must be the name of an op or a template, not 7"),
    "one that calls itself": ({"op": "Loop", "block": "Loop"}, "call each other"),
    "an unknown option": ({"op": {"choice": ["relu", "rlu"]}}, "'rlu' is not an op or a template"),
}
TEMPLATES = {
    **BLOCK,
    **AROUND,
    "Given": {"args": {"inner": {"type": "node"}}, "body": {"op": "=inner", "channels": 3}},
    "Loop": {"args": {"block": {"type": "template"}}, "body": {"op": "=block", "block": "=block"}},
}


@pytest.mark.parametrize("body, sentence", REFUSALS.values(), ids=REFUSALS)
def test_refusals(body, sentence):
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": body,
            "templates": TEMPLATES}  # fmt: skip
    with pytest.raises(archspec.SpecError) as error:
        archspec.loads(json.dumps(spec))
    assert sentence in str(error.value)


def test_null_by_an_expression_is_as_if_it_were_not_written():
    templates = {"T": {"args": {"bias": None}, "body": conv(bias="=bias")}}
    assert not expand("T", templates=templates).nodes["t.conv"].op.bias
    graph = expand("T", templates=templates, defaults={"conv": {"bias": True}})
    assert graph.nodes["t.conv"].op.bias
