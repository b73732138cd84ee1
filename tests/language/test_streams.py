"""Copies beside each other and lists of results, each rule by the smallest spec that shows it."""

import json
import math

import pytest
from test_language import CONV, conv, expand, nodes, refusal

import archspec
from archspec.expressions import read_expression
from archspec.functions import ExpressionError

PAIR = {"op": "conv", "name": "level", "kernel": 1, "parallel": [{"channels": 2}, {"channels": 5}]}
WHOLE = {"inputs": ["all[]"], "body": {"op": "concat", "from": "all"}}


class TestLanes:
    def test_copies_stand_beside_each_other(self):
        body = [{**CONV, "name": "branch", "parallel": 3, "join": "add"}, "relu"]
        assert nodes(body) == [
            "branch1: conv -> 4x8x8",
            "branch2: conv in -> 4x8x8",
            "branch3: conv in -> 4x8x8",
            "add: add branch1 branch2 branch3 -> 4x8x8",
            "act: act -> 4x8x8",
        ]

    def test_lane_counts_them_and_rows_differ(self):
        body = [{**PAIR, "padding": "=lane", "join": "none"}, {"op": "Whole"}]
        body[0]["parallel"] = [{"channels": 2}, {"channels": "=3 + lane", "padding": 0}]
        assert nodes(body, templates={"Whole": WHOLE}) == [
            "level1: conv -> 2x8x8",
            "level2: conv in -> 4x8x8",
            "whole.concat: concat level1 level2 -> 6x8x8",
        ]

    def test_unnamed_ones_are_counted_as_copies_are(self):
        body = [conv(parallel=2, join="mul"), "relu", conv(parallel=1, join="add")]
        assert list(expand(body).nodes) == ["conv1", "conv2", "mul", "act", "conv3"]

    def test_any_kind_of_node_has_lanes(self):
        inner = [conv(channels="=lane + 1"), {"residual": "relu"}]
        body = {"body": inner, "name": "way", "parallel": 2, "join": "concat"}
        assert [line.partition(" ->")[0] for line in nodes(body)] == [
            "way1.conv: conv", "way1.act: act", "way1.add: add way1.act way1.conv",
            "way2.conv: conv in", "way2.act: act", "way2.add: add way2.act way2.conv",
            "concat: concat way1.add way2.add",
        ]  # fmt: skip

    def test_a_number_or_rows_may_be_computed(self):
        for count in ("=n", "=rows", {"choice": [2]}):
            body = [{**CONV, "parallel": count, "join": "add"}]
            if isinstance(count, dict):
                continue
            graph = expand(body, args={"n": 2, "rows": {"default": [{"kernel": 1}, {}]}})
            assert list(graph.nodes) == ["conv1", "conv2", "add"]

    def test_each_copy_has_its_own_when(self):
        body = conv(when="=lane > 0", parallel=2, join="concat")
        assert nodes(body) == ["conv2: conv -> 4x8x8", "concat: concat in conv2 -> 7x8x8"]

    def test_lanes_within_lanes(self):
        inner = {**CONV, "channels": "=1 + lane", "parallel": 2, "join": "concat"}
        graph = expand(
            {"body": [inner, conv(channels="=10 + lane")], "parallel": 2, "join": "concat"}
        )
        assert [node.layer.output_shapes[0][0] for node in graph.nodes.values()] == [
            1, 2, 3, 10, 1, 2, 3, 11, 21,
        ]  # fmt: skip


