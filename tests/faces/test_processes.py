"""Children: they never run a user's file in place of ours, and are waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from oracles import runs

from archspec.extras import install_hint
from archspec.processes import HOME, python_command, wait_for_end


def test_a_process_finds_this_archspec_whatever_the_folder_holds(tmp_path):
    runs.write_traps(tmp_path, "archspec", "random.py", "numpy.py", "json", "jsonschema.py")
    for arguments in (["stats", "tiny/isynet"], ["recipes", "tiny"]):
        command = python_command("archspec.cli", *arguments)
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")


def test_a_module_run_so_knows_its_name_and_arguments(tmp_path):
    for module, arguments, said in (
        ("archspec", ["--version"], "archspec 0."),
        ("archspec.training.search.accuracy", ["a"], "not enough values"),
        ("archspec.deploy.profile.repeat", ["--help"], "usage: repeat.py"),
    ):
        command = python_command(module, *arguments)
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said in result.stdout + result.stderr


def test_a_script_beside_files_of_those_names_can_import_archspec(tmp_path):
    (tmp_path / "training.py").write_text("OWN = 'mine'\n")
    (tmp_path / "compiler.py").write_text("OWN = 'mine too'\n")
    (tmp_path / "script.py").write_text(
        f"import sys; sys.path.append({HOME!r})\n"
        "import archspec, compiler, training\n"
        "from archspec.compiler import for_deployment\n"
        "import archspec.training.recipe, archspec.deploy.socs\n"
        "params = for_deployment(archspec.load('tiny/isynet')).graph.params\n"
        "print(training.OWN, compiler.OWN, params)\n"
    )
    result = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.stdout.startswith("mine mine too "), result.stderr


def test_a_checkout_without_its_links_works(tmp_path):
    """As on a system without symbolic links, where Git writes a link as a file of text."""
    root = Path(HOME)
    for name in ("archspec", "compiler", "training", "deploy", "specs"):
        (tmp_path / name).mkdir()
        for path in (root / name).iterdir():
            target = tmp_path / name / path.name
            if name == "archspec" and path.name in ("compiler", "training", "deploy"):
                target.write_text(f"../{path.name}")
            else:
                target.symlink_to(path)
    code = (
        "import archspec.training.recipe as r, archspec.compiler.model as m;"
        "print(r.__file__, m.__file__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [
        str(tmp_path / "training" / "recipe.py"), str(tmp_path / "compiler" / "model.py")
    ]  # fmt: skip


# Waiting.


def child(code: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)


def test_an_end_is_noticed_at_once_and_a_process_that_goes_on_is_not_waited_for():
    with child("input()") as runs, child("") as ends:
        look(runs, ends)
        runs.stdin.write(b"\n")


def look(runs: subprocess.Popen, ends: subprocess.Popen) -> None:
    start = time.monotonic()
    wait_for_end([runs], 0.1)
    assert runs.poll() is None and time.monotonic() - start < 5
    while ends.poll() is None:
        wait_for_end([runs, ends], 60)
    assert time.monotonic() - start < 30
    wait_for_end([ends], 60)  # nobody left to wait for
    assert time.monotonic() - start < 30


# What is installed beside it.


def test_hints_install_what_the_extras_ask_for(monkeypatch, tmp_path):
    hint = install_hint("onnx")
    assert hint == f"pip install -e '{HOME}[onnx]'"
    monkeypatch.setattr("archspec.extras.HOME", str(tmp_path))  # as from a wheel
    assert install_hint("search").startswith("pip install 'numpy")
    assert install_hint("search").endswith(" 'optuna>=4.5'")
    assert "mindspore" in install_hint("mindspore")


def test_ctrl_c_ends_a_studio_and_what_it_started(tmp_path):
    """The terminal sends it to the whole group; nobody has anything to complain of."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    studio = subprocess.Popen(
        [sys.executable, "-m", "archspec", "studio", "--no-browser", "--port", "0"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": HOME},
    )  # fmt: skip
    assert "the studio is at" in studio.stdout.readline()
    os.killpg(studio.pid, signal.SIGINT)
    _, said = studio.communicate(timeout=60)
    assert (studio.returncode, said) == (0, "")
