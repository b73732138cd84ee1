"""Models over folders of real images: accuracy, latencies, the older tools' files, what is refused.

`archspec eval`, which runs the trained network itself, is one judge of accuracy; Pillow and float64
arithmetic written out here are the judge of what is fed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("mindspore")

import onnx
from onnx import TensorProto, helper
from oracles.rule_b import with_random_weights
from stand_ins.fake_acl import FakeAcl, write_model
from test_doctor import archspec_without

import archspec
from archspec.cli import INTERRUPTED, OK, USAGE, WRONG, main
from archspec.compiler.images.batches import EvalPipeline
from archspec.compiler.images.folder import scan_folder
from archspec.compiler.images.scores import Scores
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.targets.mindspore import set_device, write_mindir
from archspec.compiler.targets.onnx import to_onnx, write_onnx
from archspec.compiler.targets.onnx.model import serialize
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import save_weights
from archspec.deploy.accuracy import layout_of, read_labels
from archspec.deploy.description import write_sidecar
from archspec.deploy.engines import Port, open_engine
from archspec.deploy.feeding import feed_of
from archspec.deploy.folders import images_in
from archspec.deploy.infer import infer_folder
from archspec.deploy.om.container import STAND_IN
from archspec.deploy.progress import Progress
from archspec.deploy.timing import Latency, spread
from archspec.errors import SpecError, UsageError
from archspec.extras import lacking

ROOT = Path(__file__).parents[2]
NAMES = tuple("0123456789")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """digits/, and a network for them with random weights: w.safetensors, net.onnx and net.mindir
    for any batch, four.onnx for 4."""
    folder = tmp_path_factory.mktemp("infer")
    assert main(["data", "digits", str(folder / "digits")]) == OK
    graph = archspec.load("tiny/isynet")
    model = Model(graph, initialize(graph, "he", 3))
    save_weights(folder / "w.safetensors", graph, model.weights, {"classes": json.dumps(NAMES)})
    deployed = for_deployment(model)
    write_onnx(deployed, folder / "net.onnx", batch=None)
    write_onnx(deployed, folder / "four.onnx", batch=4)
    set_device("CPU")
    write_mindir(deployed, folder / "net.mindir", None)
    return folder


@pytest.fixture
def there(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(home)
    return home


def find(told, *arguments):
    return json.loads(told("infer", *arguments, "--format", "json"))


def said_of(path, **notes):
    """An ONNX file with other metadata, and no checksum, as of before there were any."""
    proto = onnx.load(path)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    said = {key: said[key] for key in said if key not in ("file_version", "checksum")}
    del proto.metadata_props[:]
    helper.set_model_props(proto, {k: v for k, v in {**said, **notes}.items() if v is not None})
    onnx.save(proto, path)
    return path


def copy(home, folder, name="net.onnx"):
    target = folder / name
    target.write_bytes((home / name).read_bytes())
    return target


def photographs(folder, counts, sides=(40, 30), ending="jpg"):
    """FOLDER/CLASS/N.jpg, from a fixed seed."""
    random = np.random.default_rng(5)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            coarse = random.integers(0, 256, (4, 5, 3), np.uint8)
            picture = Image.fromarray(coarse).resize(sides, Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{name}-{number}.{ending}")
    return folder


# Accuracy.


def test_engines_and_training_agree_on_every_image(there, told):
    """Of 360 images: the same number right, first and among five."""
    evaluated = json.loads(
        told("eval", "tiny/isynet", "--weights", "w.safetensors", "--data", "digits",
            "--format", "json")
    )  # fmt: skip
    by_onnx = find(told, "net.onnx", "--data", "digits", "--batch", "7")
    by_mindir = find(told, "net.mindir", "--data", "digits", "--spec", "tiny/isynet")
    static = find(told, "four.onnx", "--data", "digits/val")
    for other in (by_onnx, by_mindir, static):
        assert other["images"] == evaluated["images"] == 360
        assert (other["top1"], other["top5"]) == (evaluated["top1"], evaluated["top5"])
        assert other["loss"] == pytest.approx(evaluated["loss"], rel=1e-5)
    assert 0.02 < evaluated["top1"] < 0.9 and evaluated["top5"] < 1
    printed = told("infer", "net.onnx", "--data", "digits").splitlines()[0]
    assert (
        printed
        == told("eval", "tiny/isynet", "--weights", "w.safetensors", "--data", "digits")[:-1]
    )
    assert printed == str(Scores(360, evaluated["top1"], evaluated["top5"], 0.0))


def test_logits_of_a_folder_are_near_in_all_engines(there):
    graph = archspec.load("tiny/isynet")
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    images = images_in("digits")
    rows = {}
    for engine, name in (("onnxruntime", "net.onnx"), ("mindspore", "net.mindir")):
        running = open_engine(engine, name)
        feed = feed_of(running.inputs[0], preprocessing, 50, name)
        rows[engine] = np.concatenate(
            [running.run({feed.port.name: one.array})["logits"] for one in feed.batches(images, 2)]
        )
    assert np.abs(rows["onnxruntime"] - rows["mindspore"]).max() <= 1e-4


def test_what_fills_the_last_batch_up_is_not_counted(there, told, tmp_path):
    data = photographs(tmp_path / "data", dict.fromkeys(NAMES, 1))
    one = find(told, "net.onnx", "--data", data, "--batch", "1")
    for batch in (3, 10, 64):
        other = find(told, "net.onnx", "--data", data, "--batch", batch)
        assert other["images"] == 10
        assert [other[key] for key in ("top1", "top5")] == [one[key] for key in ("top1", "top5")]
        assert other["timed_runs"] == max(1, 10 // batch)


def test_classes_by_name(there, told, tmp_path):
    """A folder of some of the classes, which the model knows by other numbers."""
    data = tmp_path / "data"
    for digit in ("3", "7"):
        (data / "val" / digit).parent.mkdir(parents=True, exist_ok=True)
        (data / "val" / digit).symlink_to(there / "digits" / "val" / digit)
    named = said_of(copy(there, tmp_path), classes=json.dumps(NAMES))
    some = find(told, named, "--data", data)
    (tmp_path / "named.safetensors").write_bytes((there / "w.safetensors").read_bytes())
    evaluated = json.loads(
        told("eval", "tiny/isynet", "--weights", tmp_path / "named.safetensors", "--data", data,
            "--format", "json")
    )  # fmt: skip
    assert (some["images"], some["classes"]) == (72, 2)
    assert (some["top1"], some["top5"]) == (evaluated["top1"], evaluated["top5"])
    (data / "val" / "x").symlink_to(there / "digits" / "val" / "3")
    assert "val has class 'x', and the weights were trained on" in told(
        "infer", named, "--data", data, code=WRONG
    )
    wrong = said_of(copy(there, tmp_path), classes='["a", "b"]')
    assert "the file names 2 classes, and tiny_isynet gives 'logits' 10; use a file" in told(
        "infer", wrong, "--data", data, code=WRONG
    )


def test_classes_by_place(there, told, tmp_path):
    """A network of one class more than there are folders, as the original ISyNets; not of two."""
    data = tmp_path / "data"
    for digit in NAMES[:9]:
        (data / digit).parent.mkdir(exist_ok=True)
        (data / digit).symlink_to(there / "digits" / "val" / digit)
    nine = find(told, "net.onnx", "--data", data)
    assert (nine["images"], nine["classes"]) == (9 * 36, 9)
    (data / "8").unlink()
    assert told("infer", "net.onnx", "--data", data, code=USAGE) == (
        f"error: {data} has 8 classes and the model's output 'logits' is float32 Nx10, and it does"
        " not name its classes; use a folder of all of them\n"
    )


# What is fed.


SPEC = {
    "archspec": 1,
    "name": "seer",
    "input": {"shape": [3, 24, 24], "resize": 32, "crop": 24,
              "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
    "body": [{"op": "conv", "channels": 4, "kernel": 3}, "relu",
             {"op": "Classifier", "classes": 3}],
}  # fmt: skip


@pytest.fixture(scope="module")
def seer(tmp_path_factory):
    """A network for photographs: seer.json, seer.onnx for 2, data/ of 7 JPEGs of uneven sides."""
    folder = tmp_path_factory.mktemp("seer")
    (folder / "seer.json").write_text(json.dumps(SPEC))
    model = with_random_weights(archspec.load(folder / "seer.json"))
    write_onnx(for_deployment(model), folder / "seer.onnx", batch=2)
    photographs(folder / "data", {"a": 3, "b": 3, "c": 1}, (61, 47))
    return folder


def prepared_by_hand(path):
    """The short side to 32, the middle 24x24, normalised: Pillow's pixels, float64 from there."""
    with Image.open(path) as picture:
        width, height = picture.size
        size = (int(32 * width / height), 32) if height <= width else (32, int(32 * height / width))
        pixels = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BILINEAR))
    top, left = round((size[1] - 24) / 2), round((size[0] - 24) / 2)
    pixels = pixels[top : top + 24, left : left + 24] / 255
    return ((pixels - SPEC["input"]["mean"]) / SPEC["input"]["std"]).transpose(2, 0, 1)


