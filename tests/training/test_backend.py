"""All of training but the framework, over a backend in numpy: what is learned, written and said;
runs killed before each step; searches. And that none of it imports a framework.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from oracles import runs

np = pytest.importorskip("numpy")

from fakes import backend as fake  # noqa: E402 (needs numpy)

from archspec import training  # noqa: E402
from archspec.cli import main  # noqa: E402
from archspec.compiler.images.steps import preprocessing_of  # noqa: E402
from archspec.compiler.weights.files import open_tensors  # noqa: E402
from archspec.compiler.weights.initialize import initialize  # noqa: E402
from archspec.compiler.weights.loading import load_weights  # noqa: E402
from archspec.errors import SpecError, UsageError  # noqa: E402
from archspec.extras import install_hint  # noqa: E402
from archspec.space import Space  # noqa: E402
from archspec.training import loop  # noqa: E402
from archspec.training.backend import BACKENDS, FIRST, find_backend, is_installed  # noqa: E402
from archspec.training.build import learners_of  # noqa: E402
from archspec.training.distributed import Job  # noqa: E402
from archspec.training.loop import train_run  # noqa: E402
from archspec.training.meter import Meter, Sums  # noqa: E402
from archspec.training.noise import draw_mask  # noqa: E402
from archspec.training.plan import scan_splits  # noqa: E402
from archspec.training.predict import evaluate_weights, open_classifier  # noqa: E402
from archspec.training.run import RunError, open_run  # noqa: E402
from archspec.training.search import search  # noqa: E402
from archspec.training.search.single_path import (  # noqa: E402
    SinglePathSettings,
    search_single_path,
)
from archspec.training.session import Progress, Session  # noqa: E402
from archspec.training.signals import Stop  # noqa: E402
from archspec.training.upkeep import extend  # noqa: E402

OLD = Path(__file__).parents[1] / "data" / "f0ec3b9" / "run"
RECIPE = """\
recipe: 1
name: small
epochs: 2
batch: 12
data: {workers: 1}
augment: [{horizontal_flip: 0.5}, {random_erasing: 0.2}]
mix: {mixup: 0.2, probability: 0.3}
optimizer: {name: sgd, lr: 0.002}
schedule: {name: constant}
ema: {decay: 0.9, warmup: false}
checkpoint: {every_epochs: 1, keep: 9}
"""
SUPERNET = {
    "archspec": 1,
    "name": "super",
    "input": {"shape": [3, 12, 12], "mean": [0.4, 0.4, 0.4], "std": [0.3, 0.3, 0.3]},
    "body": [
        {"op": "ConvNormAct", "name": "stem", "kernel": 3, "channels": 4},
        {
            "op": "MBConv", "name": "layer", "channels": 4, "drop_path": 0.2,
            "kernel": {"choice": [3, 5], "share": "superkernel"},
            "expand": {"choice": [0, 2, 4], "share": "superkernel"},
        },
        {"op": "Classifier", "name": "classifier", "classes": 3},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "linear.json").write_text(json.dumps(fake.LINEAR))
    (folder / "super.json").write_text(json.dumps(SUPERNET))
    (folder / "small.yaml").write_text(RECIPE)
    runs.write_images(folder / "data", train=16, val=6)
    return folder


@pytest.fixture(autouse=True)
def there(inputs, monkeypatch):
    monkeypatch.setitem(BACKENDS, "fake", fake.ENTRY)
    monkeypatch.chdir(inputs)
    monkeypatch.setattr(fake, "before_step", [])
    return inputs


def train(out, *settings):
    return training.train(
        "linear.json", "small.yaml", "data", out, settings=settings, backend="fake"
    )


@pytest.fixture(scope="module")
def whole(inputs):
    """A run that nobody disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKENDS, "fake", fake.ENTRY)
        patch.chdir(inputs)
        return train("whole").run.path


