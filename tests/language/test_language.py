"""Every rule of docs/language.md, each by the smallest spec that shows it and what it expands to.

Nodes are written as "name: op inputs -> shape"; the input that is the node before is left out.
"""

from __future__ import annotations

import json

import pytest

import archspec
from archspec.check import check_document
from archspec.document import parse_document
from archspec.loading import build
from archspec.program import program_of
from archspec.shapes import written

CONV = {"op": "conv", "channels": 4, "kernel": 3}
JOIN = {"inputs": ["low", "high"], "body": {"op": "add", "from": ["low", "high"]}}


def conv(**keys):
    return {**CONV, **keys}


def program(body, shape=(3, 8, 8), **keys):
    spec = {"archspec": 1, "name": "net", "input": {"shape": shape}, **keys, "body": body}
    document = parse_document(json.dumps(spec), "net.json")
    assert check_document(document) == []
    return program_of(document)


def expand(body, *args, **keys):
    return build(program(body, *args, **keys))


def nodes(body, *args, **keys):
    return rows(expand(body, *args, **keys))


def rows(graph):
    result = []
    before = "in"
    for name, node in graph.nodes.items():
        inputs = [t.node + (f".{t.output + 1}" if split(graph, t) else "") for t in node.inputs]
        given = "" if inputs == [before] else f" {' '.join(inputs)}"
        shapes = " ".join(map(written, node.layer.output_shapes))
        result.append(f"{name}: {node.op.name}{given} -> {shapes}")
        before = name
    return result


def split(graph, tensor):
    return tensor.node in graph.nodes and len(graph.nodes[tensor.node].layer.output_shapes) > 1


def refusal(*args, **keys):
    with pytest.raises(archspec.SpecError) as error:
        expand(*args, **keys)
    (problem,) = error.value.problems
    return problem.message


class TestFlow:
    def test_a_list_is_a_sequence_and_nests(self):
        assert nodes([CONV, ["relu", [CONV]]]) == [
            "conv: conv -> 4x8x8",
            "act: act -> 4x8x8",
            "conv2: conv -> 4x8x8",
        ]

    def test_a_word_is_short_for_a_call(self):
        long = [{"op": "act", "function": "relu"}, {"op": "batch_norm"}, {"op": "BasicBlock",
                "width": 3}]  # fmt: skip
        short = ["relu", "batch_norm", {"op": "BasicBlock", "width": 3}]
        assert expand(short).normal_form() == expand(long).normal_form()
        assert nodes("T", templates={"T": {"body": "relu"}}) == ["t.act: act -> 3x8x8"]

    def test_none_is_no_node(self):
        assert nodes(["none", CONV, "none"]) == ["conv: conv -> 4x8x8"]
        assert nodes("none") == []

    def test_the_function_none_is_no_node(self):
        assert nodes([CONV, {"op": "act", "function": "none"}, "relu"]) == [
            "conv: conv -> 4x8x8",
            "act2: act -> 4x8x8",
        ]

    def test_from_takes_an_earlier_result_instead(self):
        assert nodes([conv(name="a"), conv(name="b"), {"op": "add", "from": ["a", "b"]},
                      {"op": "concat", "from": ["add", "in"]}, conv(**{"from": "a"})]) == [
            "a: conv -> 4x8x8",
            "b: conv -> 4x8x8",
            "add: add a b -> 4x8x8",
            "concat: concat add in -> 7x8x8",
            "conv: conv a -> 4x8x8",
        ]  # fmt: skip

    def test_no_cycle_can_be_written(self):
        message = "there is no earlier node 'b' here; use the name of a node before this one"
        assert refusal([conv(name="a", **{"from": "b"}), conv(name="b")]) == message

    def test_the_last_node_is_the_result(self):
        graph = expand([CONV, "relu"])
        assert {key: tensor.node for key, tensor in graph.outputs.items()} == {"logits": "act"}

    def test_outputs_name_several(self):
        body = [conv(name="a"), conv(name="b", stride=2), "relu"]
        graph = expand(body, outputs={"c3": "a", "c4": "b", "image": "in"})
        assert graph.output_shapes == {"c3": (4, 8, 8), "c4": (4, 4, 4), "image": (3, 8, 8)}
        assert list(graph.outputs) == ["c3", "c4", "image"]

    def test_an_output_within_a_group(self):
        body = {"name": "stage", "body": [conv(name="a"), conv(name="b", stride=2)]}
        assert expand(body, outputs={"c3": "stage.a"}).output_shapes == {"c3": (4, 8, 8)}

    def test_a_group_without_a_name_is_no_scope(self):
        assert nodes([{"body": [CONV]}, {"body": [CONV, "relu"], "name": "g"}, CONV]) == [
            "conv: conv -> 4x8x8",
            "g.conv: conv -> 4x8x8",
            "g.act: act -> 4x8x8",
            "conv2: conv -> 4x8x8",
        ]

    def test_a_split_gives_parts(self):
        assert nodes([{"op": "split", "name": "s", "parts": 2}, conv(**{"from": "s.2"}),
                      {"op": "concat", "from": ["s.1", "conv"]}], (4, 8, 8)) == [
            "s: split -> 2x8x8 2x8x8",
            "conv: conv s.2 -> 4x8x8",
            "concat: concat s.1 conv -> 6x8x8",
        ]  # fmt: skip


