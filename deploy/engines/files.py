"""What a model's file is by its first bytes, whatever it is called."""

from __future__ import annotations

import os
from pathlib import Path

from archspec.deploy.om.container import STAND_IN
from archspec.errors import UsageError, did_you_mean
from archspec.reading import open_regular


def first_bytes(path: str | os.PathLike[str]) -> bytes:
    """As many as tell what a file is. Raises UsageError where it is not there or empty."""
    file = Path(path)
    try:
        with open_regular(file) as content:
            head = content.read(len(STAND_IN))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({(error.strerror or str(error)).lower()}){_suggest(file)}"
        ) from None
    if not head:
        raise UsageError(f"{path} is empty; use a model that archspec export wrote")
    return head


def _suggest(file: Path) -> str:
    beside = file.absolute().parent
    if file.exists():  # but is not a regular file, or may not be read
        return ""
    others = [entry.name for entry in beside.iterdir()] if beside.is_dir() else []
    return did_you_mean(file.name, others)