def files(run):
    """Everything that a run leaves behind and that no clock is in."""
    weights = {}
    for name in ("best", "last"):
        with open_tensors(run / f"{name}.safetensors") as file:
            weights[name] = {path: file.read(path).tobytes() for path in file.entries}
            weights[name] |= {key: file.metadata[key] for key in ("epoch", "top1", "classes")}
    return runs.state(run), runs.metrics(run), weights


# What is learned, written and said.


def test_it_learns(tmp_path):
    result = train(tmp_path / "run", "epochs=12", "augment=[]", "mix=null")
    assert result.best_top1 > 0.9
    losses = [line["loss"] for line in result.run.metrics() if line["kind"] == "epoch"]
    assert losses[-1] < 0.7 * losses[0]
    assert result.steps == 12 * 4
    assert result.run.facts["backend"] == "fake"
    report = (tmp_path / "run" / "report.md").read_text()
    assert f"**Top-1 {result.best_top1:.2%}**" in report
    assert "without EMA" in report
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_weights_score_what_the_metrics_say(whole):
    best = max(runs.metrics(whole), key=lambda line: line.get("top1", 0))
    graph = open_run(whole).networks[0]
    scores, _ = evaluate_weights(graph, whole / "best.safetensors", "data", batch=5, backend="fake")
    assert scores.top1 == pytest.approx(best["top1"])
    assert scores.loss == pytest.approx(best["val_loss"], rel=1e-5)


def test_an_evaluation_of_no_images_at_a_time_is_refused(whole, run):
    weights = ("--weights", whole / "best.safetensors", "--backend", "fake", "--batch", 0)
    code, _, err = run("eval", whole / "spec.json", "--data", "data", *weights)
    assert (code, err) == (2, "error: --batch 0: must be 1 to 100,000\n")


def test_peers_and_accumulation_have_their_place(tmp_path):
    settings = ('loss.mutual.specs=["linear.json"]', "optimizer.accumulate=2")
    state = runs.state(train(tmp_path / "run", *settings).run.path)
    assert state["peer1.dense.weight"] != state["dense.weight"]


def test_every_step_has_masks_of_its_own(tmp_path, monkeypatch):
    given, step = [], fake.NumpyTrainer.step

    def spied(self, images, labels, masks):
        given.append(masks)
        return step(self, images, labels, masks)

    monkeypatch.setattr(fake.NumpyTrainer, "step", spied)
    run = train(tmp_path / "run", "seed=5").run
    (place,) = learners_of(run).places
    assert (place.name, place.rate, place.shape) == ("dropout", 0.2, (12, 3, 12, 12))
    assert len(given) == 8
    for number, masks in enumerate(given):
        wanted = draw_mask(0.2, (12, 3, 12, 12), 5, number, "dropout")
        assert np.array_equal(masks["dropout"], wanted)


def test_a_loss_that_is_not_finite_ends_it(tmp_path):
    with pytest.raises(
        RunError, match=r"became infinite (at|by) step \d+ .*try a smaller learning rate"
    ):
        train(tmp_path / "run", "epochs=20", "optimizer.lr=1e38")
    for path in runs.checkpoints(tmp_path / "run"):
        with open_tensors(path) as file:
            assert all(np.isfinite(file.read(name)).all() for name in file.entries)


