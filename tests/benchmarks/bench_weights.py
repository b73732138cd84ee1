"""What weights cost: drawing them beside MindSpore's own, reading and writing them.

    python tests/benchmarks/bench_weights.py

Rows are those of bench.py: medians of runs that took turns. Nothing else should be running.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import archspec
from archspec.compiler.model import weights_of
from archspec.compiler.weights.importing import import_weights
from archspec.compiler.weights.initialize import BY_FAN_IN, Scheme, he, initialize
from archspec.compiler.weights.loading import load_weights, save_weights

Row = tuple[str, str, str]
NETWORK = "resnext152_64x4d"
TURNS = 5


def main() -> None:
    print(f"{date.today()}, {_machine()}, Python {platform.python_version()}\n")
    print("| what | measured | goal |")
    print("|---|--:|--:|")
    for rows in (drawing, files):
        for what, measured, goal in rows():
            print(f"| {what} | {measured} | {goal} |", flush=True)


def drawing() -> Iterator[Row]:
    """The same arrays, 115 M numbers, drawn by both in turn, after both have drawn them once."""
    import mindspore
    from mindspore.common import initializer as theirs

    graph = archspec.load(NETWORK)
    shapes = [w.shape for w in weights_of(graph).values()]
    kernels = [shape for shape in shapes if len(shape) > 1]
    vectors = [shape for shape in shapes if len(shape) == 1]

    def mindspores(start: theirs.Initializer) -> None:
        # eager, as building a network's cells does it
        drawn = [theirs.initializer(start, shape, mindspore.float32) for shape in kernels]
        drawn += [theirs.initializer("ones", shape, mindspore.float32) for shape in vectors]
        for tensor in drawn:
            tensor.init_data()

    pairs = {
        "U(+-1 / sqrt(fan_in))": (BY_FAN_IN, theirs.HeUniform(5**0.5)),
        "He normal": (he("in"), theirs.HeNormal()),
        "truncated normal": (he("in", "truncated_normal"), theirs.TruncatedNormal(0.01)),
    }
    for name, (ours, their) in pairs.items():
        mine, other = _in_turn(
            lambda ours=ours: initialize(graph, Scheme(ours, ours)),
            lambda their=their: mindspores(their),
        )
        what = f"{NETWORK}: {name}, 115 M numbers drawn"
        yield what, f"{mine:.2f} s", "3 s"
        yield "the same, time of MindSpore's initializer", f"{mine / other:.2f}", "1"


def files() -> Iterator[Row]:
    """Writing (with reading again to compare) and reading, checked."""
    graph = archspec.load(NETWORK)
    arrays = initialize(graph, "by_fan_in")
    size = sum(array.nbytes for array in arrays.values()) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".safetensors", ".npz", ".ckpt"):
            path = Path(folder) / f"weights{ending}"
            seconds = _seconds(lambda path=path: save_weights(path, graph, arrays))
            yield f"write {size:.0f} MB as {ending} and compare", f"{seconds:.2f} s", ""
            seconds = _seconds(lambda path=path: load_weights(path, graph))
            yield f"read {size:.0f} MB from {ending}, checked", f"{seconds:.2f} s", ""
        seconds = _seconds(lambda: import_weights(Path(folder) / "weights.ckpt", graph))
        yield f"import {size:.0f} MB, with the file's sha256", f"{seconds:.2f} s", ""


def _in_turn(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Median wall seconds of each, taking turns."""
    one()
    other()
    timings = [(_time(one), _time(other)) for _ in range(TURNS)]
    mine, theirs = zip(*timings, strict=True)
    return statistics.median(mine), statistics.median(theirs)


def _seconds(work: Callable[[], object], repeats: int = 3) -> float:
    return statistics.median(_time(work) for _ in range(repeats))


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} cores, {memory:.0f} GiB, {platform.machine()}"


if __name__ == "__main__":
    main()