class TestPaths:
    def test_a_residual_adds_its_input(self):
        assert nodes([{"residual": [conv(channels=3), "relu"]}, "relu"]) == [
            "conv: conv -> 3x8x8",
            "act: act -> 3x8x8",
            "add: add act in -> 3x8x8",
            "act2: act -> 3x8x8",
        ]

    def test_a_shortcut_has_a_scope_of_its_own(self):
        assert nodes({"residual": CONV, "shortcut": [conv(kernel=1), "relu"]}) == [
            "conv: conv -> 4x8x8",
            "shortcut.conv: conv in -> 4x8x8",
            "shortcut.act: act -> 4x8x8",
            "add: add conv shortcut.act -> 4x8x8",
        ]

    @pytest.mark.parametrize(
        "join, last",
        [("concat", "concat: concat conv in -> 6x8x8"), ("mul", "mul: mul conv in -> 3x8x8")],
    )
    def test_joins(self, join, last):
        assert nodes({"residual": conv(channels=3), "join": join})[1:] == [last]

    def test_join_none_leaves_the_shortcut_out(self):
        body = {"residual": CONV, "shortcut": conv(kernel=1), "join": "none"}
        assert nodes(body) == ["conv: conv -> 4x8x8"]

    def test_a_join_may_be_an_expression(self):
        body = {"residual": CONV, "join": "='concat' if wide else 'none'"}
        assert len(nodes(body, args={"wide": True})) == 2
        assert len(nodes(body, args={"wide": False})) == 1

    def test_branches_start_from_one_result(self):
        assert nodes([CONV, {"branches": [conv(kernel=1), [], ["relu", CONV]],
                             "join": "concat"}]) == [
            "conv: conv -> 4x8x8",
            "branch1.conv: conv -> 4x8x8",
            "branch3.act: act conv -> 4x8x8",
            "branch3.conv: conv -> 4x8x8",
            "concat: concat branch1.conv conv branch3.conv -> 12x8x8",
        ]  # fmt: skip

    def test_branches_with_names(self):
        body = {"name": "cell", "branches": {"low": CONV, "high": "identity"}, "join": "concat"}
        assert nodes(body) == [
            "cell.low.conv: conv -> 4x8x8",
            "cell.high.identity: identity in -> 3x8x8",
            "cell.concat: concat cell.low.conv cell.high.identity -> 7x8x8",
        ]

    def test_branches_without_a_join_are_results(self):
        body = [
            {"name": "b", "branches": {"low": CONV, "high": []}, "join": "none"},
            {"op": "concat", "from": ["b.high", "b.low"]},
        ]
        assert nodes(body)[1:] == ["concat: concat in b.low.conv -> 7x8x8"]

    def test_a_branch_can_be_named_as_a_source(self):
        body = [
            {"name": "b", "branches": {"low": CONV, "high": []}, "join": "concat"},
            {"op": "identity", "from": "b.low"},
        ]
        assert nodes(body)[-1] == "identity: identity b.low.conv -> 4x8x8"


