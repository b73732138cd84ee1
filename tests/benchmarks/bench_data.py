"""What the input pipelines for training deliver, over torch's DataLoader with Pillow, in one run.

All read the same 500x375 JPEGs from one folder with as many workers, in turn, A B C A B C, each in
a process of its own; the first epoch of a process is not counted. Of all epochs the best counts
(other work only slows), and beside it the images by second of processor time, start-up included.
torch is taken from this Python or from that of BENCH_TORCH_PYTHON; without either, ours stand
alone. Later rows have color jitter. Nothing else should be running.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from bench import machine
from PIL import Image
from torch_data import BATCH, EPOCHS, MEAN, SIDE, STD, report

from archspec.compiler.images.steps import preprocessing_of
from archspec.training.backend import find_backend
from archspec.training.data import scan, usable_workers

IMAGES, CLASSES = 1280, 10
ROUNDS = 3
WORKERS = usable_workers(int(os.environ.get("BENCH_WORKERS", "8")))
GOAL = "1"
BACKENDS = ("mindspore", "torch")
PEER = "DataLoader"
CROP = {"scale": [0.08, 1.0], "ratio": [0.75, 4 / 3], "interpolation": "bilinear"}
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.0}


def main() -> None:
    torch = torch_python()
    print(f"{date.today()}, {machine()}, {WORKERS} workers, {SIDE} px, batches of {BATCH}\n")
    print("| pipeline, augmentations | images/s | over torch | images/CPU-s | over torch | goal |")
    print("|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder))
        for what, is_augmented in (("crop, flip", False), ("crop, flip, color jitter", True)):
            arguments = [str(WORKERS), str(is_augmented)]
            commands = {
                name: [sys.executable, __file__, folder, *arguments, name] for name in BACKENDS
            }
            if torch:
                peer = Path(__file__).with_name("torch_data.py")
                commands[PEER] = [torch, str(peer), f"{folder}/train", *arguments]
            found: dict[str, list[float]] = {name: [0.0, 0.0] for name in commands}
            for _ in range(ROUNDS):
                for name, command in commands.items():
                    *epochs, by_time_used = rates(command)
                    met = [*zip(found[name], (max(epochs), by_time_used), strict=True)]
                    found[name] = [max(pair) for pair in met]
            for name in BACKENDS:
                print(row(f"{name}, {what}", found[name], found.get(PEER)), flush=True)
    if not torch:
        print("\ntorch is not installed here; BENCH_TORCH_PYTHON names a Python that has it")


def torch_python() -> str | None:
    if importlib.util.find_spec("torch"):
        return sys.executable
    return os.environ.get("BENCH_TORCH_PYTHON")


def row(what: str, ours: list[float], theirs: list[float] | None) -> str:
    over = ["", ""]
    if theirs:
        over = [f"{mine / peer:.2f}" for mine, peer in zip(ours, theirs, strict=True)]
    return f"| {what} | {ours[0]:.0f} | {over[0]} | {ours[1]:.0f} | {over[1]} | {GOAL} |"


def rates(command: list[str]) -> list[float]:
    """Images a second of every epoch that a process counts, and by second of processor time."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{result.stderr}")
    return [float(line) for line in result.stdout.split()]


def write_images(folder: Path) -> None:
    """Photograph-like JPEGs, 75 kB each: smooth shapes and some noise."""
    generator = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = generator.integers(0, 256, (12, 16, 3), np.uint8)
        smooth = Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)
        noisy = np.asarray(smooth, np.int16) + generator.normal(0, 12, (375, 500, 3))
        path = folder / "train" / str(number % CLASSES) / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=90)


def ours(folder: str, workers: int, is_augmented: bool, backend: str) -> None:
    settings = {"shape": [3, SIDE, SIDE], "mean": MEAN, "std": STD}
    augment = [{"random_resized_crop": CROP}, {"horizontal_flip": 0.5}]
    train = find_backend(backend).pipeline(
        scan(folder, "train"),
        preprocessing_of(settings, (3, SIDE, SIDE)),
        [*augment, {"color_jitter": JITTER}] if is_augmented else augment,
        batch=BATCH,
        seed=1,
        workers=workers,
    )
    for epoch in range(EPOCHS):
        start = time.perf_counter()
        count = sum(len(normalise(images)) for images, _ in train.epoch(epoch))
        if epoch:
            print(count / (time.perf_counter() - start))
    del train
    gc.collect()  # ends its workers, whose time is that of children only then
    report(EPOCHS * count)


def normalise(images: Any) -> Any:
    """What the device does for the pipeline that gives bytes, for the DataLoader's does it too."""
    if not hasattr(images, "permute"):
        return images
    import torch

    mean, std = (255 * torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return images.permute(0, 3, 1, 2).contiguous().float().sub_(mean).div_(std)


if __name__ == "__main__":
    if len(sys.argv) == 5:
        ours(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True", sys.argv[4])
    else:
        main()
