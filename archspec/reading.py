"""Files of others, opened so that none can hold the reader up."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import IO

CHUNK = 1 << 20


class NotRegular(OSError):
    """A folder, or a pipe, a socket or a device: one would wait for it, or it would never end.
    `kind` says which."""

    def __init__(self, path: str | os.PathLike[str], kind: str):
        super().__init__(errno.EINVAL, f"it is {kind}", os.fspath(path))
        self.kind = kind


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """A regular file to read. Raises NotRegular for what is not, OSError where it cannot be read,
    ValueError for a path with a NUL."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise NotRegular(path, "a folder")
    if not stat.S_ISREG(mode):
        raise NotRegular(path, "not a regular file")
    # should it have become a pipe since, it is not waited for either
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags), "rb")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Of a file's bytes, in hexadecimal. Raises as open_regular does."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
