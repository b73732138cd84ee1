"""Whatever a command writes, the folders above it are made; a refused command leaves none."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("mindspore")
pytest.importorskip("torch")

from oracles.searches import front_of
from test_isynet_format import NETWORKS, original

import archspec
from archspec.cli import COMMANDS, OK, main
from archspec.cli.outputs import OutputPath
from archspec.cli.parsing import module_of
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import save_weights

DEEP = "new/folders/above"
NET = "tiny/isynet"
TINY = ("--recipe", "tiny")
RANDOM = ("--objective", "min:macs", "--engine", "random", "--trials", "3")
WRITES = {
    "compile": (["compile", NET, "-o", f"{DEEP}/net.py"], ["compile", "nope", "-o"]),
    "compile onnx": (
        ["compile", NET, "-o", f"{DEEP}/net.onnx"], ["compile", NET, "--set", "x=1", "-o"],
    ),
    "schema": (["schema", "-o", f"{DEEP}/s.json"], ["schema", "--for", "nope.json", "-o"]),
    "expand": (["expand", NET, "-o", f"{DEEP}/s.json"], ["expand", "nope", "-o"]),
    "plot": (["plot", NET, "-o", f"{DEEP}/s.svg"], ["plot", "nope", "-o"]),
    "space assign": (
        ["space", "assign", "spaces/tiny", "--set", "first.json", "-o", f"{DEEP}/s.json"],
        ["space", "assign", "spaces/tiny", "--set", "nope=1", "-o"],
    ),
    "import": (
        ["import", "isynet", "n1.json", "-o", f"{DEEP}/s.json"],
        ["import", "isynet", "first.json", "-o"],
    ),
    "new": (["new", f"{DEEP}/mine"], ["new", "--like", "nope"]),
    "export": (
        ["export", NET, "--weights", "w.npz", "-o", f"{DEEP}/net.onnx"],
        ["export", NET, "--weights", "nope.npz", "-o"],
    ),
    "compare-outputs": (
        ["compare-outputs", "net.onnx", "--data", "digits/val/3", "-o", f"{DEEP}/o.npz"],
        ["compare-outputs", "nope.onnx", "--data", "digits", "-o"],
    ),
    "report-device": (
        ["report-device", "-o", f"{DEEP}/r.json"], ["report-device", "nope.json", "-o"],
    ),
    "quantize": (
        ["quantize", NET, "--weights", "w.npz", "--data", "digits", "-o", f"{DEEP}/q.onnx"],
        ["quantize", NET, "--weights", "nope.npz", "--data", "digits", "-o"],
    ),
    "data split": (
        ["data", "split", "digits/val", f"{DEEP}/split"], ["data", "split", "nope"],
    ),
    "data look": (
        ["data", "look", "digits", *TINY, "--for", NET, "-o", f"{DEEP}/look.png"],
        ["data", "look", "digits", "--recipe", "nope", "--for", NET, "-o"],
    ),
    "eval": (
        ["eval", NET, "--weights", "w.npz", "--data", "digits", "--report", f"{DEEP}/report"],
        ["eval", NET, "--weights", "nope.npz", "--data", "digits", "--report"],
    ),
    "infer": (
        ["infer", "net.onnx", "--data", "digits", "-o", f"{DEEP}/r.json"],
        ["infer", "net.onnx", "--data", "digits", "--batch", "3", "-o"],
    ),
    "weights import": (
        ["weights", "import", "w.npz", "--for", NET, "-o", f"{DEEP}/w.safetensors"],
        ["weights", "import", "w.npz", "--for", "resnet18", "-o"],
    ),
    "weights map": (
        ["weights", "map", "w.npz", "--for", NET, "-o", f"{DEEP}/map.json"],
        ["weights", "map", "nope.npz", "--for", NET, "-o"],
    ),
    "weights export": (
        ["weights", "export", "r18.npz", "--for", "resnet18", "--to", "timm", "-o",
         f"{DEEP}/w.safetensors"],
        ["weights", "export", "nope.npz", "--for", "resnet18", "--to", "timm", "-o"],
    ),
    "weights convert": (
        ["weights", "convert", "w.npz", "-o", f"{DEEP}/w.safetensors"],
        ["weights", "convert", "nope.npz", "-o"],
    ),
    "latency": (
        ["latency", "calibrate", "times.csv", "-o", f"{DEEP}/d.json"],
        ["latency", "calibrate", "nope.csv", "-o"],
    ),
    "data digits": (["data", "digits", f"{DEEP}/digits"], None),
    "data mindrecord": (
        ["data", "mindrecord", "digits", f"{DEEP}/packed"], ["data", "mindrecord", "nope"],
    ),
    "preprocess": (
        ["preprocess", "digits", f"{DEEP}/bins", "--spec", NET],
        ["preprocess", "nope", "--spec", NET],
    ),
    "train": (
        ["train", NET, *TINY, "--data", "digits", "--epochs", "1", "--backend", "torch",
         "--out", f"{DEEP}/run"],
        ["train", NET, *TINY, "--data", "nope", "--out"],
    ),
    "search": (
        ["search", "spaces/tiny", *RANDOM, "--out", f"{DEEP}/found"],
        ["search", NET, *RANDOM, "--out"],
    ),
    "search derive": (
        ["search", "derive", "found", "--id", "ID", "-o", f"{DEEP}/s.json"],
        ["search", "derive", "found", "--id", "xyz", "-o"],
    ),
}  # fmt: skip
"""For every command that writes: one that does, and one that is refused before its last word."""
WRITTEN = ("-o", "--output", "--out")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    graph = archspec.load(NET)
    save_weights(folder / "w.npz", graph, initialize(graph, "he", 3))
    resnet = archspec.load("resnet18")
    save_weights(folder / "r18.npz", resnet, initialize(resnet, "he", 3))
    assert main(["data", "digits", str(folder / "digits")]) == OK
    with_weights = ["--weights", str(folder / "w.npz"), "-o", str(folder / "net.onnx")]
    assert main(["export", NET, *with_weights]) == OK
    assert main(["search", "spaces/tiny", *RANDOM, "--out", str(folder / "found")]) == OK
    (folder / "n1.json").write_text(json.dumps(original(NETWORKS["isynet_n1"])))
    (folder / "first.json").write_text(json.dumps(first_of("spaces/tiny")))
    published = Path(__file__).parents[2] / "compiler" / "latency" / "published.csv"
    (folder / "times.csv").write_bytes(published.read_bytes())
    return folder


def first_of(name):
    from archspec.program import read_program
    from archspec.space import Space

    return Space(read_program(name)).first()


@pytest.fixture(autouse=True)
def there(home, monkeypatch, tmp_path):
    """A folder with links to what there is, so that what is new in it is the command's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "here"
    folder.mkdir()
    for entry in home.iterdir():
        (folder / entry.name).symlink_to(entry)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", WRITES)
