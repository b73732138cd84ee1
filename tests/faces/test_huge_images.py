"""Images of more pixels than are read: one sentence each, with the file, its pixels and the bound,
and never a warning of Pillow's."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("mindspore")
pytest.importorskip("torch")

import archspec
from archspec.cli import OK, WRONG, main
from archspec.compiler.images.preprocess import (
    UnreadableImage,
    open_image,
    read_image,
    resize_image,
)
from archspec.compiler.images.steps import Resize, preprocessing_of
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import save_weights
from archspec.errors import UsageError
from archspec.training.backends.mindspore.data import TrainPipeline
from archspec.training.data import scan

HUGE = (20_000, 10_000)
LARGE = (9_500, 9_500)
"""Pillow warns of it, and it is read."""
WHY = "it has 200,000,000 pixels, of which at most 178,956,970 are read"
WEIGHTS = ("--weights", "w.npz")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """digits/ with huge.png beside the sevens of train and val, and a network for them."""
    folder = tmp_path_factory.mktemp("huge")
    assert main(["data", "digits", str(folder / "digits")]) == OK
    Image.new("1", HUGE, 1).save(folder / "huge.png")
    Image.new("1", LARGE, 1).save(folder / "large.png")
    for split in ("train", "val"):
        shutil.copy(folder / "huge.png", folder / "digits" / split / "7")
    assert (folder / "huge.png").stat().st_size < 100_000
    graph = archspec.load("tiny/isynet")
    save_weights(folder / "w.npz", graph, initialize(graph, "he", 3))
    arguments = ["--weights", str(folder / "w.npz"), "-o", str(folder / "net.onnx")]
    assert main(["export", "tiny/isynet", *arguments]) == OK
    return folder


@pytest.fixture(autouse=True)
def there(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(home)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield home


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "tiny/isynet", *WEIGHTS, "huge.png"),
        ("predict", "net.onnx", "huge.png"),
    ],
)
def test_predict(arguments, run):
    code, out, err = run(*arguments)
    assert (code, out) == (WRONG, "")
    assert f"error: huge.png is not a readable image ({WHY})\n" in err
    assert "Bomb" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("infer", "net.onnx", "--data", "digits"),
        ("eval", "tiny/isynet", *WEIGHTS, "--data", "digits"),
        ("preprocess", "digits", "OUT", "--spec", "tiny/isynet"),
        ("data", "check", "digits"),
        ("train", "tiny/isynet", "--recipe", "tiny", "--data", "digits", "--epochs", "1",
         "--backend", "torch", "--out", "OUT"),
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_commands_on_folders(arguments, run, tmp_path):
    code, out, err = run(*(str(tmp_path / "out") if one == "OUT" else one for one in arguments))
    assert code == OK, err
    assert "Bomb" not in out + err and "bomb" not in out + err
    assert "7/huge.png" in out + err
    assert WHY in " ".join((out + err).split())


def test_what_pillow_only_warns_of_is_read(run, tmp_path):
    code, out, err = run("predict", "net.onnx", "large.png", "--top", "1")
    assert (code, err.count("error")) == (OK, 0)
    assert "large.png" in out
    assert "Bomb" not in err


def test_a_file_too_large_to_be_read(run, tmp_path):
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    code, _, err = run("predict", "net.onnx", path)
    assert code == WRONG
    assert err.endswith(
        f"error: {path} cannot be read (it has 3,221,225,472 bytes, of which at most 1,073,741,824"
        " are read)\n"
    )


def test_sides_too_unequal_to_be_resized_whole(tmp_path):
    """1 x 60,000 pixels with a short side of 512 would be half a gigapixel."""
    for split in ("train", "val"):
        for number in range(2):
            path = tmp_path / split / "a" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (60_000, 1), 9).save(path)
    image = open_image(read_image(tmp_path / "val" / "a" / "0.png"))
    with pytest.raises(UnreadableImage, match=r"60,000 x 1 .* 30,720,000 x 512, of which at most"):
        resize_image(image, Resize(60_000 * 512, 512, "bilinear"))
    preprocessing = preprocessing_of({"shape": [3, 8, 8]}, (3, 8, 8))
    augment = [{"resize": 512}]
    pipeline = TrainPipeline(scan(tmp_path, "train"), preprocessing, augment, batch=2, seed=1)
    with pytest.raises(
        UsageError, match=r"train: 'a/\d\.png' cannot be used \(its sides are 60,000"
    ):
        next(iter(pipeline.epoch(0)))
    # what is cut out of it can be had all the same
    part = preprocessing_of({"shape": [3, 8, 8], "resize": 512, "crop": 8}, (3, 8, 8))
    _, resize, crop, _ = part.steps(image.size)
    assert np.asarray(resize_image(image, resize, crop)).tolist() == [[[9] * 3] * 8] * 8