class TestTemplates:
    BLOCK = {
        "Block": {
            "args": {"width": {"type": "integer"}, "twice": "=2 * width", "back": "=in_channels"},
            "body": [
                conv(name="a", channels="=twice"),
                conv(name="b", channels="=back"),
                conv(name="c", channels="=in_channels + channels('a')"),
            ],
        }
    }

    def test_a_default_uses_the_arguments_before_it(self):
        assert nodes({"op": "Block", "width": 5}, templates=self.BLOCK) == [
            "block.a: conv -> 10x8x8",
            "block.b: conv -> 3x8x8",
            "block.c: conv -> 13x8x8",
        ]

    def test_a_given_argument_replaces_the_default(self):
        body = {"op": "Block", "width": 5, "twice": 7}
        assert nodes(body, templates=self.BLOCK)[0] == "block.a: conv -> 7x8x8"

    def test_a_template_sees_nothing_of_its_caller(self):
        template = {"T": {"body": conv(channels="=width")}}
        assert refusal("T", args={"width": 5}, templates=template) == (
            "'width' is not known here; did you mean 'in_width'?"
        )
        template = {"T": {"body": conv(**{"from": "stem"})}}
        assert refusal([conv(name="stem"), "T"], templates=template).startswith(
            "there is no earlier node 'stem' here"
        )

    def test_in_is_the_template_s_own_input(self):
        template = {"T": {"body": [CONV, {"op": "concat", "from": ["in", "conv"]}]}}
        assert nodes(["relu", "T"], templates=template)[-1] == (
            "t.concat: concat act t.conv -> 7x8x8"
        )

    def test_the_shape_of_the_input_is_the_same_wherever_in_the_body(self):
        body = [conv(stride=2), {"op": "conv", "kernel": 1,
                                 "channels": "=in_channels * in_height + in_width"}]  # fmt: skip
        assert nodes(body, (3, 8, 10))[1] == "conv2: conv -> 34x4x5"

    def test_shapes_of_earlier_nodes(self):
        value = "=channels('a') + 10 * height('a') + 100 * width('a')"
        body = [conv(name="a", stride=2), {"op": "conv", "kernel": 1, "channels": value}]
        assert nodes(body, (3, 8, 10))[1] == "conv: conv -> 544x4x5"

    def test_templates_call_templates(self):
        templates = {"Outer": {"body": ["Inner", "relu", "Inner"]}, "Inner": {"body": CONV}}
        assert nodes("Outer", templates=templates) == [
            "outer.inner.conv: conv -> 4x8x8",
            "outer.act: act -> 4x8x8",
            "outer.inner2.conv: conv -> 4x8x8",
        ]

    def test_an_own_template_comes_before_a_standard_one(self):
        assert nodes("ConvNormAct", templates={"ConvNormAct": {"body": "relu"}}) == [
            "conv_norm_act.act: act -> 3x8x8"
        ]

    def test_several_streams_in(self):
        body = [conv(name="a"), conv(name="b"), {"op": "T", "from": {"high": "a", "low": "b"}}]
        assert nodes(body, templates={"T": JOIN})[-1] == "t.add: add b a -> 4x8x8"
        body[-1]["from"] = ["a", "b"]
        assert nodes(body, templates={"T": JOIN})[-1] == "t.add: add a b -> 4x8x8"

    def test_several_streams_out(self):
        template = {
            "body": [conv(name="a"), conv(name="b", channels=5)],
            "outputs": {"high": "a", "low": "b"},
        }
        body = [{"op": "T", "name": "t"}, {"op": "concat", "from": ["t.low", "t.high"]}]
        assert nodes(body, templates={"T": template})[-1] == "concat: concat t.b t.a -> 9x8x8"

    def test_what_stands_inside_is_the_template_s_own(self):
        body = [{"op": "ConvNormAct", "name": "a", "channels": 4}, conv(**{"from": "a.conv"})]
        assert refusal(body) == (
            "there is no earlier node 'a.conv' here; what stands inside a template is its own,"
            " unless its outputs name it"
        )

    def test_copies_feed_each_result_to_the_input_of_its_name(self):
        cell = {
            "inputs": ["x", "y"],
            "body": [
                {"op": "add", "name": "sum", "from": ["x", "y"]},
                {"op": "identity", "name": "pass", "from": "x"},
            ],
            "outputs": {"y": "pass", "x": "sum"},
        }
        body = [{"op": "Cell", "name": "cell", "repeat": 2, "from": {"x": "in", "y": "in"}}]
        assert nodes(body, templates={"Cell": cell}, outputs={"z": "cell.x"}) == [
            "cell1.sum: add in in -> 3x8x8",
            "cell1.pass: identity in -> 3x8x8",
            "cell2.sum: add cell1.sum cell1.pass -> 3x8x8",
            "cell2.pass: identity cell1.sum -> 3x8x8",
        ]


