"""What `archspec studio` was asked to open: a spec, a folder of specs, or nothing yet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from archspec.sources import project_folder, real_path, shipped_folder, spec_path

SHIPPED = "shipped:"
"""How the page calls a shipped spec, before its bare name; any other name is a file's below the
folder that was opened."""


@dataclass(frozen=True)
class Opened:
    """`root` is the folder that was opened, `spec` what the page shows first, by its name, or ""
    for the gallery."""

    root: Path
    spec: str = ""

    @property
    def fragment(self) -> str:
        """What the address ends in to show that."""
        from urllib.parse import quote

        return f"#edit/{quote(self.spec)}" if self.spec else ""


def open_what(name: str | None) -> Opened:
    """What a word on the command line means: a folder, a file, or a shipped spec, which is shown
    from the working folder. Raises SpecError where there is no such thing."""
    here = Path(real_path(os.curdir))
    if name is None:
        return Opened(here)
    path = Path(real_path(name))
    if path.is_dir():
        return Opened(path)
    path = Path(real_path(spec_path(name)))
    shipped = shipped_folder().resolve()
    if path.is_relative_to(shipped) and not here.is_relative_to(shipped):
        return Opened(here, f"{SHIPPED}{path.relative_to(shipped).with_suffix('').as_posix()}")
    root = project_folder(path.parent)
    return Opened(root, path.relative_to(root).as_posix())