def test_what_is_fed_is_what_training_evaluates(seer):
    images = images_in(seer / "data")
    preprocessing = preprocessing_of(SPEC["input"], (3, 24, 24))
    feed = feed_of(Port("image", "float32", (2, 3, 24, 24)), preprocessing, None, "net")
    batches = list(feed.batches(images, 2))
    theirs = EvalPipeline(scan_folder(seer / "data", False), preprocessing, batch=2)
    assert [one.array.shape for one in batches] == [(2, 3, 24, 24)] * 4
    for one, (pixels, labels) in zip(batches, theirs, strict=True):
        count = len(labels)
        assert np.array_equal(one.array[:count], pixels)
        assert np.array_equal(one.labels, labels)
        assert not one.array[count:].any()
        assert one.seconds > 0
    together = np.concatenate([one.array for one in batches])
    for index, array in enumerate(together[:7]):
        assert np.abs(array - prepared_by_hand(seer / "data" / images.name(index))).max() < 1e-5


def test_half_precision_is_the_same_numbers_rounded(seer):
    images = images_in(seer / "data")
    preprocessing = preprocessing_of(SPEC["input"], (3, 24, 24))
    single, half = (
        next(feed_of(Port("x", dtype, (7, 3, 24, 24)), preprocessing, 7, "net").batches(images, 1))
        for dtype in ("float32", "float16")
    )
    assert half.array.dtype == np.float16
    assert np.array_equal(half.array, single.array.astype(np.float16))


