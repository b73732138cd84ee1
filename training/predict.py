"""What a trained network says: scores on a folder of images, likely classes for single ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archspec.compiler import Model, build
from archspec.compiler.images.checks import images_cache
from archspec.compiler.images.classes import class_names, numbers_of
from archspec.compiler.images.preprocess import preprocess_image
from archspec.compiler.images.scores import Scores
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.weights.loading import load_weights
from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.training.data import EvalPipeline, check_fits, readable, scan, usable_workers
from archspec.training.distributed import join
from archspec.training.evaluate import evaluate, logits_of
from archspec.training.plan import check_classifier


@dataclass(frozen=True)
class Guess:
    """A class by its number, its name where the weights know it, and its probability."""

    number: int
    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes of an image, the likeliest first."""

    image: str
    guesses: tuple[Guess, ...]


def scored(
    graph: Graph,
    weights: str | os.PathLike[str],
    data: str | os.PathLike[str],
    split: str = "val",
    batch: int = 64,
    workers: int = 8,
    device: str = "CPU",
) -> Scores:
    """Score weights on every readable image of one split. Raises SpecError and UsageError for
    whatever does not fit: weights, classes, images."""
    if not 1 <= batch <= 100_000:
        raise UsageError(f"--batch {batch}: 1 to 100,000 would do")
    check_classifier(graph)
    images = readable(scan(data, split), usable_workers(workers), cache=images_cache())
    names = class_names(weights, graph)
    if names is None:
        check_fits(images, graph)
    ranks = join(device)
    network = _inference(graph, weights)
    pipeline = EvalPipeline(
        images,
        preprocessing_of(graph.preprocessing, graph.input_shape),
        batch=batch,
        workers=workers,
        rank=ranks.rank,
        ranks=ranks.ranks,
    )
    numbers = np.arange(len(images.classes)) if names is None else numbers_of(images, names)
    numbered = ((pixels, numbers[labels]) for pixels, labels in pipeline)
    return evaluate(network, numbered, batch, ranks)


def predicted(
    graph: Graph,
    weights: str | os.PathLike[str],
    images: Sequence[str],
    top: int = 5,
    device: str = "CPU",
) -> list[Prediction]:
    """The likeliest classes of image files, each prepared as the spec's `input` says."""
    check_classifier(graph)
    pixels = [preprocess_image(path, graph.preprocessing, graph.input_shape) for path in images]
    names = class_names(weights, graph)
    join(device)
    network = _inference(graph, weights)
    result: list[Prediction] = []
    for path, image in zip(images, pixels, strict=True):
        (logits,) = logits_of(network, image[None], 1)
        likely = np.exp(logits - logits.max())
        likely /= likely.sum()
        best = np.argsort(-likely, kind="stable")[:top]
        guesses = (
            Guess(int(n), names[n] if names and n < len(names) else str(n), float(likely[n]))
            for n in best
        )
        result.append(Prediction(path, tuple(guesses)))
    return result


def _inference(graph: Graph, weights: str | os.PathLike[str]) -> Any:
    network = build(Model(graph, load_weights(weights, graph)))
    network.set_train(False)
    return network