class TestCopies:
    def test_repeat_numbers_from_1_and_index_from_0(self):
        assert nodes(conv(name="a", repeat=3, channels="=index + 5")) == [
            "a1: conv -> 5x8x8",
            "a2: conv -> 6x8x8",
            "a3: conv -> 7x8x8",
        ]

    def test_repeat_0_is_nothing(self):
        assert nodes([conv(repeat=0), "relu"]) == ["act: act -> 3x8x8"]

    def test_repeat_1_is_still_numbered(self):
        assert nodes(conv(name="a", repeat=1)) == ["a1: conv -> 4x8x8"]

    def test_unnamed_copies_go_on_counting(self):
        assert [row.split(":")[0] for row in nodes([conv(repeat=2), conv(repeat=1), CONV])] == [
            "conv1", "conv2", "conv3", "conv4",
        ]  # fmt: skip

    def test_copies_of_a_group_have_scopes(self):
        assert nodes({"name": "stage", "repeat": 2, "body": [conv(channels=3), "relu"]}) == [
            "stage1.conv: conv -> 3x8x8",
            "stage1.act: act -> 3x8x8",
            "stage2.conv: conv -> 3x8x8",
            "stage2.act: act -> 3x8x8",
        ]

    def test_the_name_of_copies_is_the_last_of_them(self):
        body = [conv(name="a", repeat=2), {"op": "concat", "from": ["a", "a1", "a2"]}]
        assert nodes(body)[-1] == "concat: concat a2 a1 a2 -> 12x8x8"

    def test_index_in_an_inner_repeat_is_the_inner_one(self):
        inner = conv(name="b", channels="=index + 1", repeat=2)
        after = conv(name="c", channels="=10 * (index + 1)")
        body = {"name": "a", "repeat": 2, "body": [inner, after]}
        assert [row.rpartition(" ")[2] for row in nodes(body)] == [
            "1x8x8", "2x8x8", "10x8x8", "1x8x8", "2x8x8", "20x8x8",
        ]  # fmt: skip

    def test_each_row_is_a_copy(self):
        assert nodes(conv(name="a", each=[{"channels": 5}, {"stride": 2}, {}])) == [
            "a1: conv -> 5x8x8",
            "a2: conv -> 4x4x4",
            "a3: conv -> 4x4x4",
        ]

    def test_rows_by_an_expression(self):
        args = {"rows": [{"channels": 5}, {"channels": 6}]}
        assert [row[-5:] for row in nodes(conv(each="=rows"), args=args)] == ["5x8x8", "6x8x8"]

    def test_who_gives_a_value(self):
        """defaults < node < row of each < first < last, shown with one attribute each."""
        attributes = ("padding", "stride", "dilation", "channels", "bias")
        keys = {"defaults": {"conv": {"padding": 9, "stride": 9, "dilation": 9, "channels": 9}}}
        body = conv(
            stride=1,
            dilation=8,
            channels=8,
            each=[{"dilation": 1, "channels": 7}, {"dilation": 1, "channels": 7}, {"dilation": 1}],
            first={"channels": 6, "bias": True},
            last={"channels": 5},
        )
        graph = expand(body, (3, 64, 64), **keys)
        assert [
            [getattr(node.op, name) for name in attributes] for node in graph.nodes.values()
        ] == [
            [(9, 9, 9, 9), (1, 1), (1, 1), 6, True],
            [(9, 9, 9, 9), (1, 1), (1, 1), 7, False],
            [(9, 9, 9, 9), (1, 1), (1, 1), 5, False],
        ]

    def test_one_copy_is_first_and_last_and_last_wins(self):
        body = conv(repeat=1, first={"channels": 5, "stride": 2}, last={"channels": 6})
        assert nodes(body) == ["conv1: conv -> 6x4x4"]

    def test_defaults_reach_into_templates(self):
        defaults = {"conv": {"bias": "=b"}, "ConvNormAct": {"act": "none"}}
        templates = {"T": {"body": [CONV, {"op": "ConvNormAct", "channels": 4}]}}
        graph = expand("T", args={"b": True}, defaults=defaults, templates=templates)
        assert list(graph.nodes) == ["t.conv", "t.conv_norm_act.conv", "t.conv_norm_act.norm"]
        assert all(node.op.bias for name, node in graph.nodes.items() if name.endswith("conv"))

    def test_a_false_when_passes_the_input_through(self):
        assert nodes([CONV, conv(name="a", when=False), conv(when="=channels('a') == 4")]) == [
            "conv: conv -> 4x8x8",
            "conv2: conv -> 4x8x8",
        ]

    def test_when_is_asked_for_each_copy(self):
        assert [row.split(":")[0] for row in nodes(conv(repeat=3, when="=index != 1"))] == [
            "conv1", "conv3",
        ]  # fmt: skip


