"""Files of others, opened so that none can hold the reader up."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import IO

CHUNK = 1 << 20

_BEGINNINGS = (
    (b"\x89PNG\r\n", "a PNG image", ()),
    (b"\xff\xd8\xff", "a JPEG image", ()),
    (b"GIF8", "a GIF image", ()),
    (b"%PDF", "a PDF", ()),
    (b"PK\x03\x04", "a zip archive, as weights in .npz and .pth are", (".npz", ".pth", ".pt")),
    (b"\x1f\x8b", "a gzip archive", ()),
    (b"\x89HDF", "an HDF5 file", ()),
    (b"IMOD", "an Ascend offline model (.om)", ()),
    (b"\x80\x02", "a pickle, as older weights in .pth are", (".pth", ".pt")),
)
_ENDINGS = {
    ".safetensors": "a file of weights", ".npz": "a file of weights",
    ".ckpt": "a file of weights", ".pth": "a file of weights", ".pt": "a file of weights",
    ".onnx": "an ONNX model", ".mindir": "a MindIR model", ".om": "an Ascend offline model",
}  # fmt: skip
SAFETENSORS = "a file of weights (.safetensors)"
_LONGEST_INDEX = 1 << 32


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


def kind_of(head: bytes) -> tuple[str, tuple[str, ...]] | None:
    """What a file is by its first sixteen bytes, and the endings that such files have here; None
    where they do not tell."""
    for beginning, kind, endings in _BEGINNINGS:
        if head.startswith(beginning):
            return kind, endings
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _LONGEST_INDEX:
        return SAFETENSORS, (".safetensors",)
    # protobuf's fields 1, the version of ONNX, and 2, who wrote it
    if head[:1] == b"\x08" and head[2:3] == b"\x12":
        return "an ONNX model", (".onnx",)
    return None


def kind_instead_of_text(path: str | os.PathLike[str], content: bytes) -> str | None:
    """What a file is that should be text and is another kind of file, by its first bytes or, where
    it does not begin as JSON does, by its name."""
    found = kind_of(content[:16])
    if found is not None:
        return found[0]
    if not content.strip() or content.lstrip()[:1] == b"{":
        return None
    kind = _ENDINGS.get(Path(path).suffix.lower())
    return None if kind is None else f"{kind} by its name"


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Of a file's bytes, in hexadecimal. Raises as open_regular does."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
