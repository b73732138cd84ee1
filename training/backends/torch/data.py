"""Batches to train on: read, resized and augmented by Pillow, in processes of PyTorch's DataLoader.

Every image is drawn for by its epoch and its number alone, so that neither the number of workers
or processes nor a resume changes a pixel. Images travel as bytes, and the device normalises them;
where the recipe mixes images or erases parts of them they are normalised here, for that is done to
what a network takes.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from traceback import clear_frames
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from archspec.compiler.images.batches import Batch
from archspec.compiler.images.folder import ImageFolder
from archspec.compiler.images.lookahead import in_order, one_ahead
from archspec.compiler.images.preprocess import factors_of
from archspec.errors import UsageError
from archspec.processes import end_with_parent
from archspec.training.augmenting import Augmentation, augmentations
from archspec.training.backend import DeviceError
from archspec.training.backends.torch.device import taken_device
from archspec.training.data.pipeline import Pipeline, Row

Place = tuple[int, int]
"""An epoch and a step of it."""


class TrainPipeline(Pipeline):
    """Images are uint8 NHWC, or float32 NCHW where they were mixed or erased, in tensors."""

    draws_by_workers = False

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)
        self._maker = _Maker(self)
        self._places = _Places()
        self._loader: DataLoader[Any] | None = None

    def epoch(self, epoch: int, skip: int = 0) -> Generator[Batch, None, None]:
        places = [(epoch, step) for step in range(skip, self.steps_per_epoch)]
        for made in self._make(places):
            if isinstance(made, _Failure):
                raise UsageError(made.message)
            images, labels = made
            yield images, labels.numpy()

    def close(self) -> None:
        # PyTorch ends workers when their last holder lets go of them; left to the collection of
        # cycles they are not told, and waited for for five seconds each
        self._loader = None

    def _make(self, places: list[Place]) -> Iterator[Any]:
        if not isinstance(self.source, ImageFolder):
            # what another library reads is read in one process, in turn
            whole = _Maker(self, self.workers)
            yield from one_ahead(torch.utils.data.default_convert(whole[at]) for at in places)
            return
        self._places.coming = places
        try:
            yield from self._batches()
        except (RuntimeError, ConnectionError, EOFError) as error:
            clear_frames(error.__traceback__)  # PyTorch's make a cycle that holds the workers
            if not _tells_of_an_end(error):
                raise
            raise DeviceError("a process that reads images was ended from outside") from error

    def _batches(self) -> Iterator[Any]:
        if self._loader is None:
            self._loader = DataLoader(
                self._maker,
                batch_size=None,
                sampler=self._places,
                num_workers=self.workers,
                pin_memory=taken_device().type == "cuda",
                persistent_workers=True,
                worker_init_fn=partial(_leave_group, os.getpid()),
            )
        with warnings.catch_warnings(), _keep_handler():
            # workers that only read images are safe to fork beside threads
            warnings.simplefilter("ignore", DeprecationWarning)
            return iter(self._loader)


def _tells_of_an_end(error: Exception) -> bool:
    """Whether a worker is over, and not one that has raised an error of its own; while it ends, the
    connection to it may be met broken first."""
    if isinstance(error, RuntimeError):
        return "DataLoader worker (pid" in str(error)
    return "in DataLoader worker process" not in str(error)


@contextmanager
def _keep_handler() -> Iterator[None]:
    """Keep PyTorch from raising wherever this process is when a worker ends, in the midst of a
    write perhaps: that it has gone is seen within seconds when its next batch does not come."""
    number = getattr(signal, "SIGCHLD", None)
    handler = None if number is None else signal.getsignal(number)
    yield
    if number is not None and signal.getsignal(number) is not handler:
        signal.signal(number, handler)


class _Places(Sampler[Place]):
    """The steps that are asked for next."""

    def __init__(self) -> None:
        self.coming: list[Place] = []

    def __iter__(self) -> Iterator[Place]:
        return iter(self.coming)

    def __len__(self) -> int:
        return len(self.coming)


@dataclass(frozen=True)
class _Failure:
    """Why a batch could not be made; an error itself would come with a worker's traceback."""

    message: str


class _Maker(Dataset[Any]):
    """Makes the batch of a step, wherever it is asked to."""

    def __init__(self, pipeline: TrainPipeline, threads: int = 1):
        self.pipeline = pipeline
        self.threads = threads
        self._order: tuple[int, np.ndarray, np.ndarray] = (-1, np.empty(0), np.empty(0))

    @cached_property
    def steps(self) -> list[Augmentation]:
        """Made by whoever needs them: they do not travel to processes that are spawned (macOS)."""
        return augmentations(self.pipeline.augment, self.pipeline.preprocessing)

    def __getitem__(self, place: Place) -> Batch | _Failure:
        epoch, step = place
        if self._order[0] != epoch:
            self._order = epoch, self.pipeline.order(epoch), self.pipeline.turns(epoch)
        _, order, turns = self._order
        try:
            return self._batch(epoch, step, order[step], turns[step])
        except UsageError as error:
            return _Failure(str(error))

    def _batch(self, epoch: int, step: int, indices: np.ndarray, turns: np.ndarray) -> Batch:
        pipeline = self.pipeline
        work = partial(self._image, epoch)
        rows = zip(indices, turns, pipeline.rows(indices), strict=True)
        made = map(work, rows) if self.threads == 1 else in_order(work, rows, self.threads)
        images = np.stack([*made])
        labels = pipeline.source.labels[indices].astype(np.int32)
        if pipeline.mix is None and not pipeline.erasing:
            return images, labels
        scale, shift = factors_of(pipeline.preprocessing.normalize)
        normal = np.ascontiguousarray((images * scale - shift).transpose(0, 3, 1, 2))
        return pipeline.mix_step(normal, labels, epoch, step)

    def _image(self, epoch: int, numbered: tuple[int, int, Row]) -> np.ndarray:
        index, turn, (read, _) = numbered
        return self.pipeline.augment_image(self.steps, epoch, int(index), int(turn), read)


def _leave_group(trainer: int, number: int) -> None:
    """In a worker: a Ctrl-C is meant for whoever trains, and whoever trains must be able to end its
    workers by a signal that it blocks itself. Where that one is killed, so is the worker, which
    would hold the connections to other processes open, and those would wait for an answer."""
    parent = os.getppid()
    if parent == trainer:
        end_with_parent()
    if os.getppid() != parent or parent == 1 != trainer:
        os._exit(1)  # it was gone before we asked
    if hasattr(os, "setsid"):
        os.setsid()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


__all__ = ["TrainPipeline"]
