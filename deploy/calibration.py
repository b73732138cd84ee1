"""The images that a network is calibrated with: as many of each class, the same ones each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from archspec.compiler.images.folder import ImageFolder, scan_folder
from archspec.compiler.images.preprocess import UnreadableImage, preprocess_bytes
from archspec.compiler.images.steps import Preprocessing
from archspec.deploy.folders import images_in
from archspec.errors import SpecError, UsageError

MAX_IMAGES = 4096


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
            f"{folder.where} has one class, {folder.classes[0]!r}, and ranges of one class fit no"
            " other; use images of all classes, in a folder each"
        )
    found: list[np.ndarray] = []
    for index in _in_turn(folder, seed):
        try:
            found.append(preprocess_bytes(folder.read(index), preprocessing))
        except (OSError, UnreadableImage):
            continue
        if len(found) == count:
            break
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


def _in_turn(folder: ImageFolder, seed: int) -> Iterator[int]:
    """The images of each class in a drawn order, one of each class at a time."""
    random = np.random.default_rng(seed)
    left = [
        [*random.permutation(np.flatnonzero(folder.labels == label))]
        for label in range(len(folder.classes))
    ]
    while any(left):
        for images in left:
            if images:
                yield int(images.pop())
