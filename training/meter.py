"""Loss and accuracy of the steps made, read from the device a few steps at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archspec.training.backend import Pending, Reader


@dataclass(frozen=True)
class Sums:
    """Sums over steps: the loss of each, how many of its images were right, and how many there
    were. `steps` are those whose loss was a number; a dynamic loss scale leaves the others out."""

    loss: float = 0.0
    right: float = 0.0
    images: float = 0.0
    steps: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(one + two for one, two in zip(self.numbers, other.numbers, strict=True)))

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        return (self.loss, self.right, self.images, self.steps)

    @property
    def mean_loss(self) -> float:
        return self.loss / max(self.steps, 1)

    @property
    def accuracy(self) -> float:
        return self.right / max(self.images, 1)

    def as_json(self) -> Mapping[str, float]:
        return vars(self)


class Meter:
    """Steps that nobody has looked at yet: looking waits for the device."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.waiting: list[tuple[Pending, np.ndarray]] = []

    def add(self, pending: Pending, labels: np.ndarray) -> None:
        """A step and its labels. Of those that are shared between classes, the largest share
        counts."""
        self.waiting.append((pending, labels))

    def read(self) -> tuple[Sums, int]:
        """What the steps since the last reading add up to, and which of them (from 0) was the first
        whose loss was not finite, or -1."""
        results = self.reader.read([pending for pending, _ in self.waiting])
        losses = np.array([loss for loss, _ in results], np.float64)
        is_finite = np.isfinite(losses)
        right = images = 0
        for (_, logits), (_, labels) in zip(results, self.waiting, strict=True):
            wanted = labels if labels.ndim == 1 else labels.argmax(axis=1)
            right += int((logits.argmax(axis=1) == wanted).sum())
            images += len(wanted)
        self.waiting.clear()
        first = -1 if is_finite.all() else int(np.argmin(is_finite))
        return Sums(float(losses[is_finite].sum()), right, images, int(is_finite.sum())), first
