"""The README's commands print what it shows, and its Python runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_isynet_format import NETWORKS, original

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
PAGE = ROOT / "docs" / "python.md"
RUNS = [
    (command, shown.rstrip("\n"))
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for command, shown in re.findall(r"^\$ archspec (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


def example() -> str:
    return re.search(r'```json\n(\{\n  "archspec".*?)```', TEXT, re.DOTALL).group(1)


@pytest.fixture
def folder(tmp_path):
    """A newcomer's folder: the README's example, the same with typos, and an original ISyNet."""
    typos = {'"channels": 32,': '"chanels": 32,', '"Classifier"': '"Clasifier"'}
    wrong = example()
    for right, typo in typos.items():
        wrong = wrong.replace(right, typo)
    (tmp_path / "mynet.json").write_text(example())
    (tmp_path / "typo.json").write_text(wrong)
    (tmp_path / "n1.json").write_text(json.dumps(original(NETWORKS["isynet_n1"])))
    return tmp_path


def output_of(arguments: list[str], folder: Path) -> str:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return result.stdout.replace(f"{ROOT}/", "")


@pytest.mark.parametrize("command, shown", RUNS, ids=[command for command, _ in RUNS])
def test_command_prints_what_is_shown(command, shown, folder):
    printed = output_of(["-m", "archspec.cli", *command.split()], folder).rstrip("\n")
    beginning, elision, _ = shown.partition("\n...")
    assert printed.startswith(beginning) if elision else printed == shown


def test_every_command_is_shown():
    from archspec.cli import COMMANDS

    missing = [name for name in COMMANDS if f"archspec {name}" not in TEXT]
    assert not missing, "the README lacks a command"


def test_python_example_runs(folder):
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL).group(1)
    first, *_, last = output_of(["-c", code], folder).splitlines()
    assert first == "6,156,378 parameters, 36,309,966,848 MACs"
    assert last == re.search(r"# (Cost\(.*\))", code).group(1)


def test_python_example_of_texts_runs(folder):
    code = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    where, call = output_of(["-c", code], folder).splitlines()
    assert where == "blocks.json:1:49: at /templates/Block/body: conv lacks 'kernel'"
    assert call == "    in b.Block, called at net.json:2:43 as block"


def test_python_page_runs(folder):
    code = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    lines = output_of(["-c", code], folder).splitlines()
    assert lines[-1] == re.search(r"# (Cost\(.*\))", code).group(1)
    for comment in re.findall(r"# (?:\.\.\. )?((?:written|net\.json).*?)(?: \.\.\.)?\n", code):
        assert any(comment in line for line in lines)


def test_the_worked_example_is_the_code():
    """Each block of CONTRIBUTING.md in Python stands in the file that was named last before it."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    blocks = [*re.finditer(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)]
    assert len(blocks) == 4
    for block in blocks:
        *_, name = re.findall(r"`([\w/]+\.py)`", page[: block.start()])
        assert block.group(1) in (ROOT / name).read_text()
