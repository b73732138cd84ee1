"""Searches that try networks one by one: logs that repeat, processes really killed, trainings."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from oracles import digits100, runs
from oracles.searches import draw, front_of, lines, mine, without_time

pytest.importorskip("optuna")

from archspec import identity
from archspec.space import Space
from archspec.training.digits import write_digits
from archspec.training.search.batch import tournament_of
from archspec.training.search.encoding import encoding_of
from archspec.training.search.evaluating import Interrupted, train_seeds
from archspec.training.search.plan import population_for
from archspec.training.search.proposers import History, Proposer
from archspec.training.search.suggesting import SCORED, Suggester
from archspec.training.search.trials import locked_file, open_trials
from archspec.training.signals import Stop

TINY, DIGITS = "spaces/tiny", "spaces/digits100"
SEEDS = 11
"""With which each network of spaces/digits100 was trained."""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def there(there):
    runs.write_traps(there)
    return there


# What is tried one by one.

ONE_BY_ONE = ("--objective", "max:python:table:score", "--objective", "min:macs")


@pytest.mark.parametrize("engine", ["random", "enumerate", "nsga2", "evolution", "tpe"])
def test_one_worker_and_a_seed_give_one_log(run, there, engine):
    arguments = (TINY, *ONE_BY_ONE, "--engine", engine, "--trials", 24, "--seed", 5)
    code, _, err = run("search", *arguments, "--out", "one")
    assert (code, err.count("\ntrial ")) == (0, 23)
    assert run("search", *arguments, "--out", "two")[0] == 0
    assert without_time("one") == without_time("two")
    trials, baseline = mine("one"), draw("one")
    assert [trial["number"] for trial in trials] == [*range(24)]
    assert [trial["number"] for trial in baseline] == [*range(0 if engine == "random" else 24)]
    assert len({trial["fingerprint"] for trial in trials}) == 24
    one = Space(TINY)
    for trial in (*trials, *baseline):
        graph = one.assign(trial["assignment"])
        assert trial["fingerprint"] == graph.fingerprint
        values = {"python:table:score": graph.macs % 1009 / 1009, "macs": graph.macs}
        assert trial["objectives"] == values
        assert (trial["state"], trial["worker"]) == ("done", 0)
    if engine != "enumerate":
        assert run("search", *arguments[:-1], 6, "--out", "three")[0] == 0
        assert without_time("one") != without_time("three")


def test_constraints_hold_for_all(run, there):
    arguments = ("--constraint", "macs<4e5", "--trials", 15, "--engine", "tpe", "--baseline", 5)
    assert run("search", TINY, *ONE_BY_ONE, *arguments, "--out", "found")[0] == 0
    trials = lines("found")
    assert all(trial["objectives"]["macs"] < 4e5 for trial in trials)
    # the baseline keeps up, so that a search that is stopped has one as well
    assert "".join("b" if t.get("baseline") else "s" for t in trials) == "sbss" * 5
    report = Path("found", "report.md").read_text()
    assert re.search(r"etter than random search\*\*: [\d.]+ against [\d.]+ of the box", report)
    assert "for its first 5 and as many networks drawn at random." in report


def test_without_a_baseline_the_report_says_so(run, there):
    run("search", TINY, *ONE_BY_ONE, "--trials", 3, "--baseline", 0, "--out", "found")
    assert "No random baseline was run" in Path("found", "report.md").read_text()


@pytest.mark.parametrize("engine, start", [("nsga2", 4), ("evolution", 6), ("tpe", 10)])
def test_what_is_drawn_at_random_does_not_beat_random_search(run, there, engine, start):
    arguments = (TINY, *ONE_BY_ONE, "--engine", engine, "--population", start)
    for trials, is_said in ((start, True), (start + 1, False)):
        out = f"found{trials}"
        assert run("search", *arguments, "--trials", trials, "--out", out)[0] == 0
        report = Path(out, "report.md").read_text()
        assert ("which draws its first networks at random" in report) == is_said
        assert ("etter than random search**" in report) != is_said


@pytest.mark.parametrize("engine", ["nsga2", "tpe", "enumerate"])
def test_a_space_that_runs_out(run, there, engine):
    spec = {
        "archspec": 1, "name": "s", "input": {"shape": [4, 8, 8]},
        "body": [{"op": "conv", "kernel": {"choice": [1, 3]}, "channels": 4, "repeat": 2}],
    }  # fmt: skip
    Path("s.json").write_text(json.dumps(spec))
    arguments = ("--objective", "max:python:table:score", "--engine", engine)
    assert run("search", "s.json", *arguments, "--out", "found")[0] == 0
    # kernels 1, 3 and 3, 1 are two networks of four
    assert len(mine("found")) == 4
    assert len(draw("found")) == (0 if engine == "enumerate" else 4)
    assert "They are all the networks of the space." in Path("found", "report.md").read_text()


def test_networks_that_fail(run, there):
    arguments = (TINY, "--objective", "max:python:table:picky", "--engine", "random")
    code, _, err = run("search", *arguments, "--trials", 30, "--out", "found")
    assert code == 0
    one = Space(TINY)
    for trial in lines("found"):
        params = one.cost(trial["assignment"]).params
        if params % 2:
            assert trial["error"] == "python:table:picky: ValueError: odd params"
        elif params % 3 == 0:
            assert trial["error"] == "python:table:picky is nan, which is not a number to seek"
        assert (trial["state"] == "done") == (params % 6 in (2, 4))
    assert "failed: python:table:picky is nan" in err
    assert re.search(r"\| failed \| \d+ networks \|", Path("found", "report.md").read_text())


def test_a_folder_does_not_choose_what_code_is_run(run, there):
    run("search", TINY, *ONE_BY_ONE, "--trials", 2, "--out", "found")
    for arguments in (("--resume", "found"), ("worker", "found")):
        assert run("search", *arguments) == (
            2,
            "",
            "error: found calls table:score, which is code and is run only where it is asked for;"
            " use --objective max:python:table:score beside it\n",
        )
        code, _, err = run("search", *arguments, "--objective", "min:params")
        assert (code, "found does not seek min:params;" in err) == (2, True)
        assert run("search", *arguments, "--objective", "max:python:table:score")[0] == 0


def test_a_search_goes_on_to_more(run, there):
    arguments = (TINY, *ONE_BY_ONE, "--population", 4)
    assert run("search", *arguments, "--trials", 12, "--out", "whole")[0] == 0
    assert run("search", *arguments, "--trials", 5, "--out", "more")[0] == 0
    assert len(mine("more")) == len(draw("more")) == 5
    assert run("search", "--resume", "more", "--trials", 12, *ONE_BY_ONE)[0] == 0
    assert without_time("more") == without_time("whole")
    code, _, err = run("search", "--resume", "more", "--trials", 11, *ONE_BY_ONE)
    assert (code, err) == (2, "error: --trials 11: must be 12 to 10,000,000\n")


# Processes that are killed.


def start(folder, *arguments):
    command = [sys.executable, "-m", "archspec.cli", "search", *map(str, arguments)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def wait_for(condition, process=None):
    for _ in range(600):
        if condition():
            return
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it never happened")


def count_of(path):
    return path.read_text().count("\n") if path.exists() else 0


SLOW = ("--objective", "max:python:table:slow", "--objective", "min:macs")


def wait_for_workers(folder, count, process):
    """Until so many are at a network, which none of them ends while there is the file hold."""
    wait_for(lambda: len([*folder.glob("at-*")]) >= count, process)


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_killed_search_goes_on_as_if_nothing_had_been(there, how):
    arguments = (TINY, *SLOW, "--trials", 9, "--engine", "nsga2")
    whole = start(there, *arguments, "--out", "whole")
    killed = start(there, *arguments, "--out", "killed")
    log = there / "killed" / "trials.jsonl"
    wait_for(lambda: count_of(log) >= 4, killed)
    killed.send_signal(how)
    _, err = killed.communicate()
    assert killed.returncode == (-9 if how == signal.SIGKILL else 128 + how)
    if how == signal.SIGTERM:
        assert "stopped and saved; archspec search --resume killed resumes it" in err
    done = count_of(log)
    assert done < 9
    whole.communicate()
    again = start(there, "--resume", "killed", *SLOW)
    again.communicate()
    assert again.returncode == 0
    assert without_time(there / "killed") == without_time(there / "whole")
    assert front_of(there / "killed") == front_of(there / "whole")


@pytest.mark.parametrize("storage", [None, "sqlite:///shared.db"])
def test_workers_share_a_search_and_one_is_killed(there, storage):
    arguments = (TINY, *SLOW, "--trials", 16, "--out", "found", "--engine", "tpe")
    hold = there / "hold"
    hold.touch()
    first = start(there, *arguments, *(("--storage", storage) if storage else ()))
    wait_for_workers(there, 1, first)
    again = ("--storage", storage) if storage else ()
    second = start(there, "worker", "found", *SLOW, *again)
    wait_for_workers(there, 2, second)
    hold.unlink()
    log = there / "found" / "trials.jsonl"
    wait_for(lambda: count_of(log) and '"worker": 1' in log.read_text(), second)
    second.kill()
    second.communicate()
    before = lines(there / "found")
    first.communicate()
    assert first.returncode == 0
    trials = lines(there / "found")
    assert trials[: len(before)] == before
    # the trial that was killed is made by the other one, and there is none too many
    for kind in (mine(there / "found"), draw(there / "found")):
        assert sorted(trial["number"] for trial in kind) == [*range(16)]
        done = [trial["fingerprint"] for trial in kind if trial["state"] == "done"]
        assert len({*done}) == len(done)
    assert {trial["worker"] for trial in trials} == {0, 1}


def helpers_of(folder):
    """The pids of the workers that a search of that folder started."""
    command = ["pgrep", "-f", f"archspec.cli search worker {folder}"]
    return [*map(int, subprocess.run(command, capture_output=True, text=True).stdout.split())]


def test_a_search_starts_workers_and_one_is_killed(there):
    out, hold = there / "found", there / "hold"
    hold.touch()
    first = start(there, TINY, *SLOW, "--trials", 16, "--workers", 3, "--out", out)
    wait_for_workers(there, 3, first)
    hold.unlink()
    log = out / "trials.jsonl"
    wait_for(lambda: count_of(log) and '"worker": 2' in log.read_text(), first)
    os.kill(helpers_of(out)[0], signal.SIGKILL)
    first.communicate()
    assert first.returncode == 0
    for kind in (mine(out), draw(out)):
        assert sorted(trial["number"] for trial in kind) == [*range(16)]


def test_a_search_that_is_stopped_stops_its_workers(there):
    out = there / "found"
    first = start(there, TINY, *SLOW, "--workers", 2, "--out", out)
    log = out / "trials.jsonl"
    wait_for(lambda: count_of(log) and '"worker": 1' in log.read_text(), first)
    first.terminate()
    _, err = first.communicate()
    assert (first.returncode, helpers_of(out)) == (128 + signal.SIGTERM, [])
    assert f"archspec search --resume {out} resumes it" in err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--workers", "0"], "--workers 0: must be 1 or more"),
        (["--workers", "2"], "only counted, one process does it; leave --workers out"),
    ],
)
def test_workers_that_there_are_none_of(run, there, arguments, words):
    code, _, err = run("search", TINY, "--objective", "min:macs", *arguments, "--out", "found")
    assert (code, words in err, Path("found").exists()) == (2, True, False)


def test_what_a_crash_leaves_in_the_journal(run, there):
    run("search", TINY, *ONE_BY_ONE, "--trials", 4, "--out", "found")
    journal = Path("found", "journal.log")
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "worker')
    log = Path("found", "trials.jsonl")
    log.write_bytes(log.read_bytes() + b'{"number": 4, "sta')
    code, _, _ = run("search", "--resume", "found", *ONE_BY_ONE)
    assert code == 0
    assert len(open_trials("found").read()) == 8


def test_an_old_fingerprint_is_made_once_a_trial(run, there, monkeypatch):
    """Not once for each earlier trial, which 500 trials would feel."""
    made = []
    original = identity._fingerprint_by_scheme_1
    monkeypatch.setattr(
        identity, "_fingerprint_by_scheme_1", lambda graph: made.append(1) or original(graph)
    )
    arguments = (TINY, *ONE_BY_ONE, "--engine", "random", "--trials", 12)
    assert run("search", *arguments, "--out", "one")[0] == 0
    assert len(mine("one")) == 12
    assert len(made) <= 12


def test_a_trial_in_the_file_is_not_made_again(run, there):
    """A process can be killed after the line and before Optuna hears of it."""
    run("search", TINY, *ONE_BY_ONE, "--trials", 6, "--out", "whole")
    run("search", TINY, *ONE_BY_ONE, "--trials", 6, "--out", "cut")
    journal = Path("cut", "journal.log")
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    begun = [place for place, entry in enumerate(entries) if entry["op_code"] == 4]
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries[: begun[3] + 1]))
    log = Path("cut", "trials.jsonl")
    log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:4]))
    kept = without_time("cut")
    assert run("search", "--resume", "cut", *ONE_BY_ONE)[0] == 0
    assert without_time("cut") == without_time("whole")
    assert without_time("cut").startswith(kept)
    assert json.loads(log.read_text().splitlines()[3])["seconds"] >= 0


def test_a_network_that_ends_every_process_fails(run, there):
    Path("table.py").write_text("import os\ndef score(graph):\n    os._exit(9)\n")
    run_it = ("--objective", "max:python:table:score", "--trials", "1", "--out", "found")
    process = start(there, TINY, *run_it, "--baseline", 0)
    process.communicate()
    for _ in range(5):
        process = start(there, "--resume", "found", *run_it[:2])
        process.communicate()
    assert process.returncode == 1
    (trial,) = lines(there / "found")
    assert (trial["state"], trial["error"]) == (
        "failed",
        "the process that tried it ended 5 times",
    )


# What is proposed.


def proposals(engine, trials, score, population=None, name=TINY):
    """By engine and score of a row: what is proposed, and everything the space has."""
    encoding, _ = encoding_of(Space(name))
    size = population or population_for(engine, trials)
    proposer = Proposer(engine, encoding, 1, 7, size)
    rows = np.zeros((trials, len(encoding.columns)), np.int64)
    values = np.zeros((trials, 1))
    found = []
    for number in range(trials):
        seen = {*map(bytes, rows[:number])}
        proposal = proposer.proposal(
            History(rows[:number], values[:number]),
            number,
            lambda r, seen=seen: bytes(r) not in seen,
        )
        rows[number], values[number] = proposal.row, score(proposal.row)
        found.append(proposal)
    return found, encoding


def plant(row):
    """The least where every column is at 1, each other value costing something of its own."""
    return sum((value != 1) * (1 + 0.1 * value + 0.01 * column) for column, value in enumerate(row))


@pytest.mark.parametrize("engine, start", [("tpe", 10), ("nsga2", 7), ("evolution", 26)])
def test_what_is_known_is_replaced_by_what_the_engine_likes(engine, start):
    """130 of 400 networks: TPE's own choice is mostly known by then, and what it gets instead is
    better than what is left, by far."""
    found, encoding = proposals(engine, 130, plant)
    origins = Counter(proposal.origin for proposal in found)
    assert [p.origin for p in found[:start]] == ["drawn"] * start
    assert origins["drawn"] == start
    if engine != "tpe":
        return
    assert origins["scored"] > 40
    every = np.unique(encoding.draw(20_000, np.random.default_rng(0)), axis=0)
    assert len(every) == 400
    gains = []
    for number, proposal in enumerate(found):
        if proposal.origin == "scored":
            seen = {bytes(p.row) for p in found[:number]}
            left = [plant(row) for row in every if bytes(row) not in seen]
            gains.append(np.mean([plant(proposal.row) < other for other in left]))
    assert np.mean(gains) > 0.8


@pytest.mark.parametrize("engine", ["tpe", "nsga2"])
def test_a_trial_is_learnt_once(engine, monkeypatch):
    from optuna.study import Study

    learnt = []
    add_trial = Study.add_trial
    monkeypatch.setattr(Study, "add_trial", lambda *some: learnt.append(1) or add_trial(*some))
    proposals(engine, 60, plant)
    assert len(learnt) <= 60


@pytest.mark.parametrize("population", [None, 5])
def test_what_is_learnt_in_steps_is_learnt_as_well(population):
    """And in another order, as where several processes share a search."""
    generator = np.random.default_rng(3)
    rows, values = generator.integers(0, 4, (30, 3)), generator.random((30, 2))
    columns = {"b": 1, "a": 0, "c": 2}
    whole, steps, others = (Suggester(columns, [4, 4, 4], 2, population, 10) for _ in range(3))
    whole.learn(rows, values)
    for count in (1, 7, 8, 22, 30):
        steps.learn(rows[:count], values[:count])
        assert [*steps.suggest(0)]
    others.learn((rows[5:] + 1) % 4, values[5:])
    others.learn(rows, values)
    for seed in range(5):
        one, *rest = ([row.tolist() for row in s.suggest(seed)] for s in (whole, steps, others))
        assert rest == [one, one]
        assert len(one) == (1 if population else 1 + 2 * SCORED)


def test_the_report_says_where_proposals_are_from(run, there):
    arguments = (TINY, *ONE_BY_ONE[:2], "--engine", "tpe", "--trials", 60, "--baseline", 0)
    assert run("search", *arguments, "--out", "found")[0] == 0
    origins = Counter(trial["origin"] for trial in mine("found"))
    assert origins["drawn"] == 10
    report = Path("found", "report.md").read_text()
    assert f"| proposals | 10 drawn at random; {origins['suggested']} suggested by tpe; " in report
    assert f"{origins['scored']} unseen ones that its model expected most of" in report


@pytest.mark.parametrize(
    "trials, population", [(8, 4), (20, 10), (50, 20), (100, 20), (300, 60), (50_000, 200)]
)
def test_the_population_of_evolution(trials, population):
    assert population_for("evolution", trials) == population
    assert tournament_of(population) == max(2, population // 4)


def test_a_line_is_parsed_as_often_in_a_long_search_as_in_a_short_one(run, there, monkeypatch):
    parsed = Counter()
    loads = json.loads

    def count(text, *some, **others):
        if (text if isinstance(text, str) else text.decode()).startswith('{"number": '):
            parsed["lines"] += 1
        return loads(text, *some, **others)

    monkeypatch.setattr(json, "loads", count)
    for trials in (8, 48):
        parsed.clear()
        arguments = (TINY, *ONE_BY_ONE, "--engine", "tpe", "--trials", trials)
        assert run("search", *arguments, "--out", f"found{trials}")[0] == 0
        # from the file and from the storage as they come, from the file for the report
        assert 2 * trials <= parsed["lines"] <= 3 * 2 * trials
        assert len(lines(f"found{trials}")) == 2 * trials


# Engines beside random search, on networks that have all been trained.


def test_the_table_is_of_this_space():
    one = Space(DIGITS)
    seeds = Counter()
    for assignment, line in digits100.lines():
        graph = one.assign(assignment)
        assert (graph.params, graph.macs) == (int(line["params"]), int(line["macs"]))
        assert graph.fingerprint == line["fingerprint"]
        seeds[graph.fingerprint] += 1
    assert len(seeds) == 100
    assert {*seeds.values()} == {SEEDS}


def assert_better_than_random(engine, repeats):
    """By more than a standard error, after 20 networks and after 40."""
    for count in (20, 40):
        mine, theirs = (digits100.shares(name, repeats, count) for name in (engine, "random"))
        gain = mine.mean() - theirs.mean()
        error = ((mine.var(ddof=1) + theirs.var(ddof=1)) / repeats) ** 0.5
        print(f"{engine} {count}: {mine.mean():.3f} over {theirs.mean():.3f}, error {error:.3f}")
        assert gain > error


def test_nsga2_is_better_than_random():
    assert_better_than_random("nsga2", 30)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["nsga2", "tpe"])
def test_engines_are_better_than_random(engine):
    assert_better_than_random(engine, 60)


# Networks that are trained.

SMALL = {
    "archspec": 1,
    "name": "small",
    "input": {"shape": [1, 8, 8], "mean": [0.305], "std": [0.376]},
    "body": [
        {"op": "ConvNormAct", "name": "stem", "kernel": {"choice": [1, 3]}, "channels": 4,
         "stride": 2},
        {"op": "Classifier", "name": "classifier", "classes": 10},
    ],
}  # fmt: skip
BACKEND = ("--backend", "torch")
"""Starts sooner than MindSpore; tests/training tries what trains on both."""
QUICK = ("--recipe", "tiny", "--set", "schedule.warmup_epochs=0", "--set", "augment=[]",
         "--seeds", 1, *BACKEND)  # fmt: skip


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "data"
    write_digits(folder)
    return folder


def test_accuracy_is_that_of_its_trainings(run, there, digits):
    pytest.importorskip("torch")
    Path("small.json").write_text(json.dumps(SMALL))
    code, _, err = run(
        "search", "small.json", "--objective", "max:accuracy", "--objective", "min:macs", *QUICK,
        "--epochs", 2, "--data", digits, "--seeds", 2, "--engine", "enumerate", "--out", "found",
    )  # fmt: skip
    assert (code, err.count("  accuracy 0.")) == (0, 2), err
    trials = lines("found")
    assert [trial["assignment"] for trial in trials] == [{"stem.kernel": 1}, {"stem.kernel": 3}]
    for trial in trials:
        assert trial["objectives"]["accuracy"] == sum(trial["by_seed"]) / 2
        identity = trial["fingerprint"][:12]
        for seed, accuracy in zip((1, 2), trial["by_seed"], strict=True):
            folder = Path("found", "training", identity, f"seed{seed}")
            metrics = runs.metrics(folder)
            assert metrics[-1]["epoch"] == 2
            assert metrics[-1]["top1"] == accuracy
            assert json.loads((folder / "run.json").read_text())["seed"] == seed
            assert not list(folder.glob("*.safetensors"))
    report = Path("found", "report.md").read_text()
    assert "after 2 epochs of tiny, the mean of seeds 1, 2" in report
    assert "Between the 2 seeds of a network accuracy varies by" in report
    # the recipe and the network that were trained are there to train them again
    code, _, _ = run(
        "train", f"found/archs/{trials[1]['fingerprint'][:12]}.json", "--recipe",
        "found/recipe.yaml", "--data", digits, "--set", "seed=2", "--out", "again", *BACKEND,
    )  # fmt: skip
    assert code == 0
    metrics = runs.metrics(Path("again"))
    assert metrics[-1]["top1"] == trials[1]["by_seed"][1]


def test_a_network_is_trained_by_one_process_at_a_time(run, there):
    """The search and the baseline of two workers can be at the same network."""
    run("search", TINY, *ONE_BY_ONE, "--trials", 1, "--out", "found")
    trials = open_trials("found")
    graph = trials.space.assign(trials.space.first())
    folder = Path("found", "training", graph.fingerprint[:12])
    folder.mkdir(parents=True)
    waits = []

    def sign():
        waits.append(True)
        if len(waits) == 3:
            (folder / "accuracy.json").write_text('{"seeds": [1, 2], "top1": [0.5, 0.75]}')
            held.close()

    held = ExitStack()
    held.enter_context(locked_file(folder / ".lock", waits=False))
    assert train_seeds(trials, graph, Stop(), sign) == [0.5, 0.75]
    assert len(waits) == 3
    asked = Stop()
    asked.number = signal.SIGTERM
    with locked_file(folder / ".lock", waits=False), pytest.raises(Interrupted):
        train_seeds(trials, graph, asked, sign)


@pytest.mark.slow
def test_a_training_that_fails_fails_its_network_alone(run, there, digits):
    pytest.importorskip("torch")
    Path("small.json").write_text(json.dumps(SMALL))
    code, _, _ = run(
        "search", "small.json", "--objective", "max:accuracy", *QUICK, "--epochs", 1,
        "--set", "optimizer.lr=1e30", "--data", digits, "--trials", 1, "--out", "found",
    )  # fmt: skip
    assert code == 1
    (trial,) = mine("found")
    assert trial["state"] == "failed"
    assert trial["error"].startswith(
        "its training ended with exit code 1: error: the loss became infinite"
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_training_that_is_killed_goes_on(there, digits, how):
    pytest.importorskip("torch")
    (there / "small.json").write_text(json.dumps(SMALL))
    arguments = (
        "small.json", "--objective", "max:accuracy", *QUICK, "--set", "checkpoint.every_epochs=1",
        "--epochs", 12, "--data", digits, "--engine", "enumerate",
    )  # fmt: skip
    whole = start(there, *arguments, "--out", "whole")
    whole.communicate()
    assert whole.returncode == 0
    killed = start(there, *arguments, "--out", "killed")
    folder = there / "killed" / "training"
    wait_for(lambda: len(list(folder.glob("*/seed1/checkpoints/*"))) >= 2, killed)
    killed.send_signal(how)
    killed.communicate()
    assert killed.returncode == (-9 if how == signal.SIGKILL else 128 + how)
    assert not (there / "killed" / "trials.jsonl").exists()
    begun = json.loads(next(folder.glob("*/seed1/run.json")).read_text())["started"]
    again = start(there, "--resume", "killed")
    again.communicate()
    assert again.returncode == 0
    assert without_time(there / "killed") == without_time(there / "whole")
    assert json.loads(next(folder.glob("*/seed1/run.json")).read_text())["started"] == begun


def test_single_path_ends_with_its_time(run, there, digits):
    pytest.importorskip("torch")
    arguments = ("--engine", "single-path", "--data", digits, "--recipe", "tiny", *BACKEND)
    code, out, _ = run("search", DIGITS, *arguments, "--budget", "1s", "--out", "found")
    assert (code, "found/report.md has the rest" in out) == (0, True)
    assert "No network is tried yet." in Path("found", "report.md").read_text()
    assert list(Path("found", "single_path", "seed1-warmup", "checkpoints").iterdir())
    assert not Path("found", "trials.jsonl").exists()


@pytest.mark.slow
def test_single_path_beside_as_many_at_random(run, there, digits):
    pytest.importorskip("torch")
    arguments = (
        DIGITS, "--engine", "single-path", "--data", digits, "--recipe", "tiny",
        "--set", "schedule.warmup_epochs=0", "--epochs", 1, "--seeds", 1, "--search-epochs", 3,
        "--warmup-epochs", 1, "--target", 60_000, "--target", 30_000, *BACKEND,
    )  # fmt: skip
    assert run("search", *arguments, "--out", "found")[0] == 0
    listed = json.loads(Path("found", "found.json").read_text())["found"]
    assert [line["name"] for line in listed] == ["seed1-target60000", "seed1-target30000"]
    trials = lines("found")
    different = {Space(DIGITS).assign(line["assignment"]).fingerprint for line in listed}
    assert {trial["fingerprint"] for trial in mine("found")} == different
    assert len(trials) == 2 * len(different)
    for line in listed:
        assert Path("found", line["weights"]).exists()
    report = Path("found", "report.md").read_text()
    assert "| seed1-target60000 |" in report
    assert re.search(r"search \| network \| target \| runtime found \| nearest possible \|", report)
    for line, target in zip(listed, (60_000, 30_000), strict=True):
        assert line["target"] == target
        assert line["objectives"]["MACs"] == pytest.approx(line["nearest"], rel=0.05)
    assert "Random search was spared the training of the supernet." in report
    assert "etter than random search**" in report
