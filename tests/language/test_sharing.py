"""Weights that several nodes share: whose they are, what they cost, what is refused."""

import json

import pytest
from test_language import conv, expand

import archspec
from archspec.diff import changes
from archspec.explain import explain
from archspec.space import Space
from archspec.space_cost import cost_tree

HEAD = {
    "args": {"stride": 1},
    "body": [
        {"op": "conv", "name": "conv", "kernel": 3, "channels": 3, "stride": "=stride"},
        {"op": "batch_norm", "name": "norm"},
        {"op": "act", "name": "act", "function": "relu"},
    ],
}
LEVELS = [
    {"op": "max_pool", "name": "p2", "kernel": 2, "stride": 2},
    {"op": "max_pool", "name": "p3", "kernel": 2, "stride": 2},
]
TOWER = [
    *LEVELS,
    {"op": "Head", "name": "head", "from": ["in", "p2", "p3"], "parallel": 3, "weights": "head"},
]


def owners(graph):
    return {node.name: node.owner for node in graph.nodes.values() if node.borrows}


def tower(**keys):
    return expand(
        [*TOWER, {"op": "add", "from": ["head1", "head1"]}], templates={"Head": HEAD}, **keys
    )


class TestOwners:
    def test_copies_that_name_themselves_use_the_first_ones(self):
        graph = tower()
        assert owners(graph) == {
            f"head{lane}.{part}": f"head1.{part}" for lane in (2, 3) for part in ("conv", "norm")
        }
        assert graph.params == 3 * 3 * 9 + 2 * 3
        assert sum(node.layer.buffers for node in graph.nodes.values()) == 2 * 3
        assert graph.macs == 3 * 3 * 9 * (64 + 16 + 4)

    def test_it_is_one_by_name_and_the_owner_is_who_has_them(self):
        body = [
            conv(name="a", channels=3), conv(name="b", channels=3, weights="a"),
            conv(name="c", channels=3, weights="b", stride=2),
        ]  # fmt: skip
        graph = expand(body)
        assert owners(graph) == {"b": "a", "c": "a"}
        assert graph.params == 3 * 3 * 9

    def test_copies_in_sequence(self):
        graph = expand({**conv(name="a", channels=3), "repeat": 3, "weights": "a"})
        assert owners(graph) == {"a2": "a1", "a3": "a1"}
        graph = expand(
            [
                conv(name="a", channels=3),
                {**conv(name="b", channels=3), "repeat": 2, "weights": "a"},
            ]
        )
        assert owners(graph) == {"b1": "a", "b2": "a"}

    def test_a_call_within_calls(self):
        outer = {"body": [*TOWER, {"op": "upsample", "name": "up", "scale": 4, "from": "head3"}]}
        templates = {"Head": HEAD, "Outer": outer}
        body = [{"op": "Outer", "name": "one"}, {"op": "Outer", "name": "two", "weights": "one"}]
        graph = expand(body, templates=templates)
        assert graph.params == 3 * 3 * 9 + 2 * 3
        assert set(owners(graph).values()) == {"one.head1.conv", "one.head1.norm"}
        assert len(owners(graph)) == 2 * 5

    def test_names_are_looked_up_as_in_from(self):
        inner = {"body": [conv(name="x", channels=3), conv(name="y", channels=3, weights="x")]}
        body = [conv(name="x", channels=3), {"body": inner["body"], "name": "group"}]
        assert owners(expand(body)) == {"group.y": "group.x"}
        body[1] = {"body": [conv(name="y", channels=3, weights="x")], "name": "group"}
        assert owners(expand(body)) == {"group.y": "x"}

    def test_what_a_size_makes_of_it_may_differ(self):
        """A padding named "same" is another on another size, a weight is not."""
        body = [
            conv(name="a", channels=3, stride=2, padding="same"),
            conv(name="b", channels=3, stride=2, padding="same", weights="a"),
        ]
        assert expand(body, shape=(3, 9, 8)).params == 3 * 3 * 9

    def test_the_flat_spec_is_the_same_network(self):
        graph = tower()
        again = archspec.loads(json.dumps(graph.normal_form()))
        assert again.fingerprint == graph.fingerprint
        assert owners(again) == owners(graph)
        assert again.normal_form() == graph.normal_form()

    def test_whose_they_are_is_part_of_a_network(self):
        def body(*weights):
            named = [conv(name=name, channels=3) for name in "abc"]
            for node, owner in zip(named[1:], weights, strict=True):
                node.update({"weights": owner} if owner else {})
            return expand(named)

        ways = [
            body(*weights) for weights in [("", ""), ("a", ""), ("", "a"), ("", "b"), ("a", "a")]
        ]
        assert len({graph.fingerprint for graph in ways}) == len(ways)
        for one in ways:
            for other in ways:
                assert bool(changes(one, other)) == (one is not other)
        assert [str(change) for change in changes(ways[2], ways[3])] == ["c: weights of a -> b"]