class TestLists:
    def test_a_list_goes_lane_by_lane(self):
        body = [
            PAIR,
            {**CONV, "kernel": 1, "name": "to", "parallel": 2},
            {"op": "concat", "from": "to"},
        ]
        assert nodes(body)[2:] == [
            "to1: conv level1 -> 4x8x8",
            "to2: conv level2 -> 4x8x8",
            "concat: concat to1 to2 -> 8x8x8",
        ]

    def test_a_list_goes_whole_to_an_input_for_a_list(self):
        body = [PAIR, {"op": "Whole", "parallel": 2, "join": "add"}]
        assert nodes(body, templates={"Whole": WHOLE})[2:] == [
            "whole1.concat: concat level1 level2 -> 7x8x8",
            "whole2.concat: concat level1 level2 -> 7x8x8",
            "add: add whole1.concat whole2.concat -> 7x8x8",
        ]

    def test_a_from_of_several_makes_one_list(self):
        body = [
            PAIR,
            conv(name="more", **{"from": "in"}),
            {"op": "Whole", "from": ["level", "more", "in"]},
        ]
        graph = expand(body, templates={"Whole": WHOLE})
        assert [tensor.node for tensor in graph.nodes["whole.concat"].inputs] == [
            "level1", "level2", "more", "in",
        ]  # fmt: skip
        named = [*body[:2], {"op": "Whole", "from": {"all": ["level", "more", "in"]}}]
        assert expand(named, templates={"Whole": WHOLE}).normal_form() == graph.normal_form()

    def test_one_of_a_list(self):
        body = [PAIR, {"op": "concat", "from": ["level[1]", "level[0]"]}]
        assert nodes(body)[2:] == ["concat: concat level2 level1 -> 7x8x8"]
        body = [PAIR, conv(**{"from": "level[=1 - lane]"}, parallel=2, join="add")]
        graph = expand(body)
        assert [graph.nodes[name].inputs[0].node for name in ("conv1", "conv2")] == [
            "level2", "level1",
        ]  # fmt: skip

    def test_a_list_that_is_repeated_feeds_itself(self):
        templates = {
            "Mix": {
                "inputs": ["streams[]"],
                "body": {"op": "Whole", "name": "to", "from": {"all": "streams"}, "parallel":
                         "=count('streams')"},
            },
            "Whole": {"inputs": ["all[]"], "body": [{"op": "concat", "from": "all"},
                      {"op": "conv", "kernel": 1, "channels": "=channels('all', 0)"}]},
        }  # fmt: skip
        body = [PAIR, {"op": "Mix", "name": "mix", "repeat": 3}, {"op": "concat", "from": "mix"}]
        graph = expand(body, templates=templates)
        assert graph.output_shapes == {"logits": (4, 8, 8)}
        assert [t.node for t in graph.nodes["mix3.to2.concat"].inputs] == [
            "mix2.to1.conv", "mix2.to2.conv",
        ]  # fmt: skip

    def test_outputs_that_are_lists(self):
        templates = {
            "Two": {
                "body": [PAIR, conv(name="end", **{"from": "in"})],
                "outputs": {"levels[]": "level", "last": "end", "both[]": ["end", "level[0]"]},
            }
        }
        body = [
            {"op": "Two", "name": "two"},
            {"op": "concat", "from": ["two.levels", "two.last", "two.both[1]"]},
        ]
        graph = expand(body, templates=templates)
        assert [t.node for t in graph.nodes["concat"].inputs] == [
            "two.level1", "two.level2", "two.end", "two.level1",
        ]  # fmt: skip
        assert graph.calls["two"].output_names == ("levels1", "levels2", "last", "both1", "both2")

    def test_a_network_ends_in_a_list(self):
        graph = expand([PAIR], outputs={"levels[]": "level", "first": "level[0]"})
        assert graph.output_shapes == {
            "levels1": (2, 8, 8),
            "levels2": (5, 8, 8),
            "first": (2, 8, 8),
        }
        assert archspec.loads(json.dumps(graph.normal_form())).fingerprint == graph.fingerprint

    def test_expressions_ask_about_lists(self):
        body = [PAIR, conv(channels="=count('level') * channels('level', 1) + height('level', 0)",
                           **{"from": "level[0]"})]  # fmt: skip
        assert expand(body).output_shapes["logits"] == (18, 8, 8)


REFUSALS = {
    "a list for one": ([PAIR, CONV], "conv takes one result and is given a list of 2"),
    "another number": ([PAIR, conv(parallel=3)], "there are 3 copies beside each other and a list"),
    "past the end": ([PAIR, conv(**{"from": "level[2]"})], "a whole number from 0 to 1, not 2"),
    "before it": ([PAIR, conv(**{"from": "level[=0-1]"})], "from 0 to 1, not -1"),
    "one is not a list": ([conv(name="a"), conv(**{"from": "a[0]"})], "'a' is one result"),
    "none": ([conv(parallel="=0")], "parallel must be a whole number from 1 to 100,000, not 0"),
    "too many": ([conv(parallel=10**9)], "parallel must be a whole number from 1 to 100,000"),
    "no rows": ([conv(parallel="=rows")], "parallel needs one row of arguments or more"),
    "the end": ([PAIR], "net ends in a list of results; use outputs"),
    "count of one": ([conv(name="a"), conv(channels="=count('a')")], "'a' is one result"),
    "channels of a list": ([PAIR, conv(channels="=channels('level')", **{"from": "level[0]"})],
                           "use channels('level', 0)"),
    "a malformed pick": ([PAIR, conv(**{"from": "level[x]"})], "'level[x]' is not the name"),
    "lanes of several": ([{"op": "split", "parts": 3, "parallel": 2}], "must end in one result"),
}  # fmt: skip


