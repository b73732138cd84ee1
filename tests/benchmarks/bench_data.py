"""What the input pipeline for training delivers, over torch's DataLoader with Pillow, in one run.

Both read the same 500x375 JPEGs from one folder with as many workers, in turn, A B A B, each in a
process of its own; the first epoch of a process is not counted and figures are medians. torch is
taken from this Python or from that of BENCH_TORCH_PYTHON; without either, ours stands alone. A
second row has color jitter. Nothing else should be running.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from bench import machine
from PIL import Image
from torch_data import BATCH, EPOCHS, MEAN, SIDE, STD

from archspec.compiler.images.steps import preprocessing_of
from archspec.training.backends.mindspore.data import TrainPipeline
from archspec.training.data import scan, usable_workers

IMAGES, CLASSES = 1280, 10
ROUNDS = 3
WORKERS = usable_workers(int(os.environ.get("BENCH_WORKERS", "8")))
GOAL = "1.4"
CROP = {"scale": [0.08, 1.0], "ratio": [0.75, 4 / 3], "interpolation": "bilinear"}
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.0}


def main() -> None:
    torch = torch_python()
    print(f"{date.today()}, {machine()}, {WORKERS} workers, {SIDE} px, batches of {BATCH}\n")
    print("| augmentations | images/s | torch's | over torch | goal |")
    print("|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder))
        for what, is_augmented in (("crop, flip", False), ("crop, flip, color jitter", True)):
            found: dict[str, list[float]] = {"ours": [], "torch": []}
            for _ in range(ROUNDS):
                arguments = [folder, str(WORKERS), str(is_augmented)]
                found["ours"] += rates([sys.executable, __file__, *arguments])
                if torch:
                    peer = Path(__file__).with_name("torch_data.py")
                    found["torch"] += rates([torch, str(peer), f"{folder}/train", *arguments[1:]])
            print(row(what, found), flush=True)
    if not torch:
        print("\ntorch and torchvision are not installed here; BENCH_TORCH_PYTHON names a Python"
              " that has them")  # fmt: skip


def torch_python() -> str | None:
    if importlib.util.find_spec("torch") and importlib.util.find_spec("torchvision"):
        return sys.executable
    return os.environ.get("BENCH_TORCH_PYTHON")


def row(what: str, found: dict[str, list[float]]) -> str:
    ours = statistics.median(found["ours"])
    if not found["torch"]:
        return f"| {what} | {ours:.0f} | | | {GOAL} |"
    theirs = statistics.median(found["torch"])
    return f"| {what} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f} | {GOAL} |"


def rates(command: list[str]) -> list[float]:
    """Images a second of every epoch that a process counts."""
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


def ours(folder: str, workers: int, is_augmented: bool) -> None:
    settings = {"shape": [3, SIDE, SIDE], "mean": MEAN, "std": STD}
    augment = [{"random_resized_crop": CROP}, {"horizontal_flip": 0.5}]
    train = TrainPipeline(
        scan(folder, "train"),
        preprocessing_of(settings, (3, SIDE, SIDE)),
        [*augment, {"color_jitter": JITTER}] if is_augmented else augment,
        batch=BATCH,
        seed=1,
        workers=workers,
    )
    for epoch in range(EPOCHS):
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in train.epoch(epoch))
        if epoch:
            print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        ours(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True")
    else:
        main()
