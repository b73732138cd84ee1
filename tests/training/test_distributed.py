"""Several processes train as one: real processes, really killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from oracles import runs

pytest.importorskip("mindspore")

from archspec.compiler.weights.files import open_tensors
from archspec.errors import UsageError
from archspec.training.backends.mindspore.ranks import is_one_of_several, join

SETTINGS = (
    "--set", "augment=[]", "--set", "mix=null", "--set", "ema=null", "--set", "epochs=30",
)  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    runs.write_inputs(folder)
    runs.write_traps(folder)
    return folder


def begin(folder, out, batch, workers):
    return runs.start(
        folder, "train", "plain.json", "--recipe", "small.yaml", "--data", "data", *SETTINGS,
        "--set", f"batch={batch}", "--workers", str(workers), "--out", out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def two(inputs):
    runs.finish(begin(inputs, "two", 8, 2))
    return inputs / "two"


def weights(run):
    with open_tensors(run / "last.safetensors") as file:
        return {name: file.read(name) for name in file.entries}


def test_two_processes_are_one_of_twice_the_batch(inputs, two):
    runs.finish(begin(inputs, "one", 16, 1))
    ours, theirs = weights(two), weights(inputs / "one")
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert np.abs(array - theirs[name]).max() < 1e-6, name
    for mine, other in zip(runs.metrics(two), runs.metrics(inputs / "one"), strict=True):
        assert mine == pytest.approx(other, abs=1e-5)


def test_stopped_then_killed_the_run_goes_on_to_the_bit(inputs, two):
    run = inputs / "hurt"
    process = begin(inputs, "hurt", 8, 2)
    wait_for_lines(run, 5, process)
    process.send_signal(signal.SIGINT)
    said = runs.finish(process, 130)
    assert "stopped and saved; archspec train --resume hurt resumes it" in said
    lines = len(runs.metrics(run))
    assert 5 <= lines < len(runs.metrics(two))

    process = runs.start(inputs, "train", "--resume", "hurt")
    wait_for_lines(run, lines + 5, process)
    victim = worker_of(process, 1)
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    said = runs.finish(process, 1, timeout=30)
    assert time.monotonic() - killed < 30
    assert f"worker 1 of 2 (process {victim}) was killed by SIGKILL" in said
    assert "archspec train --resume hurt resumes from the last checkpoint" in said
    assert not children(process.pid)

    runs.command(inputs, "train", "--resume", "hurt")
    assert runs.state(run) == runs.state(two)
    assert runs.metrics(run) == runs.metrics(two)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_before_there_is_anything_to_save(inputs, number):
    """The signal ends the processes as it would end one; the same command then works."""
    name = f"early{number}"
    process = begin(inputs, name, 8, 2)
    deadline = time.monotonic() + 120
    while not (inputs / name / "logs" / "worker-1.log").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(number)
    said = runs.finish(process, 128 + number, timeout=60)
    assert f"archspec train --resume {name} resumes it" in said
    assert "ended with exit code" not in said
    assert not children(process.pid)


def test_it_works_under_msrun(inputs, two):
    """MindSpore's own launcher, which tells each process of the others in the same way."""
    arguments = [
        "plain.json", "--recipe", "small.yaml", "--data", "data", *SETTINGS,
        "--set", "batch=8", "--out", "msrun",
    ]  # fmt: skip
    script = inputs / "train.py"
    script.write_text("import sys\nfrom archspec.cli import main\nsys.exit(main(sys.argv[1:]))\n")
    subprocess.run(
        [
            Path(sys.executable).with_name("msrun"), "--worker_num=2", "--local_worker_num=2",
            f"--master_port={free_port()}", "--log_dir=msrun_logs", "--join=True", script, "train",
            *arguments,
        ],
        cwd=inputs,
        env={
            **os.environ, "GLOG_v": "3", "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        timeout=200,
        check=False,  # msrun's exit code says little
    )  # fmt: skip
    assert runs.metrics(inputs / "msrun") == runs.metrics(two)
    done = (inputs / "msrun" / "logs").glob("rank-*.done")
    assert {path.name: path.read_text() for path in done} == {
        "rank-0.done": "90\n", "rank-1.done": "90\n",
    }  # fmt: skip


def test_the_number_of_processes_stays(inputs, two):
    said = runs.command(inputs, "train", "--resume", "two", "--workers", "3", code=2)
    assert "two was begun with 2 workers" in said


@pytest.mark.parametrize(
    ("environment", "several"),
    [
        ({}, False),
        ({"MS_ROLE": "MS_WORKER"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, False),
        ({"RANK_TABLE_FILE": "t.json", "RANK_ID": "0", "RANK_SIZE": "8"}, True),
        ({"RANK_TABLE_FILE": "t.json", "RANK_ID": "0", "RANK_SIZE": "1"}, False),
    ],
)
def test_who_is_one_of_several(environment, several):
    assert is_one_of_several(environment) is several


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"RANK_SIZE": "eight"},
            "RANK_SIZE is 'eight' in the environment; it must be a whole number",
        ),
        ({"RANK_SIZE": "2", "RANK_ID": "2"}, "RANK_ID is 2 and RANK_SIZE 2; it must be 0 to 1"),
        ({"RANK_SIZE": "2", "RANK_ID": "1", "RANK_TABLE_FILE": "none.json"}, "which is not a file"),
    ],
)
def test_an_environment_that_cannot_be(monkeypatch, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    join.cache_clear()
    with pytest.raises(UsageError, match=re.escape(message)):
        join("CPU")


def wait_for_lines(run, count, process):
    deadline = time.monotonic() + 120
    while len(runs.metrics(run)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no step was made"
        time.sleep(0.01)


def children(parent):
    """Processes by id, with their command lines (Linux)."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found[int(folder.name)] = (folder / "environ").read_bytes()
        except OSError:
            continue  # it has just ended
    return found


def worker_of(process, index):
    wanted = f"ARCHSPEC_WORKER={index}".encode()
    return next(pid for pid, words in children(process.pid).items() if wanted in words.split(b"\0"))


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
