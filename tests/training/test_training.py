"""A training from Python and by the command: what it learns, writes and says.

Its parts have tests of their own (test_training_parts), and so have crashes (test_checkpoint) and
several processes (test_distributed).
"""

from __future__ import annotations

import json
import math
import re
import signal
from importlib.metadata import version

import numpy as np
import pytest
from oracles import published, runs
from PIL import Image

import archspec
from archspec import training
from archspec.cli import main
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.model import Model, weights_of
from archspec.compiler.node_patterns import fits
from archspec.compiler.targets.torch.source import weight_names
from archspec.compiler.weights.files import open_tensors
from archspec.errors import SpecError, UsageError
from archspec.training.backend import find_backend
from archspec.training.build import learners_of
from archspec.training.data import EvalPipeline
from archspec.training.distributed import Ranks
from archspec.training.evaluate import evaluate
from archspec.training.events import Events
from archspec.training.loop import train_run
from archspec.training.new_run import create_run
from archspec.training.noise import draw_masks, places_of
from archspec.training.plan import plan_run, scan_splits
from archspec.training.recipe_files import read_recipe, recipe_names
from archspec.training.run import Run, RunError, open_run
from archspec.training.signals import Stop

pytestmark = pytest.mark.usefixtures("framework")

QUICK = ("epochs=2", "schedule.warmup_epochs=0")
PLAIN = (*QUICK, "augment=[]", "mix=null", "ema=null")


