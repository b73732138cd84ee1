"""Loss and accuracy of the steps made, read from the device a few steps at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


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
    """Results of steps that nobody has looked at yet: looking waits for the device."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, Any, np.ndarray]] = []

    def add(self, loss: Any, logits: Any, labels: np.ndarray) -> None:
        """A step's results. Of several networks the first is counted; of labels that are shared
        between classes, the largest share."""
        self.waiting.append((loss, logits[0] if isinstance(logits, tuple) else logits, labels))

    def read(self) -> tuple[Sums, int]:
        """What the steps since the last reading add up to, and which of them (from 0) was the first
        whose loss was no finite number, or -1."""
        losses = np.array([float(loss.asnumpy()) for loss, _, _ in self.waiting])
        is_finite = np.isfinite(losses)
        right = images = 0
        for _, logits, labels in self.waiting:
            wanted = labels if labels.ndim == 1 else labels.argmax(axis=1)
            right += int((logits.asnumpy().argmax(axis=1) == wanted).sum())
            images += len(wanted)
        self.waiting.clear()
        first = -1 if is_finite.all() else int(np.argmin(is_finite))
        return Sums(float(losses[is_finite].sum()), right, images, int(is_finite.sum())), first
