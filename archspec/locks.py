"""A lock on a file that ends with the process that has it, however it ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from archspec.errors import LackingError

PLACE = 1 << 30
"""The byte that is locked where locks are of bytes: beyond all that anyone reads."""
PAUSE = 0.05
"""Seconds between two tries where the system cannot wait."""


_open: set[IO[str]] = set()
"""The files that this process has locks on. Whoever it forks would keep them, locks and all."""


def _leave_to_parent() -> None:
    for file in _open:
        file.close()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)

_held = threading.local()
"""The files that this thread waited for and has, which it would otherwise wait for without end."""


@contextmanager
def locked_file(path: Path, waits: bool) -> Iterator[None]:
    """Raises BlockingIOError where another process has the lock and this one does not wait,
    LackingError where the system has no locks. A thread that waits may take a lock that it has."""
    if not waits:
        with _lock(path, waits):
            yield
        return
    files: set[Path] = _held.__dict__.setdefault("files", set())
    file = path.absolute()
    if file in files:
        yield
        return
    with _lock(path, waits):
        files.add(file)
        try:
            yield
        finally:
            files.discard(file)


@contextmanager
def _lock(path: Path, waits: bool) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        with _lock_byte(path, waits):
            yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        _open.add(file)
        try:
            yield
        finally:
            _open.discard(file)


@contextmanager
def _lock_byte(path: Path, waits: bool) -> Iterator[None]:
    """Windows' way. Its own waiting gives up after ten seconds, so it is asked again and again."""
    try:
        import msvcrt
    except ImportError:
        raise LackingError(
            f"{path} cannot be locked: this Python has neither fcntl nor msvcrt, so that two"
            " processes could spoil each other's work; use Linux, macOS or Windows"
        ) from None
    system: Any = msvcrt
    with open(path, "ab") as file:
        while True:
            os.lseek(file.fileno(), PLACE, os.SEEK_SET)
            try:
                system.locking(file.fileno(), system.LK_NBLCK, 1)
                break
            except OSError:
                if not waits:
                    raise BlockingIOError(f"{path} is locked by another process") from None
            time.sleep(PAUSE)
        try:
            yield
        finally:
            os.lseek(file.fileno(), PLACE, os.SEEK_SET)
            system.locking(file.fileno(), system.LK_UNLCK, 1)