@pytest.mark.parametrize("body, sentence", REFUSALS.values(), ids=REFUSALS)
def test_refusals(body, sentence):
    message = refusal(body, args={"rows": {"type": "array", "default": []}})
    assert sentence in message


GRAMMAR = {
    "repeat beside it": conv(parallel=2, repeat=2),
    "each beside it": conv(parallel=2, each=[{}]),
    "a join without lanes": conv(join="add"),
    "no lanes": conv(parallel=0),
    "no rows": conv(parallel=[]),
}


@pytest.mark.parametrize("node", GRAMMAR.values(), ids=GRAMMAR)
def test_what_the_grammar_refuses(node):
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": node}
    with pytest.raises(archspec.SpecError) as error:
        archspec.loads(json.dumps(spec))
    assert all(problem.pointer.startswith("/body") for problem in error.value.problems)


class Names:
    names = {"n": 4, "widths": [3, 5, 5]}

    def shapes_of(self, name):
        raise AssertionError(name)


EXPRESSIONS = {
    "[i * 2 for i in range(n)]": [0, 2, 4, 6],
    "[w for w in widths if w > 3]": [5, 5],
    "len([w for w in widths if w == 5])": 2,
    "[[i + j for j in range(i)] for i in range(3)]": [[], [1], [2, 3]],
    "range(5, 1, -2)": [5, 3],
    "sum(range(101))": 5050,
    "sum([0.5 * w for w in widths])": 6.5,
    "sqrt(2) ** 2": math.sqrt(2) ** 2,
    "log(n) / log(2)": 2.0,
    "abs(2 - n)": 2,
    # arXiv 2003.13678, RegNetX-400MF: widths of 22 blocks before they are quantised
    "[round(24 * 2.54 ** round(log(1 + 1.02 * j) / log(2.54)) / 8) * 8 for j in range(22)]":
        [24, *[64] * 2, *[152] * 7, *[392] * 12],
}  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_lists_and_functions(text):
    assert read_expression(text).evaluate(Names()) == EXPRESSIONS[text]


def test_a_list_s_own_name_is_not_read_from_outside():
    assert read_expression("[i + n for i in range(i)]").names == {"i", "n"}
    assert read_expression("[i + n for i in widths]").names == {"n", "widths"}


@pytest.mark.parametrize(
    "text",
    [
        "range(10001)", "range(0, 5, 0)", "range(0.5)", "sum(3)", "sum(['a'])", "sqrt(-1)",
        "log(0)", "log('a')", "[x for x in 3]", "[x for x in widths if x]",
        "[[[0 for a in range(100)] for b in range(100)] for c in range(100)]",
        "[sum(range(10000)) ** 9 for i in range(9)]",
    ],
)  # fmt: skip
def test_what_has_no_value(text):
    with pytest.raises(ExpressionError):
        read_expression(text).evaluate(Names())


@pytest.mark.parametrize(
    "text", ["[x for x in widths for y in widths]", "[x for x, y in widths]", "{x for x in widths}"]
)
def test_what_is_not_an_expression(text):
    with pytest.raises(ExpressionError):
        read_expression(text)


@pytest.mark.parametrize("source", [5, None, {}, [], {"choice": [5]}, {"choice": [{}]}, ["in", 5]])
def test_a_from_that_names_nothing_is_refused(source):
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}}
    with pytest.raises(archspec.SpecError):
        archspec.loads(json.dumps({**spec, "body": [CONV, conv(**{"from": source})]}))
    with pytest.raises(archspec.SpecError):
        archspec.loads(
            json.dumps({**spec, "body": [CONV, conv(**{"from": [{"choice": [source]}]})]})
        )
