"""Batches by PyTorch's pipeline: the same bytes whoever makes them and wherever they begin, beside
MindSpore's and beside evaluation; and what becomes of its processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from oracles import runs
from PIL import Image

import archspec
from archspec import training
from archspec.compiler.images.preprocess import preprocess_bytes
from archspec.compiler.images.steps import preprocessing_of
from archspec.errors import UsageError
from archspec.training.backend import DeviceError
from archspec.training.data import EvalPipeline, readable, scan
from archspec.training.recipe import Mix

torch = pytest.importorskip("torch")

from archspec.training.backends.torch.data import TrainPipeline  # noqa: E402 (needs torch)
from archspec.training.backends.torch.trainer import Images  # noqa: E402 (needs torch)

TESTS = Path(__file__).parents[1]
SIDE = 8
COLOR = preprocessing_of({"shape": [3, SIDE, SIDE]}, (3, SIDE, SIDE))
GREY = preprocessing_of({"shape": [1, SIDE, SIDE]}, (1, SIDE, SIDE))
RANDOM = (
    {"random_resized_crop": {"scale": [0.2, 1], "ratio": [0.75, 1.3], "interpolation": "bicubic"}},
    {"horizontal_flip": 0.5},
    {"color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}},
    {"rand_augment": {"ops": 2, "magnitude": 9, "bins": 31}},
)  # fmt: skip
ERASING = {"random_erasing": 0.9}
MIX = Mix(mixup=0.4, cutmix=1.0, probability=0.7)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """24 images to train on and 6 to score, of 12x12 pixels."""
    return runs.write_images(tmp_path_factory.mktemp("data") / "d", train=8, val=2)


@pytest.fixture
def made(data):
    """Makes a pipeline of 6 steps, whose processes end with the test."""
    own = []

    def make(preprocessing=COLOR, augment=(), mix=None, workers=1, source=None, **settings):
        source = source or scan(data, "train")
        settings = {"batch": 4, "seed": 3, **settings}
        own.append(TrainPipeline(source, preprocessing, augment, mix, workers=workers, **settings))
        return own[-1]

    yield make
    for pipeline in own:
        pipeline.close()


def steps(pipeline, epoch=0, skip=0):
    return [
        (np.asarray(images).tobytes(), np.asarray(labels).tobytes())
        for images, labels in pipeline.epoch(epoch, skip)
    ]


# The same bytes.


@pytest.mark.parametrize("mix", [None, MIX], ids=["plain", "mixed"])
def test_workers_change_no_byte(made, mix):
    augment = (*RANDOM, ERASING) if mix else RANDOM
    one, two = (made(augment=augment, mix=mix, workers=count) for count in (1, 2))
    for epoch in range(2):
        found = steps(one, epoch)
        assert found == steps(two, epoch)
        assert len(found) == len({*found}) == 6
    assert steps(one, 0) != steps(one, 1)


@pytest.mark.parametrize("mix", [None, MIX], ids=["plain", "mixed"])
def test_an_epoch_begins_at_any_step(made, mix):
    pipeline = made(augment=RANDOM, mix=mix, workers=2)
    whole = steps(pipeline, 1)
    for skip in range(7):
        assert steps(pipeline, 1, skip) == whole[skip:]
    assert steps(made(augment=RANDOM, mix=mix), 1, 4) == whole[4:]


def test_an_epoch_that_is_left_leaves_nothing_behind(made):
    """A signal ends an epoch in its midst; what its processes have ready is not the next one's."""
    pipeline = made(augment=RANDOM, workers=2)
    wanted = steps(made(augment=RANDOM), 5, 2)
    for taken in (1, 3):
        begun = pipeline.epoch(4)
        for _ in range(taken):
            next(begun)
        begun.close()
        assert steps(pipeline, 5, 2) == wanted