class TestNames:
    def test_unnamed_nodes_count_within_their_scope(self):
        group = {"name": "g", "body": [CONV, CONV, "relu"]}
        assert [row.split(":")[0] for row in nodes([CONV, group, CONV, "relu", "tanh"])] == [
            "conv", "g.conv", "g.conv2", "g.act", "conv2", "act", "act2",
        ]  # fmt: skip

    def test_counting_steps_over_names_that_are_taken(self):
        body = [conv(name="conv2"), CONV, CONV, conv(name="a2"), conv(name="a1")]
        assert [row.split(":")[0] for row in nodes(body)] == ["conv2", "conv", "conv3", "a2", "a1"]

    def test_a_template_is_called_by_its_name_in_snake_case(self):
        templates = {"MBConv2dBlock": {"body": "relu"}}
        assert list(expand(["MBConv2dBlock"] * 2, templates=templates).nodes) == [
            "mbconv2d_block.act", "mbconv2d_block2.act",
        ]  # fmt: skip

    def test_names_inside_come_before_names_outside(self):
        inner = [conv(name="a", channels=5), "relu", {"op": "identity", "from": "a"}]
        assert nodes([conv(name="a"), {"name": "g", "body": inner}])[-1] == (
            "g.identity: identity g.a -> 5x8x8"
        )

    def test_names_of_outer_scopes_are_seen(self):
        inner = {"name": "g", "body": ["relu", {"op": "identity", "from": "a"}]}
        assert nodes([conv(name="a"), inner])[-1] == "g.identity: identity a -> 4x8x8"

    def test_a_name_stands_once_in_a_scope(self):
        taken = "the name 'a' is taken already in this scope; use another name"
        assert refusal([conv(name="a"), conv(name="a")]) == taken
        assert refusal([{"name": "a", "body": CONV}, conv(name="a")]) == taken

    def test_names_with_dots(self):
        assert nodes([conv(name="layer1.0"), {"op": "identity", "from": "layer1.0"}])[1] == (
            "identity: identity -> 4x8x8"
        )


