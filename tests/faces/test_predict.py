"""`archspec predict`: a spec or an exported model, one image or folders, with or without names.

The judge of numbers is onnxruntime, called here by hand on pixels that are prepared here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("mindspore")

import onnx
import onnxruntime
from onnx import helper
from test_doctor import archspec_without

import archspec
from archspec.cli import OK, USAGE, WRONG, main
from archspec.compiler.images.classes import read_class_file
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import save_weights

NAMES = ("nil", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")
WITH_NAMES = {"classes": json.dumps(NAMES)}
SPEC = ("tiny/isynet", "--weights", "w.npz")
TWO = ("digits/val/3/0003.png", "digits/val/9/1698.png")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """digits/, and a network for them with random weights, with names of its classes (w.npz,
    net.onnx, four.onnx for 4 at a time, net.mindir with a file beside it) and without."""
    folder = tmp_path_factory.mktemp("predict")
    assert main(["data", "digits", str(folder / "digits")]) == OK
    graph = archspec.load("tiny/isynet")
    weights = initialize(graph, "he", 3)
    save_weights(folder / "w.npz", graph, weights, WITH_NAMES)
    save_weights(folder / "bare.npz", graph, weights)
    save_weights(folder / "few.npz", graph, weights, {"classes": '["a", "b"]'})
    for weights, output, batch in (
        ("w.npz", "net.onnx", 1), ("w.npz", "four.onnx", 4), ("w.npz", "net.mindir", 1),
        ("bare.npz", "bare.onnx", 1),
    ):  # fmt: skip
        arguments = ["--weights", folder / weights, "-o", folder / output, "--batch", batch]
        assert main(["export", "tiny/isynet", *map(str, arguments)]) == OK
    few = onnx.load(folder / "bare.onnx")
    said = {entry.key: entry.value for entry in few.metadata_props}
    said = {key: said[key] for key in ("name", "fingerprint", "preprocessing")}
    del few.metadata_props[:]
    helper.set_model_props(few, {**said, "classes": '["a", "b"]'})
    onnx.save(few, folder / "few.onnx")
    return folder


@pytest.fixture(autouse=True)
def there(home, monkeypatch):
    monkeypatch.chdir(home)
    return home


def by_hand(path):
    """Probabilities of one of the digits' images."""
    settings = archspec.load("tiny/isynet").preprocessing
    pixels = np.asarray(Image.open(path).convert("L"), np.float64)[None, None] / 255
    pixels = (pixels - settings["mean"][0]) / settings["std"][0]
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {session.get_inputs()[0].name: pixels.astype(np.float32)})
    likely = np.exp(logits[0].astype(np.float64))
    return likely / likely.sum()


@pytest.mark.parametrize(
    "network", [SPEC, ("net.onnx",), ("four.onnx",), ("net.mindir",)], ids=lambda n: n[0]
)
def test_every_way_gives_the_same_classes(network, told):
    rows = json.loads(told("predict", *network, *TWO, "--top", "10", "--format", "json"))
    check_rows(rows)


def test_plain_numpy_where_no_framework_is_installed(home):
    arguments = ["predict", *SPEC, *TWO, "--top", "10", "--format", "json"]
    result = archspec_without(["mindspore", "torch"], *arguments, folder=home)
    assert result.returncode == OK, result.stderr
    assert result.stderr == (
        "note: neither MindSpore nor PyTorch is installed; plain numpy runs the network\n"
    )
    check_rows(json.loads(result.stdout))


def check_rows(rows):
    for image in TWO:
        right = by_hand(image)
        found = [row for row in rows if row["image"] == image]
        assert [row["number"] for row in found] == np.argsort(-right).tolist()
        assert [row["name"] for row in found] == [NAMES[row["number"]] for row in found]
        np.testing.assert_allclose(
            [row["probability"] for row in found], np.sort(right)[::-1], rtol=1e-5
        )
    assert len(rows) == 20


