"""What a training costs beside a hand-written one, on this CPU; nothing else should be running.

    python tests/benchmarks/bench_training.py [--steps N] [--size PIXELS]

The step: resnet18 from its spec in TrainStep, beside the same network and step as one writes
them in MindSpore, called in turn in one process, compared by their medians. The loop: whole epochs
of `archspec train` on generated JPEGs, and of that time what was not spent in steps.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from bench import machine
from mindspore import Tensor, nn, ops
from PIL import Image

import archspec
from archspec.compiler import Model, build
from archspec.compiler.weights.initialize import initialize
from archspec.training.backends.mindspore.losses import SmoothedCrossEntropy
from archspec.training.backends.mindspore.optimizers import build_optimizer
from archspec.training.backends.mindspore.ranks import join
from archspec.training.backends.mindspore.step import TrainStep
from archspec.training.backends.mindspore.trainer import CellTrainer
from archspec.training.loop import train_run
from archspec.training.new_run import create_run
from archspec.training.plan import plan_run
from archspec.training.recipe import Sgd
from archspec.training.schedules import Rates
from archspec.training.signals import Stop

BATCH, SMALL, CLASSES = 16, 64, 1000
LR, MOMENTUM, DECAY = 0.01, 0.9, 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=30, help="of each side; default: 30")
    parser.add_argument("--size", type=int, default=224, help="pixels in the loop; default: 224")
    options = parser.parse_args()
    join("CPU")
    print(f"{date.today()}, {machine()}, Python {platform.python_version()},", end=" ")
    print(f"MindSpore {ms.__version__}\n")
    print("| what | measured | goal |")
    print("|---|--:|--:|")
    for rows in (lambda: step_rows(options.steps), lambda: loop_rows(options.steps, options.size)):
        for what, measured, goal in rows():
            print(f"| {what} | {measured} | {goal} |", flush=True)


# The step.


def step_rows(steps: int) -> list[tuple[str, str, str]]:
    random = np.random.default_rng(0)
    images = Tensor(random.standard_normal((BATCH, 3, SMALL, SMALL), np.float32))
    labels = Tensor(random.integers(0, CLASSES, BATCH).astype(np.int32))
    sides: list[Callable[..., Any]] = [our_step(), their_step()]
    timings: list[list[float]] = [[], []]
    for number in range(steps + 3):
        for side, found in zip(sides, timings, strict=True):
            start = time.perf_counter()
            result = side(images, labels)
            (result[0] if isinstance(result, tuple) else result).asnumpy()
            if number >= 3:
                found.append(time.perf_counter() - start)
    ours, theirs = map(statistics.median, timings)
    ratio = statistics.median(mine / other for mine, other in zip(*timings, strict=True))
    what = f"training step of resnet18, {SMALL} px, batch {BATCH}"
    return [
        (f"{what}: ours over hand-written", f"{ratio:.3f}", "1.0"),
        ("the same, ms", f"{ours * 1e3:.0f} over {theirs * 1e3:.0f}", ""),
    ]


def our_step() -> TrainStep:
    graph = archspec.load("resnet18")
    network = build(Model(graph, initialize(graph)))
    settings = Sgd(lr=LR, weight_decay=DECAY, momentum=MOMENTUM)
    rates: Rates = np.full(10_000, LR, np.float32)
    optimizer = build_optimizer(settings, network.trainable_params(), rates)
    return TrainStep(network, SmoothedCrossEntropy(0.1), optimizer)


def their_step() -> nn.Cell:
    network = ResNet18(CLASSES)
    decayed = [p for p in network.trainable_params() if p.name.endswith("weight")]
    others = [p for p in network.trainable_params() if not p.name.endswith("weight")]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = nn.SGD(groups, [LR] * 10_000, MOMENTUM)
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    step = nn.TrainOneStepCell(nn.WithLossCell(network, loss), optimizer)
    step.set_train()
    return step


class Block(nn.Cell):
    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, "pad", 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, "pad", 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.has_shortcut = stride != 1 or in_channels != channels
        if self.has_shortcut:
            self.shortcut = nn.SequentialCell(
                nn.Conv2d(in_channels, channels, 1, stride, "pad"), nn.BatchNorm2d(channels)
            )

    def construct(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.has_shortcut:
            x = self.shortcut(x)
        return self.relu(y + x)


class ResNet18(nn.Cell):
    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, "pad", 3)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, "pad", 1)
        blocks: list[nn.Cell] = []
        in_channels = 64
        for channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Block(in_channels, channels, stride), Block(channels, channels, 1)]
            in_channels = channels
        self.blocks = nn.SequentialCell(blocks)
        self.fc = nn.Dense(512, classes)

    def construct(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.blocks(x)
        return self.fc(ops.mean(x, (2, 3)))


# The loop.


def loop_rows(steps: int, size: int) -> list[tuple[str, str, str]]:
    started: list[float] = []
    ended: list[float] = []
    untimed = CellTrainer.step

    def time_step(trainer: CellTrainer, *arguments: Any) -> Any:
        """A step that waits for the device."""
        started.append(time.perf_counter())
        pending = untimed(trainer, *arguments)
        trainer.read([pending])
        ended.append(time.perf_counter())
        return pending

    with tempfile.TemporaryDirectory() as folder:
        data = write_photos(Path(folder) / "data", BATCH * steps, size)
        plan = plan_run(
            "resnet18", "cspdarknet53", data, arguments={"classes": 2},
            settings=["epochs=1", f"batch={BATCH}", "schedule.warmup_epochs=0",
                      "data.workers=2"],
            input_shape=(3, size, size),
        )  # fmt: skip
        CellTrainer.step = time_step
        try:
            run = create_run(plan, Path(folder) / "run", [])
            with Stop() as stop:
                train_run(run, stop, "none")
        finally:
            CellTrainer.step = untimed
    # the first step compiles, and what comes before it is the start of the pipeline
    inside = sum(e - s for s, e in zip(started[1:], ended[1:], strict=True))
    whole = ended[-1] - ended[0]
    return [
        (
            f"loop of resnet18, {size} px, batch {BATCH}: data, metrics and logging over steps",
            f"{(whole - inside) / inside:.2%}",
            "3%",
        ),
        ("the same, ms a step", f"{1e3 * whole / (steps - 1):.0f}", ""),
    ]


def write_photos(folder: Path, train: int, size: int) -> Path:
    """JPEGs of 4:3, twice as wide as what is cut from them."""
    random = np.random.default_rng(0)
    shape = (round(1.5 * size), 2 * size, 3)
    for split, count in (("train", train // 2), ("val", 2)):
        for label in range(2):
            home = folder / split / str(label)
            home.mkdir(parents=True)
            for number in range(count):
                small = random.integers(0, 256, (12, 16, 3), np.uint8)
                image = Image.fromarray(small).resize(shape[1::-1], Image.Resampling.BICUBIC)
                image.save(home / f"{number:05}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    sys.exit(main())
