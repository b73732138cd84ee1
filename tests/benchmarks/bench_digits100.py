"""Engines that train, on 100 networks that have all been trained: what of the front do they find?

    PYTHONPATH=. python tests/benchmarks/bench_digits100.py [--repeats N] [--seeds N]

Random search, NSGA-II and TPE by lookup in tests/data/digits100.csv. Single-path really trains its
supernet, on the images that the table's networks were trained on (as 8-bit pictures), for each of
eight runtimes and each seed; what it finds is judged by the table, beside random sets as large.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
from bench import machine
from make_digits100 import MEAN, STD, TRAIN, VAL, noisy_digits
from PIL import Image

from archspec.space import Space
from archspec.training.search.single_path import SinglePathSettings, search_single_path
from archspec.training.signals import Stop
from tests.oracles import digits100

COUNTS = (10, 20, 40)
TARGETS = 8
EPOCHS, WARMUP = 24, 8
RECIPE = ("schedule.warmup_epochs=0", "augment=[]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=60, help="of each engine; default: 60")
    parser.add_argument("--seeds", type=int, default=2, help="of single-path; default: 2")
    options = parser.parse_args()
    print(f"{date.today()}, {machine()}, Python {platform.python_version()}, {digits100.SPACE}\n")
    print("| networks | " + " | ".join(("random", "nsga2", "tpe")) + " |")
    print("|--:|--:|--:|--:|")
    for count in COUNTS:
        found = [digits100.shares(name, options.repeats, count) for name in ENGINES]
        print(f"| {count} | " + " | ".join(map(shown, found)) + " |", flush=True)
    print("\n| single-path | measured |")
    print("|---|--:|")
    for what, measured in single_path(options.seeds):
        print(f"| {what} | {measured} |", flush=True)


ENGINES = ("random", "nsga2", "tpe")


def shown(shares: np.ndarray) -> str:
    """The mean, with its standard error."""
    return f"{shares.mean():.3f} ± {shares.std(ddof=1) / len(shares) ** 0.5:.3f}"


def single_path(seeds: int) -> Iterator[tuple[str, str]]:
    runtimes = sorted(macs for macs, _, _ in digits100.table().values())
    targets = np.geomspace(runtimes[0], runtimes[-1], TARGETS).round()
    with tempfile.TemporaryDirectory() as folder, Stop() as stop:
        write_noisy_digits(Path(folder, "data"))
        settings = SinglePathSettings(
            str(Path(folder, "data")),
            recipe_settings=RECIPE,
            epochs=EPOCHS,
            warmup_epochs=WARMUP,
            seed=1,
            seeds=seeds,
            target=tuple(targets.tolist()),
        )
        began = time.process_time()
        found = search_single_path(Space(digits100.SPACE), settings, Path(folder, "run"), stop)
        seconds = time.process_time() - began
    rows = [tuple(digits100.encoding().row_of(one.assignment).tolist()) for one in found]
    misses = [
        abs(one.objectives["MACs"] / target - 1)
        for one, target in zip(found, [*targets] * seeds, strict=True)
    ]
    different = sorted({*rows})
    generator = np.random.default_rng(0)
    every = [*digits100.table()]
    drawn = [
        digits100.share_of_the_front(
            [every[place] for place in generator.permutation(len(every))[: len(different)]]
        )
        for _ in range(500)
    ]
    yield f"different networks of {len(found)} searches", str(len(different))
    yield "share of the front", f"{digits100.share_of_the_front(different):.3f}"
    yield (
        "share of as many at random, with their deviation",
        f"{np.mean(drawn):.3f} ± {np.std(drawn):.3f}",
    )
    middle, worst = np.median(misses), max(misses)
    yield "distance from the target, median and worst", f"{middle:.0%}, {worst:.0%}"
    yield "processor time", f"{seconds:.0f} s"


def write_noisy_digits(folder: Path) -> None:
    images, labels = noisy_digits()
    grey = np.clip(images * STD + MEAN, 0, 1) * 255
    for number in range(TRAIN + VAL):
        home = folder / ("train" if number < TRAIN else "val") / str(labels[number])
        home.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(grey[number, 0].round().astype(np.uint8))
        picture.save(home / f"{number:04}.png")


if __name__ == "__main__":
    main()
