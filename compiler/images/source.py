"""What any kind of data set is to the pipelines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np


class Source(Protocol):
    """Images in a fixed order, as the bytes of image files, each with its class.

    `where` is what people call it; `labels` are int32 indices into `classes`; `ignored` says, in
    words, what was found and left out; `unreadable` maps images that were left out for being
    damaged to why.
    """

    @property
    def where(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def ignored(self) -> tuple[str, ...]: ...
    @property
    def unreadable(self) -> Mapping[str, str]: ...

    def name(self, index: int) -> str:
        """What people call an image."""
        ...

    def loads(self, indices: Sequence[int] | np.ndarray) -> Iterator[Callable[[], bytes]]:
        """Images in the order asked for, each to be called for its bytes, in any thread. The calls
        raise OSError."""
        ...

    def without(self, unreadable: Mapping[int, str]) -> Source:
        """The same less some images, which are said to be unreadable for the reasons given."""
        ...

    @property
    def stamps(self) -> Mapping[str, str]:
        """Digests of the files' "sizes" and "times" of change: other images under the same names
        have others."""
        ...

    @property
    def listing(self) -> str:
        """A digest that changes when files are added, removed or written to."""
        ...


def fingerprint(source: Source) -> str:
    """sha256 of what is learned from: classes, and each image's name and label in order. Two runs
    with the same have the same steps."""
    digest = hashlib.sha256("\n".join(source.classes).encode())
    digest.update(np.ascontiguousarray(source.labels, "<i4").tobytes())
    for index in range(len(source.labels)):
        digest.update(source.name(index).encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()
