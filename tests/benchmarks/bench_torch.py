"""What a training by PyTorch costs beside a hand-written one, and beside MindSpore; nothing else
should be running.

    python tests/benchmarks/bench_torch.py [--device GPU --spec resnet50 --size 224 --batch 256
        --dtype bfloat16 --compile] [--steps N] [--end-to-end]

The step: a network from its spec, as the backend trains it, beside the same network and step as one
writes them in PyTorch (timm's network of the same name where timm is installed), called in turn in
one process, compared by their medians. On a CPU also beside the MindSpore backend's step.
--end-to-end: an epoch of `archspec train` on generated JPEGs, beside the step alone and beside what
the host decodes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import date
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in a training, and before torch is there

import numpy as np
import torch
import torch.nn.functional as F
from bench import machine
from PIL import Image
from torch import nn

import archspec
from archspec.compiler import Model
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.weights.initialize import initialize
from archspec.machine import parse_device, usable_cpus
from archspec.training.backend import find_backend, is_installed
from archspec.training.build import Learners
from archspec.training.data import readable, scan
from archspec.training.recipe_files import read_recipe

CLASSES = 1000
LR, MOMENTUM, DECAY = 0.01, 0.9, 1e-4
WARM_UP = 5
RECIPE = (
    "augment=[{random_resized_crop: {}}, {horizontal_flip: 0.5}]", "mix=null", "ema=null",
    "epochs=1", "schedule.warmup_epochs=0", "loss.smoothing=0.1", f"optimizer.lr={LR}",
    f"optimizer.momentum={MOMENTUM}", f"optimizer.weight_decay={DECAY}",
)  # fmt: skip

Step = Callable[[], Any]
"""Makes a step and waits for its loss."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", type=parse_device, default="CPU")
    parser.add_argument("--spec", default="resnet18")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=30, help="of each side; default: 30")
    parser.add_argument("--end-to-end", action="store_true")
    options = parser.parse_args()
    find_backend("torch").join(options.device)
    name = torch.cuda.get_device_name() if options.device == "GPU" else machine()
    print(f"{date.today()}, {name}, Python {platform.python_version()},", end=" ")
    print(f"PyTorch {torch.__version__}\n\n| what | measured |\n|---|--:|")
    for what, measured in [*step_rows(options), *(end_rows(options) if options.end_to_end else [])]:
        print(f"| {what} | {measured} |", flush=True)


# The step.


def step_rows(options: argparse.Namespace) -> list[tuple[str, str]]:
    random = np.random.default_rng(0)
    shape = (options.batch, 3, options.size, options.size)
    images = random.standard_normal(shape, np.float32)
    labels = random.integers(0, CLASSES, options.batch).astype(np.int32)
    theirs, whose = their_step(options, images, labels)
    sides = {"torch": our_step("torch", options, images, labels), whose: theirs}
    if options.device == "CPU" and is_installed("mindspore"):
        sides["mindspore"] = elsewhere("mindspore", options, images, labels)
    seconds = {name: [] for name in sides}
    memory = dict.fromkeys(sides, 0)
    for number in range(options.steps + WARM_UP):
        for name, side in sides.items():
            if options.device == "GPU":
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            side()
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
            if options.device == "GPU":
                memory[name] = torch.cuda.max_memory_allocated()
    what = f"{options.spec}, {options.size} px, batch {options.batch}, {options.dtype}"
    rows: list[tuple[str, str]] = []
    for name, found in seconds.items():
        median = statistics.median(found)
        rows.append((f"{what}: {name}, images/s", f"{options.batch / median:,.0f}"))
        if name != "torch":
            pairs = zip(seconds["torch"], found, strict=True)
            ratio = statistics.median(ours / other for ours, other in pairs)
            rows.append((f"the same: seconds of ours over {name}'s", f"{ratio:.3f}"))
        if memory[name]:
            rows.append((f"the same: {name}, peak GiB", f"{memory[name] / 2**30:.2f}"))
    return rows


def our_step(
    backend: str, options: argparse.Namespace, images: np.ndarray, labels: np.ndarray
) -> Step:
    trains = find_backend(backend)
    ranks = trains.join(options.device)
    precision = [] if options.dtype == "float32" else ["precision.level=O1"]
    if options.dtype != "float32":
        precision += [f"precision.dtype={options.dtype}", "precision.loss_scale=1"]
    recipe = read_recipe("cspdarknet53", [*RECIPE, *precision, f"batch={options.batch}"])
    graph = archspec.load(options.spec, input_shape=(3, options.size, options.size))
    model = Model(graph, initialize(graph))
    switches = trains.switches(options.device, {"compile": True} if options.compile else {})
    learners = Learners((model,), None, recipe, options.device, (), switches)
    trainer = trains.trainer(learners, np.full(100_000, LR, np.float32), ranks)
    given: Any = images
    if backend == "torch":
        given = torch.from_numpy(images).to("cuda" if options.device == "GPU" else "cpu")
    return lambda: trainer.read([trainer.step(given, labels, {})])