@pytest.fixture
def acl(monkeypatch):
    """A stand-in for pyACL: the calls and the arithmetic, no device."""
    fake = FakeAcl()
    monkeypatch.setitem(sys.modules, "acl", fake)
    return fake


def test_an_om_is_fed_floats_or_pixels_as_it_asks(seer, told, tmp_path, acl, capsys):
    """With AIPP it takes whole resized images and cuts and normalises them itself."""
    settings, content = SPEC["input"], (seer / "seer.onnx").read_bytes()
    aipp = {"top": 4, "left": 4, "side": 24, "mean": [255 * mean for mean in settings["mean"]],
            "scale": [1 / (255 * std) for std in settings["std"]]}  # fmt: skip
    write_model(tmp_path / "float.om", content)
    write_model(tmp_path / "pixels.om", content, aipp=aipp, pixels=32)
    expected = find(told, seer / "seer.onnx", "--data", seer / "data")
    for name, takes in (("float", "float32 2x3x24x24"), ("pixels", "uint8 2x32x32x3")):
        path = tmp_path / f"{name}.om"
        said = find(told, path, "--data", seer / "data", "--spec", seer / "seer.json")
        assert (said["engine"], said["input"], said["simulated"]) == ("acl", takes, True)
        assert [said[k] for k in ("images", "top1", "top5")] == [
            expected[k] for k in ("images", "top1", "top5")
        ]
        assert said["loss"] == pytest.approx(expected["loss"], abs=1e-4)
        assert main(["infer", str(path), "--data", str(seer / "data"), "--spec",
                     str(seer / "seer.json")]) == OK  # fmt: skip
        assert "SIMULATED   by a stand-in: no figure here is an NPU's" in capsys.readouterr().out
    assert not acl.misuses


def test_an_input_that_is_not_the_spec_s(seer, told, there):
    assert told("infer", "net.onnx", "--data", seer / "data", "--spec", seer / "seer.json",
               code=WRONG).startswith("error: net.onnx was made of tiny_isynet (")  # fmt: skip
    preprocessing = preprocessing_of(SPEC["input"], (3, 24, 24))
    for port, shape in (
        (Port("x", "float32", (1, 3, 25, 24)), "3x24x24"),
        (Port("x", "uint8", (1, 24, 24, 3)), "32x32x3"),
        (Port("x", "int64", (1, 3, 24, 24)), "3x24x24"),
    ):
        with pytest.raises(SpecError, match=f"images of this spec are prepared as {shape}"):
            feed_of(port, preprocessing, None, "net.om")


# What a model says, and what is said for it.


def test_a_mindir_needs_its_spec_or_a_file_beside_it(there, told, tmp_path):
    target = copy(there, tmp_path, "net.mindir")
    assert told("infer", target, "--data", "digits", code=USAGE).endswith(
        f"error: {target} does not say how images are prepared for it; use --spec SPEC, the spec"
        " that it was made of\n"
    )
    write_sidecar(target, archspec.load("tiny/isynet"), {"classes": json.dumps(NAMES)})
    beside = find(told, target, "--data", "digits")
    assert beside["name"] == "tiny_isynet"
    assert beside["top5"] == find(told, "net.onnx", "--data", "digits")["top5"]
    Path(f"{target}.json").write_text("[]")
    assert "net.mindir.json is not what archspec export writes" in told(
        "infer", target, "--data", "digits", code=WRONG
    )


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"shape": [1]}', '{"shape": [1, 8, 8], "interpolation": "sinc"}',
             '{"shape": [1, 8, 8], "mean": "grey"}']
)  # fmt: skip
def test_metadata_that_nobody_wrote(text, there, told, tmp_path):
    model = said_of(copy(there, tmp_path), preprocessing=text)
    said = told("infer", model, "--data", "digits", code=WRONG)
    assert "its metadata 'preprocessing' is not what archspec writes" in said
    assert said.count("\n") == 1
    model = said_of(copy(there, tmp_path), classes="0, 1")
    assert "its metadata 'classes' is not a JSON list of names" in told(
        "infer", model, "--data", "digits", code=WRONG
    )


