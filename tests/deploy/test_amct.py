"""`archspec quantize`: what it writes is run by onnxruntime, and by stand-ins for AMCT and atc."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.cli import OK, USAGE, WRONG
from archspec.compiler.latency.device import devices
from archspec.compiler.quantize.pipeline import Scheme, quantize
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import load_weights, save_weights
from archspec.deploy.amct import record_of
from archspec.loading import load

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

STAND_INS = Path(__file__).parents[1] / "stand_ins"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A spec with batch norms and a sum, its weights, and images of three classes."""
    monkeypatch.chdir(tmp_path)
    spec = {
        "archspec": 1, "name": "net",
        "input": {"shape": [3, 9, 9], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
        "body": [
            {"op": "ConvNormAct", "name": "stem", "channels": 8, "kernel": 3},
            {"op": "ConvNormAct", "name": "deep", "channels": 8, "kernel": 3, "groups": 8},
            {"op": "add", "name": "sum", "from": ["deep", "stem"]},
            "global_avg_pool", "flatten", {"op": "dense", "name": "head", "channels": 3},
        ],
    }  # fmt: skip
    Path("net.json").write_text(json.dumps(spec))
    graph = load("net.json")
    save_weights("w.safetensors", graph, initialize(graph, "he", 3))
    rng = np.random.default_rng(0)
    for name in ("apple", "pear", "plum"):
        folder = Path("images", name)
        folder.mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (12, 10, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


WORDS = ("quantize", "net.json", "--weights", "w.safetensors", "--data", "images")


def test_a_quantised_model_is_run_like_any_other(place, run):
    code, out, err = run(
        *WORDS, "-o", "q.onnx", "--report", "q.json", "--picture", "q.png", "--float", "stem.*"
    )
    assert code == OK, err
    assert err == "note: images has 12 images that can be read\n"
    assert "wrote q.onnx: 2 layers in int8" in out and "checked: onnxruntime's layers" in out
    assert max(map(len, out.splitlines())) <= 100
    report = json.loads(Path("q.json").read_text())
    assert [layer["is_int8"] for layer in report["layers"]] == [False, True, True, True]
    assert Path("q.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = run("predict", "q.onnx", "images/pear", "--top", "1", "--format", "json")
    assert code == OK and len(json.loads(out)) == 4, err
    code, out, err = run("infer", "q.onnx", "--data", "images", "--format", "json")
    assert code == OK, err
    code, scores, err = run("eval", "q.onnx", "--data", "images")
    assert code == OK and "Total data: 12, top1 accuracy" in scores, err


def test_the_same_images_give_the_same_file(place, told):
    for name in ("a.onnx", "b.onnx"):
        told(*WORDS, "--calibrate", "5", "-o", name)
    assert Path("a.onnx").read_bytes() == Path("b.onnx").read_bytes()
    told(*WORDS, "--calibrate", "5", "--seed", "1", "-o", "c.onnx")
    assert Path("a.onnx").read_bytes() != Path("c.onnx").read_bytes()


def test_images_are_as_many_of_each_class(place):
    from archspec.compiler.images.steps import preprocessing_of
    from archspec.deploy.calibration import read_calibration_images

    for number, name in enumerate(("apple", "pear", "plum")):
        for path in Path("images", name).iterdir():
            pixels = np.full((9, 9, 3), 80 * number, np.uint8)
            pixels[0, 0] = 255  # else they are of one colour
            Image.fromarray(pixels).save(path)
    Path("images/plum/0.png").write_bytes(b"damaged")
    graph = load("net.json")
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    images = read_calibration_images("images", preprocessing, 7, 0)
    classes = np.rint((images[:, 0, 5, 5] * 0.25 + 0.5) * 255 / 80)
    assert sorted(np.bincount(classes.astype(int))) == [2, 2, 3]


def test_the_kit_calls_amct_and_then_atc(place, run, monkeypatch):
    """Each stand-in refuses what the manual of its original does; atc gets what AMCT left."""
    code, out, err = run(*WORDS, "-o", "my net.om", "--soc", "Ascend310B4", "--no-aipp")
    assert code == OK, err
    assert "in int8 for Ascend310B4\nwhere CANN and its amct_onnx are installed: bash" in out
    assert "estimated for ascend310b1, one image" in out + err  # the chip's own
    kit = Path("my net_om")
    assert sorted(path.name for path in kit.iterdir()) == [
        "convert.sh", "my_net.om.json", "my_net.onnx", "record.txt"
    ]  # fmt: skip
    header = bytearray(264)
    header[:4], header[84:93] = b"IMOD", b"NOT-AN-OM"
    Path("given").write_bytes(header)
    monkeypatch.setenv("STANDIN_ATC_COPY", str(place / "given"))
    monkeypatch.setenv("STANDIN_ATC_JOURNAL", str(place / "atc"))
    monkeypatch.setenv("STANDIN_AMCT_JOURNAL", str(place / "amct"))
    monkeypatch.setenv("ATC", str(STAND_INS / "atc"))
    script = ["bash", str(kit / "convert.sh")]
    monkeypatch.setenv("PYTHON", sys.executable)
    result = subprocess.run(script, capture_output=True, text=True)
    assert result.returncode == 1 and "amct_onnx is not installed" in result.stderr
    monkeypatch.setenv("PYTHONPATH", str(STAND_INS))
    result = subprocess.run(script, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    amct, atc = (json.loads((place / name).read_text()) for name in ("amct", "atc"))
    assert amct["model_file"] == "my_net.onnx" and amct["save_path"] == "amct/my_net"
    assert amct["layers"] == ["stem.conv", "deep.conv", "head"]
    assert "--model=amct/my_net_deploy_model.onnx" in atc["argv"]
    assert (kit / "my_net.om").read_bytes() == bytes(header)
    monkeypatch.setenv("STANDIN_AMCT_FAULT", "no_file")
    result = subprocess.run(script, capture_output=True, text=True)
    assert result.returncode == 1 and "amct_onnx left no amct/my_net_deploy" in result.stderr


RECORD = """
syntax = "proto2";
message SingleLayerRecord {
  optional float scale_d = 1; optional int32 offset_d = 2; repeated float scale_w = 3;
  repeated int32 offset_w = 4; repeated uint32 shift_bit = 5; optional bool skip_fusion = 6;
}
message MapFiledEntry { optional string key = 1; optional SingleLayerRecord value = 2; }
message ScaleOffsetRecord { repeated MapFiledEntry record = 1; }
"""


def record_class():
    """The message of AMCT's manual (CANN 8.0, Record Files), its fields by type and number."""
    import re

    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="record.proto", syntax="proto2")
    kinds = {"float": 2, "int32": 5, "uint32": 13, "bool": 8, "string": 9}
    for name, body in re.findall(r"message (\w+) \{(.*?)\}", RECORD, re.S):
        message = file.message_type.add(name=name)
        for label, kind, field, number in re.findall(r"(\w+) (\w+) (\w+) = (\d+);", body):
            made = message.field.add(
                name=field, number=int(number), label=3 if label == "repeated" else 1
            )
            if kind in kinds:
                made.type = kinds[kind]
            else:
                made.type, made.type_name = 11, f".{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ScaleOffsetRecord"))


def test_the_record_is_amcts(place):
    from google.protobuf import text_format

    from archspec.compiler.model import Model
    from archspec.compiler.pipeline import for_deployment

    graph = load("net.json")
    model = for_deployment(Model(graph, load_weights("w.safetensors", graph)))
    images = np.random.default_rng(1).standard_normal((3, 3, 9, 9)).astype(np.float32)
    quantization, _ = quantize(model, images, Scheme())
    read = text_format.Parse(record_of(quantization), record_class()())
    assert [entry.key for entry in read.record] == ["stem.conv", "deep.conv", "head"]
    for entry in read.record:
        factors = quantization.weights[entry.key]
        assert np.allclose(entry.value.scale_w, np.atleast_1d(factors.scale), rtol=1e-6)
        assert list(entry.value.offset_w) == [0] * len(entry.value.scale_w)
        assert entry.value.scale_d > 0 and -128 <= entry.value.offset_d <= 127


# What is refused: one sentence, and nothing is written.


def refused(run, *words, code=WRONG):
    ended, _, err = run(*words)
    assert ended == code, err
    (line,) = [line for line in err.splitlines() if not line.startswith(("note:", "warning:"))]
    assert not list(Path().glob("q*")) and not list(Path().glob(".q*"))
    return line


def test_bad_images_are_refused(place, run):
    words = (*WORDS[:-1], "bad", "-o", "q.onnx")
    for name in ("one", "two"):
        Path("bad", name).mkdir(parents=True)
    assert "there are no calibration images" in refused(run, *words)
    for name in ("one", "two"):
        Image.new("RGB", (9, 9)).save(Path("bad", name, "0.png"))
    assert "is of one colour" in refused(run, *words)
    Path("bad/two/0.png").unlink()
    Path("bad/two").rmdir()
    assert "has one class, 'one'" in refused(run, *words)
    Path("bad/two").mkdir()
    for name in ("one", "two"):
        Path("bad", name, "0.png").write_bytes(b"damaged")
    assert "none of its 2 images can be read" in refused(run, *words)


def test_bad_networks_are_refused(place, run):
    graph = load("net.json")
    weights = initialize(graph, "he", 3)
    dead = {**weights, "stem.norm.beta": weights["stem.norm.beta"] - 1e4}
    save_weights("dead.safetensors", graph, dead)
    words = ("quantize", "net.json", "--data", "images", "-o", "q.onnx", "--weights")
    assert "'deep.conv' reads nothing but zeros" in refused(run, *words, "dead.safetensors")
    huge = {**weights, "stem.norm.gamma": weights["stem.norm.gamma"] + np.float32(3e38)}
    huge["deep.norm.gamma"] = huge["stem.norm.gamma"]
    save_weights("huge.safetensors", graph, huge)
    assert "not finite (NaN or infinite)" in refused(run, *words, "huge.safetensors")
    assert run(*WORDS, "-o", "done.onnx")[0] == OK
    for name in ("done.onnx", "f.onnx"):
        if name == "f.onnx":
            assert run("export", "net.json", "--weights", "w.safetensors", "-o", name)[0] == OK
        line = refused(run, "quantize", name, *WORDS[2:], "-o", "q.onnx")
        assert ("is quantised already" in line) == (name == "done.onnx")
    assert "fits no node" in refused(run, *WORDS, "-o", "q.onnx", "--float", "nowhere.*")


def test_chips_without_int8_are_refused(place, run, monkeypatch):
    from archspec.deploy import socs

    monkeypatch.setattr(socs, "SOCS", (*socs.SOCS, "Ascend610"))
    line = refused(run, *WORDS, "-o", "q.om", "--soc", "Ascend610")
    assert "Ascend610 has no int8 path that is known" in line
    device = {**devices()["ascend310"].as_json(), "int8_tops": None}
    Path("d.json").write_text(json.dumps(device))
    assert "no int8 path" in refused(run, *WORDS, "-o", "q.onnx", "--device", "d.json")
    code, _, err = run(*WORDS, "-o", "q.om", "--soc", "Ascend310", "--no-aipp")
    assert code == OK and "nothing is certain; use such an AMCT" in err


@pytest.mark.parametrize(
    "words, said",
    [
        (("-o", "q.bin"), "use a name that ends in .onnx or .om"),
        (("-o", "q.om"), "--soc is missing"),
        (("-o", "q.onnx", "--soc", "Ascend310B4"), "--soc is for an OM"),
        (("-o", "q.onnx", "--max-drop", "101"), "must be 0 to 100"),
        (("-o", "q.onnx", "--calibrate", "0"), "must be 1 to 4,096"),
    ],
)
def test_wrong_words(place, run, words, said):
    assert said in refused(run, *WORDS, *words, code=USAGE)
