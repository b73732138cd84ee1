"""Where MindSpore finds no memory: one sentence, and a run that resumes."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("mindspore")

from oracles import runs

import archspec
from archspec.training.backend import DeviceError
from archspec.training.backends.mindspore.failures import explain_memory

CODE = """
import resource, sys
from archspec.cli import main
from archspec.training.backends.mindspore.trainer import CellTrainer
step = CellTrainer.step

def narrowed(self, *arguments):
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**22, resource.RLIM_INFINITY))
    try:
        return step(self, *arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)

CellTrainer.step = narrowed
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "words",
    [
        "Device(id:0) memory isn't enough and alloc failed, kernel name: Conv2D, alloc size: 4B.",
        "Memory isn't enough and alloc failed, kernel name: Conv2D, alloc size: 4B.",
        "could not create a primitive",
    ],
)
def test_what_mindspore_says_is_one_sentence(words):
    graph = archspec.load("tiny/isynet")
    with (
        pytest.raises(DeviceError, match="a step on 64 images of 1x8x8 takes more memory than"),
        explain_memory(graph, 64, "Ascend"),
    ):
        raise RuntimeError(words)
    with pytest.raises(RuntimeError, match="odd"), explain_memory(graph, 64, "Ascend"):
        raise RuntimeError("odd")


def test_a_machine_that_really_has_no_more_memory_is_one_sentence(tmp_path):
    runs.write_inputs(tmp_path)
    command = (
        "train", "plain.json", "--recipe", "small.yaml", "--data", "data", "--out", "run",
        "--backend", "mindspore",
    )  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", CODE, *command], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 1, result.stderr
    assert "takes more memory than" in result.stderr
    assert "archspec train --resume run resumes" in result.stderr
    assert "Traceback" not in result.stderr
