"""PyTorch as a backend beside MindSpore's: the same step, weights that both read, what it refuses,
and what it says when the machine gives out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import runs

import archspec
from archspec import training
from archspec.compiler.model import Model, node_of
from archspec.compiler.weights.initialize import initialize
from archspec.errors import UsageError
from archspec.machine import parse_device
from archspec.training.backend import DeviceError, find_backend
from archspec.training.build import Learners
from archspec.training.distributed import Ranks
from archspec.training.noise import draw_masks, places_of
from archspec.training.precision import ON_CPU
from archspec.training.recipe import Group, Loss, LossScale, Precision, Recipe, Sgd
from archspec.training.recipe_files import read_recipe
from archspec.training.tuning import find_frozen, find_paces

torch = pytest.importorskip("torch")

from archspec.compiler.targets.torch import to_module  # noqa: E402 (needs torch)
from archspec.compiler.targets.torch.source import module_names  # noqa: E402 (needs torch)
from archspec.training.backends.torch.failures import (  # noqa: E402 (needs torch)
    MOMENTS,
    USABLE,
    explain_failures,
    fitting_batch,
)
from archspec.training.backends.torch.precision import build_scaler  # noqa: E402 (needs torch)
from archspec.training.backends.torch.step import Together  # noqa: E402 (needs torch)
from archspec.training.backends.torch.trainer import build_module  # noqa: E402 (needs torch)

TORCH = ("--backend", "torch")
QUICK = ("--set", "epochs=2", "--set", "schedule.warmup_epochs=0", "--set", "data.workers=1")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    runs.write_inputs(folder)
    return folder


@pytest.fixture
def there(inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    return inputs


@pytest.fixture(scope="module")
def trained(inputs):
    """A run by PyTorch that nobody disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inputs)
        settings = ["epochs=2", "schedule.warmup_epochs=0", "data.workers=1"]
        arguments = ("noisy.json", "small.yaml", "data", "trained")
        return training.train(*arguments, settings=settings, backend="torch").run.path.absolute()


def train(run, out, *arguments, code=0):
    inputs = ("noisy.json", "--recipe", "small.yaml", "--data", "data")
    return run("train", *inputs, "--out", out, *QUICK, *arguments)


# The same step.


def learners_for(graph, recipe):
    model = Model(graph, initialize(graph, recipe.init.scheme, recipe.seed))
    frozen = find_frozen(graph, recipe)
    return Learners(
        (model,), None, recipe, "CPU", places_of(graph, recipe.batch), {},
        frozen, find_paces(graph, recipe, frozen),
    )  # fmt: skip


TUNED = {
    "freeze": ("stem.*", "block.depthwise.norm", "block.drop_path"),
    "groups": (Group(match="classifier.*", lr=5.0), Group(match="*.conv", weight_decay=0.0)),
}


@pytest.mark.parametrize("name", ["tiny/isynet", "noisy.json"])
def test_a_first_step_is_that_of_mindspore(name, there):
    """Of the second network with frozen nodes, a head that learns faster, and noise that is off."""
    pytest.importorskip("mindspore")
    graph = archspec.load(name)
    recipe = replace(
        read_recipe("small.yaml"),
        loss=Loss(smoothing=0.1), optimizer=Sgd(lr=0.1, momentum=0, weight_decay=0.01), ema=None,
        **(TUNED if name == "noisy.json" else {}),
    )  # fmt: skip
    random = np.random.default_rng(1)
    images = random.standard_normal((8, *graph.input_shape), np.float32)
    labels = random.integers(0, 3, 8).astype(np.int32)
    learners = learners_for(graph, recipe)
    losses, logits, weights = {}, {}, {}
    for framework in ("mindspore", "torch"):
        backend = find_backend(framework)
        trainer = backend.trainer(learners, np.full(4, 0.1, np.float32), backend.join("CPU"))
        masks = draw_masks(learners.places, 1, 0)
        ((losses[framework], logits[framework]),) = trainer.read(
            [trainer.step(images, labels, masks)]
        )
        weights[framework] = trainer.weights()
    assert losses["torch"] == pytest.approx(losses["mindspore"], rel=1e-5)
    np.testing.assert_allclose(logits["torch"], logits["mindspore"], rtol=1e-4, atol=1e-5)
    start = learners.models[0].weights
    assert weights["torch"].keys() == weights["mindspore"].keys() == start.keys()
    for path, found in weights["torch"].items():
        np.testing.assert_allclose(found, weights["mindspore"][path], rtol=0, atol=1e-5)
    moved = {path for path, found in weights["torch"].items() if np.any(found != start[path])}
    stays = {path for path in start if node_of(path) in learners.frozen}
    assert not moved & stays
    assert len(moved) > 0.9 * (len(start) - len(stays))


