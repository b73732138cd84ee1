"""JSON as people like to read it, and files that are never half-written."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from archspec.errors import UsageError

WIDEST_LINE = 100


def written_json(value: Any, indent: int = 0, room: int = WIDEST_LINE) -> str:
    """JSON with whatever fits on a line on one line, two spaces a level."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value:
        return line
    if len(line) <= room - indent and indent > 0:
        return line
    margin = " " * (indent + 2)
    if isinstance(value, list):
        items = [f"{margin}{written_json(item, indent + 2, room)}" for item in value]
        return "[\n" + ",\n".join(items) + "\n" + " " * indent + "]"
    pairs: list[str] = []
    for key, item in value.items():
        label = json.dumps(key, ensure_ascii=False)
        pairs.append(f"{margin}{label}: {written_json(item, indent + 2, room - len(label) - 2)}")
    return "{\n" + ",\n".join(pairs) + "\n" + " " * indent + "}"


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file so that it is either what it was or all of the new content.

    It is written beside its target under another name, then renamed. Raises UsageError where the
    folder is missing, full or not to be written to.
    """
    target = Path(path)
    try:
        _replace(target, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written ({(error.strerror or str(error)).lower()}); a path in a"
            " folder that exists and may be written to would do"
        ) from error


def _replace(target: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:50]}.")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        # mkstemp keeps others out, which is not what one wants of a spec or a picture.
        Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
