"""What a trained network says: scores on a folder of images, logits of single ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from archspec.compiler.images.answers import Answers, Collector, name_outputs
from archspec.compiler.images.checks import damage, images_cache
from archspec.compiler.images.classes import class_names, numbers_of
from archspec.compiler.images.guesses import Classifier
from archspec.compiler.images.preprocess import preprocess_bytes
from archspec.compiler.images.scores import Scores
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.model import Model
from archspec.compiler.targets import reference
from archspec.compiler.weights.loading import load_weights
from archspec.errors import SpecError, UsageError, use
from archspec.graph import Graph
from archspec.training.backend import DeviceError, backend_for, find_lone_backend
from archspec.training.data import EvalPipeline, check_fits, readable, scan, usable_workers
from archspec.training.distributed import Ranks
from archspec.training.evaluate import Mirrored, evaluate, logits_of
from archspec.training.plan import check_classifier

BATCH = 16
"""Images that are run at a time, where there are as many."""


def evaluate_weights(
    graph: Graph,
    weights: str | os.PathLike[str],
    data: str | os.PathLike[str],
    split: str = "val",
    batch: int = 64,
    workers: int = 8,
    device: str = "CPU",
    tell: Callable[[str], None] | None = None,
    backend: str | None = None,
    flip: bool = False,
) -> tuple[Scores, Answers]:
    """Score weights on every readable image of one split, and its answer for each; `tell` is told
    what was left out. With `flip` the logits of an image and of its mirror image are averaged.
    Raises SpecError and UsageError for whatever does not fit: weights, classes, images."""
    runs = backend_for(backend, device, "archspec eval")
    if not 1 <= batch <= 100_000:
        raise UsageError(f"--batch {batch}: must be 1 to 100,000")
    check_classifier(graph)
    images = readable(scan(data, split), usable_workers(workers), cache=images_cache())
    ranks = runs.join(device)
    for note in (*images.ignored, damage(images)):
        if note is not None and tell is not None and ranks.is_first:
            tell(note)
    names = class_names(weights, graph)
    if names is None:
        check_fits(images, graph)
    network = runs.predictor(Model(graph, load_weights(weights, graph)))
    network = Mirrored(network) if flip else network
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
    collector = Collector()
    try:
        scores = evaluate(network, numbered, batch, ranks, collector)
    except DeviceError as error:
        hint = use(f"--batch {error.fits}") if error.fits else ""
        raise SpecError(f"{error}{hint}") from error
    columns = _gather(collector, pipeline.indices, len(images.labels), ranks)
    return scores, Answers(
        images, name_outputs(names, images, numbers, classes_of(graph)), *columns
    )


def _gather(
    collector: Collector, indices: np.ndarray, total: int, ranks: Ranks
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The answers of all processes in the images' order, of which this one has those at
    `indices`."""
    columns = collector.columns()
    if ranks.ranks == 1:
        return columns
    whole = np.zeros((3, total))
    whole[:, indices] = columns
    labels, guesses, confidences = ranks.sum(whole)
    return np.rint(labels).astype(np.int64), np.rint(guesses).astype(np.int64), confidences


def writes(device: str = "CPU", backend: str | None = None) -> bool:
    """Whether this is the process of all that score weights together that says what they found."""
    return backend_for(backend, device, "archspec eval").join(device).is_first


def open_classifier(
    graph: Graph,
    weights: str | os.PathLike[str],
    batch: int = BATCH,
    device: str = "CPU",
    backend: str | None = None,
    flip: bool = False,
) -> Classifier:
    """A network with its weights, run by a backend, for images as the spec's `input` prepares them,
    and with `flip` for their mirror images too, whose logits are averaged with theirs. Raises
    SpecError and UsageError for whatever does not fit."""
    runs = find_lone_backend(backend, device, f"archspec predict --device {device}")
    preparing, names = _prepare(graph, weights)
    runs.join(device)
    network = runs.predictor(Model(graph, load_weights(weights, graph)))
    network = Mirrored(network) if flip else network
    score = partial(logits_of, network, batch=batch)
    return Classifier(preparing, score, batch, classes_of(graph), names)


def open_numpy_classifier(
    graph: Graph, weights: str | os.PathLike[str], flip: bool = False
) -> Classifier:
    """The same in plain numpy, which is slower and needs nothing else."""
    preparing, names = _prepare(graph, weights)
    network = _InNumpy(graph, load_weights(weights, graph))
    score = Mirrored(network).logits if flip else network.logits
    return Classifier(preparing, score, 1, classes_of(graph), names)


@dataclass(frozen=True)
class _InNumpy:
    graph: Graph
    arrays: Mapping[str, np.ndarray]

    def logits(self, images: np.ndarray) -> np.ndarray:
        (found,) = reference.run(self.graph, self.arrays, images).values()
        return found


def _prepare(
    graph: Graph, weights: str | os.PathLike[str]
) -> tuple[Callable[[bytes], np.ndarray], tuple[str, ...] | None]:
    check_classifier(graph)
    to = preprocessing_of(graph.preprocessing, graph.input_shape)
    return partial(preprocess_bytes, preprocessing=to), class_names(weights, graph)


def classes_of(graph: Graph) -> int:
    """How many classes a classifier tells apart."""
    ((classes,),) = graph.output_shapes.values()
    return classes