@pytest.mark.parametrize("network", [SPEC, ("four.onnx",)], ids=lambda n: n[0])
def test_folders_of_images_and_of_class_folders(network, told):
    for folder in ("digits/val/3", "digits/val"):
        rows = json.loads(told("predict", *network, folder, "--top", "1", "--format", "json"))
        below = [str(path) for path in Path(folder).rglob("*.png")]
        assert [row["image"] for row in rows] == sorted(below)
    # the last of 360 as on its own, though 16 or 4 were run at a time
    (alone,) = json.loads(
        told("predict", *network, rows[-1]["image"], "--top", "1", "--format", "json")
    )
    assert alone["number"] == rows[-1]["number"]
    assert alone["probability"] == pytest.approx(rows[-1]["probability"], rel=1e-5)


def test_unknown_names_are_said_once_and_can_be_given(run, told, tmp_path):
    (tmp_path / "lines.txt").write_text("\n".join(NAMES) + "\n")
    (tmp_path / "list.json").write_text(json.dumps(NAMES))
    for name in NAMES:
        (tmp_path / "folder" / name).mkdir(parents=True)
    for network in (("tiny/isynet", "--weights", "bare.npz"), ("bare.onnx",)):
        code, out, err = run("predict", *network, *TWO, "--top", "1")
        assert code == OK
        notes = [
            line for line in err.splitlines() if "names its classes" in line or "--classes" in line
        ]
        assert notes == [
            f"note: {network[-1]} does not name its classes, so their numbers are shown; use"
            " --classes FILE, a text of one name a line, JSON names in a list or by"
            " number, or a folder of class folders"
        ]
        assert out.splitlines()[0].split() == ["image", "number", "probability"]
        for classes, names in (
            ("lines.txt", NAMES), ("list.json", NAMES), ("folder", sorted(NAMES)),
        ):  # fmt: skip
            rows = json.loads(
                told(
                    "predict", *network, TWO[0], "--classes", tmp_path / classes, "--format", "json"
                )
            )
            assert [row["name"] for row in rows] == [names[row["number"]] for row in rows]


def test_names_by_number(tmp_path):
    """As torchvision's users, Hugging Face's configurations and Keras write them."""
    by_number = {str(number): name for number, name in reversed([*enumerate(NAMES)])}
    of_keras = {number: ["n01440764", name] for number, name in by_number.items()}
    for content in (by_number, {"id2label": by_number}, of_keras):
        (tmp_path / "names.json").write_text(json.dumps(content))
        assert read_class_file(tmp_path / "names.json") == tuple(NAMES)


def test_a_damaged_image_is_named_and_the_others_are_told(run, tmp_path):
    Image.new("L", (8, 8), 200).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"garbage")
    Image.new("L", (30, 20), 100).save(tmp_path / "c.png")
    code, out, err = run("predict", "net.onnx", tmp_path, "--top", "1", "--format", "csv")
    assert code == WRONG
    assert err == f"error: {tmp_path}/b.png is not a readable image (it is of no known kind)\n"
    assert [line.partition(",")[0] for line in out.splitlines()[1:]] == [
        f"{tmp_path}/a.png", f"{tmp_path}/c.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments, message, code",
    [
        (["net.onnx", "nothing.png"], "nothing.png does not exist; use image files or", USAGE),
        (["net.onnx", "empty"], "empty has no images; use a folder that has some", USAGE),
        (["net.onnx", TWO[0], "--weights", "w.npz"], "--weights is for specs, and net.onnx", USAGE),
        (["net.onnx", TWO[0], "--device", "CPU"], "--device is for specs, and net.onnx", USAGE),
        (["tiny/isynet", TWO[0]], "--weights is missing; use --weights FILE, or an", USAGE),
        ([*SPEC, TWO[0], "--engine", "acl"], "--engine is for exported models (.onnx, ", USAGE),
        ([*SPEC, TWO[0], "--top", "0"], "--top 0: must be 1 or more", USAGE),
        (["net.onnx", TWO[0], "--classes", "no.txt"], "no.txt cannot be read (no such file", USAGE),
        (["net.onnx", TWO[0], "--classes", "w.npz"], "w.npz has no names of classes; use a", USAGE),
        (["net.onnx", TWO[0], "--classes", "gap.json"], "gap.json has no names of classes", USAGE),
    ],
)  # fmt: skip
def test_usage(arguments, message, code, there, run):
    (there / "empty").mkdir(exist_ok=True)
    (there / "gap.json").write_text('{"0": "zero", "2": "two"}')
    ended, out, err = run("predict", *arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"error: {message}")