@pytest.mark.parametrize(
    "bad, best, told",
    [
        ((1, 2), 3, "the best of 3"),
        ((2, 3), 1, "the best of 3"),
        ((1, 2, 3), None, "none of 3 epochs is a finite number"),
    ],
)
def test_an_epoch_without_a_validation_loss_is_not_the_best(
    tmp_path, monkeypatch, capsys, bad, best, told
):
    epochs = []

    def evaluate(*arguments):
        epochs.append(len(epochs) + 1)
        # what is not a number can be right about the class that it happens to name
        is_bad = epochs[-1] in bad
        return replace(score(*arguments), **({"loss": math.nan, "top1": 1.0} if is_bad else {}))

    score = loop.evaluate
    monkeypatch.setattr(loop, "evaluate", evaluate)
    run = tmp_path / "run"
    given = ("--recipe", "small.yaml", "--data", "data", "--backend", "fake", "--out", str(run))
    assert main(["train", "linear.json", *given, "--set", "epochs=3", "--set", "ema=null"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "val loss" in line]
    assert len(said) == 3
    for epoch in bad:
        assert "(best)" not in said[epoch - 1]
    with open_tensors(run / "best.safetensors") as file:
        assert int(file.metadata["epoch"]) == (best or 1)
    report = (run / "report.md").read_text()
    assert told in report
    assert best is None or f"after epoch {best}, " in report
    assert "resumes" not in report


@dataclass
class Steps:
    """A task of steps with given losses."""

    losses: list
    skips_steps: bool = False
    progress: Progress = field(default_factory=Progress)
    taken: list = field(default_factory=list)

    def __post_init__(self):
        self.steps_per_epoch = len(self.losses)
        self.meters = (Meter(self),)

    def read(self, pending):
        return [(loss, np.eye(2)) for loss in pending]

    def state(self):
        return {}

    def steps(self):
        for loss in self.losses[self.progress.position :]:
            self.meters[0].add(loss, np.array([0, 1]))
            yield

    def wants_look(self):
        return False

    def take(self, sums):
        self.taken += sums

    def after_look(self):
        pass

    def end_epoch(self):
        return False

    def after_save(self):
        pass


@pytest.mark.parametrize(
    ("losses", "skips", "message"),
    [
        ([1.0, math.inf, 3.0], False, "the loss of X became infinite at step 2 "),
        ([1.0, math.nan, 3.0], True, None),
        ([math.nan], True, "the loss of X became infinite at step 1 "),
    ],
)
def test_a_skipped_step_is_not_a_bad_one(losses, skips, message, tmp_path, monkeypatch):
    """A dynamic loss scale leaves some steps out; all of them would be a training that diverges."""
    monkeypatch.setattr(Session, "_is_due", lambda *_: False)
    task = Steps(losses, skips)
    session = Session(task, task.progress, tmp_path, 1, Stop(), what="the loss of X")
    if message is None:
        assert session.learn(task, 1)
        assert task.taken == [Sums(4.0, 6, 6, 2)]
    else:
        with pytest.raises(RunError, match=message):
            session.learn(task, 1)


def test_more_epochs_are_those_of_a_longer_run(tmp_path, capsys):
    train(tmp_path / "run")
    assert main(["train", "--resume", str(tmp_path / "run"), "--epochs", "3"]) == 0
    assert "the run is extended to 3 epochs" in capsys.readouterr().err
    train(tmp_path / "longer", "epochs=3")
    assert files(tmp_path / "run") == files(tmp_path / "longer")


# Begun from weights.


def test_a_head_of_another_size_starts_anew_where_it_is_told_to(there, whole, tmp_path, run):
    runs.write_images(tmp_path / "data", classes=2, train=12, val=4)
    weights = whole / "best.safetensors"
    begin = (
        "train", "deep.json", "--recipe", "small.yaml", "--data", tmp_path / "data",
        "--backend", "fake", "--set", "classes=2", "--weights", weights,
    )  # fmt: skip
    deep = {**fake.LINEAR, "args": {"classes": 3, "rate": 0.2}}
    (there / "deep.json").write_text(json.dumps(deep))
    code, _, said = run(*begin, "--out", tmp_path / "refused")
    assert code == 1
    assert "dense.weight is 3x432 in the file and 2x432 in the network" in said
    said = run(*begin, "--reset", "dens", "--out", tmp_path / "refused")[2]
    assert said == (
        "error: --reset: 'dens' fits no node of linear; did you mean 'dense'? (archspec stats shows"
        " their names)\n"
    )
    said = run(*begin[:-2], "--reset", "dense", "--out", tmp_path / "refused")[2]
    assert said == "error: --reset is for nodes that do not start from --weights; use both\n"
    assert not (tmp_path / "refused").exists()
    assert run(*begin, "--reset", "dense", "--out", tmp_path / "run")[0] == 0
    found = open_run(tmp_path / "run")
    assert found.facts["reset"] == ["dense"]
    assert "| started anew | dense |" in (tmp_path / "run" / "report.md").read_text()
    (start,) = learners_of(found).models
    drawn = initialize(start.graph, "he", found.recipe.seed)
    assert all(np.array_equal(start.weights[name], drawn[name]) for name in drawn)
    said = run("train", "--resume", tmp_path / "run", "--reset", "dense")[2]
    assert "use it without --reset, which is for a new run" in said


@pytest.mark.parametrize(
    "setting, message",
    [
        ("freeze=['dense','densed']", "'densed' fits no node of linear; did you mean 'dense'?"),
        ("freeze=['*']", "freeze: the patterns leave nothing of linear to learn; use fewer"),
        ("groups=[{match: 'den'}]", "groups.0.match: 'den' fits no node of linear; did you mean"),
        ("groups=[{math: dense}]", "has no 'math'; did you mean 'match'?"),
        ("groups=[{match: dense, lr: 0}]", "lr must be a number of over 0, not 0"),
    ],
)  # fmt: skip
def test_what_learns_is_settled_first(setting, message, tmp_path):
    with pytest.raises(SpecError) as error:
        train(tmp_path / "run", setting)
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


def test_what_gains_no_more_ends_early_and_resumes_as_it_was(tmp_path, told):
    """At a rate of next to nothing the first epoch is the last that gains."""
    settings = ("epochs=9", "optimizer.lr=1e-30", "early_stop={patience: 2}", "ema=null")
    result = train(tmp_path / "run", *settings)
    assert (result.epochs, result.steps) == (3, 12)
    before = files(tmp_path / "run")
    lines = [line for line in before[1] if line["kind"] == "epoch"]
    assert [line.get("stopped_early", False) for line in lines] == [False, False, True]
    assert before[2]["last"]["epoch"] == "3"
    report = (tmp_path / "run" / "report.md").read_text()
    assert "It stopped early, 6 epochs before its end." in report
    said = told("train", "--resume", tmp_path / "run")
    assert "resumed from step 12 (it stopped early, after epoch 3 of 9)" in said
    assert files(tmp_path / "run") == before
    for path in runs.checkpoints(tmp_path / "run")[1:]:
        path.unlink()
    assert "resumed from step 4 (epoch 2 of 9, step 0)" in told(
        "train", "--resume", tmp_path / "run"
    )
    assert files(tmp_path / "run") == before


def test_what_stopped_early_goes_on_where_more_is_asked_for(tmp_path, told):
    """The first epoch is the last that gains, so patience ends each part after two epochs."""
    flat = ("optimizer.lr=1e-30", "early_stop={patience: 2}", "ema=null")
    run = tmp_path / "run"
    train(run, "epochs=9", *flat, "schedule={name: constant}")
    said = told("train", "--resume", run, "--epochs", "9")  # those it was to have
    assert "resumed from step 12 (epoch 4 of 9, step 0)" in said
    assert "It stopped early, 4 epochs before its end." in (run / "report.md").read_text()
    assert "(it stopped early, after epoch 5 of 9)" in told("train", "--resume", run)
    extend(open_run(run), 12)  # and killed before it does anything
    assert "resumed from step 20 (epoch 6 of 12, step 0)" in told("train", "--resume", run)
    assert "(it stopped early, after epoch 7 of 12)" in told("train", "--resume", run)
    lines = [line for line in files(run)[1] if line["kind"] == "epoch"]
    assert [line["epoch"] for line in lines if "stopped_early" in line] == [3, 5, 7]
    assert "was begun for 9 epochs and extended" in (run / "report.md").read_text()


def test_a_schedule_that_ends_with_the_run_goes_on_to_the_same_end(tmp_path, run):
    flat = ("optimizer.lr=1e-30", "early_stop={patience: 2}", "ema=null")
    train(tmp_path / "run", "epochs=9", *flat, "schedule={name: cosine}")
    resume = ("train", "--resume", tmp_path / "run", "--epochs")
    code, _, said = run(*resume, "12")
    assert (code, "the cosine schedule" in said) == (2, True)
    code, _, said = run(*resume, "9")
    assert code == 0
    assert "note: the run, which stopped early, goes on to its 9 epochs" in said


@pytest.mark.parametrize(
    "settings, epochs",
    [
        ("{patience: 1, watch: val_loss}", 4),  # it falls from epoch to epoch
        ("{patience: 1, watch: val_loss, min_gain: 99}", 2),
        ("{patience: 9}", 4),
    ],
)
def test_a_gain_is_what_the_recipe_watches(settings, epochs, tmp_path):
    plain = ("epochs=4", "augment=[]", "mix=null", "ema=null", "optimizer.lr=1e-4")
    assert train(tmp_path / "run", *plain, f"early_stop={settings}").epochs == epochs


@pytest.fixture
def uneven(tmp_path):
    """Images of which class0 has 20, class1 5 and class2 2."""
    data = runs.write_images(tmp_path / "uneven", train=20, val=4)
    for label, kept in ((1, 5), (2, 2)):
        for path in sorted((data / "train" / f"class{label}").iterdir())[kept:]:
            path.unlink()
    return data


def test_classes_are_balanced_by_weights_or_by_drawing(uneven, tmp_path, run):
    begin = (
        "train", "linear.json", "--recipe", "small.yaml", "--data", uneven, "--backend", "fake",
        "--out", tmp_path / "run", "--set",
    )  # fmt: skip
    said = run(*begin, "loss.class_weights=[1, 2]")[2]
    assert said == (
        f"error: loss.class_weights has 2 numbers and {uneven}/train has 3 classes; use one for"
        " each, or balanced\n"
    )
    assert "class_weights/1" in run(*begin, "loss.class_weights=[1, 0, 2]")[2]
    code, _, said = run(*begin, "loss.class_weights=balanced", "--set", "data.balanced=true")
    assert code == 0
    assert "note: balanced class weights: class0 0.45, class1 1.8, class2 4.5" in said
    found = open_run(tmp_path / "run")
    # as sklearn's compute_class_weight
    assert found.recipe.loss.class_weights == pytest.approx((27 / 60, 27 / 15, 27 / 6))
    pipeline = find_backend("fake").pipeline(
        scan_splits(uneven)[0], preprocessing_of(found.networks[0].preprocessing, (3, 12, 12)),
        batch=9, seed=1, balanced=True, workers=1,
    )  # fmt: skip
    labels = pipeline.source.labels
    orders = [pipeline.order(epoch) for epoch in range(3)]
    for epoch, order in enumerate(orders):
        assert [*np.bincount(labels[order.ravel()])] == [9, 9, 9]
        turns = pipeline.turns(epoch)
        for image in range(27):
            assert [*turns[order == image]] == [*range((order == image).sum())]
        seen = np.bincount(order.ravel(), minlength=27)
        for label in range(3):
            assert np.ptp(seen[labels == label]) <= 1, "each as often as another"
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[2], pipeline.order(2))
    with pytest.raises(SpecError, match="shuffle is false; use shuffle: true"):
        train(tmp_path / "other", "data={balanced: true, shuffle: false}")


