"""How often a network is right: top-1, top-5 and cross entropy over images with labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.distributed import Ranks

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


def evaluate(
    network: Any,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    batch: int,
    ranks: Ranks | None = None,
) -> Scores:
    """Score a cell, in inference, over all batches of all processes.

    A smaller batch is filled up to `batch`, so that one graph is compiled; what fills it up is not
    counted. The cell is in training mode again afterwards if it was before.
    """
    was_training = network.training
    network.set_train(False)
    sums = np.zeros(4)
    try:
        for images, labels in batches:
            logits = logits_of(network, images, batch)
            sums += (len(labels), *right(logits, labels), cross_entropy(logits, labels).sum())
    finally:
        network.set_train(was_training)
    count, top1, top5, loss = (ranks or Ranks()).sum(sums)
    return Scores(int(count), top1 / count, top5 / count, loss / count)


def logits_of(network: Any, images: np.ndarray, batch: int) -> np.ndarray:
    """float64 (images, classes) of at most `batch` images."""
    from mindspore import Tensor

    count = len(images)
    if count < batch:
        filling = np.zeros((batch - count, *images.shape[1:]), images.dtype)
        images = np.concatenate([images, filling])
    return network(Tensor(images)).asnumpy()[:count].astype(np.float64)


def right(logits: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """How many labels are the first class, and among the first five. Of equal logits the lower
    class comes first, as argmax has it; a label whose logit is no number is wrong."""
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
