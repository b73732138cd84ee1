"""Runs the blocks of a page of Markdown as a reader would, from top to bottom in one folder.

| block | what is done |
|---|---|
| ```json title="net.json"``` (or yaml, python, text) | the file is written |
| ```console``` | each `$ command` must print what is shown, `...` being anything |
| ```sh``` | the lines are run by bash; every command must succeed |
| ```python``` | run after the earlier ones; `print(...)  # shown` must print that |

A block behind `<!-- not run: why -->` is left alone. Lines of `make` are asked of the Makefile.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FENCE = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+) -->\s*\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)(?P<rest>[^\n]*)\n(?P<text>.*?)^(?P=indent)```",
    re.DOTALL | re.MULTILINE,
)
FILES = {"json", "yaml", "python", "csv", "text", "toml"}


class Block(NamedTuple):
    language: str
    title: str
    text: str
    why_not: str


def blocks_of(page: str) -> Iterator[Block]:
    for found in FENCE.finditer(page):
        title = re.search(r'title="([^"]+)"', found["rest"])
        indent = found["indent"]
        text = re.sub(f"^{indent}", "", found["text"], flags=re.MULTILINE)
        yield Block(found["language"], title[1] if title else "", text, found["why"] or "")


def run_page(path: Path, folder: Path) -> int:
    """Run all blocks in a folder that is empty; the result is how many were run."""
    names: dict[str, object] = {"__name__": "page"}
    count = 0
    for block in blocks_of(path.read_text()):
        if block.why_not:
            continue
        if block.title and block.language in FILES:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text)
        elif block.language == "console":
            _run_console(block.text, folder)
        elif block.language == "sh":
            _run_shell(block.text, folder)
        elif block.language == "python":
            _run_python(block.text, names, folder)
        else:
            continue
        count += 1
    return count


def environment() -> dict[str, str]:
    """Where `archspec`, `python` and `.venv` are those that run the tests."""
    scripts = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "ONEDNN_MAX_CPU_ISA": os.environ.get(
            "ONEDNN_MAX_CPU_ISA", "AVX2"
        ),  # or some CPUs have a note
        "PHOTOGRAPHS": str(ROOT / "tests" / "data" / "photographs"),
    }


def _run_shell(text: str, folder: Path) -> None:
    lines = [line for line in text.splitlines() if line.strip()]
    makes = [line for line in lines if line.startswith("make ")]
    for line in makes:
        target = shlex.split(line, comments=True)[1]
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    script = "\n".join(line for line in lines if line not in makes)
    if script:
        done = _bash(script, folder)
        assert done.returncode == 0, f"{script}\n{done.stdout}"


def _run_console(text: str, folder: Path) -> None:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = re.sub(r"\\\n", "", part).partition("\n")
        printed = _bash(command, folder).stdout.replace(f"{ROOT}/", "").rstrip()
        pieces = re.split(r"^\.\.\.\n?", shown.rstrip() + "\n", flags=re.MULTILINE)
        pattern = "(?s:.*)".join(re.escape(piece) for piece in pieces)
        assert re.fullmatch(pattern, f"{printed}\n"), f"$ {command}\n{printed}"


def _bash(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run_python(code: str, names: dict[str, object], folder: Path) -> None:
    """Each line that prints and has a comment must print what the comment says."""
    printed = io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "page", "exec"), names)
    finally:
        os.chdir(before)
    for shown in re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE):
        expected = shown.removesuffix(" ...").removeprefix("... ")
        assert expected in printed.getvalue(), f"{shown!r} is not in {printed.getvalue()!r}"
