"""Images with labels, from files to batches.

    train = readable(scan("imagenet", "train"), workers=8)
    val = readable(scan("imagenet", "val"), workers=8)
    check_same_classes(train, val)
    check_fits(train, graph)
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    pipeline = find_backend("mindspore").pipeline(
        train, preprocessing, recipe.augment, recipe.mix, batch=128, seed=1
    )
    for images, labels in pipeline.epoch(0):
        ...

Rooms: pipeline (what batches to train on have in common); folders, checks and batches to evaluate
are in compiler.images, MindRecord files in backends.mindspore.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from archspec.compiler.images.batches import EvalPipeline, usable_workers
from archspec.compiler.images.checks import check_fits, check_same_classes, readable
from archspec.compiler.images.folder import ImageFolder, scan_folder
from archspec.compiler.images.source import Source
from archspec.errors import UsageError, did_you_mean
from archspec.training.data.pipeline import Pipeline

SUFFIX = ".mindrecord"
MINDRECORD = "archspec.training.backends.mindspore.mindrecord"
"""Of files with many images, and the module that reads them, imported where there is one."""

__all__ = [
    "SUFFIX",
    "EvalPipeline",
    "ImageFolder",
    "Pipeline",
    "Source",
    "check_fits",
    "check_same_classes",
    "readable",
    "scan",
    "usable_workers",
]


def scan(path: str | os.PathLike[str], split: str) -> Source:
    """The images of one split ("train" or "val"): PATH/SPLIT/CLASS/IMAGE or PATH/SPLIT.mindrecord,
    where PATH may also be that file itself. Raises UsageError with what to use."""
    root = Path(path)
    layout = f"{split}/CLASS/IMAGE or {split}{SUFFIX}"
    if not root.exists():
        beside = root.absolute().parent
        others = [entry.name for entry in beside.iterdir()] if beside.is_dir() else []
        raise UsageError(
            f"{path} does not exist; use a folder with {layout}{did_you_mean(root.name, others)}"
        )
    if root.is_file():
        if root.name != f"{split}{SUFFIX}":
            raise UsageError(f"{path} is a file; use {split}{SUFFIX} or a folder with {layout}")
        return _scan_mindrecord(root)
    folder, file = root / split, root / f"{split}{SUFFIX}"
    if folder.is_dir() and file.is_file():
        raise UsageError(f"{root} has both {split}/ and {file.name}; use one of them")
    if file.is_file():
        return _scan_mindrecord(file)
    if not folder.is_dir():
        _refuse(root, split, layout)
    return scan_folder(folder, learns=split == "train")


def _scan_mindrecord(path: Path) -> Source:
    return import_module(MINDRECORD).scan_mindrecord(path)


def _refuse(root: Path, split: str, layout: str) -> None:
    found = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    if not found:
        raise UsageError(f"{root} is empty; use {layout}")
    hint = did_you_mean(split, found)
    if (root.parent / split).is_dir():
        hint = f"; is the folder above it, {root.parent}, meant?"
    raise UsageError(f"{root} has no {split}/; use {layout}{hint}")
