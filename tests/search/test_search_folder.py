"""What stands in the folder of a search, and folders that an earlier version wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from oracles.searches import draw, front_of, lines, mine

from archspec.checksums import seal, seal_line
from archspec.space import Space
from archspec.training.search.log import Log

TINY = "spaces/tiny"
EARLIER = Path(__file__).parents[1] / "data" / "searches_f0ec3b9"
BOTH = ("--objective", "min:macs", "--objective", "max:params")


# Trials say what they decided.


def test_counted_trials_have_their_decisions(run, there):
    assert run("search", TINY, *BOTH, "--trials", 30, "--out", "found")[0] == 0
    one = Space(TINY)
    columns = json.loads(Path("found", "columns.json").read_text())["columns"]
    for trial in lines("found"):
        picked = zip(columns, trial["row"], strict=True)
        cost = one.cost({key: option for c, place in picked for key, option in c[place].items()})
        assert trial["objectives"] == {"macs": cost.macs, "params": cost.params}
    _, out, _ = run("search", "pareto", "found", "--format", "json")
    for row in json.loads(out):
        assert one.cost(row["decisions"]).params == row["params"]
    for row in front_of("found"):
        assert one.cost(json.loads(row["decisions"])).params == int(row["params"])


@pytest.mark.parametrize("way, sign", [("min", 1), ("max", -1)])
def test_of_one_objective_the_best_are_listed(run, there, way, sign):
    objective = ("--objective", f"{way}:macs")
    _, out, _ = run("search", TINY, *objective, "--trials", 40, "--out", "found")
    assert "the best 10 of 40 networks tried" in out
    values = sorted(
        (trial["objectives"]["macs"] for trial in mine("found")), key=lambda v: sign * v
    )
    _, out, _ = run("search", "pareto", "found", "--format", "json")
    rows = json.loads(out)
    assert (
        [row["macs"] for row in rows] == values[:10] == [int(r["macs"]) for r in front_of("found")]
    )
    assert len({row["id"] for row in rows}) == 10
    assert run("search", "derive", "found", "--id", rows[-1]["id"], "-o", "n.json")[0] == 0


# A counted search is resumed to more networks.


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["random", "enumerate", "nsga2", "evolution"])
def test_a_counted_search_goes_on_to_more(run, there, engine):
    arguments = (TINY, *BOTH, "--engine", engine, "--population", 8)
    assert run("search", *arguments, "--trials", 25, "--out", "found")[0] == 0
    before = mine("found"), draw("found")
    assert run("search", "--resume", "found", "--trials", 60)[0] == 0
    for kind, first in zip((mine("found"), draw("found")), before, strict=True):
        assert [trial["number"] for trial in kind] == [*range(60 if first else 0)]
        assert kind[: len(first)] == first
        assert len({json.dumps(trial["row"]) for trial in kind}) == len(kind)
    # and what was lost of it since is counted again to the same
    whole = Path("found", "trials.jsonl").read_bytes()
    Path("found", "trials.jsonl").write_bytes(whole[: len(whole) // 3])
    assert run("search", "--resume", "found")[0] == 0
    by_kind = [sorted(lines("found"), key=lambda t: (t.get("baseline", False), t["number"]))]
    Path("found", "trials.jsonl").write_bytes(whole)
    by_kind.append(sorted(lines("found"), key=lambda t: (t.get("baseline", False), t["number"])))
    assert by_kind[0] == by_kind[1]
    assert run("search", "--resume", "found", "--trials", 2000)[0] == 0
    assert len(mine("found")) == 400


# Folders of commit f0ec3b9.


@pytest.fixture
def earlier(there):
    shutil.copytree(EARLIER, there, dirs_exist_ok=True)
    return there


def test_an_earlier_counted_search_is_resumed(run, earlier):
    whole = lines("counted")
    path = Path("counted", "trials.jsonl")
    path.write_text("".join(f"{json.dumps(line)}\n" for line in whole[:23]))
    assert run("search", "--resume", "counted")[0] == 0
    kept = ("number", "state", "baseline", "row", "objectives")
    found = [{key: line[key] for key in kept if key in line} for line in lines("counted")]
    assert found == whole
    code, out, _ = run("search", "pareto", "counted", "--format", "json")
    one = Space(TINY)
    assert code == 0
    for row in json.loads(out):
        assert one.cost(row["decisions"]) == (row["params"], row["macs"])
    assert run("search", "--resume", "counted", "--trials", 50)[0] == 0
    assert len(mine("counted")) == len(draw("counted")) == 50


def test_an_earlier_search_that_was_killed_is_resumed(run, earlier):
    pytest.importorskip("optuna")
    before = lines("tried")
    assert len(before) == 7
    assert run("search", "pareto", "tried")[0] == 0
    code, _, _ = run("search", "--resume", "tried", "--objective", "max:python:table:score")
    assert code == 0
    assert lines("tried")[:7] == before
    for kind in (mine("tried"), draw("tried")):
        assert sorted(trial["number"] for trial in kind) == [*range(6)]


# Damage.


@pytest.fixture
def found(run, there):
    assert run("search", TINY, *BOTH, "--trials", 20, "--out", "found")[0] == 0
    return there / "found"


def flip(content, place, bit):
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def test_a_file_that_grows_is_followed(there):
    path = there / "trials.jsonl"
    log = Log(path, ["macs"], required=True)

    def check(content):
        path.write_bytes(content)
        whole = Log(path, ["macs"], required=True)
        assert [*log.read()] == [*whole.read()]
        assert log.trials == whole.trials
        return [(trial["number"], trial["objectives"]["macs"]) for trial in log.read()]

    def line(number, macs, **more):
        trial = {"number": number, "state": "done", "assignment": {}, "objectives": {"macs": macs}}
        return seal_line({**trial, **more}).encode()

    assert log.read() == []
    assert check(b"") == []
    one, two, three = line(0, 10), line(0, 20, baseline=True), line(1, 30)
    grown = [(0, 10), (0, 20), (1, 30)]
    for length in range(len(one + two + three)):  # as another process is seen to write it
        found = check((one + two + three)[:length])
        assert found == grown[: len(found)]
    assert check(one + two + three + three) == grown
    assert check(one + line(0, 11) + three.replace(b"30", b"31")) == grown[:1]  # an untrue checksum
    assert check(one + three + two) == [(0, 10), (1, 30), (0, 20)]  # another file of that name
    assert check(one) == [(0, 10)]
    path.unlink()
    assert log.read() == []


@pytest.mark.thorough
def test_a_flipped_bit_in_a_trial_is_noticed_and_made_good(run, found):
    path = found / "trials.jsonl"
    whole, trials = path.read_bytes(), lines(found)
    generator = np.random.default_rng(1)
    for place, bit in generator.integers(0, (len(whole), 8), (8, 2)).tolist():
        path.write_bytes(flip(whole, place, bit))
        assert run("search", "pareto", found)[0] == 0
        code, _, err = run("search", "--resume", found)
        assert (code, "the line is set aside in trials.jsonl.damaged" in err) == (0, True)
        ordered = sorted(lines(found), key=lambda t: (t.get("baseline", False), t["number"]))
        assert ordered == trials


@pytest.mark.parametrize("name", ["run.json", "space.json"])
def test_a_flipped_bit_in_what_was_asked_is_damage(run, found, name):
    path = found / name
    whole = path.read_bytes()
    generator = np.random.default_rng(2)
    silent = 0
    for place, bit in generator.integers(0, (len(whole), 8), (40, 2)).tolist():
        path.write_bytes(flip(whole, place, bit))
        code, _, err = run("search", "--resume", found)
        silent += code == 0
        assert (code, "Traceback" in err, "itself went wrong" in err) in (
            (0, False, False),
            (1, False, False),
        )
        if code == 0:  # white space between two words of JSON, which means the same
            assert json.loads(path.read_text()) == json.loads(whole)
    assert silent < 5


@pytest.mark.thorough
@pytest.mark.parametrize(
    "key, value",
    [
        ("trials", "20"), ("trials", -3), ("trials", 10**9), ("trials", 2.5), ("trials", True),
        ("engine", "nsga3"), ("engine", 5), ("objectives", "min:macs"), ("objectives", []),
        ("constraints", 7), ("seed", -1), ("population", 0), ("legs", [0]), ("study", "a/b"),
        ("storage", 5), ("training", {"recipe": "tiny"}), ("single_path", []), ("command", [1]),
        ("versions", []), ("name", None), ("more", 1), ("search", 3), ("search", True),
    ],
)  # fmt: skip
def test_facts_that_a_search_cannot_mean(run, found, key, value):
    path = found / "run.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(seal({**facts, key: value})))
    before = (found / "trials.jsonl").read_bytes()
    for command in (("--resume", found), ("pareto", found), ("worker", found)):
        code, _, err = run("search", *command)
        assert (code, err.startswith(f"error: {found}")) == (1, True), err
    assert (found / "trials.jsonl").read_bytes() == before


def test_a_checksum_cannot_be_left_out(run, found):
    path = found / "run.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({key: facts[key] for key in facts if key != "crc32"}))
    code, _, err = run("search", "--resume", found)
    assert (code, "the file is damaged, or was edited by hand" in err) == (1, True)


def test_a_file_that_is_gone_is_damage(run, found):
    (found / "space.json").unlink()
    code, _, err = run("search", "--resume", found)
    assert (code, "space.json: the file is damaged" in err) == (1, True)
