"""Several processes train as one: real processes, really killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from oracles import runs

from archspec.cli import main
from archspec.compiler.weights.files import open_tensors
from archspec.errors import UsageError
from archspec.training.backend import PREFERRED, choose_backend, is_installed
from archspec.training.distributed import free_port

WORKERS = 3
"""Two add up to the same in any order."""
BATCH = 2
STEPS = 8
"""Batches of an epoch, which make one step of the optimizer, so that a run stops in the midst."""
SETTINGS = (
    "plain.json", "--recipe", "small.yaml", "--data", "data", "--set", "augment=[]", "--set",
    "mix=null", "--set", "ema=null", "--set", f"optimizer.accumulate={STEPS}",
)  # fmt: skip
EPOCHS = {"mindspore": 20, "torch": 8}


@pytest.fixture(scope="module")
def inputs(framework, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    runs.write_inputs(folder)
    runs.write_traps(folder)
    return folder


@pytest.fixture(scope="module")
def settings(framework):
    epochs = str(EPOCHS[framework])
    return (*SETTINGS, "--backend", framework, "--epochs", epochs, "--set", f"batch={BATCH}")


@pytest.fixture(scope="module")
def begin(inputs, settings):
    def start(out, workers=WORKERS, *more):
        return runs.start(
            inputs, "train", *settings, *more, "--workers", str(workers), "--out", out
        )

    return start


@pytest.fixture(scope="module")
def three(inputs, begin):
    said = runs.finish(begin("three"))
    assert "Warning" not in said + (inputs / "three/logs/worker-1.log").read_text()
    return inputs / "three"


def weights(run):
    with open_tensors(run / "last.safetensors") as file:
        return {name: file.read(name) for name in file.entries}


def test_three_processes_are_one_of_thrice_the_batch(inputs, begin, three):
    runs.finish(begin("one", 1, "--set", f"batch={WORKERS * BATCH}"))
    ours, theirs = weights(three), weights(inputs / "one")
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert np.abs(array - theirs[name]).max() < 1e-6, name
    for mine, other in zip(runs.metrics(three), runs.metrics(inputs / "one"), strict=True):
        assert mine == pytest.approx(other, abs=1e-5)


@pytest.mark.long_on("mindspore")
def test_stopped_in_the_midst_of_a_step_then_killed_it_goes_on_to_the_bit(inputs, begin, three):
    """The optimizer has made no step of the batches that it was stopped between."""
    run = inputs / "hurt"
    process = begin("hurt")
    for lines in (5, 14, 23, 32):
        wait_for_lines(run, lines, process)
        process.send_signal(signal.SIGINT)
        said = runs.finish(process, 130)
        if int(runs.checkpoints(run)[-1].stem[5:]) % STEPS:
            break
        process = runs.start(inputs, "train", "--resume", "hurt")
    else:
        pytest.fail("it always stopped between two epochs")
    assert "stopped and saved; archspec train --resume hurt resumes it" in said
    lines = len(runs.metrics(run))
    assert 5 <= lines < len(runs.metrics(three))

    process = runs.start(inputs, "train", "--resume", "hurt")
    wait_for_lines(run, lines + 5, process)
    victim = child_with(process, "ARCHSPEC_WORKER=1")
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    said = runs.finish(process, 1, timeout=30)
    assert time.monotonic() - killed < 30
    assert f"worker 1 of {WORKERS} (process {victim}) was killed by SIGKILL" in said
    assert "archspec train --resume hurt resumes from the last checkpoint" in said
    assert not children(process.pid)

    runs.command(inputs, "train", "--resume", "hurt")
    assert runs.state(run) == runs.state(three)
    assert runs.metrics(run) == runs.metrics(three)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_before_there_is_anything_to_save(inputs, begin, number):
    """The signal ends the processes as it would end one; the same command then works."""
    name = f"early{number}"
    process = begin(name, 2)
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


@pytest.mark.long_on("mindspore")
def test_it_works_under_msrun(inputs, settings, three, framework):
    """MindSpore's own launcher, which tells each process of the others in the same way."""
    if framework != "mindspore":
        pytest.skip("msrun is MindSpore's")
    script = inputs / "train.py"
    script.write_text("import sys\nfrom archspec.cli import main\nsys.exit(main(sys.argv[1:]))\n")
    subprocess.run(
        [
            Path(sys.executable).with_name("msrun"), f"--worker_num={WORKERS}",
            f"--local_worker_num={WORKERS}", f"--master_port={free_port()}",
            "--log_dir=msrun_logs", "--join=True", script, "train", *settings, "--out", "msrun",
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
    assert runs.metrics(inputs / "msrun") == runs.metrics(three)
    assert done_in(inputs / "msrun") == dict.fromkeys(range(WORKERS), STEPS * EPOCHS[framework])


@pytest.mark.slow  # beside the test of three processes: that groups of other machines meet
def test_two_groups_of_torchrun_are_one_training(inputs, settings, three, framework):
    """As on two machines, of one process and of two."""
    if framework != "torch":
        pytest.skip("torchrun is PyTorch's")
    for group in torchrun(inputs, *settings, "--out", "both"):
        runs.finish(group)
    run = inputs / "both"
    assert runs.state(run) == runs.state(three)
    assert runs.metrics(run) == runs.metrics(three)
    assert done_in(run) == dict.fromkeys(range(WORKERS), STEPS * EPOCHS[framework])


@pytest.mark.slow  # what it adds to the last two is who tells of the process that is lost
def test_two_groups_of_torchrun_lose_a_process_and_go_on_to_the_bit(
    inputs, settings, three, framework
):
    """torchrun names who was killed, its own group and the other one end at once, and both
    launchers take the run up again."""
    if framework != "torch":
        pytest.skip("torchrun is PyTorch's")
    run = inputs / "groups"
    first, second = groups = torchrun(inputs, *settings, "--out", "groups")
    wait_for_lines(run, 14, first)
    started = {pid for group in groups for pid in children(group.pid)}
    victim = child_with(second, "RANK=2")
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    theirs = runs.finish(second, 1, timeout=30)
    ours = runs.finish(first, 1, timeout=30)
    assert time.monotonic() - killed < 30
    assert re.search(rf"rank +: 2 \(local_rank: 1\)\s+exitcode +: -9 \(pid: {victim}\)", theirs)
    assert "error: another process of this training has ended (" in ours
    assert "archspec train --resume groups resumes from it" in ours
    assert "went wrong" not in ours + theirs
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]

    for group in torchrun(inputs, "--resume", "groups"):
        runs.finish(group)
    assert runs.state(run) == runs.state(three)
    assert runs.metrics(run) == runs.metrics(three)
    assert done_in(run) == dict.fromkeys(range(WORKERS), STEPS * EPOCHS[framework])


def torchrun(folder, *arguments, launcher=()):
    """Two launchers, each of a group of its own, of one process and of two."""
    port = free_port()
    return [
        subprocess.Popen(
            [
                sys.executable, "-m", "torch.distributed.run", "--nnodes=2", f"--node_rank={rank}",
                f"--nproc_per_node={rank + 1}", "--master_addr=127.0.0.1", f"--master_port={port}",
                *launcher, "-m", "archspec.cli", "train", *arguments,
            ],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]  # fmt: skip


def done_in(run):
    """The steps that each process says it came to, by its rank."""
    return {
        int(path.stem.partition("-")[2]): int(path.read_text())
        for path in (run / "logs").glob("rank-*.done")
    }


def test_the_number_of_processes_stays(inputs, three):
    said = runs.command(inputs, "train", "--resume", "three", "--workers", "2", code=2)
    assert f"three was begun with {WORKERS} workers" in said


@pytest.mark.parametrize(
    ("environment", "several"),
    [
        ({}, None),
        ({"WORLD_SIZE": "2"}, None),
        ({"MS_ROLE": "MS_WORKER"}, "MS_ROLE=MS_WORKER"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, "OMPI_COMM_WORLD_SIZE=4"),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, None),
        ({"RANK_TABLE_FILE": "t.json", "RANK_ID": "0", "RANK_SIZE": "8"}, "RANK_SIZE=8"),
        ({"RANK_TABLE_FILE": "t.json", "RANK_ID": "0", "RANK_SIZE": "1"}, None),
    ],
)
def test_who_is_one_of_several_by_mindspore(environment, several):
    assert ranks_of("mindspore").told_by(environment) == several


@pytest.mark.parametrize(
    ("environment", "several"),
    [
        ({}, None),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2"),
        ({"WORLD_SIZE": "1", "RANK": "0"}, None),
        ({"MS_ROLE": "MS_WORKER", "RANK_SIZE": "8"}, None),
    ],
)
def test_who_is_one_of_several_by_torch(environment, several):
    assert ranks_of("torch").told_by(environment) == several


@pytest.mark.parametrize(
    ("name", "words", "others"),
    [
        ("torch", "MS_ROLE=MS_WORKER", "--backend mindspore, "),
        ("torch", "OMPI_COMM_WORLD_SIZE=4", "--backend mindspore, "),
        ("torch", "RANK_SIZE=8", "--backend mindspore, "),
        ("torch", "PMI_SIZE=2", ""),
        ("mindspore", "WORLD_SIZE=2", "--backend torch, "),
        ("mindspore", "MV2_COMM_WORLD_SIZE=2", ""),
    ],
)
def test_several_that_would_train_alone_are_refused(
    name, words, others, monkeypatch, tmp_path, capsys
):
    """By every command that trains or runs a network, before anything is written."""
    skip_without(name)
    monkeypatch.chdir(tmp_path)
    write_space(tmp_path)
    files = sorted(tmp_path.rglob("*"))
    variable, _, value = words.partition("=")
    monkeypatch.setenv(variable, value)
    network = ["plain.json", "--weights", "none.npz", "--backend", name]
    data = ["--data", "data", "--recipe", "small.yaml", "--backend", name]
    for arguments in (
        ["train", "plain.json", *data, "--out", "run"],
        ["train", "plain.json", *data, "--workers", "2", "--out", "run"],
        ["eval", *network, "--data", "data"],
        ["predict", *network, "data"],
        [
            "search",
            "space.json",
            *data,
            "--objective",
            "max:accuracy",
            "--trials",
            "2",
            "--out",
            "run",
        ],
        ["search", "space.json", *data, "--engine", "single-path", "--out", "run"],
    ):
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {words} in the environment says that this is one of")
        launcher = {"torch": "torchrun", "mindspore": "msrun"}[name]
        assert said.endswith(f"use {launcher} to start them, {others}or unset {variable}\n")
    assert sorted(tmp_path.rglob("*")) == files


def skip_without(name):
    """Without importing it, which takes longer than what is tried."""
    if not is_installed(name):
        pytest.skip(f"{name} is not installed")


def write_space(folder):
    """What a search tries, beside what a training takes."""
    runs.write_inputs(folder)
    kernel = {"choice": [3, 5], "share": "superkernel"}
    stem, block, classifier = runs.SPEC["body"]
    spec = {**runs.SPEC, "body": [stem, {**block, "kernel": kernel}, classifier]}
    (folder / "space.json").write_text(json.dumps({**spec, "name": "space"}))


@pytest.mark.parametrize("command", ["predict", "search", "search-single-path"])
def test_what_one_process_does_is_refused_to_several(command, monkeypatch, tmp_path, capsys):
    skip_without("torch")
    monkeypatch.chdir(tmp_path)
    write_space(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    data = ["--data", "data", "--recipe", "small.yaml", "--backend", "torch", "--out", "run"]
    arguments = {
        "predict": ["predict", "plain.json", "data", "--weights", "none.npz"],
        "search": ["search", "space.json", *data, "--objective", "max:accuracy", "--trials", "2"],
        "search-single-path": ["search", "space.json", *data, "--engine", "single-path"],
    }
    assert main(arguments[command]) == 2
    said = capsys.readouterr().err
    assert "is the work of one process, and WORLD_SIZE=2 in the environment says that" in said
    assert said.endswith("use it without torchrun\n")
    assert not (tmp_path / "run").exists()


def test_a_job_keeps_what_it_noted_while_its_processes_are_started_again(monkeypatch):
    """In a store that is really there; and no attempt finds the keys of another."""
    distributed = pytest.importorskip("torch.distributed")
    ranks = ranks_of("torch")
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for name, value in (
        ("MASTER_ADDR", "127.0.0.1"),
        ("MASTER_PORT", str(store.port)),
        ("TORCHELASTIC_USE_AGENT_STORE", "True"),
    ):
        monkeypatch.setenv(name, value)
    places = []
    for attempt in range(2):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(attempt))
        ranks._agent_store.cache_clear()
        job = ranks.job()
        assert job.read("run out") == ("/a/run" if attempt else None)
        job.note("run out", "/a/run")
        places.append(ranks._meeting_place(0, 2)["store"])
    places[0].set("rank 1", "a port of before")
    assert not places[1].check(["rank 1"])
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    ranks._agent_store.cache_clear()
    assert ranks.job().read("run out") is None
    assert ranks._meeting_place(0, 2) == {}
    ranks._agent_store.cache_clear()


@pytest.mark.slow
def test_torchrun_starts_two_groups_again_and_they_resume_to_the_bit(
    inputs, settings, three, framework
):
    """By the same command line, which names a run that exists by then."""
    if framework != "torch":
        pytest.skip("torchrun is PyTorch's")
    run = inputs / "again"
    groups = torchrun(inputs, *settings, "--out", "again", launcher=["--max-restarts=1"])
    wait_for_lines(run, 14, groups[0])
    os.kill(child_with(groups[1], "RANK=2"), signal.SIGKILL)
    said = [runs.finish(group) for group in groups]
    assert "resumed from step" in said[0]
    assert runs.state(run) == runs.state(three)
    assert runs.metrics(run) == runs.metrics(three)


@pytest.mark.parametrize(
    ("name", "environment"),
    [("mindspore", {"MS_ROLE": "MS_WORKER"}), ("torch", {"WORLD_SIZE": "2"})],
)
def test_whose_launcher_started_a_process_trains_it(monkeypatch, name, environment):
    for package in ("mindspore", "torch"):
        pytest.importorskip(package)
    monkeypatch.delitem(PREFERRED, "CPU", raising=False)  # the fixture's
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert [choose_backend("CPU"), choose_backend("GPU")] == [name, name]


@pytest.mark.parametrize(
    ("name", "environment", "message"),
    [
        (
            "mindspore",
            {"RANK_SIZE": "eight"},
            "RANK_SIZE is 'eight' in the environment; it must be a whole number",
        ),
        (
            "mindspore",
            {"RANK_SIZE": "2", "RANK_ID": "2"},
            "RANK_ID is 2 and RANK_SIZE 2; it must be 0 to 1",
        ),
        (
            "mindspore",
            {"RANK_SIZE": "2", "RANK_ID": "1", "RANK_TABLE_FILE": "none.json"},
            "which is not a file",
        ),
        (
            "torch",
            {"WORLD_SIZE": "-2"},
            "WORLD_SIZE is '-2' in the environment; it must be a whole number",
        ),
        ("torch", {"WORLD_SIZE": "2"}, "WORLD_SIZE is 2 and RANK is not set; use torchrun, or"),
        (
            "torch",
            {"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"},
            "RANK is 2 and WORLD_SIZE 2; it must be 0 to 1",
        ),
        ("torch", {"WORLD_SIZE": "2", "RANK": "1"}, "MASTER_ADDR is not set; use torchrun, or"),
    ],
)
def test_an_environment_that_cannot_be(monkeypatch, name, environment, message):
    pytest.importorskip(name)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    ranks = ranks_of(name)
    ranks.join.cache_clear()
    with pytest.raises(UsageError, match=re.escape(message)):
        ranks.join("CPU")


def ranks_of(name):
    return import_module(f"archspec.training.backends.{name}.ranks")


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


def child_with(process, wanted):
    """The process that this one started with NAME=VALUE in its environment."""
    return next(
        pid for pid, words in children(process.pid).items() if wanted.encode() in words.split(b"\0")
    )
