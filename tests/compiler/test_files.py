"""Files of weights and exported models: they are what they say, or they are refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import zipfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from PIL import Image

import archspec
from archspec.cli import main
from archspec.errors import SpecError, UsageError
from archspec.locks import locked_file

np = pytest.importorskip("numpy")

from oracles.damage import flip  # noqa: E402

from archspec.compiler.images.classes import class_names  # noqa: E402
from archspec.compiler.model import Model  # noqa: E402
from archspec.compiler.weights.files import WRITERS, open_tensors  # noqa: E402
from archspec.compiler.weights.initialize import initialize  # noqa: E402
from archspec.compiler.weights.loading import load_weights, save_weights  # noqa: E402
from archspec.deploy.description import (  # noqa: E402
    check_model,
    describe,
    read_sidecar,
    write_sidecar,
)
from archspec.deploy.engines import open_engine  # noqa: E402

OLD = Path(__file__).parents[1] / "data" / "f0ec3b9"


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


# Flipped bits: noticed, or without consequence.


def flip_some(content, count, seed=0):
    dice = random.Random(seed)
    for _ in range(count):
        yield flip(content, dice.randrange(len(content)), dice.randrange(8))


@pytest.mark.parametrize("ending", list(WRITERS))
def test_a_flipped_bit_in_weights(ending, tmp_path):
    graph = archspec.load(OLD / "net.json")
    weights = initialize(graph)
    path = tmp_path / f"net{ending}"
    save_weights(path, graph, weights, {"classes": '["a", "b", "c"]', "note": "mine"})
    content = path.read_bytes()
    with open_tensors(path) as file:
        metadata = dict(file.metadata)
    noticed = 0
    for changed in flip_some(content, 150):
        path.write_bytes(changed)
        try:
            found = load_weights(path, graph)
            with open_tensors(path) as file:
                assert dict(file.metadata) == metadata
            assert all(np.array_equal(found[name], weights[name]) for name in weights)
        except SpecError:
            noticed += 1
    assert noticed > 100  # a zip has dates, and some sizes twice


def test_a_flipped_bit_in_an_onnx(tmp_path):
    pytest.importorskip("onnxruntime")
    from archspec.compiler.targets.onnx import write_onnx

    graph = archspec.load(OLD / "net.json")
    path = tmp_path / "net.onnx"
    write_onnx(Model(graph, initialize(graph)), path)
    content = path.read_bytes()
    with closing(open_engine("onnxruntime", path)) as engine:
        assert describe(path, engine.metadata).name == "net"
    for changed in (*flip_some(content, 40), *flips_at_end(content, 35)):
        path.write_bytes(changed)
        with pytest.raises((SpecError, UsageError)):
            open_engine("onnxruntime", path)


def flips_at_end(content, length):
    """Where the checksum is."""
    for place in range(len(content) - length, len(content)):
        yield flip(content, place, place % 8)


def test_a_flipped_bit_beside_a_model_and_in_it(tmp_path):
    path, beside = tmp_path / "net.om", tmp_path / "net.om.json"
    path.write_bytes(bytes(range(200)))
    write_sidecar(path, archspec.load(OLD / "net.json"), {"classes": '["a", "b", "c"]'})
    content, said = beside.read_bytes(), read_sidecar(path)
    check_model(path)
    for changed in flip_some(content, 500):
        beside.write_bytes(changed)
        with suppress(SpecError):
            assert read_sidecar(path) == said
    beside.write_bytes(content)
    for changed in flip_some(path.read_bytes(), 20):
        path.write_bytes(changed)
        with pytest.raises(SpecError, match="the file is damaged"):
            check_model(path)


def test_unknown_words_of_old_files_are_refused(tmp_path):
    said = json.loads((OLD / "forms.om.json").read_text())
    path = tmp_path / "forms.om"
    for key in said:
        wrong = {chr(ord(name[0]) ^ 4) + name[1:] if name == key else name: said[name]
                 for name in said}  # fmt: skip
        Path(f"{path}.json").write_text(json.dumps(wrong))
        with pytest.raises(SpecError, match="unknown name"):
            describe(path, {}, archspec.load(OLD / "forms.json"))
    said["preprocessing"] = said["preprocessing"].replace("mean", "iean")
    Path(f"{path}.json").write_text(json.dumps(said))
    if "iean" in said["preprocessing"]:
        with pytest.raises(SpecError, match="not what archspec writes"):
            describe(path, {})


def test_classes_that_are_none(tmp_path):
    graph = archspec.load(OLD / "net.json")
    path = tmp_path / "net.safetensors"
    for text in ("[" * 100_000, '{"a": 1}', "[[]]", "[1"):
        save_weights(path, graph, initialize(graph), {"classes": text})
        with pytest.raises(SpecError, match="not a JSON list of names"):
            class_names(path, graph)
        with pytest.raises(SpecError, match="not a JSON list of names"):
            describe(path, {"classes": text}, graph)
    save_weights(path, graph, initialize(graph), {"classes": '["a", "b"]'})
    with pytest.raises(SpecError, match="the file names 2 classes, and net gives 'logits' 3"):
        class_names(path, graph)


def test_export_makes_folders_and_takes_a_tolerance(tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "tiny/isynet", "-o", "a/b/net.onnx", "--tolerance", "0.01"]) == 0
    assert Path("a/b/net.onnx").is_file()
    assert main(["export", "tiny/isynet", "-o", "net.onnx", "--tolerance", "1e-12"]) == 1
    assert "--tolerance 1e-0" in capsys.readouterr().err
    assert main(["export", "tiny/isynet", "-o", "net.onnx", "--tolerance", "nan"]) == 2
    assert not Path("net.onnx").exists()


def test_an_npz_of_very_many_arrays_is_refused_at_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for number in range(20_001):
            archive.writestr(zipfile.ZipInfo(f"{number}.npy"), b"")
    with pytest.raises(SpecError, match="more than 20,000 tensors"):
        open_tensors(tmp_path / "many.npz")


def test_without_locks_of_the_system_nothing_runs_unlocked(tmp_path, monkeypatch):
    for name in ("fcntl", "msvcrt"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="cannot be locked"), locked_file(tmp_path / "x", True):
        raise AssertionError("it runs")


def test_a_lock_is_held_until_its_first_taker_lets_go(tmp_path):
    path = tmp_path / "x"
    code = (
        "import sys; from pathlib import Path; from archspec.locks import locked_file\n"
        "with locked_file(Path(sys.argv[1]), waits=False): pass"
    )

    def is_free() -> bool:
        found = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
        assert found.returncode == 0 or "BlockingIOError" in found.stderr
        return found.returncode == 0

    with locked_file(path, waits=True):
        with locked_file(path, waits=True):
            assert not is_free()
        assert not is_free()
        with pytest.raises(BlockingIOError), locked_file(path, waits=False):
            pass
    assert is_free()