def test_ranks_share_the_images_of_one(made):
    alone = made(augment=RANDOM, batch=8)
    ranks = [made(augment=RANDOM, rank=rank, ranks=2) for rank in range(2)]
    whole = [np.asarray(images) for images, _ in alone.epoch(2)]
    shares = zip(*(pipeline.epoch(2) for pipeline in ranks), strict=True)
    for images, of_ranks in zip(whole, shares, strict=True):
        assert np.array_equal(images, np.concatenate([np.asarray(x) for x, _ in of_ranks]))


# What a batch is.


def test_bytes_travel_unless_images_are_mixed(made):
    images, labels = next(made(augment=RANDOM).epoch(0))
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (4, SIDE, SIDE, 3))
    assert (labels.dtype, labels.shape) == (np.int32, (4,))
    images, labels = next(made(augment=RANDOM, mix=MIX).epoch(0))
    assert (images.dtype, tuple(images.shape)) == (torch.float32, (4, 3, SIDE, SIDE))
    assert (labels.dtype, labels.shape) == (np.float32, (4, 3))
    images, labels = next(made(augment=(*RANDOM, ERASING)).epoch(0))
    assert (images.dtype, labels.dtype) == (torch.float32, np.int32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resized", [{}, {"resize": 10}], ids=["squeezed", "cut"])
def test_without_augmentation_it_is_evaluation(data, made, tmp_path, channels, resized):
    """Pixels as they are on the device, beside those that evaluation has."""
    normal = {"mean": [0.5, 0.4, 0.3][:channels], "std": [0.2, 0.3, 0.4][:channels]}
    sizes = {"shape": [channels, SIDE, SIDE], **normal, **resized}
    (tmp_path / "spec.json").write_text(json.dumps({**runs.PLAIN, "input": sizes}))
    graph = archspec.load(tmp_path / "spec.json")
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    pipeline = made(preprocessing, batch=24, shuffle=False)
    ((given, _),) = pipeline.epoch(0)
    found = Images(graph)(given)
    assert found.is_contiguous(memory_format=torch.channels_last)
    source = scan(data, "train")
    wanted = np.stack([preprocess_bytes(load(), preprocessing) for load in source.loads(range(24))])
    assert wanted.shape == (24, channels, SIDE, SIDE)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-6)
    evaluated = np.concatenate([x for x, _ in EvalPipeline(source, preprocessing, batch=24)])
    assert np.array_equal(evaluated, wanted)
    # what is mixed is normalised before, to the same
    ((before, _),) = made(preprocessing, (ERASING,), batch=24, shuffle=False).epoch(0)
    kept = np.asarray(before) != 0
    np.testing.assert_allclose(before.numpy()[kept], wanted[kept], rtol=0, atol=1e-6)


def test_images_for_grey_networks(data, made):
    augment = ({"random_crop": {"padding": 2}}, {"horizontal_flip": 0.5})
    big = preprocessing_of({"shape": [1, 12, 12]}, (1, 12, 12))
    images, _ = next(made(big, augment).epoch(0))
    assert tuple(images.shape) == (4, 12, 12, 1)
    # colors are for RGB, of which grey is taken last
    one, other = (np.asarray(next(made(p, RANDOM).epoch(0))[0]) for p in (GREY, COLOR))
    luma = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in other])
    assert np.array_equal(one[..., 0], luma)


# Beside MindSpore's.


def test_order_labels_and_mixing_are_those_of_mindspore(data, made):
    pytest.importorskip("mindspore")
    from archspec.training.backends.mindspore.data import TrainPipeline as Theirs

    source = scan(data, "train")
    arguments = (source, COLOR, (ERASING,), MIX)
    theirs = Theirs(*arguments, batch=4, seed=3)
    ours = made(augment=(ERASING,), mix=MIX)
    for epoch in range(2):
        assert np.array_equal(ours.order(epoch), theirs.order(epoch))
        for (images, labels), (others, shares) in zip(
            ours.epoch(epoch, 2), theirs.epoch(epoch, 2), strict=True
        ):
            assert np.array_equal(labels, shares)
            np.testing.assert_allclose(np.asarray(images), others, rtol=0, atol=1e-6)


