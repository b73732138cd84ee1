"""The page's bundle in archspec/studio/static is what npm makes of archspec/studio/web."""

import gzip
import subprocess
from pathlib import Path

import pytest
import studios

STUDIO = Path(__file__).parents[2] / "archspec" / "studio"
WEB, STATIC = STUDIO / "web", STUDIO / "static"
MADE = ("studio.js", "studio.css")


@pytest.fixture(scope="module")
def npm():
    return studios.install_packages()


def test_the_bundle_is_what_its_sources_give(npm, tmp_path):
    subprocess.run(["npx", "tsc", "--noEmit"], cwd=npm, check=True, timeout=300)
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=npm, check=True, timeout=300)
    for name in MADE:
        assert (tmp_path / name).read_bytes() == (STATIC / name).read_bytes(), (
            f"{name} is of older sources; use `make studio-bundle`"
        )


def test_the_bundle_is_small():
    assert len(gzip.compress((STATIC / "studio.js").read_bytes())) < 250_000


def test_the_page_asks_nobody_else_for_anything():
    for name in (*MADE, "index.html"):
        text = (STATIC / name).read_text()
        for word in ("https://cdn", "googleapis", "unpkg", "jsdelivr"):
            assert word not in text
