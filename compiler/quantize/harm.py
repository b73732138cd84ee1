"""Which layers had better stay float: how much the outputs change where one layer alone is int8,
and the layers left float one after another until the network agrees with its float self."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archspec.compiler.model import Model
from archspec.compiler.quantize.factors import Array
from archspec.compiler.quantize.pipeline import batches
from archspec.compiler.quantize.quantization import Quantization
from archspec.compiler.quantize.walking import outputs_of

IMAGES = 4
"""Of the calibration images, spread over all of them, that harm is measured on."""


def rank_by_harm(
    quantization: Quantization, images: Array, told: Callable[[int], None] | None = None
) -> list[str]:
    """The nodes that read integers, the most harmful first: by the square error of the first output
    where the node is the only one that is int8. `told` is told how many nodes were tried."""
    chosen = images[np.linspace(0, len(images) - 1, min(IMAGES, len(images))).astype(int)]
    wanted, *_ = outputs_of(quantization.source, chosen).values()
    harm: dict[str, float] = {}
    for name in sorted(quantization.nodes):
        alone = quantization.without(quantization.nodes - {name})
        output, *_ = alone.run(chosen).values()
        harm[name] = float(((output - wanted) ** 2).sum())
        if told is not None:
            told(len(harm))
    return sorted(harm, key=lambda name: -harm[name])


def leave_harmful_float(
    quantization: Quantization,
    images: Array,
    most: float,
    told: Callable[[int], None] | None = None,
) -> tuple[Quantization, list[str]]:
    """The quantisation with as many of the most harmful layers float as it takes for at most a
    share `most` of the images to have another likeliest class than float gives; and these layers,
    in the order in which they were left."""
    left: list[str] = []
    answers = _Answers(quantization, images)
    if answers.hold(quantization, most):
        return quantization, left
    for name in rank_by_harm(quantization, images, told):
        left.append(name)
        tried = quantization.without(left)
        if answers.hold(tried, most):
            return tried, left
    return quantization.without(left), left


class _Answers:
    """The likeliest class of each image in float, and which images lose it soonest: those that did
    before, then those whose two likeliest classes are nearest. Looked at in this order, most of
    what does not hold is found out by the first few."""

    def __init__(self, quantization: Quantization, images: Array) -> None:
        scores = np.concatenate([_scores(quantization.source, b) for b in batches(images)])
        self._images = images
        self._classes = scores.argmax(axis=1)
        self._lost = np.zeros(len(images), int)
        nearest = np.sort(scores, axis=1)
        self._margin = nearest[:, -1] - nearest[:, max(scores.shape[1] - 2, 0)]

    def hold(self, quantization: Quantization, most: float) -> bool:
        """Whether at most a share of the images have another likeliest class."""
        allowed, count = most * len(self._images) + 1e-9, 0
        order = np.lexsort((self._margin, -self._lost))
        for chosen in batches(order):
            output, *_ = quantization.run(self._images[chosen]).values()
            lost = output.reshape(len(chosen), -1).argmax(axis=1) != self._classes[chosen]
            self._lost[chosen] += lost
            count += int(lost.sum())
            if count > allowed:
                return False
        return True


def _scores(model: Model, images: Array) -> Array:
    output, *_ = outputs_of(model, images).values()
    return output.reshape(len(images), -1)