FEW = "use a file and a network of the same classes"


@pytest.mark.parametrize(
    "arguments, file",
    [
        (["predict", "tiny/isynet", TWO[0], "--weights", "few.npz"], "few.npz"),
        (["eval", "tiny/isynet", "--weights", "few.npz", "--data", "digits"], "few.npz"),
        (["export", "tiny/isynet", "--weights", "few.npz", "-o", "few2.onnx"], "few.npz"),
        (["compile", "tiny/isynet", "--weights", "few.npz", "-o", "few2.onnx"], "few.npz"),
        (["predict", "few.onnx", TWO[0]], "few.onnx"),
        (["infer", "few.onnx", "--data", "digits"], "few.onnx"),
        (["predict", "net.onnx", TWO[0], "--classes", "two.txt"], "two.txt"),
    ],
)  # fmt: skip
def test_a_wrong_number_of_names_is_one_sentence_everywhere(arguments, file, there, run):
    (there / "two.txt").write_text("a\nb\n")
    code, out, err = run(*arguments)
    assert (code, out) == (WRONG, "")
    assert err.startswith(f"error: {file}: the file names 2 classes, and ")
    assert err.endswith(f" gives 'logits' 10; {FEW}\n")
    assert not (there / "few2.onnx").exists()


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '["a"', '{"a": 1}', "[1, 2]", json.dumps(["a" * 5_000_000])]
)
def test_names_that_nobody_wrote(text, there, run, tmp_path):
    graph = archspec.load("tiny/isynet")
    save_weights(tmp_path / "bad.safetensors", graph, initialize(graph, "he", 3), {"classes": text})
    code, out, err = run(
        "predict", "tiny/isynet", TWO[0], "--weights", tmp_path / "bad.safetensors"
    )
    assert (code, out) == (WRONG, "")
    assert err == (
        f"error: {tmp_path}/bad.safetensors: its metadata 'classes' is not a JSON list of names;"
        " use the file as archspec wrote it\n"
    )


def test_infer_offers_predict_where_there_are_no_classes(run):
    for arguments, beginning in (
        (["net.onnx"], "--data is missing; use --data DIR, a folder of class folders"),
        (["net.onnx", "--data", "digits/val/3"], "digits/val/3 has no class folders; use DIR/val/"),
        (
            ["net.onnx", "--data", TWO[0]],
            f"{TWO[0]} is a file; use a folder with DIR/val/CLASS/IMAGE",
        ),
    ):
        code, _, err = run("infer", *arguments)
        assert code == USAGE
        assert err.startswith(f"error: {beginning}")
        assert err.endswith("or archspec predict for images without classes\n")


def test_logits_that_are_no_numbers(run, tmp_path):
    graph = archspec.load("tiny/isynet")
    weights = initialize(graph, "he", 3)
    # finite each, though neither their sum nor what the network makes of them is
    weights = {
        name: np.full_like(one, 3e38) if one.ndim > 1 else one for name, one in weights.items()
    }
    save_weights(tmp_path / "w.npz", graph, weights)
    code, _, err = run("predict", "tiny/isynet", TWO[0], "--weights", tmp_path / "w.npz")
    assert code == WRONG
    assert f"{TWO[0]}: the network's logits are not finite numbers; use other weights" in err