def test_outputs(told, there, tmp_path):
    proto = to_onnx(for_deployment(with_random_weights(archspec.load("tiny/isynet"))))
    last = proto.graph.output[0]
    proto.graph.output.add().CopyFrom(last)
    proto.graph.output[1].name = "again"
    proto.graph.node.append(helper.make_node("Identity", ["logits"], ["again"]))
    four = helper.make_tensor_value_info("map", TensorProto.FLOAT, (1, 128, 1, 1))
    proto.graph.output.append(four)
    (pool,) = [node for node in proto.graph.node if node.op_type == "GlobalAveragePool"]
    proto.graph.node.append(helper.make_node("Identity", [pool.output[0]], ["map"]))
    path = tmp_path / "several.onnx"
    path.write_bytes(serialize(proto))
    first, other = (
        find(told, path, "--data", "digits", *more) for more in ((), ("--output", "again"))
    )
    assert first["loss"] == other["loss"]
    assert told("infer", path, "--data", "digits", "--output", "lotigs", code=USAGE) == (
        f"error: {path} has no output 'lotigs'; use --output logits or --output again or --output"
        " map\n"
    )
    assert "its output 'map' is float32 1x128x1x1; what is scored here is a classifier" in told(
        "infer", path, "--data", "digits", "--output", "map", code=WRONG
    )


# Latency, and the file of results.


def test_spreads():
    milliseconds = list(range(1, 102))
    one = spread([number / 1e3 for number in milliseconds])
    assert (one.median, one.p90, one.p99) == pytest.approx((51, 91, 100))
    assert one.over(2).median == pytest.approx(25.5)


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=50))
def test_tails_are_no_shorter_than_medians(seconds):
    one = spread(seconds)
    assert min(seconds) * 0.999e3 <= one.median <= one.p90 <= one.p99 <= max(seconds) * 1.001e3
    latency = Latency(
        4, tuple(seconds), tuple(2 * s for s in seconds), tuple(3 * s for s in seconds)
    )
    assert list(latency.spreads) == ["device", "call", "end_to_end"]


