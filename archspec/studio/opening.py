"""What `archspec studio` was asked to open: a spec, a folder of specs, or nothing yet."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from archspec.sources import project_folder, real_path, shipped_folder, spec_path

RUN_FACTS, SPACE = "run.json", "space.json"
"""What the folder of a training or of a search has; of a search, the latter too."""
SHIPPED = "shipped:"
"""How the page calls a shipped spec, before its bare name; any other name is a file's below the
folder that was opened."""


@dataclass(frozen=True)
class Opened:
    """`root` is the folder that was opened, `spec` what the page shows first, by its name, or ""
    for the gallery; `line` is where, from 1, or 0. `is_run` says that the folder is a run, which is
    shown."""

    root: Path
    spec: str = ""
    line: int = 0
    is_run: bool = False

    @property
    def fragment(self) -> str:
        """What the address ends in to show that."""
        from urllib.parse import quote

        if self.is_run:
            return "#run/."
        at = f":{self.line}" if self.line else ""
        return f"#edit/{quote(self.spec)}{at}" if self.spec else ""


def open_what(name: str | None) -> Opened:
    """What a word on the command line means: a folder, a file, or a shipped spec, which is shown
    from the working folder; of the last two with :LINE behind it, that line. Raises SpecError where
    there is no such thing."""
    here = Path(real_path(os.curdir))
    if name is None:
        return Opened(here)
    name, line = _split_line(name)
    path = Path(real_path(name))
    if path.is_dir():
        return Opened(path, is_run=(path / RUN_FACTS).is_file())
    path = Path(real_path(spec_path(name)))
    shipped = find_shipped(path, here)
    if shipped:
        return Opened(here, shipped, line)
    root = project_folder(path.parent)
    return Opened(root, path.relative_to(root).as_posix(), line)


def find_shipped(path: Path, root: Path) -> str:
    """What the page calls a file of the shipped specs; "" for another, and where the folder that
    was opened is among them, so that they are files like others."""
    shipped = shipped_folder().resolve()
    if not path.is_relative_to(shipped) or root.is_relative_to(shipped):
        return ""
    return f"{SHIPPED}{path.relative_to(shipped).with_suffix('').as_posix()}"


def _split_line(name: str) -> tuple[str, int]:
    """FILE:LINE or FILE:LINE:COLUMN as the file and the line, 0 where none is said or a file of the
    whole name is there."""
    file, line = name, 0
    found = re.fullmatch(r"(.+?):(\d{1,9})(?::\d{1,9})?", name)
    if found and not os.path.lexists(name):
        file, line = found.group(1), int(found.group(2))
    return file, line
