"""Scores of a network over images with labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from archspec.compiler.images.scores import Scores, cross_entropy, right
from archspec.training.distributed import Ranks


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
