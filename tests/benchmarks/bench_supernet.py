"""What a supernet's steps cost beside the step of its largest network; nothing else should be
running.

    python tests/benchmarks/bench_supernet.py [--steps N] [--size PIXELS] [--batch N]

spaces/single_path_nas, its steps called in turn in one process and compared by the medians of their
ratios: the plain network's, the supernet's (gates from thresholds, then the weights), and that of
the thresholds. In a search each train image is in a step of the weights or in one of the
thresholds, so an epoch costs their mean by the share that is held out.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import mindspore as ms
import numpy as np
from bench import machine
from mindspore import Tensor

from archspec.compiler import Model, build
from archspec.compiler.supernet import supernet_of
from archspec.compiler.weights.initialize import initialize
from archspec.space import Space
from archspec.training.backends.mindspore.losses import SmoothedCrossEntropy
from archspec.training.backends.mindspore.optimizers import build_optimizer
from archspec.training.backends.mindspore.ranks import join
from archspec.training.backends.mindspore.step import TrainStep
from archspec.training.backends.mindspore.supernet import GatedCellTrainer
from archspec.training.recipe_files import read_recipe
from archspec.training.search.single_path import SinglePathSettings
from archspec.training.search.single_path.runtime import runtime_of
from archspec.training.search.single_path.searcher import Searcher

SPACE, RECIPE = "spaces/single_path_nas", "single_path_nas"
GOAL = "1.3"
UNTIMED = 3
"""Steps that compile and warm up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=12, help="of each kind; default: 12")
    parser.add_argument("--size", type=int, default=64, help="pixels; default: 64")
    parser.add_argument("--batch", type=int, default=8, help="images; default: 8")
    options = parser.parse_args()
    join("CPU")
    print(f"{date.today()}, {machine()}, Python {platform.python_version()},", end=" ")
    print(f"MindSpore {ms.__version__}\n")
    print("| what | measured | goal |")
    print("|---|--:|--:|")
    for what, measured, goal in rows(options.steps, options.size, options.batch):
        print(f"| {what} | {measured} | {goal} |", flush=True)


def rows(steps: int, size: int, batch: int) -> list[tuple[str, str, str]]:
    timings = measure(steps, size, batch)
    plain = timings["plain"]

    def ratio(kind: str) -> float:
        return statistics.median(
            mine / other for mine, other in zip(timings[kind], plain, strict=True)
        )

    held_out = SinglePathSettings("").held_out
    epoch = (1 - held_out) * ratio("weights") + held_out * ratio("thresholds")
    milliseconds = " / ".join(f"{statistics.median(t) * 1e3:.0f}" for t in timings.values())
    what = f"{SPACE}, {size} px, batch {batch}"
    return [
        (
            f"{what}: the supernet's step over the largest network's",
            f"{ratio('weights'):.3f}",
            GOAL,
        ),
        ("a step of the thresholds over it", f"{ratio('thresholds'):.3f}", GOAL),
        ("an epoch of the search over one of training", f"{epoch:.3f}", GOAL),
        ("plain / supernet / thresholds, ms a step", milliseconds, ""),
    ]


def measure(steps: int, size: int, batch: int) -> dict[str, list[float]]:
    """Seconds of each step, by its kind."""
    supernet = supernet_of(Space(SPACE))
    recipe = read_recipe(RECIPE, [f"batch={batch}"])
    rates = np.full(10_000, 0.01, np.float32)
    random = np.random.default_rng(0)
    images = random.standard_normal((batch, 3, size, size), np.float32)
    labels = random.integers(0, 1000, batch).astype(np.int32)

    network = build(Model(supernet.graph, initialize(supernet.graph, recipe.init.scheme)))
    optimizer = build_optimizer(recipe.optimizer, network.trainable_params(), rates)
    plain = TrainStep(network, SmoothedCrossEntropy(recipe.loss.smoothing), optimizer)
    plain.set_train()
    runtime = runtime_of("macs", supernet)
    settings = SinglePathSettings("")
    trainer = GatedCellTrainer(supernet, recipe, runtime, rates, settings.temperature, False)
    searcher = Searcher(trainer, supernet, recipe)
    searcher.restart(1)
    sides: dict[str, Callable[[int], Any]] = {
        "plain": lambda step: plain(Tensor(images), Tensor(labels)),
        "weights": lambda step: searcher.learn_weights(images, labels, 1, step, 1.0),
        "thresholds": lambda step: searcher.learn_thresholds(
            images, labels, 1, step, (1.0, 1.0, 1e-6)
        ),
    }
    timings: dict[str, list[float]] = {kind: [] for kind in sides}
    for step in range(steps + UNTIMED):
        for kind, side in sides.items():
            start = time.perf_counter()
            side(step)[0].asnumpy()
            if step >= UNTIMED:
                timings[kind].append(time.perf_counter() - start)
    return timings


if __name__ == "__main__":
    sys.exit(main())
