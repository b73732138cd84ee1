"""The functions of archspec: docs/api.md runs as it stands, and what they cost to import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import archspec
from archspec.api import FUNCTIONS

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_the_page_runs_and_prints_what_it_says(tmp_path):
    for package in ("torch", "onnx", "onnxruntime", "optuna"):
        pytest.importorskip(package)
    code = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    said = [text for line in re.findall(r"\bprint\(.*?#(.*)", code) for text in line.split("...")]
    assert len(said) > 4
    for text in said:
        assert text.strip() in result.stdout
    found = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"classes.csv", "confusion.csv", "confusion.png", "summary.json"} <= found


def test_the_page_names_every_function():
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE.read_text(), re.MULTILINE)
    named = {name.strip("`") for row in rows for name in row.split(", ")}
    assert named == {*FUNCTIONS, "load", "loads"} <= {*archspec.__all__}


def loaded_by(code: str, folder: Path) -> set[str]:
    code += "\nimport sys; print('\\n', *sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in result.stdout.splitlines()[-1].split()}


def test_importing_archspec_loads_nothing_heavy(tmp_path):
    loaded = loaded_by("import archspec", tmp_path)
    assert not loaded & {"numpy", "PIL", "torch", "mindspore", "onnx", "onnxruntime", "optuna"}
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = archspec.trian  # pyright: ignore[reportAttributeAccessIssue]


def test_predicting_with_onnx_loads_onnxruntime_and_no_other_framework(tmp_path):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    archspec.export("tiny/isynet", tmp_path / "net.onnx")
    from PIL import Image

    Image.new("L", (8, 8), 90).save(tmp_path / "a.png")
    code = "from archspec.cli import main; main(['predict', 'net.onnx', 'a.png', '--top', '1'])"
    loaded = loaded_by(code, tmp_path)
    assert {"onnxruntime", "numpy", "PIL"} <= loaded
    assert not loaded & {"mindspore", "torch", "onnx", "scipy", "optuna", "pandas", "matplotlib"}


WRONG = [
    (("evaluate", "net.onnx", "d"), {"weights": "w.npz"}, "--weights is for specs, and net.onnx"),
    (("evaluate", "net.onnx", "d"), {"device": "GPU:0"}, "a model's device is the number of an N"),
    (("evaluate", "tiny/isynet", "d"), {}, "--weights is missing; use --weights FILE, or an"),
    (("evaluate", "tiny/isynet", "d"), {"threads": 2}, "--threads is for exported models (.onnx,"),
    (("evaluate", "tiny/isynet", "d"), {"weights": "w", "device": 1}, "a spec's device is a name"),
    (("predict", "net.onnx", "a.png"), {"top": 0}, "--top 0: must be 1 or more"),
    (("export", "net.onnx", "b.onnx"), {}, "net.onnx is exported already; use the spec it was"),
    (("export", "tiny/isynet", "b.txt"), {}, "b.txt does not say what to write; use --format with"),
]


@pytest.mark.parametrize("call, options, message", WRONG)
def test_wrong_use_is_one_sentence(call, options, message):
    name, *arguments = call
    with pytest.raises(archspec.UsageError) as caught:
        getattr(archspec, name)(*arguments, **options)
    assert str(caught.value).startswith(message)
