"""A model tried on a folder of images: how often it is right, and how long it takes.

    results = tried("net.onnx", "imagenet")
    print(results.scores)

Images are read and prepared by threads, a batch ahead of the engine; no prepared image is ever
written to disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np

from archspec.compiler.images.answers import Answers, Collector, name_outputs
from archspec.compiler.images.batches import usable_workers
from archspec.compiler.images.scores import Scores, cross_entropy, right
from archspec.compiler.images.source import Source
from archspec.deploy.description import check_classes, describe, numbers_for, output_of
from archspec.deploy.engines import Engine, Port, engine_for, open_engine
from archspec.deploy.feeding import Feed, feed_of
from archspec.deploy.folders import images_in, readable_images
from archspec.deploy.progress import Progress
from archspec.deploy.results import Results, Trial, facts_of
from archspec.deploy.timing import Latency
from archspec.errors import UsageError
from archspec.graph import Graph

WARM_UP = 3
"""Runs whose times do not count: the first compile, allocate and fill caches."""
WORKERS = 8
"""Threads that read and prepare images; no more than there are CPUs."""


def infer_folder(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    engine: str | None = None,
    batch: int | None = None,
    device: int = 0,
    threads: int | None = None,
    graph: Graph | None = None,
    output: str | None = None,
    workers: int = WORKERS,
    warm_up: int = WARM_UP,
) -> Results:
    """Run a model's file over the readable images of a folder.

    `engine` is one of deploy.engines.ENGINES, by the file's ending if not given; `batch` that of
    the model, or 16 where it takes any; `graph` the model's spec where its file does not say how
    images are prepared. Raises SpecError and UsageError for whatever does not fit.
    """
    _check_counts(threads, workers, warm_up)
    name = engine or engine_for(model)
    found = images_in(data)
    with closing(open_engine(name, model, device=device, threads=threads)) as opened:
        description = describe(model, opened.metadata, graph)
        port = output_of(opened, output, model)
        check_classes(model, description, port)
        numbers = numbers_for(found, description.classes, port)
        feed = feed_of(only_input(opened, model), description.preprocessing, batch, str(model))
        count = usable_workers(workers)
        with Progress(f"reading {found.where}") as progress:
            images = readable_images(found, count, progress)
        with Progress(f"running {model}") as progress:
            collector = Collector()
            trial = run(
                opened, feed, images, numbers, port.name,
                workers=count, warm_up=warm_up, progress=progress, answers=collector,
            )  # fmt: skip
        outputs = port.shape[1]
        assert outputs is not None, "output_of refused others"
        names = name_outputs(description.classes, images, numbers, outputs)
        facts = facts_of(opened, model, description, feed)
    return Results(facts, images, trial, Answers(images, names, *collector.columns()))


def run(
    engine: Engine,
    feed: Feed,
    images: Source,
    numbers: np.ndarray,
    output: str,
    *,
    workers: int,
    warm_up: int = WARM_UP,
    progress: Callable[[int, int], None] | None = None,
    answers: Collector | None = None,
) -> Trial:
    """All images through a loaded model. `numbers` are the outputs that the classes of `images`
    are; `progress` is told images done and images in all, `answers` takes in what came of each."""
    for _ in range(warm_up):
        engine.run({feed.port.name: feed.nothing()})
    sums = np.zeros(4)
    clocks: list[tuple[float, float, float]] = []
    total = len(images.labels)
    began = time.perf_counter()
    for prepared in feed.batches(images, workers):
        start = time.perf_counter()
        outputs = engine.run({feed.port.name: prepared.array})
        call = time.perf_counter() - start
        labels = numbers[prepared.labels]
        logits = outputs[output][: len(labels)].astype(np.float64)
        sums += _sums(logits, labels)
        if answers is not None:
            answers.add(logits, labels)
        # what fills a last batch up was not prepared, so its time is not that of a batch
        if len(prepared.labels) == feed.batch or not clocks:
            clocks.append((engine.device_seconds, call, prepared.seconds + call))
        if progress is not None:
            progress(int(sums[0]), total)
    seconds = time.perf_counter() - began
    count, top1, top5, loss = (float(one) for one in sums)
    scores = Scores(int(count), top1 / count, top5 / count, loss / count)
    device, calls, whole = zip(*clocks, strict=True)
    return Trial(scores, Latency(feed.batch, device, calls, whole), seconds, warm_up)


def _sums(logits: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    return (len(labels), *right(logits, labels), float(cross_entropy(logits, labels).sum()))


def only_input(engine: Engine, model: str | os.PathLike[str]) -> Port:
    """The input that images go into. Raises UsageError where there are others beside it."""
    if len(engine.inputs) != 1:
        names = ", ".join(f"{port.name} {port}" for port in engine.inputs)
        raise UsageError(f"{model} takes {names}; use a model whose only input is images")
    return engine.inputs[0]


def _check_counts(threads: int | None, workers: int, warm_up: int) -> None:
    if threads is not None and not 1 <= threads <= 1024:
        raise UsageError(f"--threads {threads}: must be 1 to 1,024")
    if not 1 <= workers <= 1024:
        raise UsageError(f"--workers {workers}: must be 1 to 1,024")
    if not 0 <= warm_up <= 1000:
        raise UsageError(f"--warm-up {warm_up}: must be 0 to 1,000")