def test_mindrecord_is_the_same_data(data, made, tmp_path):
    pytest.importorskip("mindspore")
    from archspec.training.backends.mindspore.mindrecord import write_mindrecord

    write_mindrecord(scan(data, "train"), tmp_path / "train.mindrecord")
    packed = scan(tmp_path, "train")
    folder = made(augment=RANDOM, mix=MIX)
    for workers in (1, 2):
        records = made(augment=RANDOM, mix=MIX, workers=workers, source=packed)
        assert steps(records, 1, 2) == steps(folder, 1, 2)
    ((images, labels),) = made(source=packed, batch=24).epoch(0)
    assert images.dtype == torch.uint8
    assert labels.dtype == np.int32


# When something goes wrong.


@pytest.mark.parametrize("workers", [1, 2])
def test_an_image_that_vanishes_is_one_sentence(tmp_path, made, workers):
    root = runs.write_images(tmp_path / "data", train=8, val=2)
    pipeline = made(source=readable(scan(root, "train"), 1), workers=workers)
    (root / "train" / "class1" / "003.png").unlink()
    with pytest.raises(UsageError) as error:
        steps(pipeline)
    assert str(error.value) == (
        f"{root}/train: 'class1/003.png' could be read when the run began and cannot be now (no"
        " such file or directory)"
    )


def test_an_image_that_cannot_be_cut_is_one_sentence(made):
    augment = ({"resize": [12, 12]}, {"random_crop": {"padding": 0}})
    large = preprocessing_of({"shape": [3, 20, 20]}, (3, 20, 20))
    with pytest.raises(UsageError, match="random_crop cannot cut 20 x 20 pixels out of an image"):
        steps(made(large, augment, workers=2))


# Its processes.

SCRIPT = """\
import multiprocessing, os, sys
sys.path.insert(0, {tests!r})
from archspec.compiler.images.steps import preprocessing_of
from archspec.training.backends.torch.data import TrainPipeline
from archspec.training.data import scan

def main():
    preprocessing = preprocessing_of({{"shape": [3, 8, 8]}}, (3, 8, 8))
    pipeline = TrainPipeline(
        scan({data!r}, "train"), preprocessing, {augment!r}, batch=4, seed=3, workers=2
    )
    {body}

if __name__ == "__main__":
    main()
"""


def script(tmp_path, data, body):
    path = tmp_path / "script.py"
    body = textwrap.indent(textwrap.dedent(body), "    ").strip()
    text = SCRIPT.format(tests=str(TESTS), data=str(data), augment=RANDOM, body=body)
    path.write_text(text)
    return [sys.executable, str(path)]


