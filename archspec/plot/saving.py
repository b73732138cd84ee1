"""Pictures into files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.plot.page import draw

SUFFIXES = (".svg", ".png")


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Draw a graph into an .svg or .png file, which appears whole or not at all.

    Raises UsageError for another suffix and where the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        met = f"the suffix {target.suffix!r}" if target.suffix else "no suffix"
        raise UsageError(
            f"{target}: a picture is written as SVG or PNG and this has {met};"
            f" a name that ends in {' or '.join(SUFFIXES)} would do"
        )
    picture = draw(graph)
    content = picture.svg().encode() if suffix == ".svg" else picture.png()
    try:
        _write(target, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"{target}: the picture cannot be written ({reason}); a path in a folder that exists"
            " and may be written to would do"
        ) from error


def _write(target: Path, content: bytes) -> None:
    """Beside the target under another name, then renamed: a failure leaves the old file."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp keeps others out, which is not what one wants of a picture.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink()
        raise