def test_a_mindir_whose_numbers_are_in_other_files(there, run, tmp_path):
    from mindspore.train.mind_ir_pb2 import ModelProto

    model = ModelProto()
    model.ParseFromString((there / "net.mindir").read_bytes())
    weight = model.graph.parameter[0]
    weight.external_data.location, weight.external_data.length = "../secret", len(weight.raw_data)
    weight.ClearField("raw_data")
    (tmp_path / "net.mindir").write_bytes(model.SerializeToString())
    arguments = ["predict", tmp_path / "net.mindir", "--spec", "tiny/isynet", TWO[0]]
    code, _, err = run(*arguments)
    assert code == USAGE
    assert "(it keeps its numbers in other files, which are not read)" in err


def test_patterns_and_lists(run, told, monkeypatch, tmp_path):
    import io
    import sys

    shown = sorted(map(str, Path("digits/val/3").glob("00*.png")))
    rows = json.loads(told("predict", "net.onnx", "digits/val/3/00*.png", "--format", "json"))
    assert list(dict.fromkeys(row["image"] for row in rows)) == shown
    (tmp_path / "a[1].png").write_bytes(Path(TWO[0]).read_bytes())  # a name, and not a pattern
    assert "a[1].png" in told("predict", "net.onnx", tmp_path / "a[1].png", "--format", "csv")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(TWO) + "\n\n"))
    lines = told("predict", "net.onnx", "-", "--top", "10", "--format", "jsonl").splitlines()
    said = [json.loads(line) for line in lines]
    check_rows([{"image": one["image"], **guess} for one in said for guess in one["classes"]])
    for text, given, message in (
        ("", "-", "standard input names no image; use one name a line"),
        ("", "digits/*.tiff", "no file fits digits/*.tiff; use a pattern that some do"),
        ("gone.png\n", "-", "gone.png does not exist; use image files or folders of them"),
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        assert run("predict", "net.onnx", given) == (USAGE, "", f"error: {message}\n")


def test_a_damaged_image_is_a_line_of_its_own(run, tmp_path):
    (tmp_path / "b.png").write_bytes(b"garbage")
    code, out, _ = run("predict", "net.onnx", tmp_path / "b.png", TWO[0], "--format", "jsonl")
    assert code == WRONG
    first, second = map(json.loads, out.splitlines())
    assert first == {
        "image": f"{tmp_path}/b.png", "error": "is not a readable image (it is of no known kind)"
    }  # fmt: skip
    assert len(second["classes"]) == 5


@pytest.mark.parametrize("way", ["infer", "eval"])
def test_classes_and_mistakes_of_a_whole_folder(way, run, told, tmp_path):
    model = ("bare.onnx",) if way == "infer" else ("tiny/isynet", "--weights", "bare.npz")
    model += () if way == "infer" else ("--backend", "torch")
    arguments = (way, *model, "--data", "digits", "--report", tmp_path / "report")
    said = json.loads(told(*arguments, "--per-class", "--format", "json"))
    # the same from the predictions, image by image
    rows = json.loads(told("predict", *model, "digits/val", "--top", "1", "--format", "json"))
    counts = np.zeros((10, 10), int)
    for row in rows:
        counts[int(Path(row["image"]).parent.name), row["number"]] += 1
    met = [n for n in range(10) if counts[n].any() or counts[:, n].any()]
    small = counts[np.ix_(met, met)].tolist()
    assert said["confusion"] == {"classes": [str(n) for n in met], "counts": small}
    assert said["top1"] == said["accuracy"] == np.trace(counts) / 360
    assert {path.name for path in (tmp_path / "report").iterdir()} >= {
        "mistakes.png",
        "classes.csv",
    }
    code, _, err = run(*arguments)
    assert (code, err) == (
        USAGE, f"error: {tmp_path}/report exists already; use another name, or remove it\n",
    )  # fmt: skip
    table = told(way, *model, "--data", "digits", "--per-class")
    assert "is of, taken for:" in table and "calibration error" in table
