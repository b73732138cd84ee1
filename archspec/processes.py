"""Further processes of archspec: the same code as this process runs, whatever lies in the working
folder, where `python -m` would look first and users have files of any name."""

from __future__ import annotations

import sys
from pathlib import Path

HOME = str(Path(__file__).resolve().parents[1])
"""The folder that this archspec was imported from."""

_START = """\
import sys
sys.path[:] = [sys.argv.pop(1), *filter(None, sys.path)]
import archspec
sys.path.append(sys.path.pop(0))
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of archspec in a Python of its own, as `python -m` does, with
    this process's archspec and without the working folder on its path."""
    return [sys.executable, "-c", _START, HOME, module, *arguments]
