"""Engines behind one interface: what they say of a model, their numbers, what they refuse.

The judge of numbers is the numpy reference in float64. Ascend's engine has tests of its own
(test_acl).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("mindspore")

from oracles.networks import network
from oracles.rule_b import image, with_random_weights
from test_doctor import archspec_without

import archspec
from archspec.cli import WRONG
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.targets import reference
from archspec.compiler.targets.mindspore import set_device, write_mindir
from archspec.compiler.targets.onnx import write_onnx
from archspec.deploy.engine_table import ENDINGS, ENGINES
from archspec.deploy.engines import Port, check_arrays, engine_for, open_engine
from archspec.deploy.om.container import STAND_IN
from archspec.errors import SpecError, UsageError
from archspec.extras import install_hint
from archspec.ops.conv import Conv
from archspec.ops.pool import GlobalAvgPool
from archspec.ops.reshape import Flatten

ROOT = Path(__file__).parents[2]
CPU = ("onnxruntime", "mindspore")
NETWORKS = ("tiny/isynet", "tiny/resnext", "tiny/cspdarknet", "tiny/spnas")
"""Between them: dense and grouped convolutions, mish, concatenation, several paths."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """tiny/isynet as net.onnx, net.mindir for any batch, and four.onnx, four.mindir for 4."""
    home = tmp_path_factory.mktemp("models")
    set_device("CPU")
    model = for_deployment(with_random_weights(archspec.load("tiny/isynet")))
    for name, batch in (("net", None), ("four", 4)):
        write_onnx(model, home / f"{name}.onnx", batch=batch)
        write_mindir(model, home / f"{name}.mindir", batch)
    return home


def open_model(folder, engine, name="net", **options):
    ending = next(ending for ending, owner in ENDINGS.items() if owner == engine)
    return open_engine(engine, folder / f"{name}{ending}", **options)


def logits(engine, images):
    (given,), (taken,) = engine.inputs, engine.outputs
    return engine.run({given.name: images})[taken.name]


# Numbers.


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_plain_numpy(name, tmp_path):
    model = with_random_weights(archspec.load(name))
    images = image(model.graph.input_shape, batch=3)
    (expected,) = reference.run(model.graph, model.weights, images.astype(np.float64)).values()
    deployed = for_deployment(model)
    write_onnx(deployed, tmp_path / "net.onnx", batch=3)
    write_mindir(deployed, tmp_path / "net.mindir", 3)
    found = {engine: logits(open_model(tmp_path, engine), images) for engine in CPU}
    for engine in CPU:
        assert np.abs(found[engine] - expected).max() <= 1e-4 * np.abs(expected).max(), engine
    assert np.abs(found["onnxruntime"] - found["mindspore"]).max() <= 1e-4


@pytest.mark.parametrize("engine", CPU)
def test_a_model_for_any_batch_takes_any(engine, folder):
    running = open_model(folder, engine)
    images = image((1, 8, 8), batch=7)
    together = logits(running, images)
    for count in (1, 3, 7):
        assert np.allclose(logits(running, images[:count]), together[:count], atol=1e-5)
    running.close()


@pytest.mark.parametrize("engine", CPU)
def test_the_last_run_was_timed(engine, folder):
    running = open_model(folder, engine)
    assert running.device_seconds == 0
    logits(running, image((1, 8, 8), batch=2))
    assert running.device_seconds > 0
    running.close()
    running.close()


# What they say.


@pytest.mark.parametrize("engine", CPU)
def test_ports(engine, folder):
    anything, four = open_model(folder, engine), open_model(folder, engine, "four")
    for running, batch in ((anything, None), (four, 4)):
        (given,), (taken,) = running.inputs, running.outputs
        assert (given.dtype, given.shape) == ("float32", (batch, 1, 8, 8))
        assert taken == Port("logits", "float32", (batch, 10))
        assert not running.is_simulated
        assert running.name == engine


def test_ports_as_people_read_them():
    assert str(Port("image", "uint8", (None, 256, 256, 3))) == "uint8 Nx256x256x3"


def test_onnx_says_what_it_was_made_of(folder):
    said = open_model(folder, "onnxruntime").metadata
    graph = archspec.load("tiny/isynet")
    assert (said["name"], said["fingerprint"]) == (graph.name, graph.fingerprint)
    assert json.loads(said["preprocessing"])["shape"] == [1, 8, 8]


def test_mindir_says_what_its_notes_say(folder, tmp_path):
    from mindspore.train import mind_ir_pb2

    described = mind_ir_pb2.ModelProto()
    described.ParseFromString((folder / "net.mindir").read_bytes())
    described.user_info.update({"fingerprint": "f00d", "outputs": '["scores"]'})
    (tmp_path / "net.mindir").write_bytes(described.SerializeToString())
    running = open_model(tmp_path, "mindspore")
    assert running.metadata["fingerprint"] == "f00d"
    assert [port.name for port in running.outputs] == ["scores"]
    images = image((1, 8, 8), batch=2)
    assert np.array_equal(logits(running, images), logits(open_model(folder, "mindspore"), images))


def test_several_outputs(tmp_path):
    graph = network(
        (3, 9, 9), ("conv", Conv(4, 3, stride=2)), ("pool", GlobalAvgPool()), ("flat", Flatten()),
        outputs={"map": "conv", "vector": "flat"},
    )  # fmt: skip
    model = with_random_weights(graph)
    write_onnx(model, tmp_path / "net.onnx", batch=2)
    write_mindir(model, tmp_path / "net.mindir", 2)
    images = image((3, 9, 9), batch=2)
    expected = reference.run(graph, model.weights, images.astype(np.float64))
    for engine, names in (
        ("onnxruntime", ["map", "vector"]),
        ("mindspore", ["output1", "output2"]),
    ):
        running = open_model(tmp_path, engine)
        assert [port.name for port in running.outputs] == names
        results = running.run({running.inputs[0].name: images})
        for port, wanted in zip(running.outputs, expected.values(), strict=True):
            assert port.shape == wanted.shape
            assert np.allclose(results[port.name], wanted, atol=1e-5)


# What they refuse.


def test_arrays_must_fit():
    ports = (Port("image", "float32", (None, 3, 8, 8)),)
    check_arrays(ports, {"image": np.zeros((5, 3, 8, 8), np.float32)})
    for arrays, message in (
        ({}, "the model's input 'image' is missing"),
        (
            {"image": np.zeros((1, 3, 8, 9), np.float32)},
            "the model's input 'image' is float32 Nx3x8x8, and float32 1x3x8x9 was given",
        ),
        (
            {"image": np.zeros((1, 3, 8, 8))},
            "the model's input 'image' is float32 Nx3x8x8, and float64 1x3x8x8 was given",
        ),
        (
            {"image": np.zeros((1, 3, 8, 8), np.float32), "mask": np.zeros(1)},
            "the model has no input 'mask'; use 'image'",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            check_arrays(ports, arrays)


@pytest.mark.parametrize("engine", CPU)
def test_a_static_model_takes_its_own_batch_alone(engine, folder):
    running = open_model(folder, engine, "four")
    with pytest.raises(UsageError, match="is float32 4x1x8x8, and float32 3x1x8x8 was given"):
        logits(running, image((1, 8, 8), batch=3))


@pytest.mark.parametrize("engine", CPU)
def test_damaged_files(engine, folder, tmp_path):
    ending = next(ending for ending, owner in ENDINGS.items() if owner == engine)
    whole = (folder / f"four{ending}").read_bytes()
    path = tmp_path / f"net{ending}"
    for content in (b"\0" * 64, whole[:-1000], whole[: len(whole) // 3], b"not a model at all"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"is not a model that \w+ runs \("):
            open_engine(engine, path)
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="is empty; use a model that archspec export wrote"):
        open_engine(engine, path)
    path.unlink()
    with pytest.raises(UsageError, match=r"cannot be read \(no such file or directory\)"):
        open_engine(engine, path)
    (tmp_path / f"nets{ending}").touch()
    with pytest.raises(UsageError, match=f"; did you mean 'nets{ending}'?"):
        open_engine(engine, path)
    os.mkfifo(path)  # is there, so its own name is not a better one
    with pytest.raises(UsageError, match=r"cannot be read \(it is not a regular file\)$"):
        open_engine(engine, path)


@pytest.mark.parametrize("engine", CPU)
def test_other_files_are_not_its_own(engine, folder, tmp_path):
    others = {"onnxruntime": "four.mindir", "mindspore": "four.onnx"}
    with pytest.raises(UsageError, match=f"{others[engine]} is not a model that \\w+ runs"):
        open_engine(engine, folder / others[engine])
    om = tmp_path / "net.om"
    om.write_bytes(b"IMOD" + b"\0" * 300)
    with pytest.raises(UsageError):
        open_engine(engine, om)


def test_an_om_is_for_acl(tmp_path):
    om = tmp_path / "net.om"
    om.write_bytes(b"IMOD" + b"\0" * 300)
    with pytest.raises(UsageError, match="is an Ascend offline model; use --engine acl"):
        open_engine("onnxruntime", om)


@pytest.mark.parametrize("engine", CPU)
def test_the_cpu_is_device_0(engine, folder):
    with pytest.raises(UsageError, match=r"the CPU.*, which is device 0, not 3"):
        open_model(folder, engine, device=3)


def test_names_of_engines():
    assert {*ENDINGS.values(), "lite"} == set(ENGINES)  # a .mindir is MindSpore's, unless told so
    assert engine_for("a/b.ONNX") == "onnxruntime"
    with pytest.raises(UsageError, match=r"net\.pb does not show by its ending"):
        engine_for("net.pb")
    message = "there is no engine 'onxruntime'; did you mean 'onnxruntime'?"
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        open_engine("onxruntime", "net.onnx")


@pytest.mark.parametrize("engine", CPU)
def test_an_engine_that_is_not_installed(engine, folder, tmp_path):
    ending = next(ending for ending, owner in ENDINGS.items() if owner == engine)
    (tmp_path / "data" / "a").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "pictures" / "curves.png", tmp_path / "data" / "a")
    result = archspec_without(
        [engine], "infer", str(folder / f"net{ending}"), "--data", "data", folder=tmp_path
    )
    assert result.returncode == WRONG, result.stderr
    extra = {"onnxruntime": "onnx", "mindspore": "mindspore"}[engine]
    assert install_hint(extra) in result.stderr
    assert result.stderr.count("\n") == 1


# Stand-ins.


def stand_in(path, model, digest=None):
    digest = digest or hashlib.sha256(model.read_bytes()).hexdigest()
    said = {"options": {}, "onnx": str(model), "sha256": digest}
    path.write_bytes(STAND_IN + json.dumps(said).encode())
    return path


def test_a_stand_in_is_run_and_called_so(folder, tmp_path, capsys):
    path = stand_in(tmp_path / "net.om", folder / "four.onnx")
    running = open_engine("onnxruntime", path)
    assert running.is_simulated
    said = capsys.readouterr().err
    assert said.startswith(f"SIMULATED: {path} is a stand-in, not an OM; ")
    images = image((1, 8, 8), batch=4)
    real = open_model(folder, "onnxruntime", "four")
    assert np.array_equal(logits(running, images), logits(real, images))


def test_a_stand_in_whose_onnx_changed_or_went(folder, tmp_path):
    changed = stand_in(tmp_path / "net.om", folder / "four.onnx", "0" * 64)
    with pytest.raises(SpecError, match=r"four.onnx has changed since$"):
        open_engine("onnxruntime", changed)
    changed.write_bytes(STAND_IN + b'{"onnx": "/nowhere.onnx", "sha256": ""}')
    with pytest.raises(SpecError, match="the ONNX that it was made of cannot be found"):
        open_engine("onnxruntime", changed)
    changed.write_bytes(STAND_IN + b"[]")
    with pytest.raises(SpecError, match="the ONNX that it was made of cannot be found"):
        open_engine("onnxruntime", changed)


@pytest.mark.parametrize("engine", ["mindspore", "acl"])
def test_no_other_engine_runs_a_stand_in(engine, folder, tmp_path):
    path = stand_in(tmp_path / "net.om", folder / "four.onnx")
    with pytest.raises((UsageError, SpecError)):
        open_engine(engine, path)


# Threads.


def test_threads_of_mindspore_are_chosen_once(folder):
    code = (
        "import sys\n"
        "from archspec.errors import UsageError\n"
        "from archspec.deploy.engines import open_engine\n"
        "open_engine('mindspore', sys.argv[1], threads=1)\n"
        "try: open_engine('mindspore', sys.argv[1], threads=2)\n"
        "except UsageError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder / "net.mindir")],
        capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOG_v": "3"},
    )  # fmt: skip
    assert result.stdout == (
        "MindSpore takes the number of its threads once in a process, and it has one already;"
        " leave the number out\n"
    )
