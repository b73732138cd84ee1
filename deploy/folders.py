"""The images that a model is tried on: a folder of classes, or its val folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from archspec.compiler.images.checks import images_cache, readable
from archspec.compiler.images.folder import ImageFolder, scan_folder
from archspec.compiler.images.source import Source
from archspec.errors import UsageError, did_you_mean

VAL = "val"
LAYOUT = f"DIR/{VAL}/CLASS/IMAGE or DIR/CLASS/IMAGE"
PREDICT = ", or archspec predict for images without classes"


def images_in(path: str | os.PathLike[str]) -> ImageFolder:
    """The images of PATH/val/CLASS/ where there is such a folder, else of PATH/CLASS/, unread.
    Raises UsageError."""
    root = Path(path)
    if not root.exists():
        beside = root.absolute().parent
        others = [entry.name for entry in beside.iterdir()] if beside.is_dir() else []
        raise UsageError(
            f"{path} does not exist; use a folder with {LAYOUT}{did_you_mean(root.name, others)}"
        )
    if not root.is_dir():
        raise UsageError(f"{path} is a file; use a folder with {LAYOUT}{PREDICT}")
    val = root / VAL
    if _has_folders(val):
        return scan_folder(val, learns=False)
    if _has_folders(root / "train") and not val.is_dir():
        raise UsageError(
            f"{path} has train/ and no {VAL}/; use images that were not learned from, or"
            f" {path}/train itself"
        )
    if not _has_folders(root):
        raise UsageError(f"{path} has no class folders; use {LAYOUT}{PREDICT}")
    return scan_folder(root, learns=False)


def readable_images(
    images: Source, workers: int, progress: Callable[[int, int], None] | None = None
) -> Source:
    """Those that can be read whole, as training has it; which these are is remembered where
    training remembers it. Raises UsageError where too many cannot."""
    return readable(images, workers, cache=images_cache(), progress=progress)


def _has_folders(path: Path) -> bool:
    return path.is_dir() and any(
        entry.is_dir() and not entry.name.startswith(".") for entry in path.iterdir()
    )
