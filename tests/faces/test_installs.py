"""However archspec came here and whatever lies in the working folder, it is archspec that runs.

Users have files called training.py, compiler.py and deploy/. From the checkout, an editable install
and a wheel, each in a Python of its own, every command and a script are run beside such files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import studios
from oracles import om_files, runs
from oracles.covering import slow
from test_isynet_format import NETWORKS, original

from archspec.cli import COMMANDS

ROOT = Path(__file__).parents[2]
OLD = Path(__file__).parents[1] / "data" / "f0ec3b9"
WAYS = ("checkout", "editable", "wheel")

CALLS: tuple[tuple[str, ...], ...] = (
    ("validate", "plain.json"),
    ("stats", "plain.json"),
    ("expand", "plain.json"),
    ("explain", "plain.json", "stem"),
    ("diff", "plain.json", "noisy.json"),
    ("plot", "plain.json", "-o", "plain.svg"),
    ("list",),
    ("new", "mine"),
    ("import", "isynet", "original.json", "-o", "imported.json"),
    ("schema",),
    ("hash", "plain.json"),
    ("compile", "plain.json", "-o", "plain.py"),
    ("export", "plain.json", "-o", "plain.onnx"),
    ("weights", "inspect", "forms.npz"),
    ("recipes", "small.yaml"),
    ("data", "check", "data"),
    ("om", "inspect", "net.om"),
    ("infer", "plain.onnx", "--data", "data"),
    ("predict", "plain.onnx", "data/val/class0/000.png"),
    ("preprocess", "data", "bins", "--spec", "plain.json"),
    ("accuracy", "results", "--labels", "label"),
    ("profile", "plain.onnx", "--runs", "1"),
    ("latency", "plain.json"),
    ("lint", "plain.json"),
    ("space", "info", "spaces/tiny"),
    ("doctor",),
    ("completion", "bash"),
    ("compare-outputs", "plain.onnx", "plain.onnx", "--data", "data"),
    ("report-device",),
)
"""Every command in a way that takes a moment, after those whose files it reads."""

TRAININGS: tuple[tuple[str, ...], ...] = (
    ("train", "plain.json", "--recipe", "small.yaml", "--data", "data", "--epochs", "2",
     "--backend", "torch", "--workers", "2", "--out", "run"),
    ("eval", "run/spec.json", "--weights", "run/best.safetensors", "--data", "data",
     "--backend", "torch"),
    ("quantize", "run/spec.json", "--weights", "run/best.safetensors", "--data", "data",
     "-o", "int8.onnx"),
    ("search", "space.json", "--objective", "max:accuracy", "--objective", "min:macs",
     "--engine", "random", "--trials", "2", "--recipe", "small.yaml", "--data", "data",
     "--backend", "torch", "--epochs", "1", "--seeds", "1", "--workers", "2", "--out", "found"),
)  # fmt: skip
"""Those that train, in processes of their own."""

SCRIPT = """\
import archspec, compiler, deploy, training
from archspec.compiler import for_deployment
import archspec.training.recipe, archspec.deploy.socs
graph = for_deployment(archspec.load("tiny/isynet")).graph
print(compiler.OWN, deploy.OWN, training.OWN, graph.params, archspec.__file__)
"""


@pytest.fixture(scope="session")
def pythons(tmp_path_factory):
    """For each way a Python that has archspec so, and its dependencies from here."""
    home = tmp_path_factory.mktemp("pythons")
    found = {"checkout": Path(sys.executable)}
    for way in ("editable", "wheel"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / way)], check=True)
        python = home / way / "bin" / "python"
        asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        site = Path(subprocess.check_output(asked, text=True).strip())
        (site / "dependencies.pth").write_text("\n".join(dependencies()))
        install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
                   "--no-build-isolation", "--disable-pip-version-check"]  # fmt: skip
        source = ["--editable", str(ROOT)] if way == "editable" else [str(ROOT)]
        subprocess.run([python, *install, *source], check=True, cwd=home, env=environment(way))
        found[way] = python
    return found


def dependencies() -> list[str]:
    """Where this Python finds its packages."""
    paths = [sysconfig.get_path("purelib"), *(p for p in sys.path if p.endswith("-packages"))]
    return [*dict.fromkeys(paths)]


def environment(way: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "GLOG_v": "3", **({"PYTHONPATH": str(ROOT)} if way == "checkout" else {})}


def call(python, way, folder, *arguments, timeout=300):
    return subprocess.run(
        [python, *arguments], cwd=folder, env=environment(way), capture_output=True, text=True,
        check=False, timeout=timeout,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A user's folder, in which whoever imports what is not ours ends."""
    runs.write_inputs(tmp_path)
    runs.write_traps(tmp_path, "specs", "tests.py")
    (tmp_path / "original.json").write_text(json.dumps(original(NETWORKS["isynet_n0"])))
    (tmp_path / "forms.npz").write_bytes((OLD / "forms.npz").read_bytes())
    model = om_files.definition(
        [("image", "float32", [1, 3, 12, 12], "NCHW")], [("Gemm_1:0:logits", "float32", [1], "ND")]
    )
    (tmp_path / "net.om").write_bytes(om_files.container([(0, model.SerializeToString())]))
    space = json.loads((tmp_path / "plain.json").read_text())
    space["body"][0]["channels"] = {"choice": [4, 6, 8], "name": "width"}
    (tmp_path / "space.json").write_text(json.dumps({**space, "name": "space"}))
    for name in ("results/a", "label"):
        (tmp_path / name).mkdir(parents=True)
    np.eye(3, dtype="<f4")[1].tofile(tmp_path / "results" / "a" / "output_0.bin")
    np.array([1], "<i4").tofile(tmp_path / "label" / "a_label.bin")
    return tmp_path