@pytest.mark.parametrize(
    ("body", "message", "pointer"),
    [
        ([conv(name="b", weights="a")], "there is no earlier node 'a' here", "/body/0/weights"),
        (
            [conv(name="stem"), conv(name="b", weights="stam")],
            "there is no earlier node 'stam' here; did you mean 'stem'", "/body/1/weights",
        ),
        ([conv(name="b", weights="b")], "'b' is this node itself", "/body/0/weights"),
        ([conv(name="a"), {"op": "act", "function": "relu", "weights": "a"}],
         "act has no weights; leave this out", "/body/1/weights"),
        (
            [conv(name="a", channels=5), conv(name="b", channels=5, weights="a")],
            "b cannot use the weights of a: it has weight 5x5x3x3 and the other weight 5x3x3x3",
            "/body/1/weights",
        ),
        (
            [conv(name="a", channels=3), conv(name="b", channels=3, bias=True, weights="a")],
            "it has weight 3x3x3x3 and bias 3 and the other weight 3x3x3x3", "/body/1/weights",
        ),
        (
            [conv(name="a"), {"op": "batch_norm", "name": "b", "weights": "a"}],
            "it is batch_norm and the other is conv", "/body/1/weights",
        ),
        (
            [conv(name="a", channels=3),
             conv(name="b", channels=3, weight_standardization=True, weights="a")],
            "one of the two standardises its filters", "/body/1/weights",
        ),
        (
            [{"body": [conv()], "name": "a"}, conv(name="b", weights="a")],
            "'a' is not one op or one call", "/body/1/weights",
        ),
        (
            [{"op": "Head", "name": "a"}, conv(name="b", weights="a")],
            "it is one conv and the other is a template", "/body/1/weights",
        ),
        (
            [conv(name="a", channels=3), {"op": "Head", "name": "b", "weights": "a"}],
            "it is a template and the other is one conv", "/body/1/weights",
        ),
        (
            [{"op": "Two", "name": "a"}, {"op": "Head", "name": "b", "weights": "a"}],
            "b.norm cannot use the weights of a.norm: the other has no such node",
            "/body/1/weights",
        ),
        (
            [{"op": "Head", "name": "a"}, conv(name="w", channels=2),
             {"op": "Head", "name": "b", "weights": "a"}],
            "b.conv cannot use the weights of a.conv: it has weight 3x2x3x3", "/body/2/weights",
        ),
        (
            [{**conv(name="a", when="=index > 0"), "repeat": 2, "weights": "a"}],
            "there is no earlier node 'a' here", "/body/0/weights",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(body, message, pointer):
    two = {"body": [conv(name="conv", channels=3), "relu"]}
    spec = {
        "archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": body,
        "templates": {"Head": HEAD, "Two": two},
    }  # fmt: skip
    with pytest.raises(archspec.SpecError) as error:
        archspec.loads(json.dumps(spec))
    (problem,) = error.value.problems
    assert message in problem.message
    assert problem.pointer == pointer


def test_it_stands_beside_an_op():
    spec = {
        "archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]},
        "body": [{"body": [conv()], "weights": "a", "name": "b"}],
    }  # fmt: skip
    with pytest.raises(archspec.SpecError, match="a body node has no 'weights'"):
        archspec.loads(json.dumps(spec))


def test_what_people_are_told(tmp_path, told):
    body = [*TOWER, {"op": "add", "from": ["head1", "head1"]}]
    spec = {
        "archspec": 1, "name": "net", "input": {"shape": [3, 8, 8]}, "body": body,
        "templates": {"Head": HEAD},
    }  # fmt: skip
    (tmp_path / "net.json").write_text(json.dumps(spec))
    assert "shared       4 nodes use weights of others" in told("stats", tmp_path / "net.json")
    said = explain(tower(), "head2.conv")
    assert "  weight      head1.conv.weight 3x3x3x3 (81)" in said
    assert "  shared by   head1.conv, head2.conv, head3.conv" in said
    assert explain(tower(), "head2.conv.weight") == said
    told("plot", tmp_path / "net.json", "-o", tmp_path / "net.svg")
    assert "(as head1.conv)" in (tmp_path / "net.svg").read_text()


def test_a_space_counts_them_once(tmp_path):
    body = [
        conv(name="a", channels={"choice": [3, 4]}),
        conv(name="squeeze", channels=3),
        {**conv(name="b", channels=3, kernel={"choice": [1, 3], "name": "k"}), "repeat": 3,
         "weights": "b"},
        {"choice": [conv(name="c", channels=3), conv(name="c", channels=3, weights="squeeze")]},
    ]  # fmt: skip
    body[1]["kernel"] = body[0]["kernel"] = 3
    body.insert(1, {"op": "slice", "stop": 3})
    spec = {"archspec": 1, "name": "space", "input": {"shape": [3, 8, 8]}, "body": body}
    (tmp_path / "space.json").write_text(json.dumps(spec))
    space = Space(tmp_path / "space.json")
    tree = cost_tree(space)
    for assignment in space.enumerate():
        graph = space.assign(assignment)
        assert tree.cost(assignment)[:2] == (graph.params, graph.macs)
