"""A folder of class folders as a folder to train from: train and val, of each class its share.

Which images are for validation is told by their bytes and the seed alone: the split stays what it
is where files are renamed or others join them, and what is one image twice is on one side.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archspec.compiler.images.duplicates import digest_images, group_by_content
from archspec.compiler.images.folder import ImageFolder, scan_folder
from archspec.errors import UsageError, listed
from archspec.writing import whole_folder

TRAIN, VAL = "train", "val"
FEWEST = 3
"""Images of a class: two to learn from, and one to validate with."""


@dataclass(frozen=True)
class Split:
    """Numbers of images on each side, and of classes; `notes` are sentences for whoever asked."""

    train: int
    val: int
    classes: int
    notes: tuple[str, ...]


def split_folder(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    share: float,
    seed: int = 0,
    *,
    has_copies: bool = False,
    workers: int = 1,
) -> Split:
    """Write the images of FOLDER/CLASS/ as OUTPUT/{train,val}/CLASS/, `share` of each class in val,
    and at least one: as hard links, which take no room and stay when the others go, or as copies.

    OUTPUT is there whole or not at all. Raises UsageError for a share that is not between 0 and 1,
    a folder that is split already, a class of fewer than three images, an image that cannot be
    read, and links between file systems.
    """
    if not 0 < share < 1:
        raise UsageError(f"--val {share:g}: must be between 0 and 1, such as 0.2")
    root = Path(folder)
    if (root / TRAIN).is_dir() and (root / VAL).is_dir():
        raise UsageError(f"{folder} has {TRAIN}/ and {VAL}/ already; use a folder of class folders")
    images = scan_folder(root, learns=False)
    digests = digest_images(images, range(len(images.files)), workers)
    _check(images, digests)
    held_out, notes = _choose(images, digests, share, seed)
    put: Callable[[Path, Path], object] = shutil.copyfile if has_copies else _link
    with whole_folder(output) as home:
        for index, file in enumerate(images.files):
            target = home / (VAL if index in held_out else TRAIN) / file
            target.parent.mkdir(parents=True, exist_ok=True)
            put(root / file, target)
    count = len(images.files)
    notes = (*images.ignored, *notes)
    return Split(count - len(held_out), len(held_out), len(images.classes), notes)


def _choose(
    images: ImageFolder, digests: Mapping[int, str], share: float, seed: int
) -> tuple[set[int], tuple[str, ...]]:
    """The images for validation, and what is worth a note."""

    def place(digest: str) -> bytes:
        return hashlib.sha256(f"{seed} {digest}".encode()).digest()

    held_out: set[int] = set()
    groups = group_by_content(digests)
    two_faced = [g for g in groups.values() if len({int(images.labels[i]) for i in g}) > 1]
    several = sum(len(group) - 1 for group in groups.values())
    short: list[str] = []
    of_class: list[list[list[int]]] = [[] for _ in images.classes]
    for digest in sorted(groups, key=place):
        labels = {int(images.labels[index]) for index in groups[digest]}
        if len(labels) == 1:  # what is of several classes is not for validation
            of_class[labels.pop()].append(groups[digest])
    counts = np.bincount(images.labels, minlength=len(images.classes)).tolist()
    for name, count, own in zip(images.classes, counts, of_class, strict=True):
        wanted, taken = min(max(1, round(share * count)), count - 2), 0
        for group in own:
            if taken + len(group) <= wanted:
                held_out.update(group)
                taken += len(group)
        if not taken:
            short.append(name)
    if short:
        raise UsageError(
            f"{images.where}: class {listed(short, 'and')} has no image for {VAL} that is there"
            " only once; use more images of it"
        )
    return held_out, _notes(images, several, two_faced)


def _notes(images: ImageFolder, several: int, two_faced: list[list[int]]) -> tuple[str, ...]:
    notes: list[str] = []
    if several:
        what = "image is" if several == 1 else "images are"
        notes.append(
            f"{images.where}: {several:,} {what} there more than once, which are kept on one side"
        )
    for group in two_faced[:3]:
        names = listed([images.files[index] for index in group], "and", 4)
        notes.append(f"{images.where}: {names} are one image in several classes")
    return tuple(notes)


def _check(images: ImageFolder, digests: Mapping[int, str]) -> None:
    for index, file in enumerate(images.files):
        if index not in digests:
            raise UsageError(f"{images.root / file} cannot be read; use images that can")
    counts = np.bincount(images.labels, minlength=len(images.classes)).tolist()
    few = [name for name, count in zip(images.classes, counts, strict=True) if count < FEWEST]
    if few:
        raise UsageError(
            f"{images.where}: fewer than {FEWEST} images in class {listed(few, 'and')}; use"
            f" {FEWEST} or more, or leave the class out"
        )


def _link(source: Path, target: Path) -> None:
    """A hard link to a file, a link itself followed."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        raise UsageError(
            f"{source} cannot be linked there ({(error.strerror or '').lower()}); use --copy"
        ) from None
