"""What compile and export share: a graph with its weights as a file, checked before it takes its
place."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.errors import UsageError
from archspec.tables import shown_bytes, shown_count

if TYPE_CHECKING:
    from archspec.compiler.model import Model
    from archspec.deploy.checking import Comparison
    from archspec.deploy.export import Source
    from archspec.graph import Graph

OPSETS = (11, 13, 17)
"""Versions of ONNX's operators that are written; the first unless told otherwise."""
SCHEME, SEED = "he", 0


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


def source_of(graph: Graph, weights: str | None, **settings: Any) -> Source:
    """The graph with the weights of a file, or random ones, as what writes files takes it."""
    from archspec.deploy.export import Source

    model = model_of(graph, weights)
    return Source(model, notes=classes_of(weights, graph), **settings)


def tell_written(output: str, params: int, said: Iterable[str]) -> None:
    size = shown_bytes(Path(output).stat().st_size)
    print(f"wrote {output}: {shown_count(params)} parameters, {size}")
    for line in said:
        print(line)


def model_of(graph: Graph, weights: str | None) -> Model:
    """The graph with the weights in a file, or with random ones, which is said."""
    from archspec.compiler.model import Model

    if weights is not None:
        from archspec.compiler.weights.loading import load_weights

        return Model(graph, load_weights(weights, graph))
    from archspec.compiler.weights.initialize import initialize

    print(
        f"note: without --weights they are random, scheme {SCHEME}, seed {SEED}",
        file=sys.stderr,
    )
    return Model(graph, initialize(graph, SCHEME, SEED))


def classes_of(weights: str | None, graph: Graph) -> dict[str, str]:
    """The names that a training wrote into its weights, as an ONNX keeps them. Raises SpecError
    where the graph gives another number of them."""
    if weights is None:
        return {}
    from archspec.compiler.images.classes import CLASSES, class_names

    names = class_names(weights, graph)
    return {} if names is None else {CLASSES: json.dumps(names, ensure_ascii=False)}


def check_lines(comparison: Comparison | None) -> list[str]:
    """What is said of a file that was run."""
    return [] if comparison is None else [f"checked: {comparison}"]