def test_the_file_of_results(there, told, tmp_path):
    path = tmp_path / "r.json"
    printed = told("infer", "net.onnx", "--data", "digits", "--batch", "32", "-o", path)
    said = json.loads(path.read_text())
    assert (said["simulated"], said["engine"], said["batch"]) == (False, "onnxruntime", 32)
    graph = archspec.load("tiny/isynet")
    assert (said["name"], said["fingerprint"]) == (graph.name, graph.fingerprint)
    import hashlib
    from importlib.metadata import version

    assert said["sha256"] == hashlib.sha256((there / "net.onnx").read_bytes()).hexdigest()
    assert said["versions"]["onnxruntime"] == version("onnxruntime")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", said["date"])
    assert said["machine"]["cpus"] >= 1
    assert (said["timed_runs"], said["warm_up_runs"]) == (360 // 32, 3)
    batch, image = said["milliseconds_of_a_batch"], said["milliseconds_of_an_image"]
    for what in ("device", "call", "end_to_end"):
        for figure in ("median", "p90", "p99"):
            assert image[what][figure] == pytest.approx(batch[what][figure] / 32)
    for figure in ("median", "p90", "p99"):
        assert 0 < batch["device"][figure] <= batch["call"][figure] < batch["end_to_end"][figure]
    assert said["images_per_second"] > 0
    assert max(map(len, printed.splitlines())) <= 100
    assert "this machine's CPU, which read and prepared images meanwhile" in printed


def test_a_stand_in_is_called_so_everywhere(there, told, tmp_path, capsys):
    import hashlib

    model = there / "four.onnx"
    said = {"onnx": str(model), "sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    path = tmp_path / "net.om"
    path.write_bytes(STAND_IN + json.dumps(said).encode())
    arguments = ["infer", str(path), "--data", "digits", "--engine", "onnxruntime"]
    assert main([*arguments, "-o", str(tmp_path / "r.json")]) == OK
    captured = capsys.readouterr()
    assert "SIMULATED   by a stand-in: no figure here is an NPU's" in captured.out
    assert captured.err.startswith("SIMULATED: ")
    assert json.loads((tmp_path / "r.json").read_text())["simulated"] is True


def test_warm_up_runs_come_first_and_are_not_images(there, monkeypatch):
    from archspec.deploy.engines.onnxruntime import OnnxRuntimeEngine

    fed = []
    run_it = OnnxRuntimeEngine.run

    def spied(self, arrays):
        fed.append(bool(arrays["image"].any()))
        return run_it(self, arrays)

    monkeypatch.setattr(OnnxRuntimeEngine, "run", spied)
    results = infer_folder("four.onnx", "digits", warm_up=5)
    assert fed == [False] * 5 + [True] * 90
    assert len(results.trial.latency.call) == 90


def test_from_python(there):
    results = infer_folder("net.onnx", "digits", batch=100, warm_up=0)
    assert results.scores.images == 360
    assert results.trial.warm_up == 0
    assert len(results.trial.latency.device) == 3


@pytest.mark.parametrize("is_terminal", [True, False])
def test_long_work_shows_how_far_it_is_and_short_work_nothing(is_terminal, monkeypatch, capsys):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    with Progress("running [net]") as progress:
        for done in range(1, 20):
            clock[0] += 0.1
            progress(done, 1000)
    assert capsys.readouterr() == ("", "")
    with Progress("running [net]") as progress:
        for done in (100, 500):
            clock[0] += 20.0
            progress(done, 1000)
    out, error = capsys.readouterr()
    assert out == ""
    if is_terminal:
        assert "running [net]" in error and "500/1000" in error
    else:
        assert error == "running [net]: 500 of 1,000, 12 a second\n"


# Images that cannot be read, folders that are none.


def test_damaged_images_are_left_out_and_named(there, told, tmp_path, capsys):
    data = photographs(tmp_path / "data", dict.fromkeys(NAMES, 30))
    broken = data / "4" / "4-7.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    (data / "5" / "notes.txt").write_text("hello")
    assert main(["infer", "net.onnx", "--data", str(data), "--format", "json"]) == OK
    captured = capsys.readouterr()
    said = json.loads(captured.out)
    assert said["images"] == 299
    assert [*said["damaged"]] == ["4/4-7.jpg"]
    assert "left out 1 image that cannot be read: '4/4-7.jpg'" in captured.err
    assert "left out 1 file that is not an image: '5/notes.txt'" in captured.err
    for number in range(5):
        (data / "6" / f"6-{number}.jpg").write_bytes(b"")
    said = told("infer", "net.onnx", "--data", data, code=USAGE)
    assert "6 of 300 images cannot be read, more than 1% of them" in said


def test_folders(there, told, tmp_path):
    photographs(tmp_path / "both" / "train", {"a": 2})
    val = photographs(tmp_path / "both" / "val", {"a": 1, "b": 1})
    assert images_in(tmp_path / "both").where == str(val)
    assert images_in(val).classes == ("a", "b")
    # a class may be called val
    photographs(tmp_path / "named", {"val": 2, "other": 1})
    assert images_in(tmp_path / "named").classes == ("other", "val")
    photographs(tmp_path / "learned" / "train", {"a": 2})
    for path, message in (
        (tmp_path / "learned", "has train/ and no val/; use images that were not learned from, or"),
        (tmp_path / "bot", "does not exist; use a folder with DIR/val/CLASS/IMAGE or DIR/CLASS/IMA"
                           "GE; did you mean 'both'?"),
        (there / "net.onnx", "is a file; use a folder with DIR/val/CLASS/IMAGE"),
        (val / "a", "has no class folders; use DIR/val/CLASS/IMAGE or DIR/CLASS/IMAGE, or archspec"
                    " predict for images without classes"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=re.escape(message)):
            images_in(path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["four.onnx", "--batch", "5"],
         "--batch 5: four.onnx takes 4 images at a time; use --batch 4, or none"),
        (["net.onnx", "--batch", "0"], "--batch 0: must be 1 to 65,536"),
        (["net.onnx", "--threads", "0"], "--threads 0: must be 1 to 1,024"),
        (["net.onnx", "--workers", "0"], "--workers 0: must be 1 to 1,024"),
        (["net.onnx", "--warm-up", "-1"], "--warm-up -1: must be 0 to 1,000"),
        (["net.onnx", "-o", "."], ". is not a regular file; use the name of a file, old or new"),
        (["net.onnx", "-o", "w.safetensors/r.json"], "w.safetensors/r.json cannot be written (not a"
                                                     " directory); use a path in a folder"),
        (["net.onnx", "--set", "classes=3"], "--set changes a spec, and none is given; use --spec"),
        (["net.pt"], "net.pt does not show by its ending which engine runs it"),
        (["nte.onnx"], "nte.onnx cannot be read (no such file or directory); did you mean"
                       " 'net.onnx'?"),
    ],
)  # fmt: skip
def test_usage(arguments, message, there, told):
    said = told("infer", *arguments, "--data", "digits", code=USAGE)
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1


def test_help_and_errors_need_nothing_installed(tmp_path):
    nothing = ("numpy", "onnx", "onnxruntime", "mindspore")
    for command, arguments in (
        ("infer", ["net.onnx", "--data", "d"]),
        ("preprocess", ["d", "out", "--spec", "resnet18"]),
        ("accuracy", ["results", "--labels", "l"]),
        ("profile", ["resnet18"]),
    ):
        assert archspec_without(nothing, command, "--help", folder=tmp_path).returncode == OK
        result = archspec_without(nothing, command, *arguments, folder=tmp_path)
        assert result.returncode == WRONG
        assert result.stderr == (f"error: {lacking(f'archspec {command}', 'numpy')}\n")


@pytest.mark.parametrize("engine", ["onnxruntime", "mindspore"])
def test_ctrl_c_ends_it_cleanly(engine, there, tmp_path):
    """While a hundred large pictures told, which takes seconds."""
    data = tmp_path / "data"
    for label in NAMES:
        (data / label).mkdir(parents=True)
    picture = data / "0" / "0.jpg"
    Image.effect_noise((3000, 2000), 20).save(picture)
    for number in range(1, 100):
        os.link(picture, data / str(number % 10) / f"{number}.jpg")
    model = {"onnxruntime": "four.onnx", "mindspore": "net.mindir"}[engine]
    # who runs in the background of a shell may ignore it
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from archspec.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "infer", model, "--data", str(data),
         "--spec", "tiny/isynet", "-o", str(tmp_path / "r.json")],
        cwd=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOG_v": "3"},
    )  # fmt: skip
    # what could be read is remembered when all has been looked at: from then on the model runs
    while not list((tmp_path / "cache" / "archspec" / "images").glob("*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (INTERRUPTED, ""), error
    assert error.splitlines()[-1] == "error: interrupted"
    assert not (tmp_path / "r.json").exists()


# The older tools' files.


def old_tool(home, bins, results, dtype, flat=False):
    """What the original tools do: each sample's file through the model, its raw output written."""
    running = open_engine("onnxruntime", home / "net.onnx")
    results.mkdir()
    for folder in sorted((bins / "img_data").iterdir()):
        pixels = np.fromfile(folder / "input_0.bin", "<f4").reshape(-1, 1, 8, 8)
        logits = running.run({"image": pixels})["logits"].astype(dtype)
        if flat:
            logits.tofile(results / f"{folder.name}_0.bin")
        else:
            (results / folder.name).mkdir()
            logits.tofile(results / folder.name / "output_0.bin")
    return results


def test_the_original_layout(seer, told, tmp_path):
    out = tmp_path / "out"
    said = told("preprocess", seer / "data", out, "--spec", seer / "seer.json")
    assert said == f"wrote {out}: 7 images in 7 files of 6.8 KiB, 3 classes\n"
    images = sorted((seer / "data").glob("*/*.jpg"))
    assert len(list((out / "img_data").iterdir())) == 7
    for index, path in enumerate(images):
        raw = np.fromfile(out / "img_data" / f"imagenet_{index}" / "input_0.bin", "<f4")
        assert np.abs(raw.reshape(3, 24, 24) - prepared_by_hand(path)).max() < 1e-5
        label = np.fromfile(out / "label" / f"imagenet_{index}_label.bin", "<i4")
        assert label.tolist() == ["abc".index(path.parent.name)]
    names = json.loads((out / "imagenet_label.json").read_text())
    assert names == {path.name: "abc".index(path.parent.name) for path in images}
    assert "exists already" in told(
        "preprocess", seer / "data", out, "--spec", seer / "seer.json", code=USAGE
    )


def test_batches_in_the_original_layout(seer, told, tmp_path):
    out = tmp_path / "out"
    told("preprocess", seer / "data", out, "--spec", seer / "seer.json", "--batch", "3")
    sizes = [path.stat().st_size for path in sorted(out.rglob("input_0.bin"))]
    assert sizes == [3 * 3 * 24 * 24 * 4] * 3
    last = np.fromfile(out / "img_data" / "imagenet_2" / "input_0.bin", "<f4").reshape(3, -1)
    assert last[0].any() and not last[1:].any()
    assert [len(label) for label in read_labels(out).values()] == [3, 3, 1]


def test_images_of_one_name_have_no_label_by_name(seer, told, tmp_path, capsys):
    for name in ("a", "b"):
        photographs(tmp_path / "one", {name: 1})
        (tmp_path / "one" / name / f"{name}-0.jpg").rename(tmp_path / "one" / name / "0.jpg")
    out = tmp_path / "out"
    arguments = ["preprocess", str(tmp_path / "one"), str(out), "--spec", str(seer / "seer.json")]
    assert main(arguments) == OK
    assert "note: no imagenet_label.json, since some images have" in capsys.readouterr().err
    assert not (out / "imagenet_label.json").exists()


def test_nothing_is_left_of_a_half_written_folder(seer, told, tmp_path, monkeypatch):
    from archspec import deploy

    monkeypatch.setattr(deploy.preprocess, "class_of_each", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deploy.preprocess.write_bins(
            images_in(seer / "data"), preprocessing_of(SPEC["input"], (3, 24, 24)), tmp_path / "out"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room(seer, tmp_path, monkeypatch):
    import shutil
    from collections import namedtuple

    from archspec import deploy

    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000))
    with pytest.raises(UsageError, match=r"would take 47\.2 KiB and .* has 1000 B left"):
        deploy.preprocess.write_bins(
            images_in(seer / "data"), preprocessing_of(SPEC["input"], (3, 24, 24)), tmp_path / "out"
        )


@pytest.mark.parametrize("batch", [1, 7])
def test_the_older_tools_results_score_the_same(there, told, tmp_path, batch):
    told("preprocess", "digits", tmp_path / "out", "--spec", "tiny/isynet", "--batch", batch)
    direct = told("infer", "net.onnx", "--data", "digits").splitlines()[0]
    for dtype in ("float32", "float16"):
        results = old_tool(there, tmp_path / "out", tmp_path / dtype, dtype)
        for labels in (tmp_path / "out", tmp_path / "out" / "label"):
            assert told("accuracy", results, "--labels", labels).strip() == direct
        said = json.loads(
            told("accuracy", results, "--labels", tmp_path / "out", "--format", "json")
        )
        assert (said["dtype"], said["classes"], said["not_finite"]) == (dtype, 10, 0)


def test_what_filled_the_last_result_up_is_not_scored(tmp_path, told):
    """Two files of three images, the last of which has one."""
    rows = np.eye(4, dtype=np.float32)
    (tmp_path / "label").mkdir()
    for number, (labels, found) in enumerate([((0, 1, 2), (0, 1, 3)), ((3,), (3, 0, 0))]):
        (tmp_path / "results" / f"imagenet_{number}").mkdir(parents=True)
        rows[list(found)].tofile(tmp_path / "results" / f"imagenet_{number}" / "output_0.bin")
        np.array(labels, "<i4").tofile(tmp_path / "label" / f"imagenet_{number}_label.bin")
    assert told("accuracy", tmp_path / "results", "--labels", tmp_path / "label") == (
        "Total data: 4, top1 accuracy: 0.75, top5 accuracy: 1.0.\n"
    )


def test_results_by_the_names_of_images(there, told, tmp_path):
    """As the scripts of the other networks leave them, with one label file for all."""
    told("preprocess", "digits", tmp_path / "out", "--spec", "tiny/isynet")
    results = old_tool(there, tmp_path / "out", tmp_path / "flat", "float16", flat=True)
    names = json.loads((tmp_path / "out" / "imagenet_label.json").read_text())
    for index, name in enumerate(names):
        stem = name.removesuffix(".png")
        (results / f"imagenet_{index}_0.bin").rename(results / f"{stem}_0.bin")
    (results / f"{stem}_1.bin").write_bytes(b"another output")
    direct = told("infer", "net.onnx", "--data", "digits").splitlines()[0]
    labels = tmp_path / "out" / "imagenet_label.json"
    assert told("accuracy", results, "--labels", labels).strip() == direct


@pytest.fixture
def results(tmp_path):
    """Results of five images, each right, as 4 float32, and their labels."""
    (tmp_path / "results").mkdir()
    labels = {f"img{number}.JPEG": number % 4 for number in range(5)}
    for name, label in labels.items():
        logits = np.eye(4, dtype=np.float32)[label]
        logits.tofile(tmp_path / "results" / name.replace(".JPEG", "_0.bin"))
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    return tmp_path / "results"


def test_results_that_are_missing_or_of_nobody(results, told):
    labels = results.parent / "labels.json"
    assert told("accuracy", results, "--labels", labels) == (
        "Total data: 5, top1 accuracy: 1.0, top5 accuracy: 1.0.\n"
    )
    (results / "img3_0.bin").rename(results / "img9_0.bin")
    assert told("accuracy", results, "--labels", labels, code=WRONG) == (
        f"error: {results}: 1 of 5 samples have no result: 'img3'\n"
        f"{results}: 1 results are of no label: 'img9'\n"
    )


def test_results_that_are_short_or_long(results, told):
    labels = results.parent / "labels.json"
    (results / "img1_0.bin").write_bytes(bytes(12))
    (results / "img4_0.bin").write_bytes(bytes(20))
    assert told("accuracy", results, "--labels", labels, code=WRONG) == (
        f"error: {results}/img1_0.bin: it is short: 12 bytes, and most results have 16\n"
        f"{results}/img4_0.bin: it is long: 20 bytes, and most results have 16\n"
    )
    for path in results.iterdir():
        path.write_bytes(b"")
    assert told("accuracy", results, "--labels", labels, code=WRONG) == (
        f"error: {results}: the results are empty\n"
    )


def test_logits_that_are_no_numbers_are_wrong_and_counted(results, told, capsys):
    np.array([0, np.inf, 0, 0], np.float32).tofile(results / "img1_0.bin")
    np.array([np.nan] * 4, np.float32).tofile(results / "img2_0.bin")
    assert main(["accuracy", str(results), "--labels", str(results.parent / "labels.json")]) == OK
    captured = capsys.readouterr()
    assert captured.out == "Total data: 5, top1 accuracy: 0.6, top5 accuracy: 0.6.\n"
    assert "the logits of 2 images are not all finite numbers" in captured.err


@pytest.mark.parametrize(
    "size, highest, given, expected",
    [
        (4000, 999, {}, ("float32", 1000)),
        (2000, 999, {}, ("float16", 1000)),
        (4004, 999, {}, ("float32", 1001)),
        (2002, 999, {}, ("float16", 1001)),
        (4000, 3, {"classes": 1000}, ("float32", 1000)),
        (4000, 3, {"classes": 2000}, ("float16", 2000)),
        (4000, 3, {"dtype": "float16"}, ("float16", 2000)),
        (6, 2, {}, ("float16", 3)),
    ],
)
def test_the_size_of_a_result_tells_its_type(size, highest, given, expected):
    layout = layout_of(size, [np.array([0]), np.array([highest])], **given)
    assert (layout.dtype, layout.classes, layout.rows) == (*expected, 1)


@pytest.mark.parametrize(
    "size, given, message",
    [
        (4000, {}, "results have 4,000 bytes and labels go up to 3: they may be 1,000 float32 or"
                   " 2,000 float16; use --classes N or --dtype"),
        (4000, {"classes": 10}, "which is not a float32 or float16 of 10 classes"),
        (4001, {}, "which is not a float32 or float16; use labels of the same images"),
        (4, {}, "which is not a float32 or float16; use labels of the same images"),
        (4002, {"dtype": "float32"}, "which is not a float32; use labels of the same images"),
    ],
)  # fmt: skip
def test_sizes_that_tell_nothing(size, given, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        layout_of(size, [np.array([3])], **given)


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "labels.json is not JSON ("),
        ("[]", 'labels.json is not a JSON object {"IMAGE": CLASS} of one image or more'),
        ('{"a.jpg": "cat"}', "the class of 'a.jpg' is 'cat'; use 0 or more"),
        ('{"a.jpg": -1}', "the class of 'a.jpg' is -1; use 0 or more"),
        ('{"a.jpg": true}', "the class of 'a.jpg' is True; use 0 or more"),
        ('{"a.jpg": 1, "a.png": 1}', "two images are called 'a', and results go by that name"),
    ],
)
def test_labels_that_are_none(content, message, tmp_path):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(SpecError, match=re.escape(message)):
        read_labels(tmp_path / "labels.json")


