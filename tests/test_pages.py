"""Every page of the documentation does what it says, run as a reader would run it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from page_runner import ROOT, blocks_of, run_page

DOCS = ROOT / "docs"
RUN = ("tutorials", "guides", "explanation", "reference")
"""Folders whose pages are run whole, each in a folder of its own."""
LONG = {"tutorials/photographs", "tutorials/search"}
"""Those that train for longer than a test may: left to make nightly."""
GENERATED = {"ops", "blocks", "commands", "recipes"}
PAGES = [path for name in RUN for path in sorted((DOCS / name).glob("*.md"))]

EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/README.md"))


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).with_suffix("").as_posix()


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if name_of(page) in LONG else ()) for page in PAGES],
    ids=name_of,
)
def test_a_page_does_what_it_says(page, tmp_path):
    assert run_page(page, tmp_path), "the page has no block that is run"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_does_what_it_says(name, tmp_path):
    for framework in ("torch", "mindspore", "onnxruntime"):
        pytest.importorskip(framework)
    folder = tmp_path / name
    shutil.copytree(ROOT / "examples" / name, folder)
    assert run_page(folder / "README.md", folder)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_every_page_has_a_block_or_a_picture(page):
    text = page.read_text()
    assert [*blocks_of(text)] or re.search(r"!\[.+\]\(.+\)", text)


def test_every_page_is_in_the_contents():
    listed = re.findall(r"([\w/-]+)\.md$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(map(name_of, DOCS.rglob("*.md")))
