"""How often logits are right: top-1, top-5 and cross entropy over images with labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOP = 5


@dataclass(frozen=True)
class Scores:
    """Means over `images` images: shares from 0 to 1, and cross entropy in nats, unsmoothed."""

    images: int
    top1: float
    top5: float
    loss: float

    def __str__(self) -> str:
        """As the scripts of the model zoo print it."""
        return f"Total data: {self.images}, top1 accuracy: {self.top1}, top5 accuracy: {self.top5}."


def right(logits: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """How many labels are the first class, and among the first five. Of equal logits the lower
    class comes first, as argmax has it; a label whose logit is not a number is wrong."""
    rows = np.arange(len(labels))
    own = logits[rows, labels][:, None]
    before = np.arange(logits.shape[1]) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    rank[~np.isfinite(logits).all(axis=1)] = max(TOP, logits.shape[1])
    return int((rank < 1).sum()), int((rank < TOP).sum())


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each image, in nats; no number where the logits are none."""
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(axis=1, keepdims=True)
        normaliser = np.log(np.exp(shifted).sum(axis=1))
        return normaliser - shifted[np.arange(len(labels)), labels]
