"""From generated source to a module that runs."""

from __future__ import annotations

import atexit
import hashlib
import linecache
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

PACKAGE = "archspec_generated"


def module_of(source: str, name: str) -> ModuleType:
    """The module a text is. It is known to `inspect` and in tracebacks, as frameworks' parsers and
    people need; the same text gives the same module."""
    words = "".join(char if char.isalnum() and char.isascii() else "_" for char in name[:40])
    module_name = f"{PACKAGE}.{words}_{digest_of(source)}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    # A real file, for MindSpore complains of any other; its lines are kept too, so that nothing
    # depends on how long the file lives.
    path = _folder() / f"{module_name.rpartition('.')[2]}.py"
    path.write_text(source, encoding="utf-8")
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    module = ModuleType(module_name)
    module.__file__ = str(path)
    sys.modules[module_name] = module
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def digest_of(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def _folder() -> Path:
    """Where this process keeps its generated files; nobody else may write there."""
    folder = tempfile.mkdtemp(prefix="archspec-")
    atexit.register(remove_files)
    _OWNERS[folder] = os.getpid()
    return Path(folder)


def remove_files() -> None:
    """Leave no generated file behind: for who ends a process by os._exit; else it happens."""
    for folder, owner in _OWNERS.items():
        if os.getpid() == owner:  # a forked worker's end is not the end
            shutil.rmtree(folder, ignore_errors=True)


_OWNERS: dict[str, int] = {}
"""Folders of generated files, each with the process that made it."""
