"""The images that a network is calibrated with: as many of each class, the same ones each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from archspec.compiler.images.folder import ImageFolder, scan_folder
from archspec.compiler.images.preprocess import UnreadableImage, preprocess_bytes
from archspec.compiler.images.steps import Preprocessing
from archspec.deploy.folders import images_in
from archspec.errors import SpecError, UsageError


def read_calibration_images(
    path: str | os.PathLike[str], preprocessing: Preprocessing, count: int, seed: int
) -> np.ndarray:
    """float32 (n, channels, height, width): `count` images below PATH/train, PATH/val or PATH, or
    all where there are fewer; of each class the next in an order that the seed gives, class after
    class, until there are enough. Images that cannot be read are passed over. Raises UsageError
    where the folder does not exist, SpecError where it has no images, one class, or nothing in
    them."""
    folder = _open(path)
    if len(folder.classes) < 2:
        raise SpecError(
            f"{folder.where} has one class, {', '.join(folder.classes)!r}, and ranges of one class"
            " fit no other; use images of all classes, in a folder each"
        )
    found = [*islice(_in_turn(folder, preprocessing, seed), count)]
    if not found:
        raise SpecError(
            f"{folder.where}: none of its {len(folder.files)} images can be read; use JPEG or PNG"
        )
    images = np.stack(found)
    if all(np.ptp(image, axis=(1, 2)).max() == 0 for image in images):
        raise SpecError(
            f"{folder.where}: each of its calibration images is of one colour, from which no range"
            " can be told; use photographs"
        )
    return images


def _open(path: str | os.PathLike[str]) -> ImageFolder:
    train = Path(path) / "train"
    if not Path(path).is_dir():
        return images_in(path)  # says what is wrong
    try:
        return scan_folder(train, learns=False) if train.is_dir() else images_in(path)
    except UsageError as error:
        raise SpecError(f"there are no calibration images: {error}") from None


def _in_turn(folder: ImageFolder, preprocessing: Preprocessing, seed: int) -> Iterator[np.ndarray]:
    """One image of each class after the other, those of a class in a drawn order."""
    random = np.random.default_rng(seed)
    classes = [
        _readable(folder, preprocessing, random.permutation(np.flatnonzero(folder.labels == label)))
        for label in range(len(folder.classes))
    ]
    while classes:
        left: list[Iterator[np.ndarray]] = []
        for images in classes:
            for image in images:
                yield image
                left.append(images)
                break
        classes = left


def _readable(
    folder: ImageFolder, preprocessing: Preprocessing, indices: np.ndarray
) -> Iterator[np.ndarray]:
    for index in indices:
        try:
            yield preprocess_bytes(folder.read(int(index)), preprocessing)
        except (OSError, UnreadableImage):
            continue
