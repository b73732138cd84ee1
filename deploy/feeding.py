"""From image files to batches as a model's input takes them, prepared in threads ahead of use."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from archspec.compiler.images.lookahead import in_order, one_ahead
from archspec.compiler.images.preprocess import UnreadableImage, preprocess_bytes
from archspec.compiler.images.source import Source
from archspec.compiler.images.steps import Preprocessing
from archspec.deploy.aipp import RGB, YUV420SP, host_pixels, source_shape
from archspec.deploy.engines import Port
from archspec.errors import SpecError, UsageError
from archspec.shapes import written

DEFAULT_BATCH = 16
MAX_IMAGES = 65536


@dataclass(frozen=True)
class Batch:
    """`array` is filled up with zeros beyond the images that `labels` (class indices) are of.
    Preparing those took `seconds`, added up over the threads that did it."""

    array: np.ndarray
    labels: np.ndarray
    seconds: float


@dataclass(frozen=True)
class Feed:
    """How images become a model's input `port`, `batch` at a time. A float input takes them as the
    spec's evaluation does; one of uint8, which an OM with AIPP has, resized and no more."""

    port: Port
    batch: int
    preprocessing: Preprocessing

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image."""
        return tuple(extent for extent in self.port.shape[1:] if extent is not None)

    def image(self, data: bytes) -> np.ndarray:
        """One image of this shape and the port's type. Raises UnreadableImage."""
        if self.port.dtype == "uint8":
            found = host_pixels(data, self.preprocessing, pixels_of(self.port, self.preprocessing))
            return found.reshape(self.shape)
        return preprocess_bytes(data, self.preprocessing).astype(self.port.dtype, copy=False)

    def nothing(self) -> np.ndarray:
        """A batch of zeros."""
        return np.zeros((self.batch, *self.shape), self.port.dtype)

    def batches(self, images: Source, workers: int) -> Iterator[Batch]:
        """All images in order; the next batch is made while one is in use. Raises UsageError where
        a file has changed since it was checked."""
        return one_ahead(self._batches(images, workers))

    def _batches(self, images: Source, workers: int) -> Iterator[Batch]:
        total = len(images.labels)
        numbered = enumerate(images.loads(range(total)))

        def prepare(one: tuple[int, Callable[[], bytes]]) -> tuple[np.ndarray, float]:
            index, load = one
            start = time.perf_counter()
            try:
                array = self.image(load())
            except (OSError, UnreadableImage) as error:
                raise UsageError(
                    f"{images.where}: {images.name(index)!r} cannot be read ({error})"
                ) from None
            return array, time.perf_counter() - start

        found = in_order(prepare, numbered, workers)
        for start in range(0, total, self.batch):
            array, seconds = self.nothing(), 0.0
            labels = images.labels[start : start + self.batch]
            for place in range(len(labels)):
                array[place], spent = next(found)
                seconds += spent
            yield Batch(array, labels, seconds)


def feed_of(port: Port, preprocessing: Preprocessing, wanted: int | None, where: str) -> Feed:
    """How images go into a model's input; `wanted` is the batch asked for. Raises UsageError for a
    batch that the model does not take, SpecError where its input is not what the spec prepares."""
    batch = _batch(port, wanted, where)
    shape = preprocessing.shape
    if port.dtype == "uint8":
        shape = source_shape(preprocessing, pixels_of(port, preprocessing))
    if _plain(port.shape[1:]) != _plain(shape) or port.dtype not in ("float32", "float16", "uint8"):
        raise SpecError(
            f"{where}: its input {port.name!r} is {port}, and images of this spec are prepared as"
            f" {written(shape)}; use the spec that it was made of"
        )
    return Feed(port, batch, preprocessing)


def pixels_of(port: Port, preprocessing: Preprocessing) -> str:
    """Which pixels an OM with AIPP takes, by how many bytes an image has: NV12 has half of
    RGB's."""
    if preprocessing.channels == 3:
        shape = source_shape(preprocessing, YUV420SP)
        if math.prod(extent or 0 for extent in port.shape[1:]) == math.prod(shape):
            return YUV420SP
    return RGB


def _plain(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """A shape without extents of 1: NV12's one channel is there or not."""
    return tuple(extent for extent in shape if extent != 1)


def _batch(port: Port, wanted: int | None, where: str) -> int:
    fixed = port.shape[0] if port.shape else 0
    if fixed is None:
        batch = DEFAULT_BATCH if wanted is None else wanted
        if not 1 <= batch <= MAX_IMAGES:
            raise UsageError(f"--batch {batch}: must be 1 to {MAX_IMAGES:,}")
        return batch
    if wanted not in (None, fixed):
        raise UsageError(
            f"--batch {wanted}: {where} takes {fixed} images at a time; use --batch {fixed},"
            " or none"
        )
    return fixed