class TestExpressions:
    ARGS = {"n": 7, "x": 2.5, "yes": True, "word": "same", "rows": [[3, 4], [5, 6]]}

    @pytest.mark.parametrize(
        "expression, value",
        [
            ("n + 2 * 3", 13), ("(n + 2) * 3", 27), ("n // 2 + n % 2", 4), ("2 ** 3 ** 2 // 64", 8),
            ("-n + 8", 1), ("rows[1][0]", 5), ("rows[0][n - 6]", 4), ("rows[-1][-1]", 6),
            ("len(rows) + len(word)", 6), ("min(n, 3)", 3), ("max(rows[0])", 4), ("floor(x)", 2),
            ("ceil(x)", 3), ("round(x)", 3), ("round(3.5)", 4), ("round(n / 2)", 4),
            ("divisible(30, 8)", 32), ("divisible(3, 8)", 8), ("divisible(19.9, 8)", 24),
            ("divisible(25, 8)", 24), ("n if yes else 1", 7), ("n if not yes else 1", 1),
            ("1 if word == 'same' and n != 6 or false else 2", 1), ("1 if 1 < n <= 7 else 2", 1),
            ("1 if n > 7 or n >= 8 else 2", 2), ("in_channels * in_height", 24),
        ],
    )  # fmt: skip
    def test_value(self, expression, value):
        graph = expand(conv(channels=f"={expression}"), args=self.ARGS)
        assert graph.output_shapes["logits"][0] == value

    def test_words_and_conditions_are_values_too(self):
        body = conv(padding="=word", bias="=n > 6", kernel=["=rows[0][0]", 1])
        (node,) = expand(body, args=self.ARGS).nodes.values()
        assert (node.layer.given["padding"], node.op.bias, node.op.kernel) == ("same", True, (3, 1))

    def test_what_is_not_taken_is_not_evaluated(self):
        body = conv(channels="=4 if true or 1 / 0 == 1 else rows[9]")
        assert nodes(body, args=self.ARGS) == ["conv: conv -> 4x8x8"]


class TestArgs:
    def test_args_are_given_from_outside(self):
        args = {"width": 4, "twice": {"type": "integer", "default": "=2 * width"}}
        own = program([conv(channels="=twice")], args=args)
        assert build(own).output_shapes["logits"] == (8, 8, 8)
        assert build(own, {"width": 5}).output_shapes["logits"] == (10, 8, 8)
        assert build(own, {"twice": 3}).output_shapes["logits"] == (3, 8, 8)
        assert build(own, input_shape=(3, 9, 9)).output_shapes["logits"] == (8, 9, 9)

    def test_claims_are_for_the_spec_as_written(self):
        own = program([conv(channels="=width")], args={"width": 4}, expect={"params": 108})
        assert build(own).params == 108
        assert build(own, {"width": 5}).params == 135
        with pytest.raises(archspec.SpecError, match="expected 109 params and the network has 108"):
            expand(CONV, expect={"params": 109})


