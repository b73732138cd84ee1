"""`archspec report-device`: what is measured comes along, what is private does not."""

from __future__ import annotations

import getpass
import json
import os
import platform
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from archspec.cli import USAGE, WRONG

SECRETS = ("/home/jane/nets/secret.onnx", "jane-laptop.example.org", "10.1.2.3", "SN0123456789")
INFER = {
    "simulated": False, "model": SECRETS[0], "sha256": "ab" * 32, "name": "isynet_n0",
    "fingerprint": "cd" * 32, "engine": "acl", "versions": {"cann": "8.0.0"},
    "machine": {"system": SECRETS[1], "cpu": "x"}, "batch": 16, "input": "uint8 16x256x256x3",
    "date": "2026-01-01", "data": SECRETS[0], "damaged": {SECRETS[0]: "x"}, "images": 5000,
    "top1": 0.75, "top5": 0.9, "loss": 1.0,
    "milliseconds_of_a_batch": {
        "device": {"median": 11.5, "p90": 12.0, "p99": 13.0, SECRETS[2]: 1},
        SECRETS[3]: {"median": 1},
    },
}  # fmt: skip
PROFILE = {
    "network": "isynet_n0", "kind": "measured", "source": f"msprof, read from {SECRETS[0]}",
    "batch": 16, "notes": [SECRETS[1]],
    "layers": [{"layer": "stem", "op": "conv+act", "milliseconds": 0.5, "macs": 9, "bound": "cube",
                "path": SECRETS[0]}],
}  # fmt: skip


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two results, and a machine that says of itself what nobody should learn."""
    (tmp_path / "a.json").write_text(json.dumps(INFER))
    (tmp_path / "b.json").write_text(json.dumps(PROFILE))
    program = tmp_path / "bin" / "npu-smi"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f"echo '| npu-smi 23.0.0   Version: 23.0.0  host {SECRETS[1]} |'\n"
        "echo '| NPU     Name  | Health | Power(W) |'\n"
        f"echo '| 0       310B4 | Alarm  | 0.0  {SECRETS[3]} |'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "a.json", tmp_path / "b.json"


def test_what_is_measured_is_in_it(files, told, tmp_path):
    out = told("report-device", *files, "--note", "Orange Pi AIpro 20T", "-o", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["note"] == "Orange Pi AIpro 20T"
    assert report["npu"]["chips"] == ["310B4"] and report["npu"]["npu_smi"] == "23.0.0"
    first, second = report["results"]
    assert first["milliseconds_of_a_batch"] == {"device": {"median": 11.5, "p90": 12, "p99": 13}}
    assert (first["name"], first["top1"], first["simulated"]) == ("isynet_n0", 0.75, False)
    assert second["layers"] == [
        {"layer": "stem", "op": "conv+act", "milliseconds": 0.5, "macs": 9, "bound": "cube"}
    ]
    assert "chip      310B4" in out and "results   2" in out


def test_nothing_private_is_in_it(files, told, tmp_path):
    told("report-device", *files, "-o", tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text()
    mine = (str(tmp_path), str(Path.home()), platform.node(), str(Path.cwd()))
    for secret in (*SECRETS, *mine):
        assert secret not in text or len(secret) < 4
    user = getpass.getuser()
    values = [value for line in text.splitlines() for value in line.split('"')[1::2]]
    assert user not in values


@pytest.mark.parametrize(
    "name, content, arguments, message, code",
    [
        ("a.json", "{}", [], "is neither of archspec infer -o nor of archspec profile", WRONG),
        ("a.json", "{", [], "cannot be read as JSON", WRONG),
        ("a.json", None, [], "does not exist; use a file of archspec infer -o", USAGE),
        ("a.json", json.dumps(INFER), ["--note", "/home/jane"], "--note is not plain words", USAGE),
    ],
)
def test_what_cannot_be_sent(name, content, arguments, message, code, run, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    ended, out, err = run("report-device", tmp_path / name, "-o", tmp_path / "r.json", *arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert not (tmp_path / "r.json").exists()
