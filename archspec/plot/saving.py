"""Pictures into files."""

from __future__ import annotations

import os
from pathlib import Path

from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.plot.display import Picture
from archspec.plot.page import draw
from archspec.plot.svg import render_svg
from archspec.writing import write_whole

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
            f" use a name that ends in {' or '.join(SUFFIXES)}"
        )
    write_whole(target, _render(draw(graph), suffix))


def _render(picture: Picture, suffix: str) -> bytes:
    if suffix == ".svg":
        return render_svg(picture).encode()
    # Pillow is not loaded for a picture that is text.
    from archspec.plot.png import render_png

    return render_png(picture)
