"""Images to batches: real files of every kind, whole and damaged, against Pillow, numpy and the
arrays of scikit-learn."""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

os.environ.setdefault("GLOG_v", "3")

pytest.importorskip("mindspore")

import mindspore.dataset as ds

from archspec.cli import main
from archspec.compiler.images import preprocess
from archspec.compiler.images.checks import damage
from archspec.compiler.images.folder import scan_folder
from archspec.compiler.images.preprocess import RESAMPLING, preprocess_bytes, preprocess_image
from archspec.compiler.images.source import fingerprint
from archspec.compiler.images.steps import preprocessing_of
from archspec.deploy.aipp import fixed_crop, host_pixels
from archspec.errors import UsageError
from archspec.loading import load
from archspec.training.augmenting import ON_BATCHES
from archspec.training.backends.mindspore import data as pipeline
from archspec.training.backends.mindspore.augment import AUGMENTATIONS, segments
from archspec.training.backends.mindspore.data import TrainPipeline
from archspec.training.backends.mindspore.mindrecord import write_mindrecord
from archspec.training.data import (
    EvalPipeline,
    check_fits,
    check_same_classes,
    readable,
    scan,
    usable_workers,
)
from archspec.training.digits import write_digits
from archspec.training.mixing import erase, mix_batch, one_hot
from archspec.training.recipe_files import read_recipe, recipe_names
from archspec.training.sizing import SIZINGS
from archspec.writing import write_whole

