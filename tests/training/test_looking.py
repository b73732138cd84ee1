"""`archspec data look`: its pictures are the very pixels that a training sees."""

from __future__ import annotations

import io

import pytest

np = pytest.importorskip("numpy")

from PIL import Image  # noqa: E402 (all need numpy)

from archspec.cli import USAGE  # noqa: E402
from archspec.compiler.images.steps import preprocessing_of  # noqa: E402
from archspec.training.data import scan  # noqa: E402
from archspec.training.digits import write_digits  # noqa: E402
from archspec.training.looking import SampledPipeline, draw_sample, shown_pixels  # noqa: E402
from archspec.training.recipe_files import read_recipe  # noqa: E402

SETTINGS = {"mean": [0.3], "std": [0.35], "resize": 12, "crop": [12, 12]}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("look")
    write_digits(folder / "digits")
    return folder


def test_batches_are_those_that_pytorch_trains_on(home):
    pytest.importorskip("torch")
    from archspec.compiler.images.preprocess import factors_of
    from archspec.training.backends.torch.data import TrainPipeline

    to = preprocessing_of(SETTINGS, (1, 12, 12))
    recipe = read_recipe("tiny", ["batch=16"])
    parts = (scan(home / "digits", "train"), to, recipe.augment, recipe.mix)
    ours = next(iter(SampledPipeline(*parts, batch=16, seed=1).epoch(3)))
    theirs = next(iter(TrainPipeline(*parts, batch=16, seed=1).epoch(3)))
    scale, shift = factors_of(to.normalize)
    pixels = np.asarray(theirs[0])
    if pixels.dtype == np.uint8:
        pixels = np.ascontiguousarray((pixels * scale - shift).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(ours[0], pixels)
    np.testing.assert_array_equal(ours[1], theirs[1])


def test_pixels_come_back_from_what_a_network_takes():
    to = preprocessing_of({"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}, (3, 7, 9))
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    normal = (pixels / 255 - to.mean) / to.std
    picture = shown_pixels(normal.transpose(2, 0, 1).astype(np.float32), to.normalize)
    np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_mixed_images_say_of_what(home):
    recipe = read_recipe("tiny", ["mix.cutmix=1", "mix.mixup=0"])
    to = preprocessing_of({}, (1, 8, 8))
    sheet = draw_sample(scan(home / "digits", "train"), to, recipe, 12)
    assert Image.open(io.BytesIO(sheet)).width > 1000
    again = draw_sample(scan(home / "digits", "train"), to, recipe, 12)
    other = draw_sample(scan(home / "digits", "train"), to, recipe, 12, epoch=1)
    assert again == sheet != other


def test_the_command(home, run, told, monkeypatch):
    monkeypatch.chdir(home)
    arguments = ("data", "look", "digits", "--recipe", "tiny", "--for", "tiny/isynet")
    assert "wrote new/five.png: 5 images" in told(*arguments, "--count", "5", "-o", "new/five.png")
    assert (home / "new/five.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = run(*arguments, "--count", "0")
    assert (code, err) == (USAGE, "error: --count 0: must be 1 to 1,000\n")
