"""What counting networks of a search space costs, on one core; nothing else should be running.

    python tests/benchmarks/bench_search.py

BENCH_PYMOO_PYTHON names a Python that has pymoo, to run its NSGA-II on the same sums beside ours.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from bench import machine

from archspec.cli import main as command
from archspec.space import Space
from archspec.space_cost import cost_tree
from archspec.training.search.batch import ENGINES
from archspec.training.search.counted import Counted, Fresh, count_exactly
from archspec.training.search.encoding import TreeEncoding
from archspec.training.search.exact import exact_front
from archspec.training.search.objectives import read_objectives
from archspec.training.search.pareto import share_covered
from archspec.training.search.plan import population_for

NAME = "spaces/single_path_nas"
TRIALS = 50_000
OBJECTIVES = ("min:macs", "max:params")


def main() -> None:
    print(f"{date.today()}, {machine()}, Python {platform.python_version()}, {NAME}\n")
    print("| what | measured | goal |")
    print("|---|--:|--:|")
    for rows in (counting, searching):
        for what, measured, goal in rows():
            print(f"| {what} | {measured} | {goal} |", flush=True)


def counting() -> Iterator[tuple[str, str, str]]:
    space = Space(NAME)
    generator = random.Random(1)
    assignments = [space.sample(generator) for _ in range(2000)]
    seconds, _ = time_call(lambda: [Space.cost(space, assignment) for assignment in assignments])
    yield "expanding each network, networks a second", rate(2000, seconds), ""
    seconds, tree = time_call(lambda: cost_tree(Space(NAME)))
    yield "making the tree of costs", f"{1e3 * seconds:.0f} ms", ""
    seconds, _ = time_call(lambda: [tree.cost(assignment) for assignment in assignments])
    yield "by the tree, assignment by assignment", rate(2000, seconds), "20,000"
    encoding = TreeEncoding(tree)
    rows = encoding.draw(200_000, np.random.default_rng(1))
    seconds, _ = time_call(lambda: encoding.costs(rows))
    yield "by the tree, rows of 200,000", rate(len(rows), seconds), "20,000"


def searching() -> Iterator[tuple[str, str, str]]:
    problem = count_exactly(Space(NAME), read_objectives(OBJECTIVES))
    seconds, front = time_call(lambda: exact_front(problem))
    assert front is not None
    yield f"the exact front, {len(front):,} networks of 3e13", f"{1e3 * seconds:.0f} ms", ""
    exact = problem.minimise(problem.encoding.costs(front))
    for engine in ("random", "evolution", "nsga2"):
        seconds, values = time_call(lambda engine=engine: try_engine(problem, engine))
        goal = "5,000" if engine == "nsga2" else ""
        yield f"{engine}, {TRIALS:,} networks, a second", rate(TRIALS, seconds), goal
        goal = "99%" if engine == "nsga2" else ""
        yield "hypervolume of the exact front", f"{share(values, exact):.2%}", goal
    peer = os.environ.get("BENCH_PYMOO_PYTHON")
    if peer:
        seconds, values = of_pymoo(peer, problem)
        yield f"pymoo's NSGA-II, {len(values):,} networks, a second", rate(len(values), seconds), ""
        yield "hypervolume of the exact front", f"{share(values, exact):.2%}", ""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["search", NAME, "--trials", str(TRIALS), "--out", f"{folder}/run"]
        for objective in OBJECTIVES:
            arguments += ["--objective", objective]
        with contextlib.redirect_stdout(io.StringIO()):
            seconds, _ = time_call(lambda: command(arguments))
        what = "`archspec search` whole: as many at random, log, front, picture, report"
        yield f"{what}, networks a second", rate(2 * TRIALS, seconds), "5,000"


def try_engine(problem: Counted, engine: str) -> np.ndarray:
    batches = ENGINES[engine](problem, TRIALS, 1, Fresh(problem), population_for(engine, TRIALS))
    return np.concatenate([problem.minimise(costs) for _, costs in batches])


def of_pymoo(python: str, problem: Counted) -> tuple[float, np.ndarray]:
    encoding = problem.encoding
    assert isinstance(encoding, TreeEncoding)
    given = {
        "base": problem.minimise(encoding.root.costs[None])[0].tolist(),
        "columns": [
            problem.minimise(np.stack([part.costs for part in parts])).tolist()
            for _, parts in encoding.root.splits
        ],
        "trials": TRIALS,
        "population": population_for("nsga2", TRIALS),
    }
    script = Path(__file__).with_name("pymoo_peer.py")
    done = subprocess.run(
        [python, str(script)], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    return found["seconds"], np.array(found["values"])


def share(values: np.ndarray, exact: np.ndarray) -> float:
    corners = np.concatenate([values, exact])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return share_covered(values, low, high) / share_covered(exact, low, high)


def time_call(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}"


if __name__ == "__main__":
    main()
