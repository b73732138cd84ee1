"""`archspec doctor`, and what commands say where a framework is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.cli import COMMANDS, OK, USAGE, WRONG, doctor_command, main
from archspec.cli.commands import GROUPS, NEEDS
from archspec.compiler.targets import written_by
from archspec.extras import install_hint

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("numpy", "onnx", "onnxruntime", "mindspore", "torch", "acl")


def archspec_without(blocked, *arguments, folder):
    """The command in a process in which these packages cannot be imported."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({list(blocked)!r}));"
        f"from archspec.cli import main; sys.exit(main({list(arguments)!r}))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder)},
    )


def findings(text):
    return {row["what"]: row for row in json.loads(text)}


@pytest.fixture
def no_probe(monkeypatch):
    from archspec.compiler.targets.mindspore import device

    monkeypatch.setattr(device, "onednn_verdict", lambda: "fine")


def test_the_table_names_everything(no_probe, capsys):
    assert main(["doctor"]) == OK
    text = capsys.readouterr().out
    for what in ("Python", "archspec", "mindspore", "device GPU", "oneDNN", "atc", "msrun", "acl"):
        assert what in text
    assert max(map(len, text.splitlines())) <= 100


def test_json_has_a_row_each(no_probe, capsys):
    assert main(["doctor", "--format", "json"]) == OK
    rows = findings(capsys.readouterr().out)
    assert set(doctor_command.PACKAGES) < set(rows)
    assert {f"target {name}" for name in written_by("compile")} < set(rows)
    assert {row["there"] for row in rows.values()} <= {"yes", "no", "part", "-"}
    assert set(GROUPS) == set(NEEDS) < set(rows)


def test_without_any_framework(tmp_path):
    result = archspec_without(FRAMEWORKS, "doctor", "--format", "json", folder=tmp_path)
    assert result.returncode == OK, result.stderr
    rows = findings(result.stdout)
    assert rows["mindspore"]["there"] == "no"
    assert rows["mindspore"]["note"] == install_hint("mindspore")
    assert rows["onnx"]["note"] == install_hint("onnx")
    assert rows["target onnx"]["note"] == "lacks numpy and onnx"
    for name in ("mindspore", "torch"):
        assert rows[f"device CPU, {name}"]["there"] == "no"
        assert rows[f"device CPU, {name}"]["note"] == f"lacks {name}"
    assert rows["Python"]["there"] == rows["archspec"]["there"] == "yes"
    assert rows["see"]["there"] == "yes"
    trains = f"lacks torch or mindspore; run {install_hint('torch')}"
    assert (rows["train"]["there"], rows["train"]["note"]) == ("part", trains)
    ships = f"lacks onnx and mindspore; run {install_hint('onnx', 'mindspore')}"
    assert (rows["ship"]["there"], rows["ship"]["note"]) == ("part", ships)
    assert rows["ship"]["note"].endswith("[onnx,mindspore]'")


@pytest.mark.parametrize("verdict", ["fine", "capped", "hopeless", "unknown"])
def test_every_verdict_on_onednn_has_words(verdict, monkeypatch):
    from archspec.compiler.targets.mindspore import device

    monkeypatch.setattr(doctor_command, "why_missing", lambda package: "")
    monkeypatch.delenv(device.CAP, raising=False)
    monkeypatch.setattr(device, "onednn_verdict", lambda: verdict)
    (row,) = doctor_command._onednn()
    assert row.note
    monkeypatch.setenv(device.CAP, "AVX")
    (row,) = doctor_command._onednn()
    assert "AVX" in row.note


def test_atc_is_found_where_it_is_put(monkeypatch, tmp_path):
    tool = tmp_path / "bin" / "atc"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("ATC", raising=False)
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(tmp_path))
    found = ("atc", "yes", f"{tool}, CANN of unknown release")
    assert doctor_command._atc() == found
    monkeypatch.delenv("ASCEND_TOOLKIT_HOME")
    monkeypatch.setenv("ATC", str(tool))
    assert doctor_command._atc() == found
    monkeypatch.setenv("ATC", str(tmp_path / "none"))
    assert doctor_command._atc().there == "no"


# What a command says that needs what is not there.


@pytest.mark.parametrize("target, base", [("mindspore", "nn.Cell"), ("torch", "nn.Module")])
def test_source_is_compiled_without_its_framework(target, base, tmp_path):
    result = archspec_without(
        FRAMEWORKS, "compile", "tiny/isynet", "--target", target, "-o", "net.py", folder=tmp_path
    )
    assert result.returncode == OK, result.stderr
    assert f"class TinyIsynet({base})" in (tmp_path / "net.py").read_text()
    assert install_hint(target) in result.stdout


@pytest.mark.parametrize(
    "target, extra, blocked",
    [("mindir", "mindspore", ["mindspore"]), ("onnx", "onnx", ["onnx"])],
)
def test_compile_says_which_extra(target, extra, blocked, tmp_path):
    result = archspec_without(
        blocked, "compile", "tiny/isynet", "--target", target, "-o", "net", folder=tmp_path
    )
    assert result.returncode == WRONG
    assert install_hint(extra) in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-o", "net.xyz"], "net.xyz does not say what to write"),
        (["-o", "net.onnx", "--batch", "0"], '--batch 0: it must be 1 to 65,536, or "any"'),
        (["-o", "net.onnx", "--batch", "many"], "--batch many"),
    ],
)
def test_compile_refuses(arguments, message, capsys):
    assert main(["compile", "tiny/isynet", *arguments]) == USAGE
    assert message in capsys.readouterr().err


def test_compile_writes_source_with_its_weights(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mindspore")
    import archspec
    from archspec.compiler.weights.initialize import initialize
    from archspec.compiler.weights.loading import load_weights, save_weights

    monkeypatch.chdir(tmp_path)
    graph = archspec.load("tiny/resnext")
    arrays = initialize(graph, seed=3)
    save_weights("given.npz", graph, arrays)
    assert main(["compile", "tiny/resnext", "--weights", "given.npz", "-o", "net.py"]) == OK
    text = Path("net.py").read_text()
    assert 'mindspore.load_checkpoint("net.ckpt", network)' in text
    written = load_weights("net.ckpt", graph)
    assert all((written[path] == array).all() for path, array in arrays.items())


def test_the_commands_are_listed(capsys):
    assert {"compile", "doctor"} < set(COMMANDS)
    main(["--help"])
    assert "doctor" in capsys.readouterr().out


def test_a_device_that_is_running_already_may_be_asked_for_again():
    pytest.importorskip("mindspore")
    code = (
        "import mindspore as ms; ms.ops.add(ms.Tensor([1.0]), 1).asnumpy();"
        "from archspec.compiler.targets.mindspore import set_device;"
        "set_device('CPU'); set_device('CPU', 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_which_cann_a_chip_takes(told, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("ATC", "ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (line,) = (one for one in told("doctor").splitlines() if one.startswith("CANN"))
    assert line.endswith("310B 7.0 or newer, 310P 6.0 or newer, 310 5.0 to 8.2")
    home = tmp_path / "ascend-toolkit" / "8.3.RC1"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "atc").write_text("#!/bin/sh\n")
    (home / "bin" / "atc").chmod(0o755)
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(home))
    (line,) = (one for one in told("doctor").splitlines() if one.startswith("CANN"))
    assert line.endswith("8.3.RC1 lists 310B, 310P, 910, A2")