RGB8 = {"shape": [3, 8, 8]}
PLAIN = preprocessing_of(RGB8, (3, 8, 8))
ALL_AUGMENTATIONS = {
    "random_resized_crop": {"scale": [0.2, 1.0], "ratio": [0.75, 1.3], "interpolation": "bicubic"},
    "random_crop": {"padding": 4},
    "resize": [24, 24],
    "horizontal_flip": 0.5,
    "vertical_flip": 0.5,
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "rand_augment": {"ops": 2, "magnitude": 9, "bins": 31},
    "auto_augment": "imagenet",
    "trivial_augment": 31,
    "random_erasing": 0.9,
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_littered(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield
    assert not list(here.iterdir())


def picture(seed: int, width: int = 8, height: int = 8) -> Image.Image:
    """Smooth colours, which survive a JPEG, and some noise, which nothing else has."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (3, 3, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC), np.int16)
    noisy = smooth + generator.integers(-6, 7, smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_tree(root: Path, classes=("cat", "dog", "owl"), images: int = 8, **size) -> Path:
    """ROOT/{train,val}/CLASS/NN.png, all different."""
    seed = 0
    for split, count in (("train", images), ("val", images // 2)):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                path = root / split / name / f"{number:02}.png"
                path.write_bytes(encode(picture(seed, **size), "PNG"))
                seed += 1
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return write_tree(tmp_path_factory.mktemp("tree") / "animals")


def batches(pipeline: TrainPipeline, epoch: int = 0, skip: int = 0) -> list[tuple[bytes, bytes]]:
    return [(x.tobytes(), y.tobytes()) for x, y in pipeline.epoch(epoch, skip)]


def all_images(pipeline) -> np.ndarray:
    steps = pipeline.epoch(0) if isinstance(pipeline, TrainPipeline) else pipeline
    return np.concatenate([images for images, _ in steps])


def pixels(image: Image.Image) -> np.ndarray:
    """An image as PLAIN gives it."""
    return np.asarray(image.convert("RGB"), np.float32).transpose(2, 0, 1) / 255


# --- digits ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("digits") / "digits"
    assert write_digits(folder) == (1437, 360)
    return folder


def test_digits_are_those_of_scikit_learn(digits):
    images = np.zeros((1797, 8, 8), np.uint8)
    targets = np.zeros(1797, np.uint8)
    for path in digits.rglob("*.png"):
        ink = np.asarray(Image.open(path), np.float64) / 255 * 16
        assert np.abs(ink - ink.round()).max() < 0.04
        images[int(path.stem)] = ink.round()
        targets[int(path.stem)] = int(path.parent.name)
    # of load_digits().images and .target as uint8, scikit-learn 1.9.1
    assert hashlib.sha256(images.tobytes()).hexdigest() == (
        "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
    )
    assert hashlib.sha256(targets.tobytes()).hexdigest() == (
        "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0"
    )


def test_digits_are_split_evenly_and_the_same_to_the_byte(digits, tmp_path):
    assert {len(list(folder.iterdir())) for folder in (digits / "val").iterdir()} == {36}
    write_digits(tmp_path / "again")
    for path in digits.rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(digits)).read_bytes()


def test_digits_are_written_whole_or_not_at_all(digits, tmp_path, monkeypatch, capsys):
    assert main(["data", "digits", str(digits)]) == 2
    assert capsys.readouterr().err == (
        f"error: {digits} exists already; use another name, or remove it\n"
    )
    monkeypatch.setattr("archspec.training.digits._write_png", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_digits(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


# --- folders --------------------------------------------------------------------------------------


def test_scan_sorts_classes_and_files(tree):
    folder = scan(tree, "train")
    assert folder.classes == ("cat", "dog", "owl")
    assert folder.files[:2] == ("cat/00.png", "cat/01.png")
    assert folder.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert folder.labels.dtype == np.int32
    assert not folder.ignored


def touch(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


IMAGE = encode(picture(0), "PNG")
BAD_FOLDERS = {
    "missing": (
        lambda root: touch(root.parent / "dato" / "x"),
        "{root} does not exist; use a folder with train/CLASS/IMAGE or train.mindrecord;"
        " did you mean 'dato'?",
    ),
    "file": (
        lambda root: touch(root),
        "{root} is a file; use train.mindrecord or a folder with train/CLASS/IMAGE or"
        " train.mindrecord",
    ),
    "empty": (
        lambda root: root.mkdir(),
        "{root} is empty; use train/CLASS/IMAGE or train.mindrecord",
    ),
    "misspelt": (
        lambda root: touch(root / "trian" / "cat" / "1.png", IMAGE),
        "{root} has no train/; use train/CLASS/IMAGE or train.mindrecord; did you mean 'trian'?",
    ),
    "no classes": (
        lambda root: touch(root / "train" / "labels.txt"),
        "{root}/train has no class folders; use {root}/train/CLASS/IMAGE",
    ),
    "hidden classes": (
        lambda root: touch(root / "train" / ".cat" / "1.png", IMAGE),
        "{root}/train has no class folders; use {root}/train/CLASS/IMAGE",
    ),
    "loose images": (
        lambda root: touch(root / "train" / "1.JPEG"),
        "{root}/train has 1 images and no class folders; use {root}/train/CLASS/1.JPEG",
    ),
    "empty class": (
        lambda root: [
            touch(root / "train" / "cat" / "1.png"),
            (root / "train" / "dog").mkdir(),
            touch(root / "train" / "owl" / "1.txt"),
        ],
        "{root}/train: no images in class 'dog' and 'owl' (of other files, 'owl/1.txt'); add"
        " images, or remove the folder",
    ),
    "one image": (
        lambda root: [
            touch(root / "train" / "cat" / name) for name in ("1.png", "2.png")
        ] + [touch(root / "train" / "dog" / "1.png")],
        "{root}/train: one image or none in class 'dog', from which nothing is learned; use two or"
        " more, or leave the class out",
    ),
    "both kinds": (
        lambda root: [(root / "train").mkdir(parents=True), touch(root / "train.mindrecord")],
        "{root} has both train/ and train.mindrecord; use one of them",
    ),
    "no index": (
        lambda root: touch(root / "train.mindrecord"),
        "{root}/train.mindrecord lacks its index train.mindrecord.db, which must stand beside it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_folders_say_what_wanted(case, tmp_path):
    make, message = BAD_FOLDERS[case]
    root = tmp_path / "data"
    make(root)
    with pytest.raises(UsageError) as error:
        scan(root, "train")
    assert str(error.value) == message.format(root=root)


def test_a_split_given_for_its_folder_is_told(tree):
    with pytest.raises(UsageError) as error:
        scan(tree / "train", "train")
    assert str(error.value).endswith(f"; is the folder above it, {tree}, meant?")


def test_one_image_is_enough_to_evaluate(tmp_path):
    touch(tmp_path / "val" / "cat" / "1.png", IMAGE)
    assert len(scan(tmp_path, "val").labels) == 1


def test_what_is_no_image_is_left_out_and_said(tmp_path):
    write_tree(tmp_path, images=4)
    cats = tmp_path / "train" / "cat"
    touch(tmp_path / "train" / "labels.csv")
    touch(cats / "notes.txt")
    touch(cats / ".hidden.png")
    touch(cats / "deeper" / "9.png", IMAGE)
    (cats / "loop").symlink_to(cats)
    (cats / "gone.png").symlink_to(tmp_path / "nowhere")
    folder = scan(tmp_path, "train")
    assert folder.files[:5] == (*(f"cat/0{i}.png" for i in range(4)), "cat/deeper/9.png")
    assert folder.ignored == (
        f"{tmp_path}/train: left out 2 files that are not images: 'cat/notes.txt' and 'labels.csv'",
        f"{tmp_path}/train: left out 2 links that lead nowhere or in a circle: 'cat/gone.png' and"
        " 'cat/loop'",
    )


def test_classes_of_train_and_val_must_agree(tmp_path):
    write_tree(tmp_path, images=4)
    (tmp_path / "val" / "owl").rename(tmp_path / "val" / "owls")
    with pytest.raises(UsageError) as error:
        check_same_classes(scan(tmp_path, "train"), scan(tmp_path, "val"))
    assert str(error.value) == (
        f"{tmp_path}/train has 3 classes and {tmp_path}/val 3, which are not the same:"
        f" {tmp_path}/train alone has 'owl', {tmp_path}/val alone has 'owls'; use one folder of"
        " each class in both"
    )


def test_classes_must_be_those_of_the_network(tree):
    check_fits(scan(tree, "train"), load("tiny/isynet", classes=3))
    with pytest.raises(UsageError) as error:
        check_fits(scan(tree, "train"), load("tiny/isynet"))
    assert str(error.value) == (
        f"{tree}/train has 3 classes and tiny_isynet gives 10 (its output 'logits');"
        " use --set classes=3"
    )


def test_a_batch_must_not_be_larger_than_the_data(tree):
    with pytest.raises(UsageError) as error:
        TrainPipeline(scan(tree, "train"), PLAIN, batch=32, seed=1)
    assert str(error.value) == (
        f"{tree}/train has 24 images, fewer than one step's 32; use --set batch=24"
    )
    with pytest.raises(UsageError, match="fewer than one step's 16 on each of 2 devices"):
        TrainPipeline(scan(tree, "train"), PLAIN, batch=16, seed=1, ranks=2)


def test_workers_are_at_most_the_cpus():
    assert usable_workers(10_000) <= (os.cpu_count() or 1)
    assert usable_workers(0) == 1


def test_fingerprint_is_of_what_is_learned(tmp_path):
    write_tree(tmp_path, images=4)
    before = fingerprint(scan(tmp_path, "train"))
    assert before == fingerprint(scan(tmp_path, "train"))
    (tmp_path / "train" / "cat" / "00.png").unlink()
    assert before != fingerprint(scan(tmp_path, "train"))


# --- kinds of files -------------------------------------------------------------------------------


def kinds() -> dict[str, tuple[bytes, Image.Image]]:
    """Name: file and the picture it should give."""
    image = picture(7)
    grey = image.convert("L")
    low_bytes = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint16)
    deep = np.asarray(grey, np.uint16) * 256 + low_bytes
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    see_through = image.copy()
    see_through.putalpha(Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4))
    turned = Image.Exif()
    turned[0x0112] = 6
    files = {
        "rgb.png": (encode(image, "PNG"), image),
        "grey.png": (encode(grey, "PNG"), grey),
        "black and white.png": (encode(image.convert("1"), "PNG"), image.convert("1")),
        "palette.png": (encode(palette, "PNG"), palette),
        "palette, transparent.png": (encode(palette, "PNG", transparency=b"01234"), palette),
        "alpha.png": (encode(see_through, "PNG"), image),
        "grey alpha.png": (encode(see_through.convert("LA"), "PNG"), grey),
        "16 bit.png": (encode(Image.fromarray(deep), "PNG"), grey),
        "a.bmp": (encode(image, "BMP"), image),
        "a.ppm": (encode(image, "PPM"), image),
        "a.tiff": (encode(image, "TIFF"), image),
        "a.webp": (encode(image, "WEBP", lossless=True), image),
        "a.gif": (encode(palette, "GIF"), palette),
        "really a png.jpg": (encode(image, "PNG"), image),
    }  # fmt: skip
    for name, options in {
        "rgb.jpg": {},
        "progressive.jpg": {"progressive": True},
        "grey.jpg": {"mode": "L"},
        "cmyk.jpeg": {"mode": "CMYK"},
        "turned.JPEG": {"exif": turned},
    }.items():
        mode = options.pop("mode", "RGB")
        data = encode(image.convert(mode), "JPEG", quality=95, **options)
        files[name] = (data, Image.open(io.BytesIO(data)))
    return files


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> tuple[Path, np.ndarray]:
    root = tmp_path_factory.mktemp("zoo")
    files = kinds()
    for name, (data, _) in files.items():
        touch(root / "train" / "all" / name, data)
    return root, np.stack([pixels(files[name][1]) for name in sorted(files)])


def test_every_kind_of_image_is_read(zoo):
    root, expected = zoo
    folder = readable(scan(root, "train"), 2)
    assert not folder.unreadable
    assert len(expected) == 19
    train = TrainPipeline(folder, PLAIN, batch=19, seed=1, shuffle=False)
    assert np.abs(all_images(train) - expected).max() < 1e-6
    evaluated = EvalPipeline(folder, PLAIN, batch=19)
    assert np.abs(all_images(evaluated) - expected).max() < 1e-6


def test_every_kind_of_image_is_read_as_grey(zoo):
    root, expected = zoo
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    grey = np.einsum("nchw,c->nhw", expected, weights)[:, None]
    preprocessing = preprocessing_of({"shape": [1, 8, 8]}, (1, 8, 8))
    folder = scan(root, "train")
    train = TrainPipeline(folder, preprocessing, batch=19, seed=1, shuffle=False)
    for images in (all_images(train), all_images(EvalPipeline(folder, preprocessing, batch=19))):
        assert images.shape == (19, 1, 8, 8)
        assert np.abs(images - grey).max() < 1.01 / 255  # rounded to whole levels


JPEG = encode(picture(3, 64, 48), "JPEG")
LARGE_PNG = encode(picture(3, 64, 48), "PNG")
DAMAGED = {
    "empty.jpg": (b"", "it is empty"),
    "garbage.jpg": (b"garbage" * 99, "it is of no known kind"),
    "no end.jpg": (JPEG[:-300], "image file is truncated"),
    "half.png": (LARGE_PNG[: len(LARGE_PNG) // 2], "image file is truncated"),
    "no end.png": (LARGE_PNG[:-2], "its end is missing"),
    "checksum.png": (LARGE_PNG[:-20] + b"\x55" + LARGE_PNG[-19:], ""),
    "flipped.png": (LARGE_PNG[:300] + b"\x55" * 30 + LARGE_PNG[330:], ""),  # Pillow's words vary
    "float.tiff": (
        encode(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"),
        "its pixels are floating point",
    ),
}


def write_damaged(root: Path, whole: int = 40) -> Path:
    write_tree(root, images=whole)
    for name, (data, _) in DAMAGED.items():
        touch(root / "train" / "dog" / name, data)
    return root


def test_damaged_images_are_named_and_left_out(tmp_path):
    folder = scan(write_damaged(tmp_path / "data"), "train")
    kept = readable(folder, 2, most_unreadable=0.1)
    assert len(kept.labels) == 120 and len(kept.stats) == 120
    assert kept.unreadable.keys() == {f"dog/{name}" for name in DAMAGED}
    for name, (_, why) in DAMAGED.items():
        assert kept.unreadable[f"dog/{name}"].startswith(why)
    why = kept.unreadable["dog/checksum.png"]
    assert damage(kept) == (
        f"{tmp_path}/data/train: left out 8 images that cannot be read: 'dog/checksum.png' ({why}),"
        f" 'dog/empty.jpg' (it is empty), 'dog/flipped.png' ({kept.unreadable['dog/flipped.png']})"
        " and 5 more"
    )
    assert kept.name(40) == "dog/00.png"


def test_a_training_with_damaged_images_repeats_and_resumes(tmp_path):
    folder = readable(scan(write_damaged(tmp_path / "data"), "train"), 2, most_unreadable=0.1)
    augment = [{"horizontal_flip": 0.5}]
    whole = batches(TrainPipeline(folder, PLAIN, augment, batch=10, seed=3))
    assert len(whole) == 12
    assert batches(TrainPipeline(folder, PLAIN, augment, batch=10, seed=3), skip=7) == whole[7:]


def test_too_many_damaged_images_stop_at_once(tmp_path):
    folder = scan(write_damaged(tmp_path / "data"), "train")
    with pytest.raises(UsageError) as error:
        readable(folder, 2)
    assert str(error.value).startswith(
        f"{tmp_path}/data/train: 8 of 128 images cannot be read, more than 1% of them: "
        "dog/checksum.png ("
    )
    assert str(error.value).endswith(" and 5 more; archspec data check lists all")


def test_a_class_of_damaged_images_stops_at_once(tmp_path):
    write_tree(tmp_path, images=2)
    touch(tmp_path / "train" / "owl" / "01.png", b"")
    with pytest.raises(
        UsageError, match="without damaged images: one image or none in class 'owl'"
    ):
        readable(scan(tmp_path, "train"), 1)


def test_images_are_checked_again_only_when_they_change(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    write_damaged(tmp_path / "data")
    first = readable(scan(tmp_path / "data", "train"), 2, 0.1, cache)
    looked: list[int] = []

    def look() -> dict[str, str]:
        looked.clear()
        kept = readable(
            scan(tmp_path / "data", "train"), 2, 0.1, cache, lambda done, _: looked.append(done)
        )
        return dict(kept.unreadable)

    assert look() == first.unreadable and not looked
    touch(tmp_path / "data" / "train" / "dog" / "half.png", IMAGE)
    assert len(look()) == 7 and looked == list(range(1, 129))
    for file in cache.iterdir():
        file.write_text("{")
    assert len(look()) == 7 and len(looked) == 128


def test_a_file_damaged_during_a_run_is_named(tmp_path):
    root = write_tree(tmp_path / "data")
    folder = scan(root, "train")
    train = TrainPipeline(folder, PLAIN, batch=4, seed=1)
    (root / "train" / "dog" / "03.png").unlink()
    with pytest.raises(UsageError) as error:
        batches(train)
    assert str(error.value) == (
        f"{root}/train: 'dog/03.png' could be read when the run began and cannot be now"
        " (no such file or directory)"
    )


# --- order, repetition, ranks ---------------------------------------------------------------------

EVERYTHING = [
    {name: ALL_AUGMENTATIONS[name]}
    for name in ("random_crop", "horizontal_flip", "color_jitter", "rand_augment", "random_erasing")
]
MIX = SimpleNamespace(mixup=0.4, cutmix=1.0, probability=0.8)

AGAIN = """
    import hashlib, os
    os.environ["GLOG_v"] = "3"
    from test_data import EVERYTHING, MIX, PLAIN, batches
    from archspec.training.backends.mindspore.data import TrainPipeline
    from archspec.training.data import scan
    folder = scan({root!r}, "train")
    train = TrainPipeline(folder, PLAIN, EVERYTHING, MIX, batch=4, seed=5, workers=2)
    print(hashlib.sha256(repr(batches(train, 3)).encode()).hexdigest())
"""


def test_an_epoch_repeats_to_the_byte_in_another_process(tree):
    folder = scan(tree, "train")
    train = TrainPipeline(folder, PLAIN, EVERYTHING, MIX, batch=4, seed=5, workers=2)
    next(iter(train.epoch(1)))  # whatever was drawn before
    expected = hashlib.sha256(repr(batches(train, 3)).encode()).hexdigest()
    code = textwrap.dedent(AGAIN.format(root=str(tree)))
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, (here, here.parent, here.parents[1])))
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert result.stdout.strip() == expected


def test_nobody_sleeps_while_images_are_read(tree, monkeypatch):
    """MindSpore's readers of several threads sleep a tenth of a second where a row is late."""
    from mindspore.dataset.engine import datasets_user_defined

    slept: list[float] = []
    clock = SimpleNamespace(**{**vars(datasets_user_defined.time), "sleep": slept.append})
    monkeypatch.setattr(datasets_user_defined, "time", clock)
    train = TrainPipeline(scan(tree, "train"), PLAIN, EVERYTHING, batch=4, seed=1, workers=2)
    assert len(batches(train)) == 6
    assert not slept


@pytest.mark.parametrize("workers", [1, 2])
def test_skipping_gives_exactly_the_tail(tree, monkeypatch, workers):
    monkeypatch.setattr(pipeline, "STEPS_OF_A_LEG", 4)
    train = TrainPipeline(
        scan(tree, "train"), PLAIN, EVERYTHING, MIX, batch=2, seed=5, workers=workers
    )
    whole = batches(train, 2)
    assert len(whole) == train.steps_per_epoch == 12
    for skip in (1, 4, 6, 11, 12):
        assert batches(train, 2, skip) == whole[skip:]


def test_epochs_and_seeds_differ(tree):
    folder = scan(tree, "train")
    one, other = (TrainPipeline(folder, PLAIN, EVERYTHING, batch=4, seed=s) for s in (1, 2))
    drawn = [batches(one, 0), batches(one, 1), batches(other, 0)]
    assert len({repr(epoch) for epoch in drawn}) == 3
    plain = TrainPipeline(folder, PLAIN, batch=4, seed=1)
    orders = [[label for _, labels in plain.epoch(n) for label in labels] for n in range(2)]
    assert orders[0] != orders[1] and orders[0] != folder.labels.tolist()
    still = TrainPipeline(folder, PLAIN, EVERYTHING[:3], batch=4, seed=1, shuffle=False)
    assert batches(still, 0) != batches(still, 1)


def test_steps_differ_in_what_is_drawn_for_batches(tree):
    folder = scan(tree, "train")
    plain, erasing = (
        TrainPipeline(folder, PLAIN, augment, batch=6, seed=5)
        for augment in ([], [{"random_erasing": 0.5}])
    )
    steps = zip(plain.epoch(0), erasing.epoch(0), strict=True)
    assert len({(before != after).tobytes() for (before, _), (after, _) in steps}) == 4


def test_nobody_elses_random_numbers_are_touched(tree):
    ds.config.set_seed(77)
    random.seed(3)
    np.random.seed(3)
    train = TrainPipeline(scan(tree, "train"), PLAIN, EVERYTHING, MIX, batch=4, seed=5)
    batches(train)
    seen = (ds.config.get_seed(), random.random(), np.random.random())
    random.seed(3)
    np.random.seed(3)
    assert seen == (77, random.random(), np.random.random())


def labels_of(tree: Path) -> dict[bytes, int]:
    """Each image's bytes as PLAIN gives them, and its class."""
    folder = scan(tree, "train")
    images = all_images(EvalPipeline(folder, PLAIN, batch=24))
    return {i.tobytes(): int(label) for i, label in zip(images, folder.labels, strict=True)}


def test_every_image_comes_once_with_its_label(tree, monkeypatch):
    monkeypatch.setattr(pipeline, "STEPS_OF_A_LEG", 4)
    train = TrainPipeline(scan(tree, "train"), PLAIN, batch=2, seed=5, workers=2)
    expected = labels_of(tree)
    seen = {}
    for images, labels in train.epoch(0):
        assert images.shape == (2, 3, 8, 8) and images.dtype == np.float32
        assert labels.dtype == np.int32
        for image, label in zip(images, labels, strict=True):
            nearest = min(
                expected, key=lambda b: np.abs(np.frombuffer(b, "f4") - image.ravel()).max()
            )
            assert np.abs(np.frombuffer(nearest, "f4") - image.ravel()).max() < 1e-6
            seen[nearest] = int(label)
    assert seen == expected


def test_ranks_share_each_step_of_one_process(tree):
    folder = scan(tree, "train")
    alone = TrainPipeline(folder, PLAIN, batch=6, seed=5)
    ranks = [TrainPipeline(folder, PLAIN, batch=3, seed=5, rank=r, ranks=2) for r in range(2)]
    assert {rank.steps_per_epoch for rank in ranks} == {alone.steps_per_epoch} == {4}
    steps = zip(alone.epoch(1), ranks[0].epoch(1), ranks[1].epoch(1), strict=True)
    for (images, labels), *parts in steps:
        assert np.array_equal(images, np.concatenate([part[0] for part in parts]))
        assert np.array_equal(labels, np.concatenate([part[1] for part in parts]))


def test_ranks_draw_augmentations_of_their_own(tree):
    folder = scan(tree, "train")
    rank, other = (
        TrainPipeline(folder, PLAIN, [{"color_jitter": ALL_AUGMENTATIONS["color_jitter"]}],
                      batch=3, seed=5, shuffle=False, rank=r, ranks=2)
        for r in range(2)
    )  # fmt: skip
    other.order = rank.order  # the same images
    assert batches(rank)[0][0] != batches(other)[0][0]


# --- augmentations --------------------------------------------------------------------------------


def augment_batch(folder, augment, count: int = 24, side: int = 16, **options) -> np.ndarray:
    to = preprocessing_of({"shape": [3, side, side]}, (3, side, side))
    train = TrainPipeline(folder, to, augment, batch=count, seed=9, shuffle=False, **options)
    return all_images(train)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return scan(write_tree(tmp_path_factory.mktemp("photos"), width=20, height=16), "train")


def test_every_augmentation_is_tried_here():
    assert {*SIZINGS, *AUGMENTATIONS, *ON_BATCHES} == ALL_AUGMENTATIONS.keys()


@pytest.mark.parametrize("name", ALL_AUGMENTATIONS)
def test_augmentations_change_images_and_keep_their_form(name, photos):
    plain = augment_batch(photos, [])
    entry = {name: ALL_AUGMENTATIONS[name]}
    side = 24 if name == "resize" else 16
    images = augment_batch(photos, [entry], side=side)
    assert images.shape == (24, 3, side, side) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    if images.shape == plain.shape:
        changed = [not np.array_equal(a, b) for a, b in zip(images, plain, strict=True)]
        assert sum(changed) >= 6
    assert np.array_equal(images, augment_batch(photos, [entry], side=side))


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_gives_batches(name, photos):
    recipe = read_recipe(name)
    to = preprocessing_of({"shape": [3, 16, 16], "mean": MEAN, "std": STD}, (3, 16, 16))
    train = TrainPipeline(photos, to, recipe.augment, recipe.mix, batch=6, seed=recipe.seed)
    images, labels = next(train.epoch(0))
    assert images.shape == (6, 3, 16, 16)
    assert np.isfinite(images).all()
    assert labels.shape == ((6, 3) if recipe.mix else (6,))


def test_every_level_of_a_channel_becomes_what_to_tensor_and_normalize_give():
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32, 1).repeat(3, 2)
    to = preprocessing_of({"mean": MEAN, "std": STD}, (3, 8, 32))
    ((*_, ours),) = (segment.stages for segment in segments([], to))
    theirs = [ds.vision.ToTensor(), ds.vision.Normalize(MEAN, STD, is_hwc=False)]
    (mine,), (wanted,) = (
        next(rows.map(steps, ["image"]).create_tuple_iterator(num_epochs=1, output_numpy=True))
        for steps in (ours, theirs)
        for rows in [ds.NumpySlicesDataset([levels], ["image"])]
    )
    np.testing.assert_array_equal(mine, wanted)


def test_an_unknown_augmentation_is_told(photos):
    with pytest.raises(UsageError) as error:
        augment_batch(photos, [{"horizontal_flop": 0.5}])
    assert str(error.value) == (
        "there is no augmentation 'horizontal_flop'; did you mean 'horizontal_flip'?"
    )


@pytest.mark.parametrize("name, axis", [("horizontal_flip", 2), ("vertical_flip", 1)])
def test_a_flip_is_a_mirror_image_or_the_image(name, axis, photos):
    plain = augment_batch(photos, [])
    flipped = augment_batch(photos, [{name: 0.5}])
    kinds = {
        "same" if np.array_equal(a, b) else "mirror" if np.array_equal(a, np.flip(b, axis)) else "-"
        for a, b in zip(flipped, plain, strict=True)
    }
    assert kinds == {"same", "mirror"}


@pytest.mark.parametrize("side", [5, 8, 20])
def test_a_random_crop_is_a_window_of_the_padded_image(side, tree):
    """Of the image brought to the network's size: a small one is enlarged, not framed in black."""
    folder = scan(tree, "train")
    plain = augment_batch(folder, [], side=side)
    cropped = augment_batch(folder, [{"random_crop": {"padding": 2}}], side=side)
    places = set()
    for image, original in zip(cropped, plain, strict=True):
        padded = np.pad(original, ((0, 0), (2, 2), (2, 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, side, side))[0]
        matches = np.argwhere((windows == image).all(axis=(2, 3, 4)))
        assert len(matches)
        places.add(tuple(matches[0]))
    assert len(places) > 10


def test_color_jitter_stays_within_its_strength(photos):
    plain = augment_batch(photos, [])
    none = {"contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    images = augment_batch(photos, [{"color_jitter": {"brightness": 0.4, **none}}])
    factors = images.mean(axis=(1, 2, 3)) / plain.mean(axis=(1, 2, 3))
    assert factors.min() > 0.55 and factors.max() < 1.45
    assert factors.std() > 0.1


@pytest.mark.parametrize("interpolation", RESAMPLING)
@pytest.mark.parametrize("before", [[], [{"horizontal_flip": 1.0}]])
@pytest.mark.parametrize("side", [7, 33])
def test_a_resized_crop_of_everything_is_the_image(photos, interpolation, before, side):
    entry = {"scale": [1.0, 1.0], "ratio": [1.25, 1.25], "interpolation": interpolation}
    augment = [*before, {"random_resized_crop": entry}]
    images = augment_batch(photos, augment, side=side, workers=2)
    for image, path in zip(images, photos.files, strict=True):
        whole = Image.open(photos.root / path)
        whole = whole.transpose(Image.FLIP_LEFT_RIGHT) if before else whole
        whole = whole.resize((side, side), RESAMPLING[interpolation])
        assert np.abs(image - pixels(whole)).max() < 1e-6


def test_a_resized_crop_is_a_part_that_its_settings_allow(tmp_path):
    """Of an image of which every pixel says where it is: 3 times its column, 5 times its row."""
    across, down = np.meshgrid(np.arange(80) * 3, np.arange(50) * 5)
    image = np.stack([across, down, 0 * down], -1).astype(np.uint8)
    for number in range(100):
        touch(tmp_path / "train" / "all" / f"{number}.png", encode(Image.fromarray(image), "PNG"))
    entry = {"scale": [0.1, 0.5], "ratio": [0.5, 2.0], "interpolation": "nearest"}
    folder = scan(tmp_path, "train")
    images = augment_batch(folder, [{"random_resized_crop": entry}], 100, side=40) * 255
    left, right = images[:, 0].min((1, 2)) / 3, images[:, 0].max((1, 2)) / 3
    top, bottom = images[:, 1].min((1, 2)) / 5, images[:, 1].max((1, 2)) / 5
    wide, tall = right - left + 1, bottom - top + 1  # a pixel at a border may be skipped
    assert (wide * tall > 0.085 * 4000).all() and (wide * tall < 0.52 * 4000).all()
    assert (wide / tall > 0.45).all() and (wide / tall < 2.2).all()
    assert len({*zip(left.round(), top.round(), strict=True)}) > 90
    assert left.min() < 5 and right.max() > 75 and top.min() < 4 and bottom.max() > 46
    assert np.array_equal(
        augment_batch(folder, [{"random_resized_crop": entry}], 100, side=40, workers=2) * 255,
        images,
    )


def test_sizes_and_colors_in_any_order_repeat_and_resume(photos):
    names = ("color_jitter", "random_resized_crop", "horizontal_flip", "resize", "random_crop")
    augment = [{name: ALL_AUGMENTATIONS[name]} for name in names]
    to = preprocessing_of({"shape": [3, 16, 16]}, (3, 16, 16))
    train = TrainPipeline(photos, to, augment, batch=4, seed=9, workers=2)
    whole = batches(train, 1)
    assert len({images for images, _ in whole}) == 6
    assert batches(train, 1) == whole and batches(train, 1, 4) == whole[4:]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("other", ["color_jitter", "rand_augment", "random_crop"])
def test_what_is_drawn_of_one_operation_says_nothing_of_another(tmp_path, workers, other):
    """MindSpore seeds all operations alike; see training.data.pipeline."""
    image = np.full((16, 16, 3), 60, np.uint8)
    image[:, :8] += 60
    touch(tmp_path / "train" / "all" / "1.png", encode(Image.fromarray(image), "PNG"))
    touch(tmp_path / "train" / "all" / "2.png", encode(Image.fromarray(image), "PNG"))
    folder = scan(tmp_path, "train")
    many = folder.without({})
    object.__setattr__(many, "files", folder.files * 150)
    object.__setattr__(many, "labels", np.zeros(300, np.int32))
    settings = {
        "color_jitter": {"brightness": 0.4, "contrast": 0.0, "saturation": 0.0, "hue": 0.0},
        "rand_augment": {"ops": 1, "magnitude": 9, "bins": 11},
        "random_crop": {"padding": 3},
    }[other]
    second = [{other: settings}]
    together = augment_batch(many, [*second, {"horizontal_flip": 0.5}], 300, workers=workers)
    alone = augment_batch(many, second, 300, workers=workers)
    lopsided = (alone != alone[..., ::-1]).any(axis=(1, 2, 3))  # else a flip is not seen
    together, alone = together[lopsided], alone[lopsided]
    assert len(alone) > 200
    is_flipped = [not np.array_equal(a, b) for a, b in zip(together, alone, strict=True)]
    assert 0.35 < np.mean(is_flipped) < 0.65
    for feature in (alone.mean(axis=(1, 2, 3)), alone[:, 0, 8, 5], alone[:, 0, 1, 1]):
        if feature.std() > 0.001:
            assert abs(np.corrcoef(is_flipped, feature)[0, 1]) < 0.25


def test_erasing_leaves_the_rest_alone():
    images = np.random.default_rng(0).normal(size=(200, 3, 16, 16)).astype(np.float32)
    erased = images.copy()
    erase(erased, 0.25, np.random.default_rng(1))
    changed = (erased != images).any(axis=1)
    assert 30 < changed.any(axis=(1, 2)).sum() < 70
    for image, spots in zip(erased, changed, strict=True):
        if spots.any():
            rows, columns = np.flatnonzero(spots.any(1)), np.flatnonzero(spots.any(0))
            assert spots[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            assert not image[:, spots].any()
            assert 0.01 < spots.mean() < 0.37


def mix(seed: int, **alphas) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    images = generator.random((8, 3, 12, 12), np.float32)
    labels = one_hot(np.arange(8), 8)
    mix = SimpleNamespace(**{"mixup": 0.0, "cutmix": 0.0, "probability": 1.0, **alphas})
    return images, labels, *mix_batch(images.copy(), labels, mix, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
def test_mixup_is_the_mean_that_its_labels_say(seed):
    images, _, after, labels = mix(seed, mixup=1.0)
    assert labels.dtype == after.dtype == np.float32
    assert np.allclose(labels.sum(1), 1)
    # every image has a class of its own, so labels are the weights of a mean
    assert np.allclose(after, np.einsum("nk,kchw->nchw", labels, images), atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_labels_are_shares_of_pixels(seed):
    images, _, after, labels = mix(seed, cutmix=1.0)
    assert np.allclose(labels.sum(1), 1)
    is_from = (after[:, None] == images[None]).all(2).mean(axis=(2, 3))
    assert np.allclose(is_from, labels, atol=1e-6)


def test_batches_mix_as_often_as_asked():
    which = [mix(seed, mixup=0.5, cutmix=0.5, probability=0.5) for seed in range(200)]
    untouched = sum(np.array_equal(before, after) for before, _, after, _ in which)
    assert 70 < untouched < 130
    assert all(np.allclose(labels.sum(1), 1) for *_, labels in which)


def test_a_pipeline_that_mixes_gives_labels_as_shares(tree):
    train = TrainPipeline(scan(tree, "train"), PLAIN, [], MIX, batch=4, seed=5)
    for images, labels in train.epoch(0):
        assert images.shape == (4, 3, 8, 8)
        assert labels.shape == (4, 3) and labels.dtype == np.float32
        assert np.allclose(labels.sum(1), 1)


# --- evaluation -----------------------------------------------------------------------------------

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def antialias(image: np.ndarray, height: int, width: int, filter_, support: float) -> np.ndarray:
    """Resizing by a filter as wide as a result's pixel, in float64: another way to Pillow's."""

    def matrix(before: int, after: int) -> np.ndarray:
        scale = max(before / after, 1)
        centres = (np.arange(after) + 0.5) * before / after
        distance = (np.arange(before) + 0.5 - centres[:, None]) / scale
        weights = np.where(np.abs(distance) < support, filter_(np.abs(distance)), 0)
        return weights / weights.sum(1, keepdims=True)

    rows, columns = matrix(image.shape[0], height), matrix(image.shape[1], width)
    return np.clip(np.einsum("hr,wc,rcd->hwd", rows, columns, image, optimize=True), 0, 255)


def triangle(x: np.ndarray) -> np.ndarray:
    return 1 - x


def cubic(x: np.ndarray) -> np.ndarray:
    a = -0.5
    return np.where(x < 1, (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4))


@pytest.mark.parametrize(
    ("resize", "size", "interpolation"),
    [
        (64, (85, 64), "bilinear"),
        (64, (85, 64), "bicubic"),
        ([64, 64], (64, 64), "bilinear"),
        (64, (64, 85), "bilinear"),
        (160, (213, 160), "bilinear"),
    ],
)
def test_evaluation_is_as_by_hand(tmp_path, resize, size, interpolation):
    before = (90, 120) if size[1] > size[0] else (120, 90)
    for number in range(3):
        data = encode(picture(number, *before), "JPEG", quality=92)
        touch(tmp_path / "val" / "cat" / f"{number}.jpg", data)
    settings = {
        "shape": [3, 48, 56], "resize": resize, "crop": [48, 56], "mean": MEAN, "std": STD,
        "interpolation": interpolation,
    }  # fmt: skip
    folder = scan(tmp_path, "val")
    images = all_images(EvalPipeline(folder, preprocessing_of(settings, (3, 48, 56)), batch=2))
    (width, height), kernel = size, {"bilinear": (triangle, 1), "bicubic": (cubic, 2)}
    top, left = round((height - 48) / 2), round((width - 56) / 2)
    for image, path in zip(images, folder.files, strict=True):
        raw = np.asarray(Image.open(folder.root / path), np.float64)
        resized = antialias(raw, height, width, *kernel[interpolation])
        cut = resized[top : top + 48, left : left + 56] / 255
        expected = ((cut - MEAN) / STD).transpose(2, 0, 1)
        # Pillow rounds to whole levels after each direction; 1.1 of 255, in units of std
        assert np.abs(image - expected).max() < 1.1 / 255 / min(STD)
        assert np.abs(image - expected).mean() < 0.35 / 255 / min(STD)
        alone = preprocess_image(folder.root / path, settings, (3, 48, 56))
        assert alone.dtype == np.float32 and np.array_equal(alone, image)


def test_evaluation_sees_every_image_once(tree):
    folder = scan(tree, "val")
    steps = list(EvalPipeline(folder, PLAIN, batch=5, workers=2))
    assert [len(images) for images, _ in steps] == [5, 5, 2]
    assert np.concatenate([labels for _, labels in steps]).tolist() == folder.labels.tolist()
    ranks = [EvalPipeline(folder, PLAIN, batch=2, rank=rank, ranks=5) for rank in range(5)]
    assert [rank.steps for rank in ranks] == [2, 2, 1, 1, 1]
    alone, shared = all_images(EvalPipeline(folder, PLAIN, batch=12)), np.zeros((12, 3, 8, 8), "f4")
    for number, rank in enumerate(ranks):
        shared[number::5] = all_images(rank)
    assert np.array_equal(alone, shared)


def in_mode(image: Image.Image, mode: str) -> tuple[bytes, Image.Image]:
    """A file of an image in one of Pillow's modes, and the RGB that it is, by plain Pillow."""
    if mode == "I;16":
        grey = np.asarray(image.convert("L"))
        deep = Image.fromarray(grey.astype(np.uint16) * 256 + 77)
        return encode(deep, "PNG"), Image.fromarray(grey).convert("RGB")
    image = image.convert(mode)
    if mode == "CMYK":
        return encode(image, "TIFF"), image.convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned, which nobody in the field looks at
    return encode(image, "PNG", exif=exif), image.convert("RGB")


def by_pillow(image: Image.Image, settings: dict) -> np.ndarray:
    """CHW, 0 to 255, by Pillow alone: what torchvision's Resize and CenterCrop do."""
    channels, height, width = settings["shape"]
    image = image.convert("L") if channels == 1 else image
    resize = settings.get("resize", [height, width])
    if isinstance(resize, int):
        short, long = sorted(image.size)
        size = [resize, int(resize * long / short)]
        size = size if image.width <= image.height else size[::-1]
    else:
        size = resize[::-1]
    image = image.resize(size, RESAMPLING[settings["interpolation"]])
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    image = image.crop((left, top, left + width, top + height))
    return np.asarray(image, np.float32).reshape(height, width, channels).transpose(2, 0, 1)


@st.composite
def inputs(draw) -> dict:
    height, width = draw(st.tuples(*[st.integers(1, 20)] * 2))
    settings = {
        "shape": [draw(st.sampled_from([1, 3])), height, width],
        "interpolation": draw(st.sampled_from(sorted(RESAMPLING))),
    }
    more = st.integers(0, 9)
    if draw(st.booleans()):
        settings |= {"crop": [height, width], "resize": max(height, width) + draw(more)}
    elif draw(st.booleans()):
        sides = [height + draw(more), width + draw(more)]
        settings |= {"crop": [height, width], "resize": sides}
    if draw(st.booleans()):
        channels = settings["shape"][0]
        settings |= {"mean": [0.4, 0.5, 0.6][:channels], "std": [0.2, 0.3, 0.4][:channels]}
    return settings


sides = st.one_of(st.integers(1, 4), st.integers(5, 90))


@hypothesis.given(
    inputs(),
    st.lists(
        st.tuples(
            sides, sides, st.sampled_from(["L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "1"])
        ),
        min_size=4,
        max_size=9,
    ),
)
@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.example({"shape": [3, 16, 16], "interpolation": "bilinear"}, [(128, 128, "L")] * 3)
@hypothesis.example(
    {"shape": [3, 8, 8], "resize": 9, "crop": [8, 8], "interpolation": "bicubic"},
    [(1, 90, "RGB"), (90, 1, "RGB"), (1, 1, "L"), (33, 77, "RGB")],
)
def test_all_that_prepares_images_does_what_pillow_does(settings, kinds):
    """To one grey level: evaluation, training without augmentations, and AIPP."""
    noise = np.random.default_rng(len(kinds))
    shape = tuple(settings["shape"])
    mean = np.reshape(settings.get("mean", 0.0), (-1, 1, 1))
    std = np.reshape(settings.get("std", 1.0), (-1, 1, 1))
    to = preprocessing_of(settings, shape)
    expected, files = [], []
    for width, height, mode in kinds:
        image = Image.fromarray(noise.integers(0, 256, (height, width, 3), np.uint8))
        data, rgb = in_mode(image, mode)
        files.append(data)
        expected.append(by_pillow(rgb, settings))
        fixed = fixed_crop(to)
        host = host_pixels(data, to).transpose(2, 0, 1).astype(np.float32)
        rows, columns = slice(fixed.top, fixed.top + fixed.height), fixed.left
        cut = host[:, rows, columns : columns + fixed.width]
        assert np.abs(cut - expected[-1]).max() <= 1
    with tempfile.TemporaryDirectory() as root:
        for number, data in enumerate(files):
            touch(Path(root) / "train" / "all" / f"{number}.png", data)
        folder = scan(Path(root), "train")
        train = TrainPipeline(folder, to, batch=len(files), seed=1, shuffle=False)
        for found in (all_images(train), all_images(EvalPipeline(folder, to, batch=2))):
            levels = (found * std + mean) * 255
            assert np.abs(levels - np.stack(expected)).max() < 1.01


def test_a_very_long_image_takes_no_more_memory_than_its_part(monkeypatch):
    settings = {"shape": [3, 24, 20], "resize": 30, "crop": [24, 20]}
    long = picture(5, 6, 700)
    for interpolation in ("bilinear", "bicubic"):
        to = preprocessing_of({**settings, "interpolation": interpolation}, (3, 24, 20))
        expected = preprocess_bytes(encode(long, "PNG"), to)
        monkeypatch.setattr(preprocess, "MAX_PIXELS", 1000)
        assert np.abs(preprocess_bytes(encode(long, "PNG"), to) - expected).max() < 1.01 / 255
        monkeypatch.undo()
    thread = Image.new("RGB", (60_000, 1), (9, 99, 199))
    found = preprocess_bytes(encode(thread, "PNG"), preprocessing_of(settings, (3, 24, 20)))
    assert np.abs(found - np.reshape([9, 99, 199], (3, 1, 1)) / 255).max() < 1e-6


def test_another_input_size_keeps_the_proportions():
    settings = load("isynet_n1").preprocessing
    assert preprocessing_of(settings, (3, 224, 224)).resize == 256
    assert preprocessing_of(settings, (3, 64, 64)).resize == 73
    assert preprocessing_of(load("cspdarknet53").preprocessing, (3, 112, 112)).resize == (128, 128)
    assert preprocessing_of({"shape": [1, 8, 8]}, (1, 8, 8)).resize == (8, 8)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        (
            {"shape": [4, 8, 8]}, (4, 8, 8),
            "the network takes 4x8x8, 4 channels; images have 3, or 1 as grey",
        ),
        (
            {"shape": [3, 224, 224], "resize": 200, "crop": 224}, (3, 224, 224),
            "the spec's input is resized to 200, from which 224x224 cannot be cut; use a"
            " larger resize",
        ),
        (
            {"shape": [3, 8, 8], "mean": [123.7, 116.3, 103.5]}, (3, 8, 8),
            "the spec's input has a mean of 123.7; use means of pixels scaled to 0..1",
        ),
    ],
)  # fmt: skip
def test_inputs_that_no_image_gives_are_told(settings, shape, message):
    with pytest.raises(UsageError) as error:
        preprocessing_of(settings, shape)
    assert str(error.value) == message


def test_what_is_no_image_cannot_be_predicted(tmp_path):
    touch(tmp_path / "a.jpg", b"garbage")
    with pytest.raises(UsageError) as error:
        preprocess_image(tmp_path / "a.jpg", RGB8, (3, 8, 8))
    assert str(error.value) == f"{tmp_path}/a.jpg is not a readable image (it is of no known kind)"
    with pytest.raises(UsageError, match=r"b\.jpg cannot be read \(no such file or directory\)"):
        preprocess_image(tmp_path / "b.jpg", RGB8, (3, 8, 8))


# --- MindRecord -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record(tree, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("record")
    write_mindrecord(scan(tree, "train"), root / "train.mindrecord")
    return root


def test_mindrecord_is_the_same_data(tree, record):
    folder, packed = scan(tree, "train"), scan(record, "train")
    assert packed.classes == folder.classes
    assert packed.labels.tolist() == folder.labels.tolist()
    assert not readable(packed, 2).unreadable
    assert scan(record / "train.mindrecord", "train").where == packed.where
    sources = [TrainPipeline(s, PLAIN, EVERYTHING, MIX, batch=4, seed=5) for s in (folder, packed)]
    assert batches(sources[0], 1, 2) == batches(sources[1], 1, 2)
    one, other = (all_images(EvalPipeline(s, PLAIN, batch=7)) for s in (folder, packed))
    assert np.array_equal(one, other)


def test_mindrecord_holds_every_kind_of_image(zoo, tmp_path):
    root, expected = zoo
    write_mindrecord(scan(root, "train"), tmp_path / "train.mindrecord")
    train = TrainPipeline(scan(tmp_path, "train"), PLAIN, batch=19, seed=1, shuffle=False)
    assert np.abs(all_images(train) - expected).max() < 1e-6


def test_mindrecords_of_others_are_read_or_told(tmp_path):
    from mindspore.mindrecord import FileWriter

    def write(name: str, schema: dict, rows: list[dict]) -> Path:
        (tmp_path / name).mkdir()
        writer = FileWriter(str(tmp_path / name / "train.mindrecord"))
        writer.add_schema(schema, "theirs")
        writer.write_raw_data(rows)
        writer.commit()
        return tmp_path / name

    schema = {"data": {"type": "bytes"}, "label": {"type": "int32"}}
    damaged = [b"garbage", *(IMAGE for _ in range(3))]
    rows = [{"data": data, "label": n % 2} for n, data in enumerate(damaged + damaged[1:])]
    good = readable(scan(write("good", schema, rows), "train"), 1, most_unreadable=0.2)
    assert good.classes == ("0", "1")
    assert good.unreadable == {"row 0": "it is of no known kind"}
    train = TrainPipeline(good, PLAIN, batch=6, seed=1, shuffle=False)
    assert np.abs(all_images(train) - pixels(picture(0))).max() < 1e-6
    gap = write("gap", schema, [{"data": IMAGE, "label": 2 * n} for n in range(2)])
    with pytest.raises(UsageError) as error:
        scan(gap, "train")
    assert str(error.value) == (
        f"{gap}/train.mindrecord has labels up to 2 and none of '1'; use labels without gaps"
    )
    other = write("other", {"file": {"type": "string"}}, [{"file": "x"}])
    with pytest.raises(UsageError) as error:
        scan(other, "train")
    assert str(error.value) == (
        f"{other}/train.mindrecord has columns 'file'; use 'label', and 'image' or 'data'"
    )


# --- the command ----------------------------------------------------------------------------------


def test_the_command_packs_and_checks(tmp_path, capsys):
    root = write_tree(tmp_path / "data", images=60)
    touch(root / "train" / "dog" / "notes.txt")
    touch(root / "train" / "dog" / "broken.jpg", JPEG[:-300])
    packed = tmp_path / "packed"
    fitting = ["--for", "tiny/isynet", "--set", "classes=3", "--workers", "1"]
    assert main(["data", "check", str(root), *fitting]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "train 180 3 cat: 60 cat: 60 1" in shown
    assert (
        "left out 1 image that cannot be read: 'dog/broken.jpg' (image file is truncated" in shown
    )
    assert "left out 1 file that is not an image: 'dog/notes.txt'" in shown
    assert main(["data", "mindrecord", str(root), str(packed)]) == 0
    assert main(["data", "check", str(packed), "--for", "tiny/isynet"]) == 2
    assert "use --set classes=3" in capsys.readouterr().err
    assert sorted(path.name for path in packed.iterdir()) == [
        "train.mindrecord", "train.mindrecord.db", "val.mindrecord", "val.mindrecord.db",
    ]  # fmt: skip


# What a folder of photographs has in it.


def write_class(folder, count=2):
    """Images of a class, whatever its name is made of."""
    Path(folder).mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (9, 9), (number * 40, 10, 20)).save(Path(folder) / f"{number}.png")


def test_all_damaged_images_are_listed(tmp_path, run):
    for split in ("train", "val"):
        for name in "ab":
            write_class(tmp_path / split / name, 60)
    for number in range(5):
        path = tmp_path / "train" / "a" / f"{number}.png"
        path.write_bytes(path.read_bytes()[:50])
    code, out, err = run("data", "check", tmp_path, "--limit", 3)
    assert code == 1
    assert "5 of 120 images cannot be read" in err
    assert [line.split()[0] for line in out.splitlines() if line.startswith("a/")] == [
        "a/0.png", "a/1.png", "a/2.png",
    ]  # fmt: skip
    assert "and 2 more" in out
    code, out, _ = run("data", "check", tmp_path, "--format", "json")
    found = json.loads(out)
    assert code == 1
    assert [row["image"] for row in found["damaged"]] == [f"a/{n}.png" for n in range(5)]
    assert found["splits"][0]["images"] == 115
    assert run("data", "check", tmp_path, "--limit", -1)[0] == 2


def test_class_names_that_print_alike_are_told_apart(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    write_class(tmp_path / "one" / "b")
    write_class(tmp_path / "one" / composed)
    write_class(tmp_path / "one" / decomposed)
    with pytest.raises(UsageError, match=r"'caf\\xe9' and 'cafe\\u0301'|'cafe\\u0301' and 'caf"):
        scan_folder(tmp_path / "one", learns=True)
    for split, name in (("train", composed), ("val", decomposed)):
        write_class(tmp_path / split / "b")
        write_class(tmp_path / split / name)
    with pytest.raises(UsageError, match=r"spell one class in two ways, 'caf\\xe9' and 'cafe\\u"):
        check_same_classes(scan(tmp_path, "train"), scan(tmp_path, "val"))


def test_a_class_whose_name_is_no_text_works(tmp_path):
    for split in ("train", "val"):
        write_class(tmp_path / split / os.fsdecode(b"\xc6\xfb"))
        write_class(tmp_path / split / "b")
    source = readable(scan(tmp_path, "train"), 1)
    assert source.classes == ("b", r"\xc6\xfb")
    assert [len(load()) > 50 for load in source.loads(range(4))] == [True] * 4
    write_whole(tmp_path / "names.json", json.dumps([source.name(3)], ensure_ascii=False))
    assert json.loads((tmp_path / "names.json").read_text()) == [source.name(3)]


@pytest.mark.parametrize("suffix, kind", [
    (".jfif", "JPEG"), (".jpe", "JPEG"), (".jp2", "JPEG2000"), (".avif", "AVIF"), (".tga", "TGA"),
])  # fmt: skip
def test_every_ending_that_pillow_reads_is_an_image(tmp_path, suffix, kind):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow has no {kind}")
    for number in range(2):
        path = tmp_path / "train" / "a" / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (90, 30, number)).save(path, kind)
    write_class(tmp_path / "train" / "b")
    source = readable(scan(tmp_path, "train"), 1, most_unreadable=0)
    assert len(source.labels) == 4


def test_a_photograph_that_nothing_reads_is_named_as_one(tmp_path):
    for name in "ab":
        write_class(tmp_path / "train" / name)
    (tmp_path / "train" / "a" / "photo.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (note,) = scan(tmp_path, "train").ignored
    assert "convert it to JPEG or PNG" in note and "photo.HEIC" in note


def test_files_that_were_written_to_have_other_stamps(tmp_path):
    for name in "ab":
        write_class(tmp_path / "train" / name)
    before = scan(tmp_path, "train").stamps
    path = tmp_path / "train" / "a" / "0.png"
    os.utime(path, ns=(1, 1))
    touched = scan(tmp_path, "train").stamps
    assert touched["sizes"] == before["sizes"] and touched["times"] != before["times"]
    Image.new("RGB", (90, 90)).save(path)
    assert scan(tmp_path, "train").stamps["sizes"] != before["sizes"]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    for name in "ab":
        write_class(tmp_path / "train" / name)
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert len(readable(scan(tmp_path, "train"), 1, cache=tmp_path / "cache").labels) == 4