def test_nothing_is_computed_below_what_learns(there):
    graph = archspec.load("noisy.json")
    recipe = replace(read_recipe("small.yaml"), freeze=("stem.*", "block.*"))
    learners = learners_for(graph, recipe)
    trainer = find_backend("torch").trainer(learners, np.full(4, 0.1, np.float32), Ranks())
    dense = trainer.networks[0].get_submodule(module_names(graph)["classifier.dense"])
    seen = []
    dense.register_forward_hook(lambda _, given, result: seen.extend([*given, result]))
    images = np.zeros((8, *graph.input_shape), np.float32)
    trainer.step(images, np.arange(8) % 3, draw_masks(learners.places, 1, 0))
    assert [tensor.requires_grad for tensor in seen] == [False, True]


def test_bytes_are_normalised_as_floats_are(there):
    """On the device, to the pixels that evaluation gives."""
    graph = archspec.load("noisy.json")
    random = np.random.default_rng(1)
    given = random.integers(0, 256, (8, 12, 12, 3), np.uint8)
    mean, std = (np.float32(graph.preprocessing[name]) for name in ("mean", "std"))
    normal = ((given / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
    losses = []
    for images in (given, np.ascontiguousarray(normal, np.float32)):
        learners = learners_for(graph, read_recipe("small.yaml"))
        trainer = find_backend("torch").trainer(learners, np.full(4, 0.1, np.float32), Ranks())
        masks = draw_masks(learners.places, 1, 0)
        ((loss, _),) = trainer.read([trainer.step(images, np.arange(8) % 3, masks)])
        losses.append(loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("level, dtype", [("O1", "float16"), ("O2", "bfloat16"), ("O3", "float16")])
def test_a_cpu_trains_in_float32(level, dtype, there, trained, tmp_path, run):
    precision = json.dumps({"level": level, "dtype": dtype, "loss_scale": "dynamic"})
    code, _, said = train(run, tmp_path / "run", *TORCH, "--set", f"precision={precision}")
    assert code == 0
    assert f"note: {ON_CPU}" in said.splitlines()
    assert runs.state(tmp_path / "run") == runs.state(trained)


# Weights are for both.


@pytest.mark.parametrize("framework", ["mindspore", "torch"])
@pytest.mark.long_on("mindspore")  # whose weights torch serves elsewhere
def test_weights_score_the_same_on_the_other(framework, there, tmp_path, told):
    pytest.importorskip("mindspore")
    settings = ["epochs=3", "data.workers=1", "augment=[]", "mix=null", "ema=null"]
    found = training.train(
        "noisy.json", "small.yaml", "data", tmp_path / "run", settings=settings, backend=framework
    )
    for weights, top1 in (("best", found.best_top1), ("last", found.last.top1)):
        file = tmp_path / "run" / f"{weights}.safetensors"
        arguments = ("noisy.json", "--weights", file, "--data", "data", "--format", "json")
        scores = [
            json.loads(told("eval", *arguments, "--backend", name))
            for name in ("mindspore", "torch")
        ]
        assert [one["top1"] for one in scores] == pytest.approx([top1, top1])
        assert scores[0]["loss"] == pytest.approx(scores[1]["loss"], rel=1e-5)


def files_of(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_run_is_resumed_by_its_own_backend(there, trained, told):
    before = files_of(trained)
    said = told("train", "--resume", "trained", "--backend", "mindspore", "--epochs", 9, code=1)
    assert said == (
        "error: trained was begun with torch, whose checkpoints are of no use to mindspore; use"
        " --resume trained alone, or --weights trained/last.safetensors in a new run\n"
    )
    assert files_of(trained) == before
    assert "best top-1" in told("train", "--resume", "trained", *TORCH)


# What it refuses.


@pytest.mark.parametrize("switch", ["--compile", "--no-compile", "--deterministic"])
def test_mindspore_has_no_switches(switch, there, tmp_path, run):
    pytest.importorskip("mindspore")
    code, _, said = train(run, tmp_path / "run", "--backend", "mindspore", switch)
    name = switch.removeprefix("--").removeprefix("no-")
    assert code == 2
    assert said == (
        f"error: MindSpore has no switch '{name}'; use --backend torch, or leave it out\n"
    )
    assert not (tmp_path / "run").exists()


def test_switches_are_those_of_the_device():
    backend = find_backend("torch")
    assert backend.switches("GPU", {}) == {"compile": True, "deterministic": False}
    assert backend.switches("CPU", {}) == {"compile": False, "deterministic": False}
    assert backend.switches("GPU", {"compile": False})["compile"] is False
    with pytest.raises(UsageError, match="no switch 'compiled'; did you mean 'compile'"):
        backend.switches("CPU", {"compiled": True})


def test_a_loss_scale_that_stays_is_refused():
    scale = LossScale(factor=1, is_dynamic=True)
    with pytest.raises(UsageError, match="factor is 1, by which no scale falls"):
        build_scaler(scale, torch.device("cpu"))


DEVICES = {
    "gpu": "GPU", "cuda": "GPU", "npu": "Ascend", "ascend": "Ascend", "mps": "MPS", "cpu": "CPU",
}  # fmt: skip


@pytest.mark.parametrize("word", DEVICES)
def test_devices_have_pytorchs_words_too(word, there, trained, tmp_path, run):
    name = DEVICES[word]
    assert parse_device(word) == parse_device(word.upper()) == name
    weights = str(trained / "best.safetensors")
    evaluate = ("eval", "noisy.json", "--weights", weights, "--data", "data", *TORCH)
    if word == "cpu":
        assert run(*evaluate, "--device", word)[0] == 0
        return
    kind = {"GPU": "cuda", "Ascend": "npu", "MPS": "mps"}[name]
    if hasattr(torch, kind) and getattr(torch, kind).is_available():
        pytest.skip(f"this machine has {name}")
    for code, _, said in (
        run(*evaluate, "--device", word),
        train(run, tmp_path / "run", *TORCH, "--device", word),
    ):
        assert code == 1
        assert said.startswith(f"error: --device {name} needs a")
        assert said.endswith("does not find here; use --device CPU, or see archspec doctor\n")
        assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_device_that_nobody_knows_is_said(there, tmp_path, run):
    code, _, said = train(run, tmp_path / "run", "--device", "tpu")
    assert code == 2
    assert "'tpu' is not a device; use one of CPU, GPU, Ascend, MPS" in said


# When the machine gives out.

MESSAGE = "a step on 8 images of 3x12x12 takes more memory than cpu has left, which has"


def ask_for_too_much():
    torch.empty(10**15, dtype=torch.uint8)


def refuse():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nOf much more.")


@pytest.mark.parametrize("fails", [ask_for_too_much, refuse])
def test_no_memory_is_one_sentence_and_a_run_that_resumes(
    fails, there, trained, tmp_path, run, monkeypatch
):
    monkeypatch.setattr("archspec.training.session.CHECKPOINT_EVERY", -1.0)
    forward, calls = Together.forward, []

    def failing(self, images):
        calls.append(1)
        if len(calls) == 8:
            fails()
        return forward(self, images)

    with monkeypatch.context() as patch:
        patch.setattr(Together, "forward", failing)
        code, _, said = train(run, tmp_path / "run", *TORCH)
    assert code == 1
    (error,) = [line for line in said.splitlines() if line.startswith("error:")]
    assert error.startswith(f"error: {MESSAGE}")
    assert "GiB; about 7 would fit, so use --set batch=7 in a new run; what was saved" in error
    assert "Traceback" not in said
    assert said.endswith(f"archspec train --resume {tmp_path}/run resumes from it\n")
    assert run("train", "--resume", tmp_path / "run")[0] == 0
    assert runs.state(tmp_path / "run") == runs.state(trained)


@pytest.mark.parametrize("fails", [ask_for_too_much, refuse])
@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("trainer.take_over", "setting up a training on 8 images of 3x12x12 takes more memory"),
        ("step.TrainStep.set_state", "resuming a training on 8 images of 3x12x12 takes more"),
        ("trainer.cast", "scoring 8 images of 3x12x12 takes more memory than cpu has left"),
    ],
)
def test_no_memory_around_the_steps_leaves_a_run_that_resumes(
    where, said, fails, there, trained, tmp_path, run, monkeypatch
):
    """`refuse` raises PyTorch's error of a GPU, in the place of one; the other error is real."""
    begun = tmp_path / "run"
    shutil.copytree(trained, begun)
    if "resuming" not in said:
        shutil.rmtree(begun)
    with monkeypatch.context() as patch:
        patch.setattr(f"archspec.training.backends.torch.{where}", lambda *arguments: fails())
        resumes = ("train", "--resume", begun)
        code, _, told = run(*resumes) if begun.exists() else train(run, begun, *TORCH)
    assert code == 1
    (error,) = [line for line in told.splitlines() if line.startswith("error:")]
    assert error.startswith(f"error: {said}")
    assert "about 7 would fit, so use --set batch=7 in a new run; what was saved" in error
    assert error.endswith(f"archspec train --resume {begun} resumes from it")
    assert run("train", "--resume", begun)[0] == 0
    assert runs.state(begun) == runs.state(trained)


@pytest.mark.parametrize("fails", [ask_for_too_much, refuse])
@pytest.mark.parametrize("command", ["eval", "predict"])
def test_no_memory_for_a_trained_network_is_one_sentence(
    command, fails, there, trained, run, monkeypatch
):
    weights = ("noisy.json", "--weights", trained / "best.safetensors", *TORCH)
    arguments = {
        "eval": ("eval", *weights, "--data", "data", "--batch", "6"),
        "predict": ("predict", *weights, "data/val/class0"),
    }[command]
    hint = "; use --batch 5" if command == "eval" else ""
    for where, said in (
        ("build_module", "error: noisy takes more memory than cpu has left, which has "),
        ("on_device", "error: 6 images of 3x12x12 at a time take more memory than cpu has left"),
    ):
        with monkeypatch.context() as patch:
            place = f"archspec.training.backends.torch.trainer.{where}"
            patch.setattr(place, lambda *arguments: fails())
            code, _, told = run(*arguments)
        assert code == 1
        assert told.startswith(said) and told.count("\n") == 1
        if where == "on_device":
            assert told.endswith(f"; about 5 would fit{hint}\n")


LIMITED = """\
import os, resource, sys
import torch
import archspec.training.loop, archspec.training.backends.torch.trainer
from archspec.cli import main
torch.set_num_threads(1)
torch.nn.Conv2d(3, 8, 3)(torch.ones(1, 3, 12, 12))
lines = open("/proc/self/status").read().split("VmSize:")
taken = int(lines[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[1]) * 2**20,) * 2)
code = main(sys.argv[2:])
sys.stdout.flush()
os._exit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells what is taken")
@pytest.mark.parametrize("mebibytes", [10, 40, 90, 150, 200])
def test_a_machine_that_really_has_no_more_memory_is_one_sentence(mebibytes, there, tmp_path):
    """Wherever it is met: reading, building, between two steps, in one."""
    stem, act, classifier = runs.PLAIN["body"]
    wide = [{**stem, "channels": 256, "stride": 1}, act, {**stem, "name": "more", "channels": 512}]
    spec = {**runs.PLAIN, "name": "wide", "body": [*wide, classifier]}
    (tmp_path / "wide.json").write_text(json.dumps(spec))
    result = subprocess.run(
        [
            sys.executable, "-c", LIMITED, str(mebibytes), "train", tmp_path / "wide.json",
            "--recipe", "small.yaml", "--data", "data", *TORCH, *QUICK, "--set", "batch=48",
            "--out", tmp_path / "run",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 1
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert "more memory than" in error
    assert "Traceback" not in result.stderr
    if (tmp_path / "run").exists():
        assert f"archspec train --resume {tmp_path}/run resumes from it" in error


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--dtype", "bfloat16", "--end-to-end")])
def test_what_measures_on_a_gpu_runs_on_a_cpu(more):
    """The figures are another's; that the script works is what is tried here."""
    script = Path(__file__).parents[1] / "benchmarks" / "bench_torch.py"
    small = ("--spec", "resnet18", "--size", "32", "--batch", "2", "--steps", "2")
    result = subprocess.run(
        [sys.executable, script, *small, *more], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "over" in result.stdout


@pytest.mark.parametrize(
    "message",
    [
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:544] Connection closed by peer"
        " [127.0.0.1]:45127",
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:525] Read error [127.0.0.1]:1:"
        " Connection reset by peer",
        "writev [127.0.0.1]:4711: Broken pipe",
        "[../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1800000ms"
        " for recv operation to complete",
    ],
)
def test_a_process_that_has_gone_is_one_sentence(message, there, tmp_path, run, monkeypatch):
    def failing(self, images):
        raise RuntimeError(f"{message}\nand a stack")

    monkeypatch.setattr(Together, "forward", failing)
    code, _, said = train(run, tmp_path / "run", *TORCH)
    assert code == 1
    assert "error: another process of this training has ended (" in said
    assert "Traceback" not in said and "stack" not in said


def test_other_errors_are_not_taken_for_these(there):
    graph = archspec.load("noisy.json")
    models = [Model(graph, initialize(graph, "he", 1))]
    cpu = torch.device("cpu")
    with (
        pytest.raises(RuntimeError, match="must match"),
        explain_failures(models, read_recipe("small.yaml"), cpu),
    ):
        torch.ones(2) + torch.ones(3)
    recipe = replace(read_recipe("small.yaml"), precision=Precision(level="O2"), batch=10**9)
    fits = fitting_batch(models, recipe, memory_here())
    with pytest.raises(DeviceError, match=f"about {fits} would fit"), explain_failures(
        models, recipe, cpu
    ):  # fmt: skip
        refuse()


def memory_here():
    from archspec.training.backends.torch.device import memory_of

    return memory_of(torch.device("cpu"))


def test_a_fitting_batch_is_counted(there):
    graph = archspec.load("plain.json")
    module = to_module(Model(graph, initialize(graph, "he", 1)))
    # stem and act, what is pooled, flattened and dropped out, the logits
    numbers = 2 * 8 * 6 * 6 + 3 * 8 + 3
    weights = sum(weight.numel() for weight in module.state_dict().values())
    recipe: Recipe = replace(read_recipe("small.yaml"), batch=64, ema=None)
    averaged = read_recipe("small.yaml", ["batch=64"])
    models = [Model(graph, initialize(graph, "he", 1))]
    for kilobytes in range(0, 600, 7):
        memory = 1000 * kilobytes
        for settings, copies in ((recipe, MOMENTS + 2), (averaged, MOMENTS + 3)):
            for value_size in (2, 4):
                fitting = [
                    count
                    for count in range(1, 64)
                    if 4 * copies * weights + value_size * count * numbers <= USABLE * memory
                ]
                wanted = max(fitting, default=0)
                assert fitting_batch(models, settings, memory, value_size) == wanted
    assert fitting_batch(models, recipe, 10**12) == 63
    twice = fitting_batch(models * 2, recipe, 300_000)
    assert 0 < twice < fitting_batch(models, recipe, 300_000)


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_a_strided_1x1_convolution_of_few_channels_is_not_read_beyond_its_end(channels):
    """PyTorch 2.13 ended the process here: channels last, on one thread, where a stride leaves out
    the last pixels."""
    conv = {"op": "conv", "name": "conv", "kernel": 1, "stride": 2, "channels": 4}
    graph = archspec.loads(
        json.dumps(
            {"archspec": 1, "name": "n", "input": {"shape": [channels, 8, 8]}, "body": [conv]}
        )
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        module = build_module(Model(graph, initialize(graph, "he", 1)))
        for seed in range(20):
            given = torch.randn(64, channels, 8, 8, generator=torch.Generator().manual_seed(seed))
            module.zero_grad()
            module(given.contiguous(memory_format=torch.channels_last)).square().sum().backward()
            (weight,) = module.parameters()
            seen = given[:, :, ::2, ::2].double()
            answer = torch.einsum("oc,nchw->nohw", weight.detach()[:, :, 0, 0].double(), seen)
            expected = torch.einsum("nohw,nchw->oc", 2 * answer, seen)
            assert torch.allclose(weight.grad[:, :, 0, 0].double(), expected, rtol=1e-4)
    finally:
        torch.set_num_threads(threads)
