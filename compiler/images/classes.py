"""The names of the classes that a network tells apart, and a folder's classes by them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.images.source import Source
from archspec.compiler.weights.files import open_tensors
from archspec.document import parse_document
from archspec.errors import Problem, SpecError, UsageError, listed
from archspec.graph import Graph
from archspec.reading import open_regular
from archspec.shapes import Shape, written

CLASSES = "classes"
"""What the metadata of a file of weights calls the names of the classes."""
MAX_LENGTH = 1 << 22
"""Of all names of a file together; ImageNet's 21,841 long ones are a tenth of it."""


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
    if graph is not None:
        check_count(weights, names, graph.name, graph.output_shapes)
    return names


def check_count(
    path: str | os.PathLike[str],
    names: Sequence[str],
    network: str,
    outputs: Mapping[str, Shape],
) -> None:
    """Raises SpecError where a file names other than as many classes as one of the network's
    outputs has numbers."""
    if (len(names),) in outputs.values():
        return
    shown = [f"{name!r} {written(shape)}" for name, shape in outputs.items()]
    raise SpecError(
        Problem(
            f"the file names {len(names):,} classes, and {network} gives {', '.join(shown)}; use a"
            " file and a network of the same classes",
            os.fspath(path),
        )
    )


def read_class_file(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Names of classes in the order of a network's outputs: a JSON list, or a JSON object by their
    numbers, a text of one name a line, or a folder of class folders, by name. Raises UsageError
    where it is none of these."""
    try:
        if Path(path).is_dir():
            found = sorted(e.name for e in Path(path).iterdir() if e.is_dir() and e.name[0] != ".")
            names = tuple(found)
        else:
            with open_regular(path) as file:
                content = file.read(MAX_LENGTH + 1)
            text = content.decode() if len(content) <= MAX_LENGTH else ""
            names = _read_json(path, text) if text.lstrip()[:1] in ("[", "{") else _lines(text)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({(error.strerror or str(error)).lower()})"
        ) from None
    except (UnicodeDecodeError, SpecError):
        names = ()
    if not names:
        raise UsageError(
            f"{path} has no names of classes; use a text of one name a line, JSON names in a list"
            " or by number, or a folder of class folders"
        )
    return names


def _read_json(path: str | os.PathLike[str], text: str) -> tuple[str, ...]:
    """The names of a list, or of an object by number, as {"0": "tench", ...}. Keras has an ID
    before each name, Hugging Face's configurations have the object under "id2label"."""
    if text.lstrip().startswith("["):
        return read_names(path, CLASSES, text)
    content = parse_document(text).data
    by_number = content.get("id2label", content)
    if not isinstance(by_number, dict):
        return ()
    names = [by_number.get(str(number)) for number in range(len(by_number))]
    found = [name[-1] if isinstance(name, list) and name else name for name in names]
    return tuple(map(str, found)) if _are_texts(found) else ()


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def read_names(path: str | os.PathLike[str], key: str, text: str) -> tuple[str, ...]:
    """The names in a JSON list that a file has under a key of its metadata. Raises SpecError where
    it is none."""
    try:
        names = parse_document(text).data if len(text) <= MAX_LENGTH else None
    except SpecError:
        names = None
    if not isinstance(names, list) or not _are_texts(names):
        raise SpecError(
            Problem(
                f"its metadata {key!r} is not a JSON list of names; use the file as archspec"
                " wrote it",
                os.fspath(path),
            )
        )
    return tuple(names)


def numbers_of(images: Source, names: Sequence[str]) -> np.ndarray:
    """The numbers that the network knows the folder's classes by. Raises SpecError where it does
    not know one, or two by one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SpecError(
            f"the file names class {listed(twice, 'and', 4)} more than once, so that a folder of it"
            " may mean either; use names that differ"
        )
    numbers = {name: number for number, name in enumerate(names)}
    strange = [name for name in images.classes if name not in numbers]
    if strange:
        raise SpecError(
            f"{images.where} has class {listed(strange, 'and', 4)}, and the weights were trained on"
            f" {listed(list(names), 'and', 4)}; use images of those"
        )
    return np.array([numbers[name] for name in images.classes], np.int64)
