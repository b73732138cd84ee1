"""What each service of archspec.authoring takes after a keystroke, as processor time of one answer.

A space more is in the text each time, so that nothing of the draft is known, neither what it is
asked for nor what that needs. "mark" is diagnose(). The last row is a flat spec of 10,000 nodes.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable
from datetime import date

from bench import machine

from archspec import authoring
from archspec.authoring import Draft
from archspec.sources import FILES, shipped_folder

NAMES = ("resnet50", "hrnet_w18", "densenet121", "resnext152_64x4d", "spaces/isynet")
GOALS = {"resnet50": 50, "hrnet_w18": 200}
TIMES = 15
SPACES = itertools.count(1)
SERVICES: dict[str, Callable[[Draft, int], object]] = {
    "mark": lambda draft, offset: authoring.diagnose(draft),
    "complete": authoring.complete,
    "hover": authoring.hover,
    "hints": lambda draft, offset: authoring.find_hints(draft),
    "outline": lambda draft, offset: authoring.outline(draft),
    "references": authoring.find_references,
    "rename": lambda draft, offset: authoring.rename(draft, offset, "another"),
    "nodes": authoring.find_nodes,
}


def main() -> None:
    print(f"{date.today()}, {machine()}, medians of {TIMES}, CPU milliseconds\n")
    print(f"| spec | {' | '.join(SERVICES)} | goal |")
    print(f"|---|{'--:|' * (len(SERVICES) + 1)}")
    for name in NAMES:
        path = shipped_folder() / f"{name}.json"
        report(name, path.read_text(), str(path))
    report("10,000 nodes", long_text(), "long.json")


def report(name: str, text: str, path: str) -> None:
    times = 1 if len(text) > 100_000 else TIMES
    cells = [f"{median(text, path, ask, times):.1f}" for ask in SERVICES.values()]
    print(f"| {name} | {' | '.join(cells)} | {GOALS.get(name, '')} |", flush=True)


def median(text: str, path: str, ask: Callable[[Draft, int], object], times: int) -> float:
    """Of drafts with a space more each time; it is asked where a node's name is."""
    found: list[float] = []
    for _ in range(times + 1):
        written = text.replace("{", "{" + " " * next(SPACES), 1)
        offset = written.index('"name"', written.index('"body"')) + len('"name": "') + 1
        begun = time.process_time()
        ask(authoring.read_draft(written, name=path, project=FILES), offset)
        found.append(time.process_time() - begun)
    return 1000 * statistics.median(found[1:])


def long_text() -> str:
    """A chain of convolutions without a repeat."""
    body = [
        {"op": "conv", "name": f"conv{number}", "channels": 8, "kernel": 3}
        for number in range(10_000)
    ]
    data = {"archspec": 1, "name": "long", "input": {"shape": [8, 32, 32]}, "body": body}
    return json.dumps(data, indent=1)


if __name__ == "__main__":
    main()