def test_a_mirrored_look_is_the_mean_of_both(whole, told):
    graph, weights = open_run(whole).networks[0], whole / "best.safetensors"
    images = sorted(Path("data/val").glob("*/*.png"))
    pixels = np.stack([open_classifier(graph, weights, backend="fake").prepare(p.read_bytes())
                       for p in images])  # fmt: skip
    arrays = load_weights(weights, graph)
    one, other = (pixels, pixels[..., ::-1])
    logits = sum(one.reshape(len(one), -1) @ arrays["dense.weight"].T for one in (one, other)) / 2
    wanted = (logits + arrays["dense.bias"]).argmax(1)
    scores, _ = evaluate_weights(graph, weights, "data", batch=4, backend="fake", flip=True)
    plain, _ = evaluate_weights(graph, weights, "data", batch=4, backend="fake")
    assert scores.top1 == pytest.approx((wanted == np.repeat(range(3), 6)).mean())
    assert scores.loss != plain.loss
    arguments = ("linear.json", *images, "--weights", weights, "--top", 1, "--format", "json")
    found = json.loads(told("predict", *arguments, "--backend", "fake", "--flip"))
    assert [row["number"] for row in found] == [*wanted]


# Killed, stopped, resumed. Children are forked, so that each begins in a millisecond; the parent is
# a process of its own, for a fork takes no threads along.