class TestReuse:
    @pytest.fixture(autouse=True)
    def files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        base = {
            "archspec": 1, "name": "base", "doc": "the base", "input": {"shape": [3, 8, 8]},
            "args": {"width": 4, "kernel": 3}, "import": {"own": "sub/blocks.json"},
            "body": {"op": "own.Block", "width": "=width", "kernel": "=kernel"},
            "expect": {"params": 108},
        }  # fmt: skip
        block = {
            "args": {"width": {}, "kernel": {}},
            "body": ["Inner", {"op": "conv", "channels": "=width", "kernel": "=kernel"}],
        }
        (tmp_path / "sub").mkdir()
        self.write("base.json", base)
        self.write(
            "sub/blocks.json",
            {"archspec": 1, "templates": {"Block": block, "Inner": {"body": "relu"}}},
        )

    def write(self, path, spec):
        with open(path, "w") as file:
            json.dump(spec, file)

    def test_extends_changes_args_and_claims(self):
        head = {"archspec": 1, "name": "wide", "extends": "base.json"}
        self.write("wide.json", {**head, "args": {"width": 5}, "expect": {"params": 135}})
        graph = archspec.load("wide.json")
        assert (graph.name, graph.doc, graph.params) == ("wide", "", 135)
        self.write(
            "wider.json", {**head, "extends": "wide.json", "name": "wider", "args": {"kernel": 1}}
        )
        assert archspec.load("wider.json").arguments == {"width": 5, "kernel": 1}

    def test_extends_changes_keys_of_the_input(self):
        with open("base.json") as file:
            base = json.load(file)
        base["input"] |= {"resize": 9, "crop": 8, "mean": [0.1, 0.2, 0.3]}
        self.write("base.json", base)
        head = {"archspec": 1, "name": "large", "extends": "base.json"}
        self.write("large.json", {**head, "input": {"shape": [3, 16, 16], "crop": 16}})
        self.write("larger.json", {**head, "extends": "large.json", "input": {"resize": 20}})
        for name, resize in (("large.json", 9), ("larger.json", 20)):
            graph = archspec.load(name)
            assert graph.input_shape == (3, 16, 16)
            assert graph.preprocessing == {
                **base["input"],
                "shape": [3, 16, 16],
                "crop": 16,
                "resize": resize,
            }

    def test_an_import_brings_templates_that_see_their_own_file(self):
        assert rows(archspec.load("base.json")) == [
            "block.inner.act: act -> 3x8x8",
            "block.conv: conv -> 4x8x8",
        ]

    def test_shipped_specs_go_by_name(self):
        self.write("mine.json", {"archspec": 1, "name": "mine", "extends": "resnet18"})
        assert archspec.load("mine.json").fingerprint == archspec.load("resnet18").fingerprint


class TestFingerprint:
    def test_it_is_of_the_architecture_not_of_the_writing(self):
        long = expand([conv(name="a", kernel=[3, 3], padding=1, groups=1), conv(stride=2)])
        short = expand(
            {"op": "T", "repeat": 2, "last": {"s": 2}},
            templates={"T": {"args": {"s": 1}, "body": conv(stride="=s", padding=1)}},
        )
        padded = [node.op.padding for node in short.nodes.values()]
        assert padded == ["half"] * 2  # which 1 is for a kernel of 3
        again = expand([conv(padding=1), conv(stride=2, padding=[1, 1])])
        assert short.fingerprint == again.fingerprint == long.fingerprint
        other = expand([conv(padding=1), conv(stride=2, padding=[1, 1], bias=True)])
        assert other.fingerprint != long.fingerprint

    @pytest.mark.parametrize(
        "keys",
        [{"outputs": {"features": "act"}}, {"shape": (3, 9, 8)}, {"body": ["relu", "identity"]}],
    )
    def test_it_knows_outputs_input_and_nodes(self, keys):
        assert expand(**{"body": ["relu"], **keys}).fingerprint != expand(["relu"]).fingerprint

    def test_a_reduction_over_space_is_the_global_pool(self):
        def reduced(function, **more):
            return expand([{"op": "reduce", "function": function, **more}]).fingerprint

        assert reduced("mean") == expand(["global_avg_pool"]).fingerprint
        assert reduced("max", over="space") == expand(["global_max_pool"]).fingerprint
        ways = ("space", "height", "width", "channels")
        assert len({reduced(f, over=o) for f in ("mean", "sum", "max") for o in ways}) == 12

    def test_it_knows_preprocessing(self):
        spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": []}
        same = {**spec, "input": {"shape": [3, 8, 8], "crop": 8, "mean": [0, 0, 0]}}
        other = {**spec, "input": {"shape": [3, 8, 8], "crop": 8, "resize": 9}}
        graphs = [build(program_of(parse_document(json.dumps(s)))) for s in (spec, same, other)]
        assert graphs[0].fingerprint == graphs[1].fingerprint != graphs[2].fingerprint