def test_missing_folders_are_made(name, run, there):
    arguments = list(WRITES[name][0])
    if "ID" in arguments:
        arguments[arguments.index("ID")] = front_of(there / "found")[0]["id"]
    code, _, err = run(*arguments)
    assert code == OK, err
    assert [*Path(DEEP).iterdir()]


@pytest.mark.parametrize("name", [name for name, (_, refused) in WRITES.items() if refused])
def test_what_is_refused_leaves_no_folder(name, run, there):
    arguments, refused = WRITES[name]
    (target,) = (word for word in arguments if word.startswith(DEEP))
    before = sorted(there.rglob("*"))
    code, _, err = run(*refused, target)
    assert code != OK
    assert "error: " in err
    assert sorted(there.rglob("*")) == before


def test_no_command_that_writes_is_missing_above():
    for command in COMMANDS:
        parser = argparse.ArgumentParser()
        module_of(command).add_arguments(parser)
        for path, action in actions_of(parser, command):
            # infer's --output alone is the name of one of a model's outputs
            if set(WRITTEN) & set(action.option_strings) and action.metavar != "NAME":
                assert action.type is OutputPath, path
            if action.type is OutputPath:
                assert any(name.startswith(path) for name in WRITES), path


def actions_of(parser, path):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from actions_of(sub, f"{path} {name}")
        else:
            yield path, action


@pytest.mark.parametrize(
    "target, why",
    [
        ("w.npz/deep/s.json", "not a directory"),
        ("/proc/nothing/s.json", "no such file or directory"),
        ("a" * 300 + "/s.json", "file name too long"),
    ],
)
def test_folders_that_cannot_be(target, why, run, there):
    before = sorted(there.rglob("*"))
    code, out, err = run("expand", NET, "-o", target)
    assert (code, out) == (2, "")
    assert err == (
        f"error: {target} cannot be written ({why}); use a path in a folder that may be written"
        " to\n"
    )
    assert sorted(there.rglob("*")) == before


def test_an_empty_folder_that_was_there_stays(run, there):
    (there / "empty").mkdir()
    assert run("expand", "nope", "-o", "empty/below/s.json")[0] != OK
    assert [path.name for path in there.iterdir() if path.name == "empty"] == ["empty"]
    assert not [*(there / "empty").iterdir()]
