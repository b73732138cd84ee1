"""What a command is told to write, and the folders above it."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archspec.errors import UsageError


class OutputPath(str):
    """`type` of an argument: the path of a file or folder that the command writes. Folders that are
    missing above it are made."""


@contextmanager
def folders_above(options: argparse.Namespace) -> Iterator[None]:
    """Make the folders that are missing above what a command is to write; those in which it writes
    nothing after all, being refused, are gone when the block ends. Raises UsageError."""
    made: list[Path] = []
    try:
        for path in vars(options).values():
            if isinstance(path, OutputPath):
                _make_above(path, made)
        yield
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # something is in it, as it should be
                folder.rmdir()


def _make_above(path: str, made: list[Path]) -> None:
    target = Path(path).absolute()
    try:
        for folder in reversed([folder for folder in target.parents if not folder.exists()]):
            folder.mkdir(exist_ok=True)  # one of several processes may have been quicker
            made.append(folder)
        if not target.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(
            f"{path} cannot be written ({why}); use a path in a folder that may be written to"
        ) from None