PARENT = """\
import os, signal, sys, time
sys.path.insert(0, {tests!r})
from archspec.training.signals import Stop
from fakes import backend as fake
from archspec import training
from archspec.training.loop import train_run
from archspec.training.run import open_run
fake.BACKENDS["fake"] = fake.ENTRY

def child(work):
    if (process := os.fork()) == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

def at(number, act):
    return [lambda step: act() if step == number else None]

def begin(out):
    training.train("linear.json", "small.yaml", "data", out, backend="fake")
    return 0

def resume(out):
    with Stop() as stop:
        stopped = train_run(open_run(out), stop, "none").stopped_by
    return 0 if stopped is None else 128 + stopped

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def wish(number):
    def act():
        os.kill(os.getpid(), number)
        time.sleep(0.05)  # another thread waits for signals
    return act
"""


def run_parent(inputs, code):
    script = PARENT.format(tests=str(Path(__file__).parents[1])) + code
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=inputs, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return result


def test_killed_before_each_step_it_resumes_to_the_bit(inputs, whole):
    steps = runs.metrics(whole)[-1]["step"]
    assert steps == 8
    code = f"""
import shutil
import archspec.training.loop as loop
import archspec.training.session as session
session.CHECKPOINT_EVERY = loop.REPORT_EVERY = -1.0
for step in range({steps}):
    fake.before_step[:] = at(step, kill)
    assert child(lambda: begin(f"killed{{step}}")) == -signal.SIGKILL
    if step >= 4:  # an epoch is over
        shutil.copy(f"killed{{step}}/report.md", f"report{{step}}.md")
    if step == 3:  # and once more, two steps further
        fake.before_step[:] = at(step + 2, kill)
        assert child(lambda: resume(f"killed{{step}}")) == -signal.SIGKILL
    fake.before_step.clear()
    assert child(lambda: resume(f"killed{{step}}")) == 0
"""
    run_parent(inputs, code)
    for step in range(steps):
        assert files(inputs / f"killed{step}") == files(whole)
        assert "resumes it" not in (inputs / f"killed{step}" / "report.md").read_text()
        if step >= 4:
            told = (inputs / f"report{step}.md").read_text()
            assert "after epoch 1, the best of 1;" in told
            assert f" 1 epoch is left: `archspec train --resume killed{step}` resumes it." in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_and_resumes_to_the_bit(number, inputs, whole):
    out = f"stopped{int(number)}"
    said = run_parent(inputs, f"""
from archspec.training.plan import plan_run
from archspec.training.new_run import (create_run)
create_run(plan_run("linear.json", "small.yaml", "data", backend="fake"), "{out}", ())
fake.before_step[:] = at(2, wish({int(number)}))
assert child(lambda: resume("{out}")) == 128 + {int(number)}
""").stderr  # fmt: skip
    assert "stopping after this step" in said
    report = inputs / out / "report.md"
    resume = f"`archspec train --resume {out}` resumes it."
    assert f"No epoch is over yet. {resume}" in report.read_text()
    assert runs.checkpoints(inputs / out)[-1].stem == "step-000000003"
    with Stop() as stop:
        assert train_run(open_run(out), stop, "none").stopped_by is None
    assert files(inputs / out) == files(whole)
    assert "the best of 2;" in report.read_text() and "resumes it" not in report.read_text()


