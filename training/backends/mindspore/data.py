"""Batches to train on: read and resized by Pillow in threads of ours, augmented by MindSpore's C++
operations."""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from archspec.compiler.images.batches import Batch
from archspec.compiler.images.lookahead import in_order
from archspec.compiler.images.preprocess import UnreadableImage
from archspec.compiler.images.steps import Preprocessing
from archspec.errors import UsageError
from archspec.training.backends.mindspore.augment import Segment, segments
from archspec.training.data.pipeline import OPERATIONS, SIZES, Pipeline, Row, generator

if TYPE_CHECKING:
    import mindspore.dataset as ds

STEPS_OF_A_LEG = 256
"""An epoch is drawn in legs, each keyed by its number, and only the steps of a leg are computed to
be skipped: what a resumed run waits for at most."""


class TrainPipeline(Pipeline):
    """What MindSpore draws depends on `workers`, those asked for or the CPUs there are."""

    draws_by_workers = True

    def epoch(self, epoch: int, skip: int = 0) -> Generator[Batch, None, None]:
        order = self.order(epoch)
        for start in range(0, self.steps_per_epoch, STEPS_OF_A_LEG):
            stop = min(start + STEPS_OF_A_LEG, self.steps_per_epoch)
            if skip < stop:
                yield from self._leg(epoch, order[start:stop], start, max(0, skip - start))

    def _leg(self, epoch: int, order: np.ndarray, start: int, skip: int) -> Iterator[Batch]:
        failures: list[Exception] = []
        indices = order.reshape(-1)
        rows = self.rows(indices)
        *before, last = segments(self.augment, self.preprocessing)
        with ExitStack() as stack:
            for number, segment in enumerate([*before, last]):
                place = (epoch, self.rank, start, number)
                key = (self.seed, SIZES, *place)
                dataset = self._dataset(rows, indices, segment, key, failures, stack)
                key = (self.seed, OPERATIONS, *(place if number else place[:-1]))
                if segment is last:
                    dataset = dataset.batch(self.batch, drop_remainder=True).skip(skip)
                with _seed_pipelines(key):
                    drawn: Any = dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)
                stack.callback(drawn.stop)
                rows = ((partial(Image.fromarray, image), label) for image, label in drawn)
            try:
                yield from self.mix_batches(drawn, epoch, start + skip)
            except RuntimeError as error:
                # MindSpore has put it in words of its own
                raise (failures[0] if failures else error) from error

    def _dataset(
        self,
        rows: Iterator[Row],
        indices: np.ndarray,
        segment: Segment,
        key: tuple[int, ...],
        failures: list[Exception],
        stack: ExitStack,
    ) -> ds.Dataset:
        import mindspore.dataset as ds

        def size(numbered: tuple[int, Row]) -> tuple[np.ndarray, np.int32]:
            place, (read, label) = numbered
            image = read()
            try:
                for number, sizing in enumerate(segment.sizings):
                    image = sizing(image, partial(generator, *key, place, number))
            except UnreadableImage as error:
                name = f"{self.source.where}: {self.source.name(indices[place])!r}"
                raise UsageError(f"{name} cannot be used ({error})") from None
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), label

        sized = in_order(size, enumerate(rows), self.workers)
        stack.callback(sized.close)
        # with more than one thread MindSpore sleeps a tenth of a second whenever a row is late
        dataset = ds.GeneratorDataset(
            _Rows(sized, len(indices), failures), ["image", "label"], num_parallel_workers=1
        )
        blanks = 0
        for number, operations in enumerate(segment.stages):
            if number:
                # MindSpore starts every operation of a worker from one seed, so that two which draw
                # as often would draw the same: all flipped images bright, say. A blank image for
                # each worker moves every stage one draw on from the stage before.
                dataset = (
                    ds.GeneratorDataset(
                        _Blanks(self.workers, self.preprocessing), ["image", "label"], shuffle=False
                    )
                    + dataset
                )
                blanks += self.workers
            dataset = dataset.map(operations, ["image"], num_parallel_workers=self.workers)
        return dataset.skip(blanks)


class _Rows:
    """What MindSpore reads rows from, once, one after the other; `failures` is told what they
    raise."""

    def __init__(
        self, rows: Iterator[tuple[np.ndarray, np.int32]], count: int, failures: list[Exception]
    ):
        self.rows = rows
        self.count = count
        self.failures = failures

    def __len__(self) -> int:  # without it, MindSpore counts them
        return self.count

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.int32]]:
        try:
            yield from self.rows
        except Exception as error:
            self.failures.append(error)
            raise


class _Blanks:
    """Black images, one a worker."""

    def __init__(self, count: int, preprocessing: Preprocessing):
        self.count = count
        self.image = np.zeros((preprocessing.height, preprocessing.width, 3), np.uint8)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, _: int) -> tuple[np.ndarray, np.int32]:
        return self.image, np.int32(0)


@contextmanager
def _seed_pipelines(key: tuple[int, ...]) -> Iterator[None]:
    """MindSpore's pipelines that begin in here draw from a seed made of the key; its seed, and
    those of `random` and numpy which it sets along, are then as they were."""
    import mindspore.dataset as ds

    seed, python, numpy = ds.config.get_seed(), random.getstate(), np.random.get_state()
    # a worker's seed is this one plus its number, hence 31 bits
    ds.config.set_seed(int(np.random.SeedSequence(key).generate_state(1)[0]) >> 1)
    try:
        yield
    finally:
        ds.config.set_seed(seed)
        random.setstate(python)
        np.random.set_state(numpy)