def test_every_command_is_called():
    called = {arguments[0] for arguments in (*CALLS, *TRAININGS)} | {
        "studio",
        "lsp",
        "mcp",
    }  # which serve
    assert called == set(COMMANDS)


@pytest.mark.parametrize("way", [slow("checkout"), slow("editable"), "wheel"])
def test_commands_in_a_folder_with_such_names(way, pythons, folder):
    for arguments in CALLS:
        result = call(pythons[way], way, folder, "-m", "archspec", *arguments)
        assert result.returncode == 0, (arguments, result.stderr)
        assert "the user's own" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "way",
    [
        slow("checkout"),  # as test_distributed runs it anyway
        slow("editable"),
        slow("wheel"),
    ],
)
def test_trainings_in_a_folder_with_such_names(way, pythons, folder):
    pytest.importorskip("torch")
    for arguments in TRAININGS:
        result = call(pythons[way], way, folder, "-m", "archspec", *arguments)
        assert result.returncode == 0, (arguments, result.stderr)
    lines = (folder / "found" / "trials.jsonl").read_text().splitlines()
    assert {json.loads(line)["state"] for line in lines} == {"done"}


def test_the_studio_of_a_wheel_has_its_page(pythons, folder):
    with studios.serving("plain.json", folder=folder, python=str(pythons["wheel"])) as address:
        bare = address.partition("#")[0]
        for name in ("", "static/studio.js", "static/studio.css", "font"):
            with urllib.request.urlopen(bare + name) as answer:
                assert len(answer.read()) > 300
        asked = {"tab": "", "name": "plain.json", "text": (folder / "plain.json").read_text()}
        request = urllib.request.Request(f"{bare}api/ask/look", json.dumps(asked).encode())
        with urllib.request.urlopen(request) as answer:
            parts = [json.loads(line) for line in answer]
    assert [part["part"] for part in parts] == ["marks", "figures", "picture"]
    assert parts[0]["kind"] == "network"


@pytest.mark.parametrize("way", WAYS)
def test_a_script_beside_them_imports_archspec_and_its_own(way, pythons, tmp_path):
    for name in ("compiler.py", "training.py", "deploy/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"OWN = {name.partition('.')[0].partition('/')[0]!r}\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    result = call(pythons[way], way, tmp_path, "script.py")
    assert result.stdout.startswith("compiler deploy training "), result.stderr
    is_ours = str(ROOT) in result.stdout
    assert is_ours == (way != "wheel")


@pytest.mark.parametrize("way", ["editable", "wheel"])
def test_the_command_that_is_installed(way, pythons, folder):
    script = pythons[way].with_name("archspec")
    result = call(script, way, folder, "stats", "tiny/isynet")
    assert result.returncode == 0, result.stderr
