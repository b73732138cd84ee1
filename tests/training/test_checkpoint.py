"""Checkpoints survive what happens to files, and a run resumes from them to the bit.

Files are damaged for real; runs are processes of the command, killed for real at random moments.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
from oracles import runs

from archspec.training.checkpoint import Checkpoint, last_good, sweep, write_checkpoint

ARRAYS = {
    "conv.weight": np.random.default_rng(0).standard_normal((3, 4), np.float32),
    "global_step": np.array([7], np.int32),
    "scalar": np.array(2, np.int64),
    "half": np.ones(2, np.float16),
    "flag": np.array([True, False]),
}
EPOCHS = 12
SEED = int(os.environ.get("ARCHSPEC_SEED", "3"))


def write_three(folder):
    for step in (1, 2, 3):
        write_checkpoint(folder, Checkpoint(step, ARRAYS, {"epoch": step, "best": 0.5}), 5)
    return folder / "step-000000003.safetensors"


# Files.


def test_what_is_written_is_read(tmp_path):
    write_three(tmp_path)
    found, refused = last_good(tmp_path, ARRAYS)
    assert not refused
    assert (found.step, found.progress) == (3, {"epoch": 3, "best": 0.5})
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert np.array_equal(found.arrays[name], array)


def test_only_the_last_are_kept(tmp_path):
    for step in (9, 10, 11, 100):
        write_checkpoint(tmp_path, Checkpoint(step, ARRAYS, {}), 2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-000000011.safetensors", "step-000000100.safetensors"]


def test_any_changed_byte_is_found_or_changes_nothing(tmp_path):
    last = write_three(tmp_path)
    whole = last.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        last.write_bytes(changed)
        found, refused = last_good(tmp_path, ARRAYS)
        if not refused:  # "BOOl" is as good as "BOOL"
            assert (found.step, found.progress) == (3, {"epoch": 3, "best": 0.5})
            assert all(np.array_equal(found.arrays[name], ARRAYS[name]) for name in ARRAYS)
            continue
        assert found.step == 2, f"byte {place} of {len(whole)}"
        assert [one.path for one in refused] == [last]


def test_any_missing_tail_is_found(tmp_path):
    last = write_three(tmp_path)
    whole = last.read_bytes()
    for length in range(0, len(whole), 5):
        last.write_bytes(whole[:length])
        found, refused = last_good(tmp_path, ARRAYS)
        assert found.step == 2
        assert "damaged" in str(refused[0])
        assert str(refused[0]).startswith(f"{last} was refused: ")


def test_that_of_another_training_is_refused(tmp_path):
    write_three(tmp_path)
    wanted = {**ARRAYS, "half": np.ones(3, np.float16)}
    found, refused = last_good(tmp_path, wanted)
    assert found is None
    assert [one.why for one in refused] == ["half is float16 (2,) in it and float16 (3,) here"] * 3
    _, refused = last_good(tmp_path, {**ARRAYS, "ema.conv.weight": ARRAYS["conv.weight"]})
    assert refused[0].why == "it lacks ema.conv.weight, as of another training"


def test_what_a_crash_left_half_written_goes(tmp_path):
    last = write_three(tmp_path)
    (tmp_path / f".{last.name}.k3j").write_bytes(b"half")
    assert last_good(tmp_path, ARRAYS)[0].step == 3
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


# Runs.


@pytest.fixture(scope="module")
def inputs(framework, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    runs.write_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def begin(inputs, framework):
    def start(out, epochs=EPOCHS):
        return runs.start(
            inputs, "train", "noisy.json", "--recipe", "small.yaml", "--data", "data",
            "--backend", framework, "--epochs", str(epochs), "--out", out,
        )  # fmt: skip

    return start


@pytest.fixture(scope="module")
def whole(inputs, begin):
    """A run that nothing happened to."""
    runs.finish(begin("whole"))
    return inputs / "whole"


def wait_for_lines(run, count, process):
    deadline = time.monotonic() + 120
    while len(runs.metrics(run)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no step was made"
        time.sleep(0.005)


def same(run, other):
    assert runs.state(run) == runs.state(other)
    assert runs.metrics(run) == runs.metrics(other)
    for name in ("best.safetensors", "last.safetensors"):
        assert (run / name).read_bytes() == (other / name).read_bytes()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was over before it was killed"


@pytest.mark.long_on("mindspore")
def test_killed_at_random_moments_it_goes_on_to_the_bit(inputs, begin, whole):
    moments = random.Random(SEED)
    run = inputs / "killed"
    process = begin("killed")
    for lines in (2, 40):
        wait_for_lines(run, lines, process)
        time.sleep(moments.uniform(0, 0.3))
        kill(process)
        process = runs.start(inputs, "train", "--resume", "killed")
    said = runs.finish(process)
    assert "resumed from step" in said
    same(run, whole)


@pytest.mark.slow
def test_killed_twenty_times_it_goes_on_to_the_bit(inputs, begin):
    """Every fifth time while it starts or resumes, when it may not have made a step."""
    moments = random.Random(SEED)
    runs.finish(begin("long", epochs=60))
    run = inputs / "hunted"
    process = begin("hunted", epochs=60)
    for count in range(20):
        if count % 5 == 4:
            time.sleep(moments.uniform(0, 4))
        else:
            wait_for_lines(run, 2 + 18 * count, process)
            time.sleep(moments.uniform(0, 0.3))
        kill(process)
        process = runs.start(inputs, "train", "--resume", "hunted")
    runs.finish(process)
    same(run, inputs / "long")


@pytest.mark.long_on("mindspore")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_saves_in_the_midst_of_an_epoch(inputs, begin, whole, number):
    name = f"stopped{number}"
    process = begin(name)
    wait_for_lines(inputs / name, 10, process)
    process.send_signal(number)
    said = runs.finish(process, 128 + number)
    assert f"archspec train --resume {name} resumes it" in said
    steps = len([line for line in runs.metrics(inputs / name) if line["kind"] == "step"])
    assert 9 <= steps < 6 * EPOCHS
    assert runs.checkpoints(inputs / name)[-1].stem == f"step-{steps:09}"
    said = runs.command(inputs, "train", "--resume", name)
    assert f"resumed from step {steps} " in said
    same(inputs / name, whole)


@pytest.mark.long_on("mindspore")  # which has no part in it
def test_damaged_checkpoints_are_named_and_passed_over(inputs, whole):
    """So is a checkpoint that is good and of a later step than the damaged: it is the newest."""
    run = inputs / "damaged"
    shutil.copytree(whole, run)
    first, second, third = runs.checkpoints(run)
    content = bytearray(third.read_bytes())
    content[len(content) // 2] ^= 0x10
    third.write_bytes(content)
    second.write_bytes(second.read_bytes()[:-100])
    damaged = [second.read_bytes(), third.read_bytes()]
    said = runs.command(inputs, "train", "--resume", "damaged")
    for path in (second, third):
        assert f"note: damaged/checkpoints/{path.name} was refused: the file is damaged" in said
        assert f"it is set aside as {path.name}.damaged" in said
    assert f"resumed from step {int(first.stem[5:])} " in said
    same(run, whole)
    aside = [path.with_name(f"{path.name}.damaged").read_bytes() for path in (second, third)]
    assert aside == damaged
    assert len(runs.checkpoints(run)) == 3  # keep counts the good ones


@pytest.mark.long_on("mindspore")  # which has no part in it
def test_without_a_good_checkpoint_it_starts_again_only_when_told(inputs, whole):
    run = inputs / "emptied"
    shutil.copytree(whole, run)
    for path in runs.checkpoints(run):
        path.write_bytes(b"")
    before = contents(run)
    said = runs.command(inputs, "train", "--resume", "emptied", code=1)
    assert "emptied has no good checkpoint left" in said
    assert "archspec train --resume emptied --restart" in said
    assert contents(run) == before
    said = runs.command(inputs, "train", "--resume", "emptied", "--restart")
    assert "what was learned is kept in emptied/earlier" in said
    same(run, whole)
    kept = contents(run / "earlier")
    assert kept == {name: before[name] for name in kept}
    assert {"best.safetensors", "last.safetensors", "metrics.jsonl", "report.md"} < kept.keys()


def contents(folder):
    """The files of a run by name, but for its lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.long_on("mindspore")  # which has no part in it
def test_two_cannot_train_in_one_folder(inputs, begin):
    process = begin("locked", epochs=1000)
    wait_for_lines(inputs / "locked", 1, process)
    said = runs.command(inputs, "train", "--resume", "locked", code=2)
    assert "locked is being trained by another process" in said
    process.kill()
    process.communicate()
