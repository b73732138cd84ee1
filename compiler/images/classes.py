"""The names of the classes that a network tells apart, and a folder's classes by them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import numpy as np

from archspec.compiler.images.source import Source
from archspec.compiler.weights.files import open_tensors
from archspec.errors import SpecError, listed

CLASSES = "classes"
"""What the metadata of a file of weights calls the names of the classes."""


def class_names(weights: str | os.PathLike[str]) -> tuple[str, ...] | None:
    """The names of the classes that a training wrote into a file of weights, or None."""
    with open_tensors(weights) as file:
        text = file.metadata.get(CLASSES)
    if text is None:
        return None
    try:
        names = json.loads(text)
    except ValueError:
        return None
    return tuple(map(str, names)) if isinstance(names, list) else None


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
