"""Scores of a network over images with labels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from archspec.compiler.images.answers import Collector
from archspec.compiler.images.scores import Scores, cross_entropy, right
from archspec.training.backend import Predictor
from archspec.training.distributed import Ranks


class Mirrored:
    """A network that looks at each image twice, as it is and mirrored left to right, and gives the
    mean of both logits."""

    def __init__(self, network: Predictor):
        self.network = network

    def logits(self, images: np.ndarray) -> np.ndarray:
        mirrored = np.ascontiguousarray(images[..., ::-1])
        return (self.network.logits(images) + self.network.logits(mirrored)) / 2


def evaluate(
    network: Predictor,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    batch: int,
    ranks: Ranks | None = None,
    answers: Collector | None = None,
) -> Scores:
    """Score a network over all batches of all processes; `answers` takes in those of this one.

    A smaller batch is filled up to `batch`, so that one graph is compiled; what fills it up is not
    counted.
    """
    sums = np.zeros(4)
    for images, labels in batches:
        logits = logits_of(network, images, batch)
        if answers is not None:
            answers.add(logits, labels)
        sums += (len(labels), *right(logits, labels), cross_entropy(logits, labels).sum())
    count, top1, top5, loss = (ranks or Ranks()).sum(sums)
    return Scores(int(count), top1 / count, top5 / count, loss / count)


def logits_of(network: Predictor, images: np.ndarray, batch: int) -> np.ndarray:
    """float64 (images, classes) of at most `batch` images."""
    count = len(images)
    if count < batch:
        filling = np.zeros((batch - count, *images.shape[1:]), images.dtype)
        images = np.concatenate([images, filling])
    return network.logits(images)[:count].astype(np.float64)