def test_folders_of_labels_and_results_that_are_none(results, told, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "a_label.bin").write_bytes(b"12")
    labels = results.parent / "labels.json"
    for arguments, code, message in (
        ([results, "--labels", tmp_path / "nowhere"], USAGE, "cannot be read (no such file"),
        ([results, "--labels", tmp_path / "empty"], USAGE, "_label.bin; use the label folder"),
        ([results, "--labels", tmp_path / "short"], WRONG, "is not int32 labels of 0 or more"),
        ([tmp_path / "nowhere", "--labels", labels], USAGE, "cannot be read (no such file"),
        ([tmp_path / "empty", "--labels", labels], USAGE, "has no results; use NAME/output_0.bin"),
        ([results, "--labels", labels, "--classes", "0"], USAGE, "--classes 0: must be 1 or more"),
    ):
        assert message in told("accuracy", *arguments, code=code)


def test_inputs_are_no_results(seer, told, tmp_path):
    told("preprocess", seer / "data", tmp_path / "out", "--spec", seer / "seer.json")
    said = told("accuracy", tmp_path / "out" / "img_data", "--labels", tmp_path / "out", code=WRONG)
    assert said == (
        f"error: {tmp_path}/out/img_data: it holds inputs; use the folder that the tool wrote its"
        " results into\n"
    )
