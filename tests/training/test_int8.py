"""Training for int8: what the step rounds is what numpy and onnxruntime round of its checkpoint."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from oracles import runs
from oracles.networks import network
from oracles.rule_b import image, with_random_weights

from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.quantize.factors import MOST
from archspec.compiler.quantize.pipeline import Scheme, quantize
from archspec.compiler.quantize.ranges import read_ranges
from archspec.compiler.weights.files import write_tensors
from archspec.errors import SpecError, UsageError
from archspec.ops.activation import Act
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.linear import Dense
from archspec.ops.norm import BatchNorm
from archspec.ops.pool import GlobalAvgPool
from archspec.ops.reshape import Flatten
from archspec.training.precision import check_int8
from archspec.training.recipe_files import read_recipe


def small():
    return network(
        (3, 9, 7),
        ("one", Conv(8, 3, stride=2)), ("norm", BatchNorm()), ("relu", Act("relu")),
        ("deep", Conv(8, 3, groups=8, padding=1)), ("norm2", BatchNorm()), ("cut", Act("relu6")),
        ("up", ConvTranspose(6, 3, stride=2, groups=2, bias=True)), ("silu", Act("silu")),
        ("sharp", Conv(6, 3, weight_standardization=True)), ("mean", GlobalAvgPool()),
        ("flat", Flatten()), ("head", Dense(4)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def learnt():
    """A module after a few steps of training, and the model that it is then."""
    torch = pytest.importorskip("torch")
    from archspec.compiler.targets.torch import to_module
    from archspec.training.backends.torch.int8 import ranges_in, round_layers
    from archspec.training.backends.torch.trainer import weights_in

    start = with_random_weights(small())
    start.weights["norm.gamma"][::2] *= -1  # a negative scale changes signs and no integer
    module = to_module(start)
    round_layers(module, start.graph)
    optimizer = torch.optim.SGD(module.parameters(), 0.05)
    for seed in range(6):
        module(torch.tensor(image((3, 9, 7), 8, seed))).square().mean().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
        optimizer.step()
        optimizer.zero_grad()
    model = Model(start.graph, weights_in(module, start.graph))
    return module.eval(), model, ranges_in(module, start.graph)


def test_a_checkpoint_becomes_the_same_integers(learnt):
    torch = pytest.importorskip("torch")
    module, model, ranges = learnt
    assert [*ranges] == ["one", "deep", "up", "head"]
    images = image((3, 9, 7), 6, 50)
    scheme = Scheme(corrects=False, sums=False)
    deployed = for_deployment(model)
    quantization, _ = quantize(deployed, images, scheme, ("sharp",), ranges=ranges)
    with torch.no_grad():
        wanted = module(torch.tensor(images)).numpy()
    # a number between two integers may be rounded to either, which shows in the images it is of
    assert _differ(quantization.run(images)["logits"], wanted) < 3e-4
    plain, _ = quantize(deployed, images, scheme, ("sharp",))
    assert _differ(plain.run(images)["logits"], wanted) > 1e-3
    for name in ("one", "deep"):
        weight = model.weights[f"{name}.weight"]
        scale = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / MOST
        assert np.array_equal(np.abs(quantization.integers(name)), np.abs(np.rint(weight / scale)))


def _differ(ours, wanted):
    """The median image's largest difference, as a share of the largest number."""
    return np.median(np.abs(ours - wanted).max(axis=1)) / np.abs(wanted).max()


def test_ranges_are_part_of_a_state_and_averaged(learnt):
    module, _, ranges = learnt
    state = module.state_dict()
    assert sum(name.endswith("int8_range") for name in state) == 4
    low, high = ranges["one"]
    assert -1.0 <= low < -0.98 and 0.98 < high <= 1.0


def test_weights_that_learnt_for_int8_say_so(tmp_path):
    path = tmp_path / "w.safetensors"
    arrays = {"head.weight": np.zeros((2, 2), np.float32)}
    write_tensors(path, arrays, {"ranges": json.dumps({"head": [-1.5, 2]})})
    assert read_ranges(path) == {"head": (-1.5, 2.0)}
    write_tensors(path, arrays, {})
    assert read_ranges(path) == {}
    write_tensors(path, arrays, {"ranges": '{"head": 3}'})
    with pytest.raises(SpecError, match="'ranges' is not an object of two numbers a node"):
        read_ranges(path)


def test_a_backend_without_it_refuses():
    recipe = read_recipe("tiny", ["quantize=int8"])
    check_int8(recipe, "torch")
    with pytest.raises(UsageError, match="mindspore has no training for int8; use --backend torch"):
        check_int8(recipe, "mindspore")
    check_int8(read_recipe("tiny"), "mindspore")


DYING = """\
import os, signal, sys
from archspec.cli import main
from archspec.training.backends.torch.trainer import ModuleTrainer

step, done = ModuleTrainer.step, []

def die(self, *inputs):
    done.append(1)
    if len(done) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *inputs)

ModuleTrainer.step = die
sys.exit(main(sys.argv[1:]))
"""


def test_killed_in_the_midst_of_an_epoch_it_resumes_to_the_bit(told, tmp_path, monkeypatch):
    """Its moving ranges, too."""
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    runs.write_inputs(tmp_path)
    words = (
        "train", "noisy.json", "--recipe", "small.yaml", "--data", "data", "--backend", "torch",
        "--epochs", "2", "--set", "quantize=int8", "--out",
    )  # fmt: skip
    told(*words, "whole")
    died = subprocess.run([sys.executable, "-c", DYING, *words, "killed"], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert "resumed from step 6 " in told("train", "--resume", "killed")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert runs.state(killed) == runs.state(whole)
    assert runs.metrics(killed) == runs.metrics(whole)
    best = "best.safetensors"
    assert (killed / best).read_bytes() == (whole / best).read_bytes()
    found = read_ranges(killed / best)
    assert len(found) == 5 and all(low < high for low, high in found.values())


@pytest.mark.thorough
def test_a_run_is_exported_as_it_was_scored(told, tmp_path, monkeypatch):
    """onnxruntime's integers are as often right as the training's own last evaluation was."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    told("data", "digits", "digits")
    told("train", "tiny/isynet", "--recipe", "tiny", "--data", "digits", "--backend", "torch",
         "--out", "run", "--epochs", "2", "--set", "quantize=int8",
         "--set", "ema={decay: 0.5}")  # fmt: skip
    weights = "run/best.safetensors"
    told("quantize", "tiny/isynet", "--weights", weights, "--data", "digits", "-o", "q.onnx",
         "--calibrate", "32")  # fmt: skip
    found = json.loads(told("infer", "q.onnx", "--data", "digits", "--format", "json"))
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    best = max(line["top1"] for line in map(json.loads, lines) if line["kind"] == "epoch")
    top1 = found["top1"] if "top1" in found else found["scores"]["top1"]
    assert abs(top1 - best) <= 2 / 360 and best > 0.3