class TestSpaces:
    def space(self, body, **keys):
        return archspec.Space(program(body, **keys))

    def test_each_copy_decides_for_itself(self):
        space = self.space(conv(name="a", repeat=2, kernel={"choice": [1, 3]}))
        assert list(space.enumerate()) == [
            {"a1.kernel": 1, "a2.kernel": 1}, {"a1.kernel": 1, "a2.kernel": 3},
            {"a1.kernel": 3, "a2.kernel": 1}, {"a1.kernel": 3, "a2.kernel": 3},
        ]  # fmt: skip
        graph = space.assign({"a1.kernel": 1, "a2.kernel": 3})
        assert [node.op.kernel for node in graph.nodes.values()] == [(1, 1), (3, 3)]

    def test_a_name_shares_a_decision(self):
        width = {"choice": [4, 8], "name": "width"}
        space = self.space([conv(channels=width), conv(channels=width, repeat=2)])
        assert list(space.enumerate()) == [{"width": 4}, {"width": 8}]
        assert [row[-5:] for row in rows(space.assign({"width": 8}))] == ["8x8x8"] * 3

    def test_an_expression_over_a_choice_is_a_choice(self):
        templates = {"T": {"args": {"e": {}}, "body": conv(channels="=in_channels * e")}}
        space = self.space({"op": "T", "name": "t", "e": {"choice": [2, 3]}}, templates=templates)
        widths = [space.assign(a).output_shapes["logits"][0] for a in space.enumerate()]
        assert widths == [6, 9]

    def test_a_choice_between_sub_networks(self):
        body = {"choice": [CONV, "none", [conv(kernel=1), "relu"]], "name": "block"}
        space = self.space(body)
        found = [rows(space.assign(assignment)) for assignment in space.enumerate()]
        assert found == [
            ["block.option1.conv: conv -> 4x8x8"],
            [],
            ["block.option3.conv: conv -> 4x8x8", "block.option3.act: act -> 4x8x8"],
        ]
        assert space.first() == {"block": "option1"}

    def test_a_decision_can_bring_further_ones(self):
        depth = {"choice": [0, 1, 2], "name": "depth"}
        space = self.space(conv(name="a", repeat=depth, kernel={"choice": [1, 3]}))
        assert [len(assignment) for assignment in space.enumerate()] == [1, 2, 2, 3, 3, 3, 3]

    def test_a_choice_in_when_and_in_join(self):
        body = [
            conv(name="a", when={"choice": [True, False]}),
            {"name": "r", "residual": "identity", "join": "=j"},
        ]
        space = self.space(body, args={"j": {"choice": ["add", "none"], "name": "skip"}})
        assert [len(space.assign(a).nodes) for a in space.enumerate()] == [3, 2, 2, 1]

    def test_an_assigned_space_is_a_plain_spec(self):
        space = self.space(conv(name="a", kernel={"choice": [1, 3]}))
        flat = space.assign({"a.kernel": 3}).normal_form()
        plain = build(program_of(parse_document(json.dumps(flat))))
        assert plain.fingerprint == expand(CONV).fingerprint

    @pytest.mark.parametrize("share", ["superkernel", "paths"])
    def test_share_changes_no_network(self, share):
        space = self.space(conv(name="a", kernel={"choice": [1, 3], "share": share}))
        assert space.cost({"a.kernel": 3}).params == 108
