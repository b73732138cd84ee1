"""What `archspec infer` makes of an engine, as a ratio measured in one run. Nothing else should be
running.

The same onnxruntime engine runs one prepared batch over and over, and then a folder of 500x375
JPEGs that are read, decoded, resized and normalised meanwhile: in turn, A B A B, and compared by
their medians. Both have all CPUs. Processor time tells what bounds it: where an engine takes every
core, what the images cost is missing to it, and no sharing of threads brings that back.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from bench import machine
from PIL import Image

import archspec
from archspec.compiler.images.batches import usable_workers
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.targets.onnx import write_onnx
from archspec.compiler.weights.initialize import initialize
from archspec.deploy.engines import Engine, open_engine
from archspec.deploy.feeding import Feed, feed_of
from archspec.deploy.folders import images_in
from archspec.deploy.infer import run

NETWORKS = tuple(os.environ.get("BENCH_NETWORKS", "resnet50,isynet_n0").split(","))
IMAGES = int(os.environ.get("BENCH_IMAGES", "128"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BATCH = 16
GOAL = "0.9"


class Rate(NamedTuple):
    """Of one image, in seconds: by the clock, and of all processors together."""

    wall: float
    cpu: float


def main() -> None:
    print(
        f"{date.today()}, {machine()}, onnxruntime {onnxruntime.__version__}, batches of {BATCH}\n"
    )
    print("| network | images/s | bare engine's | ratio | by processor time | goal |")
    print("|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "photographs")
        for name in NETWORKS:
            print(row(name, Path(folder)), flush=True)


def write_images(folder: Path) -> None:
    """Photograph-like JPEGs of one class, 75 kB each: smooth shapes and some noise."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = generator.integers(0, 256, (12, 16, 3), np.uint8)
        smooth = Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)
        noisy = np.asarray(smooth, np.int16) + generator.normal(0, 12, (375, 500, 3))
        pixels = np.clip(noisy, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04}.jpg", quality=90)


def row(name: str, folder: Path) -> str:
    with tempfile.TemporaryDirectory() as models:
        model = Path(models) / f"{name}.onnx"
        graph = archspec.load(name)
        write_onnx(for_deployment(Model(graph, initialize(graph, "he", 0))), model, batch=BATCH)
        engine = open_engine("onnxruntime", model)
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    feed = feed_of(engine.inputs[0], preprocessing, None, name)
    bare: list[Rate] = []
    ours: list[Rate] = []
    for turn in range(ROUNDS + 1):
        rates = (
            measure(lambda: alone(engine, feed)),
            measure(lambda: feed_zeros(engine, feed, folder)),
        )
        if turn:  # the first warms both up
            bare.append(rates[0])
            ours.append(rates[1])
    (theirs, their_cpu), (mine, my_cpu) = (
        [statistics.median(figure) for figure in zip(*rates, strict=True)] for rates in (bare, ours)
    )
    return (
        f"| {name} | {1 / mine:.1f} | {1 / theirs:.1f} | {theirs / mine:.3f} |"
        f" {their_cpu / my_cpu:.3f} | {GOAL} |"
    )


def alone(engine: Engine, feed: Feed) -> None:
    batch = {feed.port.name: feed.nothing()}
    for _ in range(IMAGES // BATCH):
        engine.run(batch)


def feed_zeros(engine: Engine, feed: Feed, folder: Path) -> None:
    images = images_in(folder)
    numbers = np.arange(len(images.classes))
    run(engine, feed, images, numbers, "logits", workers=usable_workers(8), warm_up=0)


def measure(work: Callable[[], None]) -> Rate:
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return Rate((time.perf_counter() - start) / IMAGES, (time.process_time() - cpu) / IMAGES)


if __name__ == "__main__":
    main()
