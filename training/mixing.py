"""What is drawn for whole batches: images mixed with each other, rectangles erased.

numpy draws it here from a generator that the caller keys by seed and step, so that a step is the
same whatever was drawn before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

ERASED_SHARE = (0.02, 1 / 3)
ERASED_RATIO = (0.3, 3.3)
ATTEMPTS = 10


class Mix(Protocol):
    """Alphas of MixUp and CutMix, 0 for none, and how often a batch mixes (recipe.Mix)."""

    @property
    def mixup(self) -> float: ...
    @property
    def cutmix(self) -> float: ...
    @property
    def probability(self) -> float: ...


def erasing_probability(augment: Sequence[Mapping[str, Any]]) -> float:
    """What a recipe's `augment` says of `random_erasing`; 0 without it."""
    return next((entry["random_erasing"] for entry in augment if "random_erasing" in entry), 0.0)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """float32 (images, classes)."""
    return np.eye(classes, dtype=np.float32)[labels]


def mix_batch(
    images: np.ndarray, labels: np.ndarray, mix: Mix, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images NCHW and labels (images, classes), each mixed with another of the batch: as a weighted
    mean (MixUp, arXiv 1710.09412) or by a rectangle (CutMix, arXiv 1905.04899). One share of the
    mixture, from Beta(alpha, alpha), holds for the batch. `images` may be written to."""
    if not (mix.mixup or mix.cutmix) or generator.random() >= mix.probability:
        return images, labels
    partners = generator.permutation(len(images))
    is_cut = generator.random() < 0.5 if mix.mixup and mix.cutmix else bool(mix.cutmix)
    alpha = mix.cutmix if is_cut else mix.mixup
    share = generator.beta(alpha, alpha)
    if is_cut:
        height, width = images.shape[2:]
        rows, columns = _box(height, width, np.sqrt(1 - share), generator)
        images[:, :, rows, columns] = images[partners][:, :, rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        share = 1 - area / (height * width)
    else:
        difference = images[partners]
        difference -= images
        difference *= np.float32(1 - share)
        images += difference
    return images, labels * np.float32(share) + labels[partners] * np.float32(1 - share)


def erase(images: np.ndarray, probability: float, generator: np.random.Generator) -> None:
    """Random erasing (arXiv 1708.04896) in place, NCHW: with a probability an image loses a
    rectangle of 2 to 33 % of it, sides 0.3 to 3.3, to 0, the mean of normalised images."""
    height, width = images.shape[2:]
    for image in images:
        if generator.random() >= probability:
            continue
        for _ in range(ATTEMPTS):
            area = generator.uniform(*ERASED_SHARE) * height * width
            ratio = np.exp(generator.uniform(*np.log(ERASED_RATIO)))
            tall, wide = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
            if 0 < tall < height and 0 < wide < width:
                top = generator.integers(height - tall + 1)
                left = generator.integers(width - wide + 1)
                image[:, top : top + tall, left : left + wide] = 0
                break


def _box(
    height: int, width: int, side: float, generator: np.random.Generator
) -> tuple[slice, slice]:
    """A rectangle of `side` of both sides around any pixel, cut at the border."""
    tall, wide = int(height * side), int(width * side)
    middle = generator.integers(height), generator.integers(width)
    top, left = middle[0] - tall // 2, middle[1] - wide // 2
    return (
        slice(max(0, top), min(height, top + tall)),
        slice(max(0, left), min(width, left + wide)),
    )
