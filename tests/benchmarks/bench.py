"""What archspec costs, as ratios measured in one run: `make bench`. Nothing else should be running.

Whole commands are run in turn, A B A B, and compared by their medians; work inside one process is
timed by its own processor time. docs/benchmarks.md keeps the last figures with date and machine.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import archspec
from archspec.check import check_document
from archspec.document import read_document
from archspec.expand import Expander
from archspec.program import read_program
from archspec.sources import shipped_folder

PEER = "import networkx, jsonschema"


def main() -> None:
    print(f"{date.today()}, {machine()}, Python {platform.python_version()}\n")
    print("| what | measured | goal |")
    print("|---|--:|--:|")
    for rows in (cold_stats, warm_work, scoring, growth):
        for what, measured, goal in rows():
            print(f"| {what} | {measured} | {goal} |", flush=True)


def cold_stats() -> list[tuple[str, str, str]]:
    spec = shipped_folder() / "resnext152_64x4d.json"
    ours = [sys.executable, "-m", "archspec.cli", "stats", str(spec)]
    installed = Path(sys.executable).with_name("archspec")
    if installed.exists():
        ours = [str(installed), "stats", str(spec)]
    runs = [(_process(ours), _process([sys.executable, "-c", PEER])) for _ in range(15)]
    (mine, memory), (theirs, _) = (
        [statistics.median(figure) for figure in zip(*side, strict=True)]
        for side in zip(*runs, strict=True)
    )
    return [
        (
            f"cold `archspec stats {spec.name}`, wall time of `{PEER}`",
            f"{mine / theirs:.2f}",
            "1.4",
        ),
        ("the same, seconds", f"{mine:.3f} over {theirs:.3f}", ""),
        ("the same, peak memory", f"{memory / 2**20:.0f} MiB", "80 MiB"),
    ]


def warm_work() -> list[tuple[str, str, str]]:
    program = read_program("isynet_n1")
    document = read_document(shipped_folder() / "isynet_n1.json")
    kept = Expander(program)
    return [
        (
            "isynet_n1: expand + stats, nothing kept from before",
            f"{_milliseconds(lambda: Expander(program).graph().stats()):.2f} ms",
            "2 ms",
        ),
        (
            "isynet_n1: expand + stats, templates expanded before",
            f"{_milliseconds(lambda: kept.graph().stats()):.2f} ms",
            "2 ms",
        ),
        (
            "isynet_n1: schema validation",
            f"{_milliseconds(lambda: check_document(document)):.2f} ms",
            "20 ms",
        ),
        (
            "isynet_n1: load from the file, all checks",
            f"{_milliseconds(lambda: archspec.load('isynet_n1')):.2f} ms",
            "",
        ),
    ]


def scoring() -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, goal in (("spaces/isynet", "1,000"), ("spaces/single_path_nas", "")):
        space = archspec.Space(name)
        generator = random.Random(1)
        sampled = [space.sample(generator) for _ in range(1000)]
        found = {json.dumps(assignment, sort_keys=True): assignment for assignment in sampled}
        fresh = archspec.Space(name)
        start = time.process_time()
        costs = [fresh.cost(assignment) for assignment in found.values()]
        rate = len(costs) / (time.process_time() - start)
        rows.append((f"{name}: different networks scored a second", f"{rate:,.0f}", goal))
    return rows


def growth() -> list[tuple[str, str, str]]:
    """Microseconds a node for load + stats, by the number of nodes."""
    figures: dict[str, list[float]] = {"repeat": [], "flat": []}
    sizes = (1_000, 10_000, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.json"
        for size in sizes:
            spec = {
                "archspec": 1,
                "name": "long",
                "input": {"shape": [8, 8, 8]},
                "body": [{"op": "conv", "kernel": 3, "channels": 8, "repeat": size}],
            }
            for kind in figures:
                path.write_text(json.dumps(spec))
                start = time.process_time()
                graph = archspec.load(path)
                graph.stats()
                figures[kind].append((time.process_time() - start) / size * 1e6)
                spec = graph.normal_form()
                del graph
    at = " / ".join(f"{size:,}" for size in sizes)
    return [
        (
            f"load + stats of {what}, µs a node at {at} nodes",
            " / ".join(f"{figure:.0f}" for figure in figures[kind]),
            "level",
        )
        for kind, what in (("repeat", "one repeated node"), ("flat", "its normal form"))
    ]


def _process(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak bytes of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * unit


def _milliseconds(work: Callable[[], object], repeats: int = 7, each: int = 20) -> float:
    """The median of several timings of the processor time of one call."""
    work()
    timings: list[float] = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(each):
            work()
        timings.append((time.process_time() - start) / each)
    return statistics.median(timings) * 1e3


def machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{cores} cores of {model}, {memory:.0f} GiB"


if __name__ == "__main__":
    main()
