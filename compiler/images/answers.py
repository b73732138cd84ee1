"""What a network answered for every image of a data set, and what its mistakes are like: figures of
each class, which classes are taken for which, and how far its confidence can be believed.

Definitions are those of scikit-learn (precision_recall_fscore_support, confusion_matrix) and, of
the calibration error, of arXiv 1706.04599.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from archspec.compiler.images.source import Source

BINS = 15
"""Of confidence, for the calibration error: as in the paper."""


class Collector:
    """Takes the answers of a data set's images in, batch by batch, in the images' order."""

    def __init__(self) -> None:
        self._labels: list[np.ndarray] = []
        self._guesses: list[np.ndarray] = []
        self._confidences: list[np.ndarray] = []

    def add(self, logits: np.ndarray, labels: np.ndarray) -> None:
        """Logits (images, classes), and the classes that are right (images). Logits that are not
        finite numbers are not an answer: class -1, of which the network is not sure at all."""
        finite = np.isfinite(logits).all(axis=1)
        kept = np.where(finite[:, None], logits, 0.0).astype(np.float64)
        best = kept.argmax(axis=1)
        shares = 1 / np.exp(kept - kept.max(axis=1, keepdims=True)).sum(axis=1)
        self._labels.append(np.asarray(labels, np.int64))
        self._guesses.append(np.where(finite, best, -1))
        self._confidences.append(np.where(finite, shares, 0.0))

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels, guesses and confidences of all images so far."""
        parts = (self._labels, self._guesses, self._confidences)
        labels, guesses, confidences = (np.concatenate(part or [np.zeros(0)]) for part in parts)
        return labels.astype(np.int64), guesses.astype(np.int64), confidences


@dataclass(frozen=True)
class ClassScore:
    """Of a class by its number: shares from 0 to 1, None where they would be nothing of nothing.
    `recall` is the class's own accuracy, the share of its `images` that were recognised;
    `precision` the share of the `guesses` for it that were right; `f1` the harmonic mean of both.
    """

    number: int
    name: str
    images: int
    guesses: int
    right: int

    @property
    def recall(self) -> float | None:
        return self.right / self.images if self.images else None

    @property
    def precision(self) -> float | None:
        return self.right / self.guesses if self.guesses else None

    @property
    def f1(self) -> float:
        both = self.images + self.guesses
        return 2 * self.right / both if both else 0.0


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence is over `low` and at most `high`: how many, how sure the network was
    of them, and how often it was right."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Answers:
    """Of each image the class that it is of, the likeliest one, and its probability. Classes are
    numbers of the network's outputs, whose names are `names`."""

    images: Source
    names: Sequence[str]
    labels: np.ndarray
    guesses: np.ndarray
    confidences: np.ndarray

    @cached_property
    def met(self) -> list[int]:
        """Classes that there are images of, or that some image was taken for."""
        return np.union1d(self.labels, self.guesses[self.guesses >= 0]).tolist()

    @property
    def confusion(self) -> np.ndarray:
        """int64 (met, met): images of a row's class that were taken for a column's."""
        place = {number: index for index, number in enumerate(self.met)}
        result = np.zeros((len(place), len(place)), np.int64)
        for label, guess in zip(self.labels.tolist(), self.guesses.tolist(), strict=True):
            if guess >= 0:
                result[place[label], place[guess]] += 1
        return result

    @property
    def classes(self) -> list[ClassScore]:
        """Of the classes that were met, by number."""
        images, guesses, right = (
            np.bincount(numbers, minlength=len(self.names))
            for numbers in (
                self.labels, self.guesses[self.guesses >= 0],
                self.labels[self.labels == self.guesses],
            )
        )  # fmt: skip
        return [
            ClassScore(n, self.names[n], int(images[n]), int(guesses[n]), int(right[n]))
            for n in self.met
        ]

    @property
    def macro_f1(self) -> float:
        """The mean over the classes that were met."""
        return float(np.mean([one.f1 for one in self.classes]))

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that there are images of."""
        return float(np.mean([one.recall for one in self.classes if one.recall is not None]))

    def reliability(self, bins: int = BINS) -> list[Bin]:
        """Answers by their confidence, in bins of equal width; empty ones left out."""
        edges = np.linspace(0, 1, bins + 1)
        places = np.clip(np.searchsorted(edges, self.confidences, side="left") - 1, 0, bins - 1)
        right = self.labels == self.guesses
        return [
            Bin(
                float(edges[place]), float(edges[place + 1]), int(inside.sum()),
                float(self.confidences[inside].mean()), float(right[inside].mean()),
            )
            for place in range(bins)
            if (inside := places == place).any()
        ]  # fmt: skip

    def calibration_error(self, bins: int = BINS) -> float:
        """The expected one: by how much confidence and accuracy differ, the mean over all images'
        bins."""
        found = self.reliability(bins)
        total = sum(one.images for one in found)
        return sum(one.images * abs(one.accuracy - one.confidence) for one in found) / total

    def mistakes(self, most: int) -> list[int]:
        """Numbers of the images that the network was wrong about, the surest first."""
        wrong = np.flatnonzero(self.labels != self.guesses)
        order = np.argsort(-self.confidences[wrong], kind="stable")
        return wrong[order[:most]].tolist()

    def name(self, number: int) -> str:
        return self.names[number] if number >= 0 else "no answer"


def name_outputs(
    names: Sequence[str] | None, images: Source, numbers: np.ndarray, outputs: int
) -> tuple[str, ...]:
    """Names of a network's outputs: its own, or those of the folder's classes, which are the
    outputs `numbers`, and numbers for the rest."""
    if names is not None:
        return tuple(names)
    found = [str(number) for number in range(outputs)]
    for place, number in enumerate(numbers.tolist()):
        found[number] = images.classes[place]
    return tuple(found)
