"""What batches to train on have in common whatever framework makes them: which images, in which
order, and what is drawn for whole batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np
from PIL import Image

from archspec.compiler.images.batches import Batch, usable_workers
from archspec.compiler.images.lookahead import one_ahead
from archspec.compiler.images.preprocess import UnreadableImage, open_image
from archspec.compiler.images.source import Source
from archspec.compiler.images.steps import MODES, Preprocessing
from archspec.errors import UsageError
from archspec.training.mixing import Mix, erase, erasing_probability, mix_batch, one_hot
from archspec.training.sizing import channels_of

ORDER, OPERATIONS, BATCHES, SIZES = range(4)
"""What a key is for, so that nothing draws what another does."""
UNREACHED = 1_000_003
"""More epochs than a recipe can have, and a prime."""

Row: TypeAlias = tuple[Callable[[], Image.Image], np.int32]
"""What gives an image, and its label."""


class Pipeline(ABC):
    """Shuffled, augmented batches of images for one of `ranks` processes.

    `epoch(n, skip)` gives its steps from `skip` on to the byte, whatever was drawn before, for the
    same images and settings. All ranks have as many steps, and together at every step the images
    that one process would have at `ranks` times the batch. What is left of an epoch after its last
    full step is another part each epoch. Raises UsageError where there are too few images for one
    step.
    """

    draws_by_workers: ClassVar[bool]
    """Whether another number of `workers` means other augmentations."""

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
        balanced: bool = False,
        workers: int = 1,
        rank: int = 0,
        ranks: int = 1,
    ):
        self.source = source
        self.preprocessing = preprocessing
        self.augment = augment
        self.channels = channels_of(augment, preprocessing)
        self.erasing = erasing_probability(augment)
        self.mix = mix
        self.batch = batch
        self.seed = seed
        self.shuffle = shuffle
        self.balanced = balanced
        self.workers = usable_workers(workers)
        self.rank = rank
        self.ranks = ranks
        images = len(source.labels)
        self.steps_per_epoch = images // (batch * ranks)
        if not self.steps_per_epoch:
            of_all = f" on each of {ranks} devices" if ranks > 1 else ""
            raise UsageError(
                f"{source.where} has {images:,} images, fewer than one step's {batch:,}{of_all};"
                f" use --set batch={max(1, images // ranks)}"
            )

    @abstractmethod
    def epoch(self, epoch: int, skip: int = 0) -> Generator[Batch, None, None]:
        """Images, float32 NCHW, and labels: int32 (images,), or where the recipe mixes float32
        (images, classes). Raises UsageError where files have changed since they were checked."""

    def close(self) -> None:  # noqa: B027 (most start nothing)
        """End what was started to make batches, which would live as long as this process."""

    def order(self, epoch: int) -> np.ndarray:
        """Indices of this rank's images, int64 (steps, batch)."""
        return self._share(self._numbers(epoch))

    def turns(self, epoch: int) -> np.ndarray:
        """How often each image of `order` came before in the epoch, int64 (steps, batch): 0 unless
        classes are balanced."""
        numbers = self._numbers(epoch)
        turns = np.zeros_like(numbers)
        if self.balanced:
            together = np.argsort(numbers, kind="stable")
            found = numbers[together]
            starts = np.flatnonzero(np.r_[True, found[1:] != found[:-1]])
            lengths = np.diff(np.r_[starts, len(found)])
            turns[together] = np.arange(len(found)) - np.repeat(starts, lengths)
        return self._share(turns)

    def _numbers(self, epoch: int) -> np.ndarray:
        """The indices of all images of an epoch, of all ranks, in order."""
        order = np.arange(len(self.source.labels))
        if self.balanced:
            return even_out(self.source.labels, generator(self.seed, ORDER, epoch))
        if self.shuffle:
            order = generator(self.seed, ORDER, epoch).permutation(order)
        return order

    def _share(self, numbers: np.ndarray) -> np.ndarray:
        steps = numbers[: self.steps_per_epoch * self.ranks * self.batch]
        return steps.reshape(self.steps_per_epoch, self.ranks, self.batch)[:, self.rank]

    def mix_batches(self, drawn: Iterable[Batch], epoch: int, first: int) -> Iterator[Batch]:
        """Batches, the first being step `first` of its epoch, with what the recipe draws for whole
        batches: erased parts, mixed images."""
        if self.mix is None and not self.erasing:
            yield from drawn
        else:
            yield from one_ahead(self._mix(drawn, epoch, first))

    def _mix(self, drawn: Iterable[Batch], epoch: int, first: int) -> Iterator[Batch]:
        for step, (images, labels) in enumerate(drawn, first):
            yield self.mix_step(images, labels, epoch, step)

    def mix_step(self, images: np.ndarray, labels: np.ndarray, epoch: int, step: int) -> Batch:
        """The batch of a step, float32 NCHW, with what the recipe draws for whole batches."""
        numbers = generator(self.seed, BATCHES, epoch, self.rank, step)
        if self.erasing:
            erase(images, self.erasing, numbers)
        if self.mix is not None:
            of_classes = one_hot(labels, len(self.source.classes))
            images, labels = mix_batch(images, of_classes, self.mix, numbers)
        return images, labels

    def rows(self, indices: np.ndarray) -> Iterator[Row]:
        """What opens each of these images, when it is called, and its label."""
        for index, load in zip(indices, self.source.loads(indices), strict=True):
            yield partial(self.open_row, index, load), self.source.labels[index]

    def open_row(self, index: int, load: Callable[[], bytes]) -> Image.Image:
        """An image, of as many channels as its augmentations want. Raises UsageError where its file
        has changed."""
        try:
            return open_image(load(), self.channels)
        except (OSError, UnreadableImage) as error:
            why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else error
            raise UsageError(
                f"{self.source.where}: {self.source.name(index)!r} could be read when the run began"
                f" and cannot be now ({why})"
            ) from None

    def augment_image(
        self,
        steps: Sequence[Callable[[Image.Image, Callable[[], np.random.Generator]], Image.Image]],
        epoch: int,
        index: int,
        turn: int,
        read: Callable[[], Image.Image],
    ) -> np.ndarray:
        """An image after `steps` (see augmenting.augmentations), uint8 HWC, drawn for by its epoch,
        its number and its turn alone. Raises UsageError for one that cannot be used."""
        # an image that comes again in an epoch is augmented as in one that never is
        key = (self.seed, OPERATIONS, (epoch + UNREACHED * turn) % 2**32, index)
        image = read()
        try:
            for place, augmentation in enumerate(steps):
                image = augmentation(image, partial(generator, *key, place))
        except UnreadableImage as error:
            name = f"{self.source.where}: {self.source.name(index)!r}"
            raise UsageError(f"{name} cannot be used ({error})") from None
        mode = MODES[self.preprocessing.channels]
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
        return pixels.reshape(*pixels.shape[:2], self.preprocessing.channels)


def even_out(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Indices of as many images as there are labels, in random order and evenly of each class that
    there is: of a large class some, of a small one each as often as another, give or take once."""
    classes = random.permutation(np.unique(labels))
    counts = np.full(len(classes), len(labels) // len(classes))
    counts[: len(labels) % len(classes)] += 1
    drawn: list[np.ndarray] = []
    for label, count in zip(classes, counts, strict=True):
        own = np.flatnonzero(labels == label)
        rounds = [random.permutation(own) for _ in range(-(-int(count) // len(own)))]
        drawn.append(np.concatenate([*rounds, own[:0]])[:count])
    return random.permutation(np.concatenate(drawn))


def generator(*key: int) -> np.random.Generator:
    """Random numbers of their own for each key, of numbers from 0 to 2^32 - 1."""
    # an array is taken as it is, while each of other numbers becomes an array first
    words = np.array(key, np.uint32)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))
