"""Search spaces in figures: sizes, bounds and costs by the tree, beside every network built."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.document import parse_document
from archspec.errors import SpecError
from archspec.expand import Expander
from archspec.program import program_of
from archspec.space import Space
from archspec.space_cost import METRICS, cost_tree
from archspec.space_gates import common_decisions
from archspec.space_networks import count_words, is_joined
from archspec.space_summary import Range, summarize
from archspec.space_tree import NotDecomposable

SPNAS = "spaces/single_path_nas"
NAS_BENCH_201 = "spaces/nas_bench_201"
PUBLISHED = {
    # arXiv 1904.02877, as timm's spnasnet_100 and MindSpore's model zoo have it; one layer is out
    "stage1": [(3, 3), (3, 3), (3, 3), (3, 0)],
    "stage2": [(5, 6), (3, 3), (3, 3), (3, 3)],
    "stage3": [(5, 6), (3, 3), (3, 3), (3, 3)],
    "stage4": [(5, 6), (5, 3), (5, 3), (5, 3)],
    "stage5": [(5, 6), (5, 6), (5, 6), (5, 6)],
}


def space(body, templates=None, **keys):
    spec = {"archspec": 1, "name": "s", "input": {"shape": [4, 8, 8]}, "body": body, **keys}
    if templates:
        spec["templates"] = templates
    return Space(program_of(parse_document(json.dumps(spec), "s.json")))


def conv(kernel=3, channels=4, **keys):
    return {"op": "conv", "kernel": kernel, "channels": channels, **keys}


def choice(*options, **keys):
    return {"choice": list(options), **keys}


def count(graph):
    stats = graph.stats()
    return (stats.params, stats.macs, stats.activation_bytes)


class Log:
    """An observer that writes down what it is told."""

    def __init__(self):
        self.lines, self.open = [], []

    def enter(self, body, node, path):
        self.lines.append(f"{'  ' * len(self.open)}{path}")
        self.open.append((path, body, len(body.items)))

    def leave(self, body, results):
        _, entered, count = self.open.pop()
        assert body is entered
        assert len(body.items) >= count
        assert all(body.shape(ref) for ref in results)

    def settle(self, key, decision):
        self.lines.append(f"{'  ' * len(self.open)}? {key} of {list(decision.options)}")


def test_an_observer_is_told_of_each_step():
    body = [
        conv(name="stem"),
        {"op": "Block", "name": "block", "repeat": 3, "width": choice(4, 8)},
        {"branches": {"a": "relu", "b": []}, "join": "add", "name": "end"},
    ]
    templates = {"Block": {"args": {"width": 4}, "body": conv(channels="=width", name="c")}}
    log = Log()
    fragment = Expander(space(body, templates).program).fragment(
        decide=lambda key, _: key == "block2.width", observer=log
    )
    assert fragment.params == 4 * 4 * 9 + (4 * 4 + 4 * 8 + 8 * 4) * 9
    assert not log.open
    assert log.lines == [
        "stem",
        "block",
        "  block1",
        "    ? block1.width of [4, 8]",
        "    block1.c",
        "  block2",
        "    ? block2.width of [4, 8]",
        "    block2.c",
        "  block3",
        "    ? block3.width of [4, 8]",
        "    block3.c",
        "end",
        "  end.a.act",
    ]


def assert_all_is_counted(one):
    """The tree of a space says of every network, of the whole and of each bound what building all
    of them says."""
    tree = cost_tree(one)
    assignments = list(one.enumerate())
    graphs = [one.assign(assignment) for assignment in assignments]
    costs = [count(graph) for graph in graphs]
    assert tree.assignments == len(assignments)
    assert [tree.cost(assignment) for assignment in assignments] == costs
    for place, metric in enumerate(METRICS):
        column = [cost[place] for cost in costs]
        assert tree.bounds(metric) == (min(column), max(column))
    assert set(tree.decisions) == {key for assignment in assignments for key in assignment}
    different = len({graph.fingerprint for graph in graphs})
    assert different <= tree.combinations <= len(assignments)
    assert tree.networks in (different, None)
    assert tree.chained_networks() in (different, None)
    common = common_decisions(one)
    if common is not None:
        assert {frozenset(assignment) for assignment in assignments} == {frozenset(common)}
    return tree


class TestShipped:
    def test_single_path_nas(self):
        tree = cost_tree(Space(SPNAS))
        assert tree.assignments == 4**5 * 6**15
        # of three equal layers in a row that can be left out, 4 kinds each: 1 + 4 + 16 + 64
        assert tree.combinations == 4**5 * 5**15
        assert tree.networks == tree.chained_networks() == (4 * 85) ** 5
        # the extremes counted by hand from the paper's code, and the MACs of the largest and least
        assert tree.bounds("params") == (2_457_384, 4_833_768)
        assert tree.bounds("macs") == (117_233_600, 525_305_600)

    def test_the_published_network_as_decisions(self):
        assignment = {
            f"{stage}.layer{number}.{name}": option
            for stage, layers in PUBLISHED.items()
            for number, layer in enumerate(layers, 1)
            for name, option in zip(("kernel", "expand"), layer, strict=True)
        }
        one = Space(SPNAS)
        assert cost_tree(one).cost(assignment)[:2] == (4_421_616, 333_467_072)
        assert one.cost(assignment) == (4_421_616, 333_467_072)
        assert one.assign(assignment).fingerprint == archspec.load("spnasnet").fingerprint

    @pytest.mark.parametrize(("name", "networks"), [("tiny", 400), ("digits100", 100)])
    def test_small_ones(self, name, networks):
        tree = assert_all_is_counted(Space(f"spaces/{name}"))
        one = tree.space
        assert tree.chained_networks() == networks
        assert len({one.assign(a).fingerprint for a in one.enumerate()}) == networks

    def test_a_cell_whose_choices_all_its_copies_share(self):
        """NAS-Bench-201, arXiv 2001.00326: six edges of five operations, the same in 15 cells. The
        extremes are those of its published table."""
        one = Space(NAS_BENCH_201)
        tree = cost_tree(one)
        assert [split.key for split in tree.root.splits] == [*one.first()]
        assert tree.assignments == tree.combinations == 5**6
        assert tree.bounds("params") == (73_306, 1_531_546)
        assert tree.bounds("macs") == (7_783_040, 220_119_680)
        assert tree.networks is None
        generator = random.Random(11)
        for _ in range(5):
            assignment = one.sample(generator)
            assert tree.cost(assignment) == count(one.assign(assignment))

    def test_isynet_is_counted_though_it_is_no_tree(self):
        one = Space("spaces/isynet")
        common = common_decisions(one)
        assert common is not None
        sizes = [len(options) for options in common.values()]
        assert sizes == [3, 2, 17, 2, 2, 7, 8, 8, 8] * 5
        with pytest.raises(NotDecomposable) as reason:
            cost_tree(one)
        assert str(reason.value) == "stage1 settles 1,462,272 combinations of decisions at once"


class TestTrees:
    def test_parts_that_are_nothing_at_first_stand_in_one_place(self):
        nothing = {"op": choice("none", "zero", "identity")}
        tree = assert_all_is_counted(space([nothing, nothing]))
        assert tree.chained_networks() == 1 + 2 + 4

    def test_parts_that_do_not_touch(self):
        tree = assert_all_is_counted(space([conv(choice(1, 3)), conv(choice(1, 3, 5))]))
        assert [split.key for split in tree.root.splits] == ["conv.kernel", "conv2.kernel"]

    def test_a_width_is_decided_before_what_it_feeds(self):
        body = [conv(channels=choice(4, 8), name="a"), conv(choice(1, 3), name="b")]
        tree = assert_all_is_counted(space(body))
        assert [split.key for split in tree.root.splits] == ["a.channels"]

    def test_depth_brings_decisions(self):
        body = [
            conv(choice(1, 3), name="a", repeat=choice(0, 1, 2, 3)),
            conv(choice(1, 3), name="b", repeat=choice(1, 2)),
        ]
        tree = assert_all_is_counted(space(body))
        assert tree.assignments == (1 + 2 + 4 + 8) * (2 + 4)
        assert tree.networks == 2 + 4 + 8 + 16 + 32  # one to five of two kernels

    def test_a_shared_decision_joins_parts(self):
        shared = choice(1, 3, name="k")
        tree = assert_all_is_counted(space([conv(shared), conv(choice(1, 3)), conv(shared)]))
        assert tree.assignments == 4

    def test_shared_decisions_beside_own_ones(self):
        """A width of all layers, each with a kernel of its own: 2 * (2 * 3) ** 3 assignments that
        are known from few of them."""
        templates = {
            "T": {
                "args": {"e": choice(1, 2, name="e")},
                "body": {
                    "residual": [
                        conv(channels="=in_channels * e"),
                        conv(choice(1, 3), "=in_channels", bias=choice(False, True, name="b")),
                    ]
                },
            }
        }
        one = space([{"op": "T", "repeat": 3}, conv(choice(1, 3, 5))], templates)
        tree = assert_all_is_counted(one)
        assert tree.assignments == 2 * 2 * 2**3 * 3
        assert [split.key for split in tree.root.splits] == ["e", "conv.kernel"]

    def test_equal_layers_that_can_be_left_out(self):
        """5 ** 3 combinations, but of two equal layers in a row it does not matter which is out."""
        body = {"op": "T", "each": [{"k": choice(0, 1, 3, 5, 7)} for _ in range(3)]}
        templates = {"T": {"args": {"k": 1}, "body": conv("=k", when="=k > 0")}}
        tree = assert_all_is_counted(space([conv(3), body, "relu"], templates))
        assert (tree.combinations, tree.chained_networks()) == (125, 85)

    def test_what_reaches_over_a_part_is_no_chain(self):
        body = [
            conv(name="a"),
            {"op": "T", "k": choice(0, 1)},
            {"op": "T", "k": choice(0, 1)},
            {"op": "add", "from": ["a", "t2"]},
        ]
        templates = {"T": {"args": {"k": 1}, "body": conv("=k", when="=k > 0")}}
        tree = assert_all_is_counted(space(body, templates))
        assert (tree.combinations, tree.chained_networks(), tree.networks) == (4, None, 3)

    @given(st.lists(st.sets(st.text("ab", max_size=3), min_size=1, max_size=4), max_size=5))
    def test_words_by_the_book(self, texts):
        pieces = [
            {tuple((letter, ((1, 0),)) for letter in text) for text in some} for some in texts
        ]
        every = {sum(words, ()) for words in itertools.product(*pieces)}
        assert count_words([set(piece) for piece in pieces] or [{()}]) == len(every)
        assert all(is_joined(word, pieces) for word in every)
        assert not is_joined((("c", ((1, 0),)),), pieces)

    def test_a_decision_shared_by_copies_that_may_not_be_there(self):
        body = conv(choice(1, 3, name="k"), repeat=2, when=choice(False, True))
        assert_all_is_counted(space(body))

    def test_choices_between_sub_networks(self):
        option = [conv(1), {"choice": [conv(choice(1, 3)), "none"], "name": "inner"}]
        assert_all_is_counted(space([{"choice": [option, "none", "relu"]}, conv(choice(1, 3))]))

    def test_names_that_depend_on_a_decision(self):
        body = [conv(repeat=choice(1, 2)), {"when": choice(True, False), "body": conv()}]
        assert_all_is_counted(space([*body, conv(choice(1, 3), name="last")]))

    def test_templates_that_choose_by_themselves(self):
        templates = {
            "T": {
                "args": {"e": choice(1, 2), "k": 3},
                "body": {
                    "residual": [conv("=k", "=in_channels * e"), conv(choice(1, 3), "=in_channels")]
                },
            }
        }
        assert_all_is_counted(space([{"op": "T"}, {"op": "T", "k": choice(1, 5)}], templates))

    def test_args_of_the_spec_decide_for_all(self):
        assert_all_is_counted(
            space([conv(channels="=w"), conv(choice(1, 3))], args={"w": choice(4, 8)})
        )

    def test_a_join_that_is_decided(self):
        body = {"residual": conv(choice(1, 3)), "join": choice("add", "none")}
        assert_all_is_counted(space([body, conv(choice(1, 3))]))

    def test_true_is_not_one(self):
        one = space([conv(name="a", bias=choice(False, True)), conv(choice(1, 3), name="b")])
        tree = assert_all_is_counted(one)
        with pytest.raises(SpecError, match=r"'a.bias' has no option 1; use False, True"):
            tree.cost({"a.bias": 1, "b.kernel": 3})

    def test_a_network_that_is_wrong(self):
        body = {"residual": conv(channels=choice(4, 8)), "join": "add"}
        with pytest.raises(SpecError, match="add takes"):
            cost_tree(space(body))

    def test_wrong_assignments_are_refused_as_ever(self):
        one = Space("spaces/tiny")
        tree, assignment = cost_tree(one), one.first()
        for wrong in (
            {},
            {**assignment, "stage1.layer1.kernel": 7},
            {**assignment, "stage1.layer9.kernel": 3},
        ):
            with pytest.raises(SpecError) as theirs:
                one.cost(wrong)
            with pytest.raises(SpecError) as ours:
                tree.cost(wrong)
            assert str(ours.value) == str(theirs.value)

    @pytest.mark.thorough
    @pytest.mark.parametrize("sharing", [0.06, 0.5])
    @pytest.mark.parametrize("seeds", [range(start, start + 25) for start in range(0, 75, 25)])
    def test_random_spaces(self, seeds, sharing):
        trees = 0
        for seed in seeds:
            try:
                one = space(**random_space(random.Random(seed), sharing))
                if len(list(itertools.islice(one.enumerate(), 401))) > 400:
                    continue
                assert_all_is_counted(one)
            except (SpecError, NotDecomposable):  # a network of it is wrong, or one key means two
                continue
            trees += 1
        assert trees > 10


def random_space(generator, sharing):
    """A spec with choices anywhere, between parts that feed, hold and name each other."""

    def value(options):
        kind = generator.random()
        if kind < 0.4:
            return generator.choice(options)
        if kind > 1 - sharing:
            return {"choice": options[:2], "name": f"shared{options[0]}"}
        return {"choice": generator.sample(options, 2)}

    def node(depth):
        kind = generator.random()
        if kind < 0.4 or depth > 1:
            return conv(
                value([1, 3, 5]),
                value([4, 8]) if generator.random() < 0.2 else 4,
                **({"repeat": value([1, 2])} if generator.random() < 0.3 else {}),
                **({"when": value([True, False])} if generator.random() < 0.15 else {}),
            )
        if kind < 0.55:
            return {"choice": [node(depth + 1), "none", "relu"][: generator.choice([2, 3])]}
        if kind < 0.7:
            return {"residual": node(depth + 1), "join": value(["concat", "none"])}
        if kind < 0.85:
            return {"op": "T", "k": value([1, 3]), "d": value([1, 2])}
        return {"body": node(depth + 1), "when": value([True, False])}

    templates = {
        "T": {
            "args": {"k": 3, "d": 1, "e": choice(1, 2)},
            "body": [conv("=k", 4, repeat="=d"), conv(choice(1, 3), "=4 * e"), conv(1, 4)],
        }
    }
    return {"body": [node(0) for _ in range(generator.randrange(1, 4))], "templates": templates}


class TestFunctions:
    def test_a_sum_over_layers_is_a_metric(self):
        one = Space("spaces/tiny")
        tree = cost_tree(one, {"nodes": lambda graph: len(graph.nodes)})
        generator = random.Random(5)
        for _ in range(50):
            assignment = one.sample(generator)
            assert tree.cost(assignment)[-1] == len(one.assign(assignment).nodes)

    @pytest.mark.thorough
    def test_latency_is_one(self):
        from archspec.compiler.latency import find_device, total_ms
        from archspec.compiler.pipeline import for_deployment

        one, device = Space(SPNAS), find_device("ascend310")

        def milliseconds(graph):
            return total_ms(for_deployment(graph).graph, device, 16)

        tree = cost_tree(one, {"ms": milliseconds})
        generator = random.Random(5)
        for _ in range(20):
            assignment = one.sample(generator)
            assert tree.cost(assignment)[-1] == pytest.approx(milliseconds(one.assign(assignment)))

    def test_what_is_no_sum_is_refused(self):
        with pytest.raises(NotDecomposable) as reason:
            cost_tree(Space("spaces/tiny"), {"square": lambda graph: graph.macs**2})
        assert str(reason.value) == "square is not a sum over the parts of its networks"


class TestCommonDecisions:
    @pytest.mark.parametrize(
        "body",
        [
            conv(choice(1, 3), when=choice(True, False)),
            conv(choice(1, 3), repeat=choice(1, 2)),
            {"choice": [conv(choice(1, 3)), "none"]},
            {"residual": "none", "shortcut": conv(choice(1, 3)), "join": choice("add", "none")},
            [conv(channels=choice(4, 8)), conv(choice(1, 3), when="=in_channels > 4")],
            [conv(channels=choice(4, 8), name="a"), conv(choice(1, 3), when="=channels('a') > 4")],
            conv(choice(choice(1, 3), 5)),
        ],
    )
    def test_none_where_a_decision_can_bring_another(self, body):
        assert common_decisions(space(body)) is None

    def test_arguments_carry_decisions_into_templates(self):
        templates = {
            "Inner": {"args": {"n": 1}, "body": conv(choice(1, 3), repeat="=n")},
            "Outer": {"args": {"m": 1}, "body": {"op": "Inner", "n": "=m"}},
        }
        assert common_decisions(space({"op": "Outer", "m": choice(1, 2)}, templates)) is None
        found = common_decisions(space({"op": "Outer", "m": 2}, templates))
        assert found == {"outer.inner.conv1.kernel": (1, 3), "outer.inner.conv2.kernel": (1, 3)}


class TestCommand:
    @pytest.mark.thorough
    def test_info(self, run):
        code, out, err = run("space", "info", SPNAS, "--constraint", "params<5e6")
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= 100
        for line in (
            "space        single_path_nas: 40 decisions, 481,469,424,205,824 assignments,",
            "parameters   2,457,384 to 4,833,768 (2.46 M to 4.83 M), over all networks",
            "MACs         117,233,600 to 525,305,600 (117 M to 525 M), over all networks",
            "constraints  100.0% of 2,000 assignments drawn at random keep to params<5000000",
        ):
            assert line in out

    def test_info_as_json(self, run):
        code, out, _ = run(
            "space", "info", "spaces/tiny", "--device", "ascend310", "--format", "json"
        )
        found = json.loads(out)
        assert code == 0
        assert (found["assignments"], found["networks"], found["is_exact"]) == (576, 400, True)
        assert found["metrics"]["params"] == {"least": 9306, "most": 30650}
        assert found["metrics"]["latency:ascend310"]["least"] > 0
        assert found["decisions"]["stage2.layer2.expand"] == [0, 2, 4]

    def test_info_as_csv(self, run):
        _, out, _ = run("space", "info", "spaces/digits100", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert rows[0] == {"decision": "layer1.expand", "count": "3", "options": "0, 3, 6"}

    def test_info_names_assignments_and_networks(self, run, tmp_path):
        for name, words, figures in (
            (
                SPNAS,
                "assignments, 4,543,542,400,000 networks",
                (4**5 * 6**15, 340**5, 4**5 * 5**15),
            ),
            (NAS_BENCH_201, "15,625 assignments, as many networks or fewer", (5**6, None, 5**6)),
        ):
            assert words in " ".join(run("space", "info", name)[1].split())
            found = json.loads(run("space", "info", name, "--format", "json")[1])
            sizes = found["assignments"], found["networks"], found["networks_at_most"]
            assert (sizes, found["is_exact"]) == (figures, True)

    def test_a_small_space_that_is_no_tree_is_built_whole(self):
        one = space([conv(choice(1, 3)), conv(choice(1, 3))])
        found = summarize(one, {"square": lambda graph: graph.macs**2})
        graphs = [one.assign(assignment) for assignment in one.enumerate()]
        assert (found.assignments, found.networks, found.why_drawn) == (4, 4, "")
        squares = [graph.macs**2 for graph in graphs]
        assert found.ranges[-1] == Range("square", min(squares), max(squares))

    @pytest.mark.thorough
    def test_info_says_what_is_drawn(self, run):
        code, out, _ = run("space", "info", "spaces/isynet")
        assert code == 0
        assert "45 decisions, 6,685,606,638,593,192,500,017,739,333,632 assignments" in out
        assert out.count("of 200 drawn at random") == len(METRICS)
        assert "not exact    stage1 settles 1,462,272 combinations of decisions at once" in out

    def test_how_many_keep_to_a_constraint(self, run):
        one = Space("spaces/tiny")
        _, out, _ = run(
            "space", "info", "spaces/tiny", "--format", "json",
            "--constraint", "params<20000", "--constraint", "macs >= 3e5",
        )  # fmt: skip
        found = json.loads(out)["constraints"]
        fitting = [
            cost.params < 20000 and cost.macs >= 3e5 for cost in map(one.cost, one.enumerate())
        ]
        assert found["texts"] == ["params<20000", "macs>=300000"]
        assert found["kept_by"] == pytest.approx(sum(fitting) / len(fitting), abs=0.04)

    def test_sample_and_assign(self, run, tmp_path):
        _, out, _ = run("space", "sample", "spaces/tiny", "-n", 3, "--seed", 4)
        assert run("space", "sample", "spaces/tiny", "-n", 3, "--seed", 4)[1] == out
        assert run("space", "sample", "spaces/tiny", "-n", 3, "--seed", 5)[1] != out
        assignment = json.loads(out.splitlines()[2])
        decisions, spec = tmp_path / "decisions.json", tmp_path / "spec.json"
        decisions.write_text(out.splitlines()[2])
        assert run("space", "assign", "spaces/tiny", "--set", decisions, "-o", spec)[0] == 0
        graph = Space("spaces/tiny").assign(assignment)
        assert archspec.load(spec).fingerprint == graph.fingerprint
        changed = {**assignment, "stage1.layer1.kernel": 5, "stage1.layer2.expand": 0}
        keys = ("--set", "stage1.layer1.kernel=5", "--set", "stage1.layer2.expand=0")
        _, out, _ = run("space", "assign", "spaces/tiny", "--set", decisions, *keys)
        spec.write_text(out)
        expected = Space("spaces/tiny").assign(changed).fingerprint
        assert archspec.load(spec).fingerprint == expected

    def test_enumerate(self, run):
        _, out, _ = run("space", "enumerate", "spaces/digits100")
        listed = [json.loads(line) for line in out.splitlines()]
        assert listed == list(Space("spaces/digits100").enumerate())

    def test_enumerate_of_a_space_that_brings_decisions(self, run, tmp_path):
        path = tmp_path / "depth.json"
        body = conv(choice(1, 3), name="a", repeat=choice(1, 2))
        spec = {"archspec": 1, "name": "d", "input": {"shape": [4, 8, 8]}, "body": body}
        path.write_text(json.dumps(spec))
        assert len(run("space", "enumerate", path)[1].splitlines()) == 6
        code, out, err = run("space", "enumerate", path, "--max", 5)
        assert (code, out) == (2, "")
        assert err == (
            f"error: {path} has more than 5 assignments; use a larger --max, or archspec space"
            " sample for some of them\n"
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ["info", "resnet18"],
                "resnet18 has no choice in it, so it is one network, not a search space; use"
                " archspec stats resnet18, or spaces/tiny for a space",
            ),
            (
                ["enumerate", SPNAS],
                f"{SPNAS} has 481,469,424,205,824 assignments; use a larger --max, or archspec"
                " space sample for some of them",
            ),
            (["sample", "spaces/tiny", "-n", "0"], "-n 0: must be 1 to 1,000,000"),
            (
                ["info", "spaces/tiny", "--constraint", "parms<3"],
                "--constraint 'parms<3': there is no metric 'parms'; did you mean 'params'?"
                " (use 'params', 'macs', 'activations', 'latency:ascend310', 'accuracy' or"
                " 'python:module:function')",
            ),
            (
                ["info", "spaces/tiny", "--constraint", "params=3"],
                "--constraint 'params=3' is not a METRIC, <, <=, > or >=, and a number; use"
                " 'params<5e6'",
            ),
            (
                ["info", "spaces/tiny", "--constraint", "params<5.5.5"],
                "--constraint 'params<5.5.5': 5.5.5 is not a number; use 5e6",
            ),
            (
                ["info", "spaces/tiny", "--constraint", "accuracy>0.9"],
                "--constraint 'accuracy>0.9': accuracy is not known before a network is trained;"
                " use 'params', 'macs', 'activations' or 'latency:DEVICE'",
            ),
        ],
    )
    def test_wrong_usage(self, run, arguments, message):
        assert run("space", *arguments) == (2, "", f"error: {message}\n")

    def test_wrong_decisions(self, run, tmp_path):
        path = tmp_path / "decisions.json"
        path.write_text("[1]")
        code, _, err = run("space", "assign", "spaces/tiny", "--set", path)
        assert (code, err) == (1, f"error: {path}: decisions are one object, choice: option\n")
        path.write_text(json.dumps(Space("spaces/tiny").first()))
        arguments = ("--set", path, "--set", "stage1.layer1.kernal=3")
        code, _, err = run("space", "assign", "spaces/tiny", *arguments)
        assert code == 1
        assert err.endswith(
            "the assignment settles 'stage1.layer1.kernal', which the network it gives does not"
            " have; did you mean 'stage1.layer1.kernel'?\n"
        )
        code, _, err = run("space", "assign", "spaces/tiny", "--set", "stage1.layer1.kernel=3")
        assert code == 1
        assert "the assignment leaves 'stage1.layer1.expand' open" in err
        path.write_text("{}")
        spec = tmp_path / "there.json"
        spec.write_text("")
        arguments = ("--set", path, "-o", spec)
        assert run("space", "assign", "spaces/tiny", *arguments)[0] == 1
        assert spec.read_text() == ""