@pytest.fixture(scope="module")
def inputs(framework, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    runs.write_inputs(folder)
    return folder


@pytest.fixture
def there(inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    return inputs


@pytest.fixture(scope="module")
def trained(inputs):
    """A run by the small recipe, with everything in it."""
    return training.train(
        inputs / "noisy.json", str(inputs / "small.yaml"), inputs / "data", inputs / "trained",
        settings=["epochs=6"], command=["archspec", "train", "..."],
    )  # fmt: skip


# What it learns.


@pytest.mark.long_on("mindspore")  # of which the next test says that it learns
def test_one_batch_is_learned_by_heart(tmp_path):
    data = runs.write_images(tmp_path / "data", train=4, val=4)
    (tmp_path / "noisy.json").write_text(json.dumps(runs.SPEC))
    (tmp_path / "small.yaml").write_text(runs.RECIPE)
    settings = [*PLAIN, "epochs=60", "batch=12", "loss.smoothing=0", "optimizer.lr=0.02"]
    result = training.train(
        tmp_path / "noisy.json", str(tmp_path / "small.yaml"), data, tmp_path / "run",
        settings=settings,
    )  # fmt: skip
    losses = [line["loss"] for line in result.run.metrics() if line["kind"] == "epoch"]
    assert losses[0] > 0.9
    assert min(losses[-5:]) < 0.25


COMPILED = ("finetune", "isynet")
"""Recipes of which MindSpore compiles a step in make test, which takes it a while."""


@pytest.mark.long_on("mindspore")  # with which make demo does it
def test_digits_are_read(tmp_path, capsys):
    """The whole path on real images, cut short: `make demo` does it in full."""
    assert main(["data", "digits", str(tmp_path / "digits")]) == 0
    code = main(
        ["train", "tiny/isynet", "--recipe", "tiny", "--data", str(tmp_path / "digits"),
         "--epochs", "4", "--out", str(tmp_path / "run")]
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr().out
    best = float(re.search(r"best top-1 ([\d.]+)%", said)[1])
    assert best > 80


@pytest.mark.parametrize(
    "name",
    [
        name if name in COMPILED else pytest.param(name, marks=pytest.mark.long_on("mindspore"))
        for name in recipe_names()
    ],
)
def test_every_recipe_makes_a_step(name, there, tmp_path):
    """On a network of the recipe's own kind, or else of a small one."""
    recipe = read_recipe(name)
    spec = {
        "isynet": "tiny/isynet",
        "cspdarknet53": "tiny/cspdarknet",
        "resnext152_ascend": "tiny/resnext",
        "resnext152_gpu": "tiny/resnext",
    }.get(name, "noisy.json")
    shape = {"tiny/isynet": (1, 8, 8), "noisy.json": (3, 12, 12)}.get(spec, (3, 16, 16))
    settings = ["epochs=1", "batch=8", "schedule.warmup_epochs=0", "data.workers=1"]
    if recipe.loss.mutual is not None:
        settings.append('loss.mutual.specs=["tiny/isynet"]')
    result = training.train(
        spec, name, there / "data", tmp_path / "run", settings=settings,
        arguments={"classes": 3}, input_shape=shape,
    )  # fmt: skip
    assert (result.epochs, result.steps) == (1, 6)
    assert all(math.isfinite(line["loss"]) for line in result.run.metrics())


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "tiny"])
def test_every_recipe_learns_with_its_own_network(name, tmp_path):
    """20 steps at 64 pixels: the loss falls, at rates that suit batches a hundredth the size."""
    recipe = read_recipe(name)
    data = runs.write_images(tmp_path / "data", classes=10, train=8, val=2, side=80)
    warmup = min(recipe.schedule.warmup_epochs, 1)
    rate = 3e-4 if "resnext" in name else max(1e-3, recipe.optimizer.lr * 16 / 1024)
    result = training.train(
        recipe.spec.name, name, data, tmp_path / "run",
        settings=[
            "epochs=4", "batch=16", f"schedule.warmup_epochs={warmup}",
            f"optimizer.lr={rate}", "data.workers=2",
        ],
        arguments={"classes": 10}, input_shape=(3, 64, 64),
    )  # fmt: skip
    assert result.steps == 20
    losses = [line["loss"] for line in result.run.metrics() if line["kind"] == "step"]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


UNET = {
    "archspec": 1, "name": "segmenting", "input": {"shape": [3, 64, 64]},
    "import": {"unet": "unet_transposed"}, "args": {"classes": 4},
    "body": [
        {"op": "unet.Network", "classes": 16, "width": 8}, "global_avg_pool", "flatten",
        {"op": "dense", "name": "classifier", "channels": "=classes"},
    ],
}  # fmt: skip
"""A U-Net gives an image, and what is learned here are classes of images."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [*published.TIMM, "unet_transposed"])
def test_networks_of_others_learn_a_batch(name, tmp_path):
    """20 steps on the same 8 images of 64 pixels."""
    data = runs.write_images(tmp_path / "data", classes=4, train=2, val=1, side=64)
    settings = [
        "epochs=20", "batch=8", "schedule.name=constant", "schedule.warmup_epochs=0", "augment=[]",
        "optimizer={name: adamw, lr: 1e-3}", "data.workers=1",
    ]  # fmt: skip
    spec = name
    if name == "unet_transposed":
        spec = tmp_path / "segmenting.json"
        spec.write_text(json.dumps(UNET))
    window = {"window": 2} if name.startswith("swin") else {}
    result = training.train(
        spec, "tiny", data, tmp_path / "run", settings=settings,
        arguments={"classes": 4, **window}, input_shape=(3, 64, 64),
    )  # fmt: skip
    assert result.steps == 20
    losses = [line["loss"] for line in result.run.metrics() if line["kind"] == "step"]
    assert len(losses) == 20
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < losses[0]


# What it writes.


def test_the_run_folder_holds_all_of_it(trained, inputs, framework):
    path = trained.run.path
    facts = json.loads((path / "run.json").read_text())
    assert facts["networks"][0]["fingerprint"] == archspec.load(inputs / "noisy.json").fingerprint
    assert archspec.load(path / "spec.json").fingerprint == facts["networks"][0]["fingerprint"]
    assert (path / "spec_given.json").read_text() == (inputs / "noisy.json").read_text()
    recipe = read_recipe(str(path / "recipe.yaml"))
    assert recipe == read_recipe(str(inputs / "small.yaml"), ["epochs=6"])
    assert facts["seed"] == 1
    assert facts["classes"] == ["class0", "class1", "class2"]
    assert facts["command"] == ["archspec", "train", "..."]
    assert facts["backend"] == framework
    assert facts["versions"][framework] == version(framework)
    assert not [entry for entry in path.rglob(".*") if entry.name != ".lock"]


def test_metrics_have_a_line_for_each_epoch_and_for_steps(trained):
    lines = trained.run.metrics()
    epochs = [line for line in lines if line["kind"] == "epoch"]
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["epoch"] for line in epochs] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in steps] == list(range(1, 37))
    for number, line in enumerate(epochs):
        of_epoch = steps[6 * number : 6 * number + 6]
        assert line["loss"] == pytest.approx(np.mean([step["loss"] for step in of_epoch]))
        assert line["accuracy"] == pytest.approx(np.mean([step["accuracy"] for step in of_epoch]))


def test_events_are_those_of_tensorboard(trained):
    """Read as TensorBoard does: records of length, checksum, message, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = (trained.run.path / "events").iterdir()
    content, place, found = path.read_bytes(), 0, {}
    while place < len(content):
        length = int.from_bytes(content[place : place + 8], "little")
        event = Event.FromString(content[place + 12 : place + 12 + length])
        place += 16 + length
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    lines = trained.run.metrics()
    wanted = {line["step"]: line["top1"] for line in lines if line["kind"] == "epoch"}
    assert found["val/top1"] == pytest.approx(wanted)
    wanted = {line["step"]: line["loss"] for line in lines if line["kind"] == "step"}
    assert found["train/loss"] == pytest.approx(wanted)


def test_events_of_what_is_not_a_number_say_nothing_of_their_own(tmp_path, capfd):
    """A diverged run has its own sentence, and tensorboardX's lines would tear the progress."""
    pytest.importorskip("tensorboardX")
    line = {"kind": "epoch", "step": 1, "val_loss": float("nan"), "top1": 0.0, "top5": 0.0}
    with Events(Run(tmp_path, {}), 0) as events:
        events.add(line)
    assert [*(tmp_path / "events").iterdir()]
    assert capfd.readouterr() == ("", "")


def test_the_curves_are_a_picture(trained):
    with Image.open(trained.run.path / "curves.png") as image:
        assert image.size == (2 * 1248, 2 * 324)
        assert len(image.convert("RGB").getcolors(1 << 24)) > 50


def test_the_report_tells_how_it_went(trained):
    text = (trained.run.path / "report.md").read_text()
    assert f"**Top-1 {trained.best_top1:.2%}**" in text
    assert f"epoch {trained.best_epoch}, the best of 6" in text
    assert "| 6 |" in text
    assert "archspec eval" in text


def test_the_weights_are_scored_beside_their_average(trained, framework):
    """By the whole of another evaluation: the last checkpoint has both."""
    last = [line for line in trained.run.metrics() if line["kind"] == "epoch"][-1]
    with open_tensors(runs.checkpoints(trained.run.path)[-1]) as file:
        state = {name: file.read(name) for name in file.entries}
    assert state["ema_updates"] == last["step"]
    graph = trained.run.networks[0]
    names = {path: path for path in weights_of(graph)}
    if framework == "torch":
        names = weight_names(graph)
    model = Model(graph, {path: state[name] for path, name in names.items()})
    network = find_backend(framework).predictor(model)
    _, val = scan_splits(trained.run.path.parent / "data")
    images = preprocessing_of(graph.preprocessing, graph.input_shape)
    found = evaluate(network, EvalPipeline(val, images, batch=6), 6)
    assert last["plain_top1"] == pytest.approx(found.top1)
    assert "without EMA" in (trained.run.path / "report.md").read_text()


def test_a_batch_norm_of_one_value_is_refused_first(there, tmp_path):
    """A map of 1x1 and a batch of 1; on one of 2x2, or with a batch of 2, there is a variance."""
    spec = {
        **runs.SPEC, "name": "narrow",
        "body": [
            {"op": "conv", "channels": 4, "kernel": 12, "padding": 0},
            {"op": "batch_norm", "name": "norm"},
            {"op": "Classifier", "classes": 3},
        ],
    }  # fmt: skip
    (tmp_path / "narrow.json").write_text(json.dumps(spec))
    with pytest.raises(UsageError, match=r"norm is a batch norm of 4x1x1.*must be at least 2"):
        plan_run(tmp_path / "narrow.json", "small.yaml", "data", settings=["batch=1"])
    plan_run(tmp_path / "narrow.json", "small.yaml", "data", settings=["batch=2"])
    spec["body"][0]["kernel"] = 11
    (tmp_path / "narrow.json").write_text(json.dumps(spec))
    plan_run(tmp_path / "narrow.json", "small.yaml", "data", settings=["batch=1"])


def test_a_softmax_before_the_loss_is_said(there, tmp_path):
    spec = {**runs.PLAIN, "body": [*runs.PLAIN["body"], "softmax"]}
    (tmp_path / "twice.json").write_text(json.dumps(spec))
    plan = plan_run(tmp_path / "twice.json", "small.yaml", "data")
    assert any("ends in a softmax (softmax)" in note for note in plan.notes)
    assert not any("softmax" in n for n in plan_run("plain.json", "small.yaml", "data").notes)


def test_milestones_behind_the_end_are_said(there):
    plan = plan_run(
        "plain.json", "small.yaml", "data",
        settings=["schedule={name: step, milestones: [2, 3, 9]}"],
    )  # fmt: skip
    assert (
        "the schedule's milestones 3, 9 come after the last of 3 epochs and change nothing"
        in plan.notes
    )
    plan = plan_run("plain.json", "small.yaml", "data", settings=["epochs=1"])
    assert any("warms up for 1 of 3 epochs" in note for note in plan.notes)


def test_the_best_weights_score_what_the_metrics_say(trained, inputs, capsys):
    arguments = ["--weights", str(trained.run.path / "best.safetensors"), "--data",
                 str(inputs / "data"), "--batch", "5"]  # fmt: skip
    assert main(["eval", str(inputs / "noisy.json"), *arguments]) == 0
    said = capsys.readouterr().out
    assert said == (f"Total data: 18, top1 accuracy: {trained.best_top1}, top5 accuracy: 1.0.\n")
    assert main(["eval", str(inputs / "noisy.json"), *arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    best = next(
        line
        for line in trained.run.metrics()
        if line["kind"] == "epoch" and line["epoch"] == trained.best_epoch
    )
    assert found["images"] == 18
    assert found["loss"] == pytest.approx(best["val_loss"], rel=1e-5)


def test_predictions_have_the_names_of_classes(trained, inputs, capsys):
    images = [str(inputs / "data" / "val" / f"class{label}" / "000.png") for label in (0, 2)]
    weights = str(trained.run.path / "best.safetensors")
    code = main(
        ["predict", str(inputs / "noisy.json"), "--weights", weights, *images, "--format", "json"]
    )
    assert code == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["image"] for row in rows] == [images[0]] * 3 + [images[1]] * 3
    for image in images:
        of_image = [row for row in rows if row["image"] == image]
        assert sum(row["probability"] for row in of_image) == pytest.approx(1)
        assert {row["name"] for row in of_image} == {"class0", "class1", "class2"}
        assert of_image == sorted(of_image, key=lambda row: -row["probability"])


# Resuming, with everything that a step can hold; test_checkpoint does it with real processes.


FROZEN = ["stem.*", "block.expand.conv*", "block.depthwise.norm*"]
MOMENTS = {"mindspore": {"first_moment", "global_step"}, "torch": {"exp_avg", "steps"}}


def test_it_goes_on_from_the_midst_of_an_epoch(there, tmp_path, monkeypatch, framework):
    """Of accumulation too: step 13 is the first of three whose gradients are summed up. Frozen
    nodes keep their weights and statistics to the bit, and nothing is remembered of them."""
    monkeypatch.setattr("archspec.training.session.CHECKPOINT_EVERY", -1.0)
    settings = [
        "epochs=3", "optimizer.accumulate=3", 'loss.mutual.specs=["noisy.json"]',
        "checkpoint.every_epochs=9", "checkpoint.keep=99", "optimizer.clip_norm=1",
        f"freeze={json.dumps(FROZEN)}", "groups=[{match: 'classifier.*', lr: 10, weight_decay: 0}]",
    ]  # fmt: skip
    run = training.train(
        "noisy.json", "small.yaml", "data", tmp_path / "run", settings=settings
    ).run
    whole = runs.state(run.path)
    assert {name.split(".")[0] for name in whole} >= {
        "stem", "peer1", "ema", "gradient_sum", "summed_batches", *MOMENTS[framework]
    }  # fmt: skip
    assert not [name for name in whole if "noise" in name]
    start = learners_of(run).models[0]
    names = weight_names(start.graph) if framework == "torch" else {}
    with open_tensors(runs.checkpoints(run.path)[0]) as file:
        # no step of the optimizer is over: the average is of what the run began with
        began = {path: file.read(f"ema.{names.get(path, path)}") for path in start.weights}
    assert all(np.array_equal(began[path], array) for path, array in start.weights.items())
    for path, array in start.weights.items():
        name, is_frozen = names.get(path, path), fits(path, FROZEN)
        assert (whole[name] == array.tobytes()) is is_frozen, path
        assert (whole[f"ema.{name}"] == array.tobytes()) is is_frozen, path
        if is_frozen:
            own = {name, f"ema.{name}"}
            assert not [other for other in whole.keys() - own if other.endswith(f".{name}")
                        and "peer1" not in other]  # fmt: skip
    lines = runs.metrics(run.path)
    assert runs.checkpoints(run.path)[0].stem == "step-000000001"
    for path in runs.checkpoints(run.path):
        if path.stem > "step-000000013":
            path.unlink()
    with Stop() as stop:
        result = train_run(open_run(run.path), stop, "none")
    assert (result.epochs, result.steps) == (3, 18)
    assert runs.state(run.path) == whole
    assert runs.metrics(run.path) == lines


@pytest.mark.long_on("mindspore")
def test_it_goes_on_from_the_last_step_of_an_epoch(there, trained, tmp_path, monkeypatch):
    """The epoch is still to be scored then, so the network is served before it is trained."""
    with Stop() as stop:
        draw = training.loop.draw_masks

        def drawing(places, seed, step, *rest):
            stop.number = signal.SIGTERM if step == 5 else None
            return draw(places, seed, step, *rest)

        monkeypatch.setattr("archspec.training.loop.draw_masks", drawing)
        plan = plan_run("noisy.json", "small.yaml", "data", settings=["epochs=6"])
        run = create_run(plan, tmp_path / "run", [])
        result = train_run(run, stop, "none")
    assert (result.stopped_by, result.steps, result.epochs) == (signal.SIGTERM, 6, 0)
    monkeypatch.undo()
    with Stop() as stop:
        train_run(open_run(tmp_path / "run"), stop, "none")
    assert runs.state(tmp_path / "run") == runs.state(trained.run.path)
    assert runs.metrics(tmp_path / "run") == runs.metrics(trained.run.path)


def test_it_learns_from_a_teacher(there, trained, tmp_path):
    teacher = str(there / "trained" / "best.safetensors")
    distill = {"spec": "noisy.json", "weights": teacher, "temperature": 2, "weight": 1.0}
    result = training.train(
        "plain.json", "small.yaml", "data", tmp_path / "run",
        settings=[*PLAIN, f"loss.distill={json.dumps(distill)}"],
    )  # fmt: skip
    assert result.run.facts["teacher"]["name"] == "noisy"
    assert not [name for name in runs.state(result.run.path) if name.startswith("teacher")]
    with pytest.raises(UsageError, match=r"the teacher's weights none\.npz do not exist"):
        training.train(
            "plain.json", "small.yaml", "data", tmp_path / "other",
            settings=[f"loss.distill={json.dumps({**distill, 'weights': 'none.npz'})}"],
        )  # fmt: skip


# What it says when something is wrong.


def train_here(*arguments):
    return main(["train", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["noisy.json"], "--data is missing"),
        (["noisy.json", "--data", "data"], "--recipe is missing"),
        (["noisy.json", "--data", "data", "--recipe", "tinny"], "did you mean 'tiny'"),
        (["noisy.json", "--data", "dat", "--recipe", "small.yaml"], "did you mean 'data'"),
        (["resnet18", "--data", "data", "--recipe", "small.yaml"], "use --set classes=3"),
        (["unet", "--data", "data", "--recipe", "small.yaml"], "a network with one vector of"),
        (["isynet", "--data", "data", "--recipe", "small.yaml"], "is a search space"),
        (["noisy.json", "--data", "data", "--recipe", "small.yaml", "--set", "optimizer.lrr=1"],
         "lrr"),
        (["noisy.json", "--data", "data", "--recipe", "small.yaml", "--set", "batch=100"],
         "fewer than one step's 100"),
        (["noisy.json", "--data", "data", "--recipe", "small.yaml", "--out", "data"],
         "data exists already and is not a run"),
        (["--resume", "data"], "data is not a run folder, because it has no run.json"),
        (["--resume", "trained", "--epochs", "9"], "the cosine schedule of trained ends"),
        (["--resume", "trained", "--epochs", "6"], "more than those extend it"),
        (["--resume", "trained", "--epochs", "x"], "it must be a whole number from 1 to"),
        (["noisy.json", "--restart"], "use --resume RUN --restart"),
        (["resnet18", "--resume", "trained"], "trained trains noisy, not resnet18"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_said_before_the_first_step(
    arguments, message, there, trained, capsys
):
    assert train_here(*arguments) in (1, 2)
    assert message in capsys.readouterr().err


def test_a_run_is_not_written_over(there, trained, capsys):
    before = (there / "trained" / "metrics.jsonl").read_bytes()
    arguments = ["noisy.json", "--recipe", "small.yaml", "--data", "data", "--out", "trained"]
    assert train_here(*arguments) == 2
    assert "use archspec train --resume trained to continue it" in capsys.readouterr().err
    assert (there / "trained" / "metrics.jsonl").read_bytes() == before


def test_a_finished_run_is_at_its_end(there, trained, capsys):
    before = runs.state(there / "trained")
    assert train_here("--resume", "trained") == 0
    assert "best top-1" in capsys.readouterr().out
    assert runs.state(there / "trained") == before


def test_other_data_is_not_taken_for_the_same(there, trained, tmp_path, capsys):
    runs.write_images(tmp_path / "data", train=15)
    facts = (there / "trained" / "run.json").read_bytes()
    assert train_here("--resume", "trained", "--data", str(tmp_path / "data")) == 2
    assert "48 train and 18 val images then, 45 and 18 now" in capsys.readouterr().err
    (there / "trained" / "run.json").write_bytes(facts)


def test_a_loss_that_is_no_number_ends_it(there, tmp_path):
    with pytest.raises(
        RunError,
        match=r"(loss became infinite at|became infinite by) step .*try a smaller learning rate",
    ):
        training.train(
            "noisy.json", "small.yaml", "data", tmp_path / "run",
            settings=[*PLAIN, "epochs=20", "optimizer.name=sgd", "optimizer.lr=1e18"],
        )  # fmt: skip
    run = open_run(tmp_path / "run")
    for path in runs.checkpoints(run.path):
        with open_tensors(path) as file:
            assert all(np.isfinite(file.read(name)).all() for name in file.entries)


def test_weights_to_start_from_are_used(there, trained, tmp_path):
    best = str(there / "trained" / "best.safetensors")
    result = training.train(
        "noisy.json", "small.yaml", "data", tmp_path / "run", weights=best,
        settings=[*PLAIN, "epochs=1", "optimizer.lr=1e-9"],
    )  # fmt: skip
    assert result.run.facts["weights"] == best
    from archspec.compiler.weights.loading import load_weights

    graph = archspec.load("noisy.json")
    ours, theirs = (load_weights(path, graph) for path in (tmp_path / "run/last.safetensors", best))
    kernels = [name for name in ours if name.endswith("conv.weight")]
    assert all(np.allclose(ours[name], theirs[name], atol=1e-6) for name in kernels)


# Noise.


def test_ranks_draw_the_rows_of_one(there):
    graph = archspec.load("noisy.json")
    masks = draw_masks(places_of(graph, 8), 1, 5)
    assert masks.keys() == {"block.drop_path", "classifier.dropout"}
    for rank in (0, 1):
        theirs = draw_masks(places_of(graph, 4), 1, 5, rank, 2)
        for name, mask in masks.items():
            assert np.array_equal(mask[4 * rank : 4 * rank + 4], theirs[name])


def test_masks_are_in_a_step_from_the_first_on(there, trained, framework):
    """Though the cells that take them are put in after the network was built."""
    run = open_run(trained.run.path)
    images = np.random.default_rng(0).standard_normal((8, 3, 12, 12), np.float32)
    labels = np.full((8, 3), 1 / 3, np.float32)
    losses = []
    for share in (0.0, 1.0):
        learners = learners_of(run)
        rates = np.full(36, 0.001, np.float32)
        trainer = find_backend(framework).trainer(learners, rates, Ranks())
        masks = {p.name: np.full(p.shape, share, np.float32) for p in learners.places}
        ((loss, _),) = trainer.read([trainer.step(images, labels, masks)])
        losses.append(loss)
    uniform = np.log(3)  # from logits that are a bias of zero
    assert losses[0] == pytest.approx(uniform, abs=1e-6)
    assert abs(losses[1] - uniform) > 2e-5


def test_errors_of_the_parts_are_errors_of_the_run(there, tmp_path):
    with pytest.raises(SpecError, match="noisy"):
        training.train("noisy.jsn", "small.yaml", "data", tmp_path / "run")
    with pytest.raises(UsageError, match="accumulate"):
        training.train(
            "noisy.json", "small.yaml", "data", tmp_path / "run",
            settings=[*PLAIN, "optimizer.accumulate=7"],
        )  # fmt: skip