def elsewhere(backend: str, *arguments: Any) -> Step:
    """The same in a process of its own: threads of two frameworks that wait for work in one process
    take it from each other."""
    ours, theirs = (context := get_context("spawn")).Pipe()
    context.Process(target=serve, args=(theirs, backend, *arguments), daemon=True).start()
    ours.recv()

    def step() -> None:
        ours.send(True)
        ours.recv()

    return step


def serve(connection: Connection, backend: str, *arguments: Any) -> None:
    step = our_step(backend, *arguments)
    with suppress(EOFError):  # once the other end is gone
        while True:
            connection.send(True)
            connection.recv()
            step()


def their_step(
    options: argparse.Namespace, images: np.ndarray, labels: np.ndarray
) -> tuple[Step, str]:
    device = torch.device("cuda" if options.device == "GPU" else "cpu")
    if find_spec("timm") is not None:
        from timm import create_model

        network: nn.Module = create_model(options.spec, num_classes=CLASSES)
        whose = "timm"
    elif options.spec == "resnet18":
        network, whose = ResNet18(CLASSES), "hand-written"
    else:
        raise SystemExit(f"without timm there is no {options.spec} to compare with; use resnet18")
    network = network.to(device).to(memory_format=torch.channels_last).train()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, LR, MOMENTUM, fused=True)
    call = torch.compile(network) if options.compile else network
    x = torch.from_numpy(images).to(device).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(labels).to(device).long()
    dtype = getattr(torch, options.dtype)

    def step() -> tuple[float, np.ndarray]:
        with nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype):
            logits = call(x)
            loss = F.cross_entropy(logits, y, label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach()), logits.detach().float().cpu().numpy()

    return step, whose


class Block(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Sequential):
    def __init__(self, classes: int):
        blocks: list[nn.Module] = []
        in_channels = 64
        for channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Block(in_channels, channels, stride), Block(channels, channels, 1)]
            in_channels = channels
        super().__init__(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(512, classes),
        )  # fmt: skip


# From files.


def end_rows(options: argparse.Namespace) -> list[tuple[str, str]]:
    """An epoch of images by the whole command, and by the pipeline alone."""
    from archspec.training import train

    count = options.batch * (options.steps + WARM_UP)
    settings = [*RECIPE, f"batch={options.batch}", f"data.workers={usable_cpus()}"]
    if options.dtype != "float32":
        settings += ["precision.level=O1", f"precision.dtype={options.dtype}"]
        settings += ["precision.loss_scale=1"]
    with tempfile.TemporaryDirectory() as folder:
        data = write_photos(Path(folder) / "data", count)
        graph = archspec.load(options.spec, input_shape=(3, options.size, options.size))
        recipe = read_recipe("cspdarknet53", settings)
        pipeline = find_backend("torch").pipeline(
            readable(scan(data, "train"), usable_cpus()),
            preprocessing_of(graph.preprocessing, graph.input_shape), recipe.augment,
            batch=options.batch, seed=1, workers=usable_cpus(),
        )  # fmt: skip
        alone = images_a_second([time.perf_counter() for _ in pipeline.epoch(0)], options.batch)
        result = train(
            options.spec, "cspdarknet53", data, Path(folder) / "run", settings=settings,
            arguments={"classes": 2}, input_shape=(3, options.size, options.size),
            device=options.device, backend="torch", switches={"compile": options.compile},
        )  # fmt: skip
        lines = [line for line in result.run.metrics() if line["kind"] == "step"]
        whole = statistics.median(line["images_per_second"] for line in lines[len(lines) // 2 :])
    return [
        ("from JPEGs: the pipeline alone, images/s", f"{alone:,.0f}"),
        ("from JPEGs: archspec train, images/s", f"{whole:,.0f}"),
        ("from JPEGs: archspec train over the pipeline alone", f"{whole / alone:.2f}"),
    ]


def images_a_second(times: list[float], batch: int) -> float:
    """Of the second half of the batches, by when each came."""
    half = len(times) // 2
    return batch * (len(times) - 1 - half) / (times[-1] - times[half])


def write_photos(folder: Path, train: int) -> Path:
    """JPEGs of 500 x 375, as ImageNet's are."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("val", 4)):
        for number in range(count):
            small = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            image = Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC)
            home = folder / split / f"class{number % 2}"
            home.mkdir(parents=True, exist_ok=True)
            image.save(home / f"{number:06}.jpg", quality=90)
    return folder


if __name__ == "__main__":
    main()
