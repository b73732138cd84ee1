"""Files of weights and exported models: they are what they say, or they are refused."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from PIL import Image

from archspec.cli import main


@pytest.fixture
def in_time():
    """Fail instead of waiting for a pipe for ever."""

    def late(number, frame):
        raise AssertionError("it waits for a file that never ends")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


READERS = [
    *(["weights", "inspect", f"it{end}"] for end in (".safetensors", ".npz", ".ckpt", ".pth")),
    ["weights", "import", "it.npz", "--for", "tiny/isynet", "-o", "x.npz"],
    ["weights", "convert", "it.ckpt", "-o", "x.npz"],
    ["export", "tiny/isynet", "--weights", "it.safetensors", "-o", "x.onnx"],
    ["infer", "it.onnx", "--data", "images"],
    ["infer", "it.mindir", "--data", "images"],
    ["infer", "it.om", "--data", "images"],
    ["om", "inspect", "it.om"],
    ["stats", "it.json"],
    ["accuracy", ".", "--labels", "it.json"],
]  # fmt: skip


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_no_pipe_device_or_folder_is_waited_for(command, tmp_path, monkeypatch, capsys, in_time):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        place = tmp_path / "images" / str(number) / "it.png"
        place.parent.mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(place)
    it = Path(next(word for word in command if word.startswith("it.")))
    for make in (os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")):
        make(it)
        assert main(command) in (1, 2)
        captured = capsys.readouterr()
        assert captured.out == ""
        (line,) = captured.err.splitlines()
        assert line.startswith("error: ")
        assert it.name in line
        assert "itself went wrong" not in line
        it.rename(f"was-{id(make)}-{it.name}")
    assert not Path("x.npz").exists()
