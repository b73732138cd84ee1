"""Batches of images to evaluate, read and prepared by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from archspec.compiler.images.lookahead import in_order
from archspec.compiler.images.preprocess import UnreadableImage, preprocess_bytes
from archspec.compiler.images.source import Source
from archspec.compiler.images.steps import Preprocessing
from archspec.errors import UsageError
from archspec.machine import usable_cpus

Batch: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Images, float32 NCHW, and labels, int32."""


def usable_workers(wanted: int) -> int:
    """As many workers as wanted, or as there are CPUs: MindSpore takes no more."""
    return max(1, min(wanted, usable_cpus()))


class EvalPipeline:
    """Every image once, in order, as the network's spec prepares them; the last batch may be
    smaller. Of `ranks` processes each has every ranks-th image, and some one more than others."""

    def __init__(
        self,
        source: Source,
        preprocessing: Preprocessing,
        *,
        batch: int,
        workers: int = 1,
        rank: int = 0,
        ranks: int = 1,
    ):
        self.source = source
        self.preprocessing = preprocessing
        self.batch = batch
        self.workers = usable_workers(workers)
        self.indices = np.arange(rank, len(source.labels), ranks)
        self.steps = -(-len(self.indices) // batch)

    def __iter__(self) -> Iterator[Batch]:
        """Images, float32 NCHW, and labels, int32. Raises UsageError where files have changed since
        they were checked."""
        numbered = zip(self.indices, self.source.loads(self.indices), strict=True)
        images = in_order(self._image, numbered, self.workers)
        for start in range(0, len(self.indices), self.batch):
            indices = self.indices[start : start + self.batch]
            yield np.stack([next(images) for _ in indices]), self.source.labels[indices]

    def _image(self, numbered: tuple[int, Any]) -> np.ndarray:
        index, load = numbered
        try:
            return preprocess_bytes(load(), self.preprocessing)
        except (OSError, UnreadableImage) as error:
            raise UsageError(
                f"{self.source.where}: {self.source.name(index)!r} cannot be read ({error})"
            ) from None
