"""Which layers had better stay float: how much the outputs change where one layer alone is int8,
and the layers left float one after another until the network agrees with its float self."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archspec.compiler.quantize.factors import Array
from archspec.compiler.quantize.fidelity import agreement_of
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
    if 1 - agreement_of(quantization, batches(images)) <= most:
        return quantization, left
    for name in rank_by_harm(quantization, images, told):
        left.append(name)
        tried = quantization.without(left)
        if 1 - agreement_of(tried, batches(images)) <= most:
            return tried, left
    return quantization.without(left), left
