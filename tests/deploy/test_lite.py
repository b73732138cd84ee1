"""MindSpore Lite: its engine over a stand-in for its package, and its converter's files.

Neither package nor converter can be had here. What is held here is the documented interface: the
calls in their order, the options by their names, and that failures are sentences.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from stand_ins.fake_lite import fake_lite, write_model  # noqa: E402 (all need onnxruntime)

import archspec  # noqa: E402
from archspec.cli import OK, USAGE, WRONG  # noqa: E402
from archspec.deploy import lite_kit  # noqa: E402
from archspec.deploy.engines import open_engine  # noqa: E402

NET = "tiny/isynet"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lite")
    from archspec.training.digits import write_digits

    write_digits(folder / "digits")
    archspec.export(NET, folder / "net.onnx", batch=4)
    write_model(folder / "net_lite.mindir", folder / "net.onnx")
    return folder


@pytest.fixture
def lite(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setitem(sys.modules, "mindspore_lite", fake_lite())


def test_numbers_are_those_of_the_onnx(lite, told):
    random = np.random.default_rng(0).standard_normal((4, 1, 8, 8)).astype(np.float32)
    found = []
    for name, path in (("lite", "net_lite.mindir"), ("onnxruntime", "net.onnx")):
        engine = open_engine(name, path)
        (port,) = engine.inputs
        assert str(port) == "float32 4x1x8x8"
        found.append(engine.run({port.name: random})["logits"])
        assert engine.is_simulated == (name == "lite")
        engine.close()
        engine.close()
    np.testing.assert_array_equal(*found)
    arguments = ("infer", "net_lite.mindir", "--engine", "lite", "--spec", NET, "--data", "digits")
    said = json.loads(told(*arguments, "--format", "json"))
    right = json.loads(told("infer", "net.onnx", "--data", "digits", "--format", "json"))
    assert said["top1"] == right["top1"] and said["engine"] == "lite" and said["simulated"]


def test_what_goes_wrong_is_a_sentence(lite, run, home, monkeypatch):
    (home / "other.mindir").write_bytes(b"not a model at all, though of some length")
    arguments = ("infer", "other.mindir", "--engine", "lite", "--spec", NET, "--data", "digits")
    code, _, err = run(*arguments)
    assert (code, err.count("\n")) == (USAGE, 1)
    assert "other.mindir is not a model that MindSpore Lite runs (build_from_file failed!" in err
    monkeypatch.setitem(sys.modules, "mindspore_lite", None)
    code, _, err = run("infer", "net_lite.mindir", "--engine", "lite", "--data", "digits")
    assert code == WRONG and "needs the Python package of MindSpore Lite's cloud version" in err


CONVERTER = """#!/bin/sh
for option in "$@"; do
  case "$option" in
    --fmk=ONNX|--saveType=MINDIR|--optimize=ascend_oriented*) ;;
    --modelFile=*) [ -f "${option#*=}" ] || exit 3 ;;
    --configFile=*) grep -q '^\\[ascend_context\\]' "${option#*=}" || exit 4 ;;
    --outputFile=*) out="${option#*=}" ;;
    *) echo "unknown option $option"; exit 5 ;;
  esac
done
echo stand-in > "$out.mindir"
echo "$@" > arguments.txt
"""


@pytest.mark.parametrize(
    "soc, kind", [("Ascend310B4", "ascend_oriented"), ("Ascend310P3", "ascend_oriented:310P")]
)
def test_the_converter_is_called_as_its_manual_has_it(soc, kind, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, _ = run("export", NET, "--format", "om", "--soc", soc, "--batch", "4", "-o", "net.om")
    assert code == WRONG  # there is no atc, and a folder
    folder = tmp_path / "net_om"
    assert (folder / "lite.cfg").read_text().splitlines() == [
        "[ascend_context]", "input_format=NCHW", "input_shape=image:[4,1,8,8]",
        "precision_mode=enforce_fp16", "output_type=FP32", "insert_op_config_file_path=aipp.cfg",
    ]  # fmt: skip
    script = ["bash", str(folder / lite_kit.SCRIPT)]
    bare = subprocess.run(script, capture_output=True, text=True, check=False)
    assert bare.returncode == 1 and "converter_lite is not there; put" in bare.stderr
    program = tmp_path / "bin" / "converter_lite"
    program.parent.mkdir()
    program.write_text(CONVERTER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        script, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    assert (done.returncode, done.stdout) == (OK, "made net_lite.mindir\n"), done.stderr
    assert (folder / "arguments.txt").read_text().split() == [
        "--fmk=ONNX", "--modelFile=net.onnx", "--outputFile=net_lite", "--saveType=MINDIR",
        f"--optimize={kind}", "--configFile=lite.cfg",
    ]  # fmt: skip
    assert (folder / "net_lite.mindir.json").is_file()
