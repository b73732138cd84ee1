"""What compile and export share: a graph with its weights as a file, checked before it takes its
place."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.errors import UsageError
from archspec.tables import shown_bytes, shown_count

if TYPE_CHECKING:
    from archspec.deploy.checking import Comparison
    from archspec.deploy.export import Source


def add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", metavar="FILE", help="the network's weights (.safetensors, .npz or .ckpt)"
    )


def read_images(option: str, text: str, most: int, otherwise: str = "") -> int:
    """How many images at a time an option asks for. Raises UsageError."""
    text = text.strip()
    is_number = text.isascii() and text.isdigit() and len(text) < 7
    if not is_number or not 1 <= int(text) <= most:
        given = text or "without a number"
        raise UsageError(f"{option} {given}: it must be 1 to {most:,}{otherwise}")
    return int(text)


def write_checked(kind: str, source: Source, output: str) -> list[str]:
    """Write ONNX or MindIR, run before it takes its place; the lines that tell of it."""
    from archspec.deploy.export import write_mindir, write_onnx

    return check_lines({"onnx": write_onnx, "mindir": write_mindir}[kind](source, output))


def tell_written(output: str, params: int, said: Iterable[str]) -> None:
    size = shown_bytes(Path(output).stat().st_size)
    print(f"wrote {output}: {shown_count(params)} parameters, {size}")
    for line in said:
        print(line)


def check_lines(comparison: Comparison | None) -> list[str]:
    """What is said of a file that was run."""
    return [] if comparison is None else [f"checked: {comparison}"]
