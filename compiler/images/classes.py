"""The names of the classes that a network tells apart, and a folder's classes by them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from archspec.compiler.images.source import Source
from archspec.compiler.weights.files import open_tensors
from archspec.document import parse_document
from archspec.errors import Problem, SpecError, listed
from archspec.graph import Graph
from archspec.shapes import written

CLASSES = "classes"
"""What the metadata of a file of weights calls the names of the classes."""


def class_names(
    weights: str | os.PathLike[str], graph: Graph | None = None
) -> tuple[str, ...] | None:
    """The names of the classes that a training wrote into a file of weights, or None. Raises
    SpecError where they cannot be read, or no output of the graph has as many numbers."""
    with open_tensors(weights) as file:
        text = file.metadata.get(CLASSES)
    if text is None:
        return None
    names = read_names(weights, CLASSES, text)
    if graph is not None and (len(names),) not in graph.output_shapes.values():
        outputs = [f"{name!r} {written(shape)}" for name, shape in graph.output_shapes.items()]
        raise SpecError(
            Problem(
                f"the file names {len(names):,} classes, and {graph.name} gives"
                f" {', '.join(outputs)}; use weights that were trained for these classes",
                os.fspath(weights),
            )
        )
    return names


def read_names(path: str | os.PathLike[str], key: str, text: str) -> tuple[str, ...]:
    """The names in a JSON list that a file has under a key of its metadata. Raises SpecError where
    it is none."""
    try:
        names = parse_document(text).data
    except SpecError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SpecError(
            Problem(
                f"its metadata {key!r} is no JSON list of names; use the file as archspec wrote it",
                os.fspath(path),
            )
        )
    return tuple(names)


def numbers_of(images: Source, names: Sequence[str]) -> np.ndarray:
    """The numbers that the network knows the folder's classes by."""
    numbers = {name: number for number, name in enumerate(names)}
    strange = [name for name in images.classes if name not in numbers]
    if strange:
        raise SpecError(
            f"{images.where} has class {listed(strange, 'and', 4)}, and the weights were trained on"
            f" {listed(list(names), 'and', 4)}; images of those would do"
        )
    return np.array([numbers[name] for name in images.classes], np.int64)
