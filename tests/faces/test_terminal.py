"""What leaves for a terminal: texts of files do not steer it, and odd outputs are said."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.processes import python_command
from archspec.tables import Column, Table, markdown_text, write_table
from archspec.terminal import guard, harmless

STEERS = "\x1b[31mred\x1b]0;owned\x07\x9b1m\u202eevil\u200b\r\nnext\b\x00"
UNSAFE = re.compile(r"[^\n\t\x20-\x7e\xa1-\xac\xae-\u02ff\u2026]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@given(st.text())
def test_only_what_prints_is_left_and_json_means_the_same(text):
    left = harmless(text)
    assert all(c in "\n\t" or c.isprintable() for c in left)
    assert json.loads(harmless(json.dumps(text, ensure_ascii=False))) == text
    harmless(text, "latin-1").encode("latin-1")
    assert harmless(left) == left
    assert "\n" not in markdown_text(text) and "<" not in markdown_text(text)


def spec(text):
    """A network with this text wherever a spec may have text of any kind."""
    return {
        "archspec": 1, "name": "net", "doc": text,
        "source": {"paper": text, "code": text, "published": {"note": text}},
        "input": {"shape": [3, 8, 8]},
        "args": {"width": {"type": "integer", "default": 4, "doc": text}},
        "templates": {"Block": {"doc": text, "body": {"op": "conv", "channels": "=width",
                      "kernel": 3, "doc": text}, "args": {"width": {"default": 4, "doc": text}}}},
        "body": [{"op": "Block", "width": "=width", "doc": text},
                 {"op": "Classifier", "classes": 3}],
        "expect": {"source": text},
    }  # fmt: skip


@pytest.mark.parametrize("command", [
    ["validate", "net.json"], ["stats", "net.json"], ["stats", "net.json", "net.json"],
    ["stats", "net.json", "--format", "json"], ["stats", "net.json", "--format", "csv"],
    ["stats", "net.json", "--format", "markdown"], ["explain", "net.json", "block.conv"],
    ["expand", "net.json"], ["schema", "--for", "net.json"], ["diff", "net.json", "resnet18"],
    ["latency", "net.json", "--device", "ascend310"], ["lint", "net.json"], ["hash", "net.json"],
    ["space", "sample", "net.json"],
], ids=" ".join)  # fmt: skip
def test_texts_of_a_spec_come_out_escaped(run, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    Path("net.json").write_text(json.dumps(spec(STEERS)))
    code, out, err = run(*command)
    assert UNSAFE.sub("", out + err) == out + err
    assert code == (2 if command[0] == "space" else 0), err
    if command[0] in ("expand", "schema") or "json" in command:
        json.loads(out)
    if command[0] == "expand":
        assert json.loads(out)["doc"] == STEERS


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("style", ["table", "csv", "markdown"])
def test_a_table_on_a_terminal_has_no_marks_but_its_own(monkeypatch, style):
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    rows = [{"a": STEERS, "b": 1}, {"a": "x", "b": 2}]
    with guard():
        write_table(
            Table([Column("a", "a"), Column("b", "b", is_number=True)], rows, notes=[STEERS]), style
        )
    said = COLOUR.sub("", screen.getvalue())
    assert "red" in said
    said = said.replace("\u2500", "-")
    assert UNSAFE.sub("", said) == said
    if style == "table":
        assert "\\nnext" in said  # a row is a line


def archspec(*arguments, **options):
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        python_command("archspec", *arguments), env=environment, text=True, check=False, **options
    )


def test_an_output_that_is_closed_or_full_is_said():
    closed = archspec("list", stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert (closed.returncode, closed.stderr) == (
        1, "error: standard output is closed; redirect it to a file or to /dev/null\n",
    )  # fmt: skip
    if not Path("/dev/full").exists():
        return
    with open("/dev/full", "w") as full:
        result = archspec("list", stdout=full, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (
        1, "error: the output: no space left on device\n",
    )  # fmt: skip


def test_an_encoding_that_lacks_letters_gets_their_escapes(tmp_path):
    (tmp_path / "net.json").write_text(json.dumps(spec("日本\x1b")))
    result = archspec(
        "expand", "net.json", cwd=tmp_path, capture_output=True,
        env={"PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert "\\u65e5\\u672c\\u001b" in result.stdout
    result = archspec("list", capture_output=True, env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert "~" in result.stdout


@pytest.mark.skipif(
    sys.version_info >= (3, 13),
    reason="rpds, which jsonschema needs, cannot be imported there (SystemError, Python 3.13.0)",
)
def test_a_working_folder_that_is_gone_is_said(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    result = archspec(
        "train", "tiny/isynet", "--recipe", "tiny", "--data", "digits", cwd=folder,
        capture_output=True, preexec_fn=folder.rmdir,
    )  # fmt: skip
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    assert "went wrong" not in result.stderr
    fine = archspec(
        "stats", "tiny/isynet", cwd=tmp_path, capture_output=True,
    )  # fmt: skip
    assert fine.returncode == 0
