"""Searches of what is only counted: fronts beside every network, engines that repeat themselves.

Those that try networks one by one are in test_search_trials.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from fakes import backend as fake
from hypothesis import given
from hypothesis import strategies as st
from oracles.searches import front_of, lines
from PIL import Image

pytest.importorskip("optuna")

import archspec
from archspec.checksums import seal_lines
from archspec.document import parse_document
from archspec.errors import UsageError
from archspec.program import program_of
from archspec.space import Space
from archspec.training.backend import BACKENDS
from archspec.training.search import search
from archspec.training.search.batch import ENGINES
from archspec.training.search.counted import Counted, Fresh, count_exactly
from archspec.training.search.encoding import PlainEncoding, TreeEncoding, encoding_of
from archspec.training.search.exact import exact_front
from archspec.training.search.objectives import read_constraint, read_objectives
from archspec.training.search.pareto import (
    crowding,
    find_nondominated,
    hypervolume,
    ranks,
    share_covered,
)
from archspec.training.search.picture import pareto_picture
from archspec.training.search.plan import population_for
from archspec.training.search.results import kendall, noise_of, results_of
from archspec.training.search.trials import open_trials

SPNAS, TINY, DIGITS = "spaces/single_path_nas", "spaces/tiny", "spaces/digits100"
# Fronts.

rows_of_numbers = st.integers(1, 3).flatmap(
    lambda columns: st.lists(
        st.lists(st.integers(0, 6), min_size=columns, max_size=columns), min_size=1, max_size=24
    )
)


def beats(one, other):
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


@given(rows_of_numbers)
def test_fronts_ranks_and_volumes_by_the_book(rows):
    values = np.array(rows, float)
    front = [
        place
        for place, row in enumerate(rows)
        if not any(beats(other, row) for other in rows) and row not in rows[:place]
    ]
    assert find_nondominated(values).tolist() == front

    left, expected, rank = {*range(len(rows))}, {}, 0
    while left:
        first = {p for p in left if not any(beats(rows[q], rows[p]) for q in left)}
        expected.update(dict.fromkeys(first, rank))
        left -= first
        rank += 1
    assert ranks(values).tolist() == [expected[place] for place in range(len(rows))]

    # unit cubes below the reference that some row is below of
    cubes = np.stack(np.meshgrid(*[np.arange(8)] * values.shape[1], indexing="ij"), -1)
    covered = np.zeros(cubes.shape[:-1], bool)
    for row in values:
        covered |= (cubes >= row).all(axis=-1)
    assert hypervolume(values, np.full(values.shape[1], 8.0)) == covered.sum()


def test_crowding_by_hand():
    values = np.array([[0, 10], [1, 6], [3, 3], [10, 0], [20, 20]], float)
    found = crowding(values, ranks(values)).tolist()
    assert found == [np.inf, 3 / 10 + 7 / 10, 9 / 10 + 6 / 10, np.inf, np.inf]


def test_a_share_of_the_box():
    best, worst = np.array([0.0, 5.0]), np.array([10.0, 5.0])
    assert share_covered(np.array([[2.5, 5.0]]), best, worst) == 0.75
    assert share_covered(np.array([[5.0, 5.0]]), worst, worst) == 1.0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12))
def test_kendall_by_the_book(pairs):
    one, other = map(list, zip(*pairs, strict=True))
    agree, ties = 0, [0, 0]
    for a, b in combinations(pairs, 2):
        product = (a[0] - b[0]) * (a[1] - b[1])
        agree += (product > 0) - (product < 0)
        ties[0] += a[0] == b[0]
        ties[1] += a[1] == b[1]
    count = len(pairs) * (len(pairs) - 1) // 2
    scale = ((count - ties[0]) * (count - ties[1])) ** 0.5
    assert kendall(np.array(one), np.array(other)) == pytest.approx(agree / scale if scale else 0)


def test_noise_is_found_as_it_was_made():
    generator = np.random.default_rng(1)
    networks = generator.normal(0.9, 0.03, 4000)[:, None]
    noise = noise_of(networks + generator.normal(0, 0.04, (4000, 3)))
    assert noise.of_seeds == pytest.approx(0.04, rel=0.03)
    assert noise.of_networks == pytest.approx(0.03, rel=0.05)
    assert noise.reliability == pytest.approx(9 / (9 + 16 / 3), rel=0.05)


# What is sought.


def test_objectives():
    one, other = read_objectives(["min:latency:ascend310:1", "max:python:a.b:score"])
    assert (one.name, one.is_max, one.is_counted) == ("latency:ascend310:1", False, True)
    assert (other.name, other.sign, other.is_counted) == ("python:a.b:score", -1.0, False)
    assert [str(one), str(other)] == ["min:latency:ascend310:1", "max:python:a.b:score"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "a search needs something to seek; use --objective min:macs"),
        (
            ["macs"],
            "--objective macs does not say min or max first; use 'min:macs' or 'max:accuracy'",
        ),
        (
            ["max:acuracy"],
            "--objective max:acuracy: there is no metric 'acuracy'; did you mean 'accuracy'?"
            " (use 'params', 'macs', 'activations', 'latency:ascend310', 'accuracy' or"
            " 'python:module:function')",
        ),
        (["min:macs", "max:macs"], "macs is an objective twice; say it once"),
        (
            ["min:python:os.system"],
            "--objective min:python:os.system: use python:package.module:function",
        ),
        (
            ["min:latency:ascend310:0"],
            "latency:ascend310:0: a batch of 0; use 1 to 1,000,000",
        ),
    ],
)
def test_wrong_objectives(texts, message):
    with pytest.raises(UsageError) as error:
        read_objectives(texts)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "shown", "holds", "fails"),
    [
        ("params<5e6", "params<5000000", 4_999_999, 5_000_000),
        (" macs <= 3.5e8 ", "macs<=350000000", 350_000_000, 350_000_001),
        ("activations>-1", "activations>-1", 0, -1),
        ("latency:ascend310>=0.25", "latency:ascend310>=0.25", 0.25, 0.2499),
    ],
)
def test_constraints(text, shown, holds, fails):
    constraint = read_constraint(text)
    assert str(constraint) == shown
    assert str(read_constraint(str(constraint))) == shown
    assert constraint.holds(holds)
    assert not constraint.holds(fails)


# Rows.


def space(body, **keys):
    spec = {"archspec": 1, "name": "s", "input": {"shape": [4, 8, 8]}, "body": body, **keys}
    return Space(program_of(parse_document(json.dumps(spec), "s.json")))


DEEP = [
    {
        "op": "conv", "name": "a", "kernel": {"choice": [1, 3]}, "channels": 4,
        "repeat": {"choice": [1, 2, 3]},
    },
    {"op": "conv", "name": "b", "kernel": {"choice": [1, 3, 5]}, "channels": 8},
]  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", [TINY, SPNAS, "spaces/isynet", "deep"])
def test_rows_are_networks(name):
    one = space(DEEP) if name == "deep" else Space(name)
    encoding, why = encoding_of(one, ["activations"])
    assert isinstance(encoding, PlainEncoding if name == "spaces/isynet" else TreeEncoding)
    assert bool(why) == (name == "spaces/isynet")
    rows = encoding.draw(40, np.random.default_rng(2))
    costs = encoding.costs(rows)
    for row, cost in zip(rows, costs.tolist(), strict=True):
        graph = one.assign(encoding.assignment(row.tolist()))
        assert cost == [graph.params, graph.macs, graph.stats().activation_bytes]
        assert (encoding.row_of(encoding.assignment(row.tolist())) == row).all()
    generator = random.Random(3)
    for _ in range(40):
        assignment = one.sample(generator)
        row = encoding.row_of(assignment)
        again = one.assign(encoding.assignment(row.tolist()))
        assert again.fingerprint == one.assign(assignment).fingerprint


def test_columns_that_do_not_matter_are_0():
    encoding, _ = encoding_of(space(DEEP))
    assert sorted(encoding.sizes.tolist()) == [2, 2, 2, 3, 3]
    every = np.stack(np.unravel_index(np.arange(encoding.sizes.prod()), encoding.sizes), axis=1)
    different = np.unique(encoding.canonical(every), axis=0)
    assert len(different) == (2 + 4 + 8) * 3
    assert (encoding.canonical(different) == different).all()


def test_a_network_that_is_wrong_is_not_kept():
    width = {"choice": [4, 8], "name": "width"}
    body = [{"residual": {"op": "conv", "kernel": 1, "channels": width}, "join": "add"}]
    problem = counted_plain(space(body))
    rows, costs = Fresh(problem).take(np.array([[0], [1]]), 2)
    assert (rows.tolist(), costs.shape) == ([[0]], (1, 2))


def counted_plain(one):
    return Counted(PlainEncoding(one, False, {}), read_objectives(["min:macs"]), ())


@pytest.mark.parametrize("first", [4, 8])
def test_a_space_some_of_whose_networks_are_wrong(first):
    width = {"choice": [first, 12 - first, 16], "name": "width"}
    residual = {"residual": {"op": "conv", "kernel": 1, "channels": width}, "join": "add"}
    one = space([residual, {"op": "conv", "kernel": {"choice": [1, 3]}, "channels": 4}])
    encoding, why = encoding_of(one)
    assert why.startswith("some of its networks are wrong (add takes")
    problem = Counted(encoding, read_objectives(["min:macs"]), ())
    for engine in ENGINES.values():
        rows = np.concatenate([rows for rows, _ in engine(problem, 100, 1, Fresh(problem), 10)])
        found = [one.assign(encoding.assignment(row)) for row in rows.tolist()]
        assert sorted(graph.params for graph in found) == [32, 160]


# What is only counted.


def problem(name, *objectives, constraints=()):
    constraints = [read_constraint(text) for text in constraints]
    return count_exactly(Space(name), read_objectives(objectives), constraints)


def test_the_exact_front_of_a_small_space():
    for objectives, constraints in (
        (("min:macs", "max:params"), ()),
        (("min:latency:ascend310", "max:macs"), ()),
        (("min:macs", "max:params", "min:latency:ascend310"), ()),
        (("max:params",), ("macs<4e5",)),
        (("max:params", "min:activations"), ("latency:ascend310<0.05",)),
    ):
        one = problem(TINY, *objectives, constraints=constraints)
        front = exact_front(one)
        assert front is not None
        every = one.encoding.draw(20_000, np.random.default_rng(0))
        every = np.unique(every, axis=0)
        assert len(every) == 400
        costs = one.encoding.costs(every)
        good = one.minimise(costs[one.is_feasible(costs)])
        expected = np.unique(good[find_nondominated(good)], axis=0)
        found = np.unique(one.minimise(one.encoding.costs(front)), axis=0)
        assert found == pytest.approx(expected, rel=1e-12)


def test_the_exact_front_is_not_claimed_where_it_is_not_had():
    assert exact_front(problem("spaces/isynet", "min:macs", "max:params")) is None
    assert exact_front(problem(TINY, "min:macs", constraints=["macs>4e5"])) is None


@pytest.mark.thorough
def test_nsga2_finds_the_front_of_30_trillion_networks():
    one = problem(SPNAS, "min:macs", "max:params")
    exact = exact_front(one)
    assert exact is not None
    assert len(exact) > 1000
    best = one.minimise(one.encoding.costs(exact))
    found = [
        costs
        for _, costs in ENGINES["nsga2"](
            one, 50_000, 1, Fresh(one), population_for("nsga2", 50_000)
        )
    ]
    values = one.minimise(np.concatenate(found))
    assert len(values) == 50_000
    corners = np.concatenate([best, values])
    low, high = corners.min(axis=0), corners.max(axis=0)
    assert share_covered(values, low, high) >= 0.99 * share_covered(best, low, high)
    # and no network beats the front that is called exact
    both = np.concatenate([best, values])
    assert share_covered(both, low, high) == share_covered(best, low, high)


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_keep_to_what_was_asked(engine):
    one = problem(SPNAS, "min:macs", "max:params", constraints=["latency:ascend310<0.7"])
    batches = list(ENGINES[engine](one, 1000, 7, Fresh(one), 50))
    rows, costs = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert len(rows) == len(np.unique(rows, axis=0)) == 1000
    assert (costs[:, one.encoding.metrics.index("latency:ascend310")] < 0.7).all()
    assert (costs == one.encoding.costs(rows)).all()
    again = list(ENGINES[engine](one, 1000, 7, Fresh(one), 50))
    assert (np.concatenate([some for some, _ in again]) == rows).all()
    if engine != "enumerate":
        other = list(ENGINES[engine](one, 1000, 8, Fresh(one), 50))
        assert not (np.concatenate([some for some, _ in other]) == rows).all()


def test_a_population_is_heeded(run, there):
    arguments = (TINY, "--objective", "min:macs", "--objective", "max:params", "--trials", 100)
    for name, more in (("own", ()), ("same", ("--population", 6)), ("other", ("--population", 20))):
        assert run("search", *arguments, *more, "--out", name)[0] == 0
    assert lines("own") == lines("same")
    assert lines("own") != lines("other")


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_end_with_the_space(engine):
    one = problem(TINY, "min:macs")
    rows = np.concatenate([rows for rows, _ in ENGINES[engine](one, 5000, 1, Fresh(one), 50)])
    assert len(rows) == len(np.unique(rows, axis=0)) == 400


@pytest.mark.thorough
def test_a_counted_search(run, there):
    code, out, err = run(
        "search", SPNAS, "--objective", "min:macs", "--objective", "max:params",
        "--constraint", "latency:ascend310<0.8", "--trials", 500, "--out", "found",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "found/report.md has the rest" in out
    trials = lines("found")
    assert [trial["number"] for trial in trials] == [*range(500), *range(500)]
    assert sum(trial.get("baseline", False) for trial in trials) == 500

    # the front, each network built from what is written of it
    rows = front_of("found")
    one = Space(there / "found" / "space.json")
    for row in rows:
        graph = one.assign(json.loads(row["decisions"]))
        assert graph.fingerprint.startswith(row["id"])
        assert (graph.params, graph.macs) == (int(row["params"]), int(row["macs"]))
        assert trials[int(row["number"])]["objectives"]["macs"] == graph.macs
    values = np.array([[int(row["macs"]), -int(row["params"])] for row in rows])
    tried = np.array([[t["objectives"]["macs"], -t["objectives"]["params"]] for t in trials[:500]])
    expected = tried[find_nondominated(tried.astype(float))]
    assert sorted(values.tolist()) == sorted(expected.tolist())

    # plain specs that other commands take
    archs = sorted((there / "found" / "archs").iterdir())
    assert {path.stem for path in archs} <= {row["id"] for row in rows}
    assert len(archs) == min(len(rows), 100)
    assert archspec.load(archs[0]).fingerprint.startswith(archs[0].stem)
    assert run("stats", archs[0])[0] == 0

    report = (there / "found" / "report.md").read_text()
    assert "**Better than random search**" in report
    assert re.search(
        r"latency:ascend310&lt;0\.8 \(kept to by \d+\.\d% of 10,000 networks drawn at random\)",
        report,
    )
    with Image.open(there / "found" / "pareto.png") as picture:
        assert picture.size == (1488, 1008)
    facts = json.loads((there / "found" / "run.json").read_text())
    assert facts["command"][:2] == ["archspec", *sys.argv[1:2]]
    assert facts["versions"]["numpy"] == np.__version__

    # any network of the front by the beginning of its id
    row = rows[len(rows) // 2]
    code, out, _ = run("search", "derive", "found", "--id", row["id"], "-o", "network.json")
    assert (code, out) == (
        0,
        f"wrote network.json: {row['id']}, {int(row['params']):,} parameters\n",
    )
    assert archspec.load("network.json").macs == int(row["macs"])
    code, out, _ = run("search", "pareto", "found", "--format", "csv")
    assert (code, out) == (0, Path("found", "pareto.csv").read_text())
    code, out, _ = run("search", "pareto", "found", "--format", "json")
    assert [found["id"] for found in json.loads(out)] == [found["id"] for found in rows]


def test_one_seed_gives_one_log(there):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        search(TINY, ["min:macs", "max:params"], name, trials=150, seed=seed, engine="evolution")
    one, two, three = (Path(name, "trials.jsonl").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three
    random_start = {json.dumps(t["row"]) for t in lines("one")[:100]}
    baseline = {json.dumps(t["row"]) for t in lines("one")[150:250]}
    assert random_start != baseline


@pytest.mark.thorough
@pytest.mark.parametrize("cut", [3, 150, 301, 20_000])
def test_a_counted_search_goes_on(run, there, cut):
    arguments = ("--objective", "min:macs", "--objective", "max:params", "--trials", 150)
    assert run("search", TINY, *arguments, "--out", "whole")[0] == 0
    assert run("search", TINY, *arguments, "--out", "cut")[0] == 0
    path = Path("cut", "trials.jsonl")
    # as a process leaves it that is killed while it writes
    path.write_bytes(path.read_bytes()[: cut * 40])
    assert run("search", "--resume", "cut")[0] == 0
    assert path.read_bytes() == Path("whole", "trials.jsonl").read_bytes()
    assert Path("cut", "pareto.csv").read_bytes() == Path("whole", "pareto.csv").read_bytes()


def test_another_log_is_not_gone_on_with(run, there):
    run("search", TINY, "--objective", "min:macs", "--trials", 20, "--out", "found")
    path = Path("found", "trials.jsonl")
    trials = lines("found")
    path.write_text(seal_lines([{**trials[1], "number": 0}, *trials[1:]]))
    code, _, err = run("search", "--resume", "found")
    assert (code, err) == (
        1,
        "error: found/trials.jsonl: trial 0 is not what this seed gives now; use the version of"
        " archspec that began the search, or a new --out\n",
    )
    path.write_text("{}\n[]\n")
    code, _, err = run("search", "--resume", "found")
    assert (code, err.count("the line is set aside in trials.jsonl.damaged")) == (0, 2)
    assert Path("found", "trials.jsonl.damaged").read_text() == "{}\n[]\n"
    assert lines("found") == trials


def test_all_networks_and_no_more(run, there):
    run("search", TINY, "--objective", "min:macs", "--objective", "max:params", "--out", "found")
    trials = lines("found")
    assert len(trials) == 400
    report = Path("found", "report.md").read_text()
    assert "They are all the networks of the space." in report
    assert "**100.00% of the exact front**" in report
    assert "random search" not in report


def test_a_budget_ends_a_search(run, there):
    started = time.monotonic()
    code, _, _ = run(
        "search", "spaces/isynet", "--objective", "min:macs", "--trials", 1_000_000,
        "--budget", "1s", "--out", "found",
    )  # fmt: skip
    assert (code, time.monotonic() - started < 60) == (0, True)
    assert 0 < len(lines("found")) < 1_000_000
    report = Path("found", "report.md").read_text()
    assert "of the 1,000,000 asked for are not tried." in report
    assert "network by network, for stage1 settles 1,462,272 combinations" in report


def test_a_space_is_copied_with_all_it_refers_to(there):
    (there / ".archspec").touch()
    (there / "lib").mkdir()
    library = {"T": {"args": {"k": 3}, "body": {"op": "Inner", "k": "=k"}}}
    inner = {"Inner": {"args": {"k": 3}, "body": {"op": "conv", "kernel": "=k", "channels": 4}}}
    (there / "lib" / "inner.json").write_text(json.dumps({"archspec": 1, "templates": inner}))
    library["T"]["body"]["op"] = "deep.Inner"
    text = {"archspec": 1, "import": {"deep": "inner.json"}, "templates": library}
    (there / "lib" / "t.json").write_text(json.dumps(text))
    spec = {
        "archspec": 1, "name": "s", "input": {"shape": [4, 8, 8]},
        "import": {"lib": "lib/t.json"}, "body": {"op": "lib.T", "k": {"choice": [1, 3]}},
    }  # fmt: skip
    (there / "s.json").write_text(json.dumps(spec))
    before = Space("s.json").assign({"t.k": 3}).fingerprint
    search("s.json", ["min:macs"], "found")
    for path in (there / "s.json", there / "lib" / "t.json", there / "lib" / "inner.json"):
        path.unlink()
    assert open_trials("found").space.assign({"t.k": 3}).fingerprint == before


# What is wrong with what is asked.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "SPACE is missing; use archspec search SPACE --objective min:macs --out RUN, or"
            " archspec search --resume RUN",
        ),
        ([TINY], "a search needs something to seek; use --objective min:macs"),
        (
            ["resnet18", "--objective", "min:macs"],
            "resnet18 has no choice in it, so there is nothing to search; use a spec with choices"
            " such as spaces/tiny",
        ),
        (
            [TINY, "--objective", "min:macs", "--engine", "nsga3"],
            "--engine nsga3: use 'random', 'enumerate', 'nsga2', 'evolution', 'tpe' or"
            " 'single-path'; did you mean 'nsga2'?",
        ),
        (
            [TINY, "--objective", "min:macs", "--trials", "0"],
            "--trials 0: must be 1 to 10,000,000",
        ),
        (
            [TINY, "--objective", "min:macs", "--baseline", "3"],
            "--baseline is for networks that are trained; where they are only counted one process"
            " does it, with a random search of as many beside it",
        ),
        (
            [TINY, "--objective", "min:macs", "--recipe", "tiny"],
            "--recipe is for networks that are trained; --objective max:accuracy trains them",
        ),
        (
            [TINY, "--objective", "max:accuracy", "--recipe", "tiny"],
            "accuracy is that of networks which are trained; --data is missing for it (use --recipe"
            " NAME --data DIR)",
        ),
        (
            [TINY, "--objective=max:accuracy", "--recipe=tiny", "--data=nowhere", "--backend=fake"],
            "nowhere does not exist; use a folder with train/CLASS/IMAGE or train.mindrecord",
        ),
        (
            [TINY, "--objective", "max:python:nowhere:score", "--trials", "1"],
            "python:nowhere:score: No module named 'nowhere'; use a module that can be"
            " imported here",
        ),
        (
            [TINY, "--objective", "max:python:table:scores", "--trials", "1"],
            "python:table:scores: table has no function 'scores'; did you mean 'score'?",
        ),
        (
            [TINY, "--objective", "min:macs", "--budget", "soon"],
            "--budget soon is not a time; use 90s, 30m or 2h",
        ),
        (
            [TINY, "--objective", "max:python:table:score", "--storage", "here"],
            "--storage here is not a URL; use sqlite:///search.db or postgresql://host/name",
        ),
        (
            [TINY, "--objective", "min:macs", "--id", "3fa2"],
            "--id is for derive; use archspec search derive RUN",
        ),
        (
            ["wrker", "found"],
            "one space is searched at a time and these are 2; did you mean 'worker'?",
        ),
        (["pareto"], "archspec search pareto takes one folder of a search"),
        (["pareto", "nowhere"], "nowhere is not a folder of a search, because it has no run.json"),
        (
            ["derive", "nowhere"],
            "--id is missing; use archspec search derive nowhere --id ID -o NETWORK.json",
        ),
        (
            ["--resume", "nowhere", "--seed", "3"],
            "--resume continues the search as it was begun; leave --seed out, which is for a new"
            " search",
        ),
        (
            ["worker", "nowhere", "--trials", "3"],
            "--trials is not for archspec search worker, which does not take it",
        ),
    ],
)
def test_wrong_usage(run, there, arguments, message, monkeypatch):
    monkeypatch.setitem(BACKENDS, "fake", fake.ENTRY)
    out = ("--out", "new") if arguments[:1] == [TINY] or arguments[:1] == ["resnet18"] else ()
    code, printed, err = run("search", *arguments, *out)
    assert (code, printed) == (2, "")
    assert err.startswith(f"error: {message}")


def test_folders_in_the_way(run, there):
    run("search", TINY, "--objective", "min:macs", "--trials", 5, "--out", "found")
    code, _, err = run("search", TINY, "--objective", "min:macs", "--out", "found")
    assert (code, err) == (
        2,
        "error: found is a run already; use --resume to continue the search, or another --out to"
        " start a new one\n",
    )
    code, _, err = run("search", "worker", "found")
    assert (code, err) == (
        2,
        "error: found only counts, which one process does; use archspec search --resume found\n",
    )
    (first, *_) = front_of("found")
    code, _, err = run("search", "derive", "found", "--id", "xyz", "-o", "n.json")
    assert (code, err) == (
        2,
        f"error: found has no network whose id begins with xyz; use '{first['id']}'\n",
    )
    assert not Path("n.json").exists()


# Pictures and reports.


def test_the_picture_has_every_cloud_and_front(run, there):
    run("search", TINY, "--objective", "min:macs", "--objective", "max:params", "--trials", 60,
        "--out", "found", "--engine", "evolution")  # fmt: skip
    trials = open_trials("found")
    one = problem(TINY, "min:macs", "max:params")
    exact = one.encoding.costs(exact_front(one))[:, one.places]
    results = results_of(trials, one.encoding, exact)
    picture = pareto_picture(results)
    assert picture is not None
    by_role = {}
    for shape in picture.shapes:
        by_role.setdefault(shape.role, []).append(shape)
    assert (len(by_role["tried"]), len(by_role["baseline"])) == (60, 60)
    marks = [shape for shape in by_role["front"] if hasattr(shape, "radius")]
    assert len(marks) == len(results.front)
    assert {"exact", "front of baseline", "legend"} <= set(by_role)
    # less MACs stand further left, more parameters further up
    places = {(mark.x, mark.y) for mark in marks}
    values = results.values(results.front)
    left, top = min(places)[0], min(y for _, y in places)
    ordered = sorted(places)
    assert [x for x, _ in ordered] == sorted(x for x, _ in places)
    assert (left, top) == (ordered[0][0], ordered[-1][1])
    assert values[:, 0].argmin() == values[:, 1].argmin()
    for shape in picture.shapes:
        if hasattr(shape, "text"):
            assert 0 <= shape.x <= shape.x + shape.width <= picture.width
            assert 0 <= shape.y <= picture.height


def test_one_objective_is_drawn_over_the_trials(run, there):
    run("search", TINY, "--objective", "max:python:table:score", "--trials", 12, "--baseline", 6,
        "--engine", "evolution", "--out", "found")  # fmt: skip
    results = results_of(open_trials("found"))
    picture = pareto_picture(results)
    assert picture is not None
    words = [shape.text for shape in picture.shapes if hasattr(shape, "text")]
    assert "networks tried" in words
    assert any(word.startswith("random search") for word in words)
    best = max(trial["objectives"]["python:table:score"] for trial in results.tried)
    report = Path("found", "report.md").read_text()
    assert f"**The best python:table:score is {best:.6g}**, 12 networks tried." in report
