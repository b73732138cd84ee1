"""Batches of images to train on, made by MindSpore's C++ operations."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.compiler.images.batches import Batch, usable_workers
from archspec.compiler.images.lookahead import one_ahead
from archspec.compiler.images.preprocess import Preprocessing, fault
from archspec.compiler.images.source import Source
from archspec.errors import UsageError
from archspec.training.mixing import Mix, erase, erasing_probability, mix_batch, one_hot

if TYPE_CHECKING:
    import mindspore.dataset as ds

STEPS_OF_A_LEG = 256
"""An epoch is drawn in legs, each keyed by its number, and only the steps of a leg are computed to
be skipped: what a resumed run waits for at most."""
MOST_READERS = 4
"""Threads that read files; more than that wait for Python's lock."""
ORDER, OPERATIONS, BATCHES = range(3)
"""What a key is for, so that nothing draws what another does."""


class TrainPipeline:
    """Shuffled, augmented batches of images for one of `ranks` processes.

    `epoch(n, skip)` gives its steps from `skip` on to the byte, whatever was drawn before, for the
    same images, settings and `workers` (those asked for or the CPUs there are; with another number
    MindSpore draws other augmentations). All ranks have as many steps, and together at every step
    the images that one process would have at `ranks` times the batch. What is left of an epoch
    after its last full step is another part each epoch. Raises UsageError where there are too few
    images for one step.
    """

    def __init__(
        self,
        source: Source,
        preprocessing: Preprocessing,
        augment: Sequence[Mapping[str, Any]] = (),
        mix: Mix | None = None,
        *,
        batch: int,
        seed: int,
        shuffle: bool = True,
        workers: int = 1,
        rank: int = 0,
        ranks: int = 1,
    ):
        self.source = source
        self.preprocessing = preprocessing
        self.augment = augment
        self.erasing = erasing_probability(augment)
        self.mix = mix
        self.batch = batch
        self.seed = seed
        self.shuffle = shuffle
        self.workers = usable_workers(workers)
        self.rank = rank
        self.ranks = ranks
        images = len(source.labels)
        self.steps_per_epoch = images // (batch * ranks)
        if not self.steps_per_epoch:
            of_all = f" on each of {ranks} devices" if ranks > 1 else ""
            raise UsageError(
                f"{source.where} has {images:,} images, fewer than one step's {batch:,}{of_all};"
                f" --set batch={max(1, images // ranks)} would do"
            )

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Images, float32 NCHW, and labels: int32 (images,), or where the recipe mixes float32
        (images, classes). Raises UsageError where files have changed since they were checked."""
        order = self._order(epoch)
        for start in range(0, self.steps_per_epoch, STEPS_OF_A_LEG):
            stop = min(start + STEPS_OF_A_LEG, self.steps_per_epoch)
            if skip < stop:
                yield from self._leg(epoch, order[start:stop], start, max(0, skip - start))

    def _order(self, epoch: int) -> np.ndarray:
        """Indices of this rank's images, (steps, batch)."""
        order = np.arange(len(self.source.labels))
        if self.shuffle:
            order = generator(self.seed, ORDER, epoch).permutation(order)
        steps = order[: self.steps_per_epoch * self.ranks * self.batch]
        return steps.reshape(self.steps_per_epoch, self.ranks, self.batch)[:, self.rank]

    def _leg(self, epoch: int, order: np.ndarray, start: int, skip: int) -> Iterator[Batch]:
        with _seeded((self.seed, OPERATIONS, epoch, self.rank, start)):
            dataset = self._dataset(order.reshape(-1)).skip(skip)
            drawn: Any = dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)
        try:
            if self.mix is None and not self.erasing:
                yield from drawn
            else:
                yield from one_ahead(self._mixed(drawn, epoch, start + skip))
        except RuntimeError as error:
            raise self._explained(error, order[skip:].reshape(-1)) from error
        finally:
            drawn.stop()

    def _mixed(self, drawn: Iterable[Batch], epoch: int, first: int) -> Iterator[Batch]:
        for step, (images, labels) in enumerate(drawn, first):
            numbers = generator(self.seed, BATCHES, epoch, self.rank, step)
            if self.erasing:
                erase(images, self.erasing, numbers)
            if self.mix is not None:
                of_classes = one_hot(labels, len(self.source.classes))
                images, labels = mix_batch(images, of_classes, self.mix, numbers)
            yield images, labels

    def _dataset(self, indices: np.ndarray) -> ds.Dataset:
        import mindspore.dataset as ds

        from archspec.training.augment import stages

        dataset = self.source.dataset(indices, min(self.workers, MOST_READERS))
        blanks = 0
        for number, operations in enumerate(stages(self.augment, self.preprocessing)):
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
        return dataset.skip(blanks).batch(self.batch, drop_remainder=True)

    def _explained(self, error: RuntimeError, indices: np.ndarray) -> Exception:
        """Which file it was, as MindSpore does not know it."""
        for index, load in zip(indices, self.source.loads(indices), strict=True):
            try:
                why = fault(load())
            except OSError as unreadable:
                why = (unreadable.strerror or str(unreadable)).lower()
            if why is not None:
                return UsageError(
                    f"{self.source.where}: {self.source.name(index)!r} could be read when the run"
                    f" began and cannot be now ({why})"
                )
        return error


class _Blanks:
    """Black images, one a worker."""

    def __init__(self, count: int, preprocessing: Preprocessing):
        self.count = count
        self.image = np.zeros((preprocessing.height, preprocessing.width, 3), np.uint8)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, _: int) -> tuple[np.ndarray, np.int32]:
        return self.image, np.int32(0)


def generator(*key: int) -> np.random.Generator:
    """Random numbers of their own for each key."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


@contextmanager
def _seeded(key: tuple[int, ...]) -> Iterator[None]:
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
