"""The likeliest classes of single images, whatever computes the logits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import islice
from pathlib import Path

import numpy as np

from archspec.compiler.images.batches import usable_workers
from archspec.compiler.images.folder import find_images
from archspec.compiler.images.lookahead import in_order
from archspec.compiler.images.preprocess import UnreadableImage, read_image
from archspec.errors import SpecError, UsageError

WORKERS = 8
"""Threads that read and prepare images; no more than there are CPUs."""


@dataclass(frozen=True)
class Classifier:
    """A network that tells images apart. `prepare` makes the bytes of an image file one image as
    the network takes it and raises UnreadableImage; `score` makes of at most `batch` of them, (n,
    ...), logits (n, outputs). `names` are those of the classes, where they are known."""

    prepare: Callable[[bytes], np.ndarray]
    score: Callable[[np.ndarray], np.ndarray]
    batch: int
    outputs: int
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class Guess:
    """A class by its number, its name (the number again where none is known), and its
    probability."""

    number: int
    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes of an image, the likeliest first; none of a file that is not a readable
    image, of which `fault` says why."""

    image: str
    guesses: tuple[Guess, ...]
    fault: str = ""


def find_all(paths: Sequence[str], listed: Iterable[str] = ()) -> tuple[list[str], list[str]]:
    """Image files: those named, in the place of a folder all below it, in that of a pattern all
    that fit it, and in that of "-" the lines of `listed`; and in words what was left out. Raises
    UsageError for what does not exist, and for a folder or a pattern without images."""
    files: list[str] = []
    notes: list[str] = []
    for path in paths:
        if path == "-":
            files += [line.rstrip("\r\n") for line in listed if line.strip()]
        elif Path(path).is_dir():
            below, ignored = find_images(Path(path))
            if not below:
                raise UsageError(
                    f"{path} has no images; use a folder that has some, or image files"
                )
            files += [str(Path(path) / file) for file in below]
            notes += ignored
        elif os.path.lexists(path) or not has_magic(path):
            files.append(path)
        else:
            fitting = glob(path, recursive=True)  # noqa: PTH207, for Path's starts from a folder
            found = sorted(one for one in fitting if Path(one).is_file())
            if not found:
                raise UsageError(f"no file fits {path}; use a pattern that some do")
            files += found
    for file in files:
        if not os.path.lexists(file):
            raise UsageError(f"{file} does not exist; use image files or folders of them")
    if not files:
        raise UsageError("standard input names no image; use one name a line")
    return files, notes


def predict(classifier: Classifier, files: Iterable[str], top: int = 5) -> Iterator[Prediction]:
    """The `top` likeliest classes of each file, in order. Raises SpecError where a network gives no
    numbers."""

    def prepare(file: str) -> tuple[str, np.ndarray | str]:
        try:
            return file, classifier.prepare(read_image(file))
        except UnreadableImage as error:
            return file, f"is not a readable image ({error})"
        except OSError as error:
            return file, f"cannot be read ({(error.strerror or str(error)).lower()})"

    prepared = in_order(prepare, files, usable_workers(WORKERS))
    while some := list(islice(prepared, classifier.batch)):
        images = [image for _, image in some if isinstance(image, np.ndarray)]
        logits = iter(classifier.score(np.stack(images)) if images else ())
        for file, image in some:
            if isinstance(image, str):
                yield Prediction(file, (), image)
            else:
                yield Prediction(file, _likeliest(file, next(logits), classifier.names, top))


def _likeliest(
    file: str, logits: np.ndarray, names: Sequence[str] | None, top: int
) -> tuple[Guess, ...]:
    logits = logits.astype(np.float64)
    if not np.isfinite(logits).all():
        raise SpecError(f"{file}: the network's logits are not finite numbers; use other weights")
    likely = np.exp(logits - logits.max())
    likely /= likely.sum()
    best = [int(number) for number in np.argsort(-likely, kind="stable")[:top]]
    return tuple(Guess(n, names[n] if names else str(n), float(likely[n])) for n in best)