# Searches.


def test_a_search_trains_its_networks(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    (tmp_path / "space.json").write_text(
        json.dumps({**fake.LINEAR, "args": {"classes": 3, "rate": {"choice": [0.1, 0.4]}}})
    )
    monkeypatch.setattr("archspec.training.search.evaluating.python_command", fake.command)
    results = search(
        str(tmp_path / "space.json"), ["max:accuracy", "min:params"], str(tmp_path / "found"),
        engine="enumerate", trials=2, recipe="small.yaml", data="data", epochs=2, seeds=1,
        baseline=0, backend="fake",
    )  # fmt: skip
    assert len(results.tried) == 2
    facts = json.loads((tmp_path / "found" / "run.json").read_text())
    assert facts["training"]["backend"] == "fake"
    homes = [*(tmp_path / "found" / "training").iterdir()]
    assert len(homes) == 2
    for home in homes:
        (last,) = json.loads((home / "accuracy.json").read_text())["top1"]
        assert last == runs.metrics(home / "seed1")[-1]["top1"]
        assert json.loads((home / "seed1" / "run.json").read_text())["backend"] == "fake"


def find(out, *before, stop=None):
    fake.before_step[:] = before
    settings = SinglePathSettings(
        "data", "small.yaml", ("batch=6", "epochs=4"), warmup_epochs=1, held_out=0.25, lam=(0.8,),
        backend="fake",
    )  # fmt: skip
    said: list[str] = []
    with Stop() as own:
        found = search_single_path(
            Space("super.json"), settings, Path(out), stop or own, said.append
        )
    return found, said


@pytest.mark.thorough
def test_a_single_path_search_stopped_anywhere_comes_to_the_same(inputs):
    (found,), said = find("straight")
    home = inputs / "straight" / "single_path"
    assert found.objectives["top1"] > 0.5
    assert re.fullmatch(r"seed1-warmup: epoch 1/4  loss [\d.]+  accuracy [\d.]+%", said[1])
    lines = [json.loads(line) for line in found.log.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [2, 3, 4]
    assert lines[-1]["assignment"] == dict(found.assignment)
    assert "the moving average of small is left out" in said[0]
    with open_tensors(sorted((home / found.name / "checkpoints").iterdir())[-1]) as file:
        thresholds = file.read("thresholds")
    # 2 norms of 4 steps of half a cosine, times lam and what the backend says of each gate
    assert thresholds == pytest.approx(0.8 * 2 * np.linspace(0.2, 1, len(thresholds)), rel=0.2)

    steps = 6 * 4
    for step in (0, 3, 5, 6, 11, steps - 1):
        out = f"halted{step}"
        stop = Stop()  # as the thread that waits for signals would set it

        def halt(number, stop=stop, step=step):
            stop.number = signal.SIGTERM if number == step else None

        assert find(out, halt, stop=stop)[0] == []
        ((again,), _) = find(out)
        assert again.objectives == found.objectives
        for part in ("seed1-warmup", found.name):
            one, other = (inputs / run / "single_path" / part for run in (out, "straight"))
            assert runs.state(one) == runs.state(other)
            assert (one / "log.jsonl").read_bytes() == (other / "log.jsonl").read_bytes()


def test_a_single_path_search_ends_in_time(tmp_path):
    settings = SinglePathSettings("data", "small.yaml", ("batch=6", "epochs=4"), backend="fake")
    with Stop() as stop:
        found = search_single_path(
            Space("super.json"), settings, tmp_path, stop, ends=time.monotonic() - 1
        )
    assert found == []
    assert len(runs.checkpoints(tmp_path / "single_path" / "seed1-warmup")) == 1


# Which backend.


def test_nothing_of_a_framework_is_imported(inputs, whole):
    """By training, evaluating, classifying and searching over a backend that is not one."""
    code = f"""
from archspec.training.predict import evaluate_weights, open_classifier
from archspec.training.search import plan, run, worker
from archspec.training.search.single_path import engine
graph = open_run({str(whole)!r}).networks[0]
begin("imports")
evaluate_weights(graph, "imports/best.safetensors", "data", backend="fake")
open_classifier(graph, "imports/best.safetensors", backend="fake")
print(*{{name.split(".")[0] for name in sys.modules}})
"""
    loaded = set(run_parent(inputs, code).stdout.split())
    assert "numpy" in loaded
    assert not loaded & {"mindspore", "torch", "tensorflow", "onnx", "onnxruntime"}


def test_a_run_that_names_no_backend_is_of_mindspore(tmp_path):
    shutil.copytree(OLD, tmp_path / "run")
    assert "backend" not in json.loads((tmp_path / "run" / "run.json").read_text())
    assert open_run(tmp_path / "run").backend == FIRST == "mindspore"


@dataclass(frozen=True)
class NotedJob(Job):
    """As torchrun's, whose store test_distributed tries."""

    notes: dict[str, str] = field(default_factory=dict)

    def read(self, name):
        return self.notes.get(name)

    def note(self, name, value):
        self.notes[name] = value


def end_in_the_second_epoch(step):
    if step == 6:
        raise RuntimeError("gone")


def test_a_process_that_is_started_again_resumes_what_its_job_made(
    whole, monkeypatch, tmp_path, capsys
):
    """And changes nothing a second time; what another job made is not its own."""
    asked = ["train", "linear.json", "--recipe", "small.yaml", "--data", "data"]
    asked += ["--backend", "fake", "--out", str(tmp_path / "run")]
    job = NotedJob()
    monkeypatch.setattr(fake.NumpyBackend, "job", lambda self: job)
    fake.before_step.append(end_in_the_second_epoch)
    assert main(asked) == 1
    fake.before_step.clear()
    capsys.readouterr()
    for _ in range(2):
        assert main(asked) == 0
        assert "resumed from step" in capsys.readouterr().out
        assert files(tmp_path / "run") == files(whole)
    assert training.train(
        "linear.json", "small.yaml", "data", tmp_path / "run", backend="fake"
    ).run.path == (tmp_path / "run")  # fmt: skip

    again = ["train", "--resume", str(tmp_path / "run")]
    for change in (["--epochs", "3"], ["--restart"]):
        job = NotedJob()
        for count in range(2):
            assert main([*again, *change]) == 0
            said = capsys.readouterr().out
            assert ("resumed from step 12" in said) == (count == 1)

    job = NotedJob()
    assert main(asked) == 2
    assert "run is a run already" in capsys.readouterr().err


def test_a_backend_that_does_not_exist_is_said(whole, monkeypatch, tmp_path):
    with pytest.raises(
        UsageError, match=r"did you mean 'mindspore'\?; use one of mindspore, torch, fake"
    ):
        find_backend("mindspor")
    shutil.copytree(whole, tmp_path / "run")
    monkeypatch.delitem(BACKENDS, "fake")
    message = "run needs the backend 'fake', which does not exist"
    with pytest.raises(UsageError, match=message), Stop() as stop:
        train_run(open_run(tmp_path / "run"), stop, "none")
    monkeypatch.setattr("archspec.training.backend.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="this run needs MindSpore, which is not installed; run"):
        find_backend("mindspore")


def test_every_backend_has_what_training_asks_for():
    for name in BACKENDS:
        if not is_installed(name):
            continue
        backend = find_backend(name)
        assert backend.name == name
        for method in ("told_by", "join", "job", "team", "pipeline", "trainer", "predictor"):
            assert callable(getattr(backend, method))


def test_help_needs_no_framework():
    code = (
        "import sys; from archspec.cli import main; main([sys.argv[1], '--help']);"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    for command in ("train", "eval", "predict"):
        result = subprocess.run(
            [sys.executable, "-c", code, command], capture_output=True, text=True, check=True
        )
        assert "--device" in result.stdout
        assert not {"numpy", "mindspore", "torch"} & set(result.stderr.split())


def test_without_a_framework_it_says_how_to_have_one(monkeypatch, capsys):
    monkeypatch.setattr("archspec.training.backend.find_spec", lambda name: None)
    for arguments in (
        ["train", "resnet18"],
        ["eval", "resnet18", "--weights", "w.npz", "--data", "d"],
        ["predict", "resnet18", __file__, "--weights", "w.npz", "--device", "GPU"],
    ):
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert install_hint("torch") in said
        assert install_hint("mindspore") in said