def is_there(process):
    """Whether a process runs; one that has ended and that nobody has asked for is not there."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_processes_end_with_their_parent(data, tmp_path):
    command = script(
        tmp_path, data,
        """
        next(pipeline.epoch(0))
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        sys.stdin.read()
        """,
    )  # fmt: skip
    with subprocess.Popen(
        command, cwd=TESTS.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == min(2, os.cpu_count() or 1)
        assert all(is_there(worker) for worker in workers)
        parent.kill()
    ends = time.monotonic() + 10
    while any(map(is_there, workers)) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not any(map(is_there, workers))


def test_processes_end_with_their_pipeline(made):
    """A search trains one network after the other in one process."""
    before = {*multiprocessing.active_children()}
    pipeline = made(augment=RANDOM, workers=2)
    wanted = steps(pipeline)
    assert len({*multiprocessing.active_children()} - before) == 2
    pipeline.close()
    assert not {*multiprocessing.active_children()} - before
    assert steps(pipeline) == wanted


def test_processes_end_with_their_run(tmp_path):
    runs.write_inputs(tmp_path)
    before = {*multiprocessing.active_children()}
    training.train(
        tmp_path / "noisy.json", str(tmp_path / "small.yaml"), tmp_path / "data",
        tmp_path / "run", settings=["epochs=1"], backend="torch",
    )  # fmt: skip
    assert not {*multiprocessing.active_children()} - before


def test_a_process_that_is_killed_is_one_sentence(made):
    """Not before a batch is asked for: elsewhere nobody expects an error."""
    before = {*multiprocessing.active_children()}
    batches = made(augment=RANDOM, workers=2, batch=1).epoch(0)
    next(batches)
    {*multiprocessing.active_children()}.difference(before).pop().kill()
    time.sleep(1)
    with pytest.raises(DeviceError, match="a process that reads images was ended from outside"):
        list(batches)


@pytest.mark.parametrize("kind", [RuntimeError, EOFError, ConnectionResetError])
def test_an_error_within_a_process_is_its_own(kind, made, monkeypatch):
    """With the traceback that whoever mends it needs."""

    def failing(self, images, labels, epoch, step):
        raise kind("out of order")

    monkeypatch.setattr(TrainPipeline, "mix_step", failing)
    with pytest.raises(kind, match=r"Traceback[\s\S]*out of order"):
        list(made(mix=MIX).epoch(0))


def test_processes_may_be_spawned(data, tmp_path, made):
    """As they are on macOS: what they need travels to them."""
    command = script(
        tmp_path, data,
        """
        multiprocessing.set_start_method("spawn")
        for images, labels in pipeline.epoch(1, 4):
            print(images.numpy().tobytes().hex(), labels.tobytes().hex())
        """,
    )  # fmt: skip
    done = subprocess.run(
        command, cwd=TESTS.parent, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [tuple(map(bytes.fromhex, line.split())) for line in done.stdout.splitlines()]
    assert found == steps(made(augment=RANDOM), 1, 4)


def test_a_run_that_was_killed_resumes_at_once(tmp_path):
    """The lock on its folder ends with the process that trains, though those that read images for
    it take some seconds more."""
    runs.write_inputs(tmp_path)
    arguments = ["--recipe", "small.yaml", "--data", "data", "--backend", "torch", "--out", "run"]
    process = runs.start(tmp_path, "train", "noisy.json", *arguments, "--epochs", "400")
    ends = time.monotonic() + 120
    while not runs.metrics(tmp_path / "run") and time.monotonic() < ends:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = runs.start(tmp_path, "train", "--resume", "run")
    before = len(runs.metrics(tmp_path / "run"))
    ends = time.monotonic() + 120
    while len(runs.metrics(tmp_path / "run")) <= before and time.monotonic() < ends:
        if again.poll() is not None:
            break
        time.sleep(0.05)
    assert again.poll() is None, again.communicate()
    again.send_signal(signal.SIGTERM)
    said = runs.finish(again, code=128 + signal.SIGTERM)
    assert "another" not in said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["backend"] == "torch"
    process.communicate()


def test_an_image_that_comes_again_in_an_epoch_is_augmented_otherwise(tmp_path):
    """As of a class of two images beside one of eight, where classes are balanced."""
    data = runs.write_images(tmp_path / "data", classes=2, train=8)
    for path in sorted((data / "train" / "class1").iterdir())[2:]:
        path.unlink()
    source = scan(data, "train")
    pipeline = TrainPipeline(
        source, preprocessing_of({"shape": [3, 12, 12]}, (3, 12, 12)),
        [{"random_crop": {"padding": 6}}], batch=10, seed=1, workers=1, balanced=True,
    )  # fmt: skip
    ((images, labels),) = pipeline.epoch(0)
    rare = [
        np.asarray(image).tobytes() for image, label in zip(images, labels, strict=True) if label
    ]
    assert len(rare) == 5
    assert len({*rare}) == len(rare)
    ((again, _),) = pipeline.epoch(0)
    assert np.array_equal(np.asarray(again), np.asarray(images))
