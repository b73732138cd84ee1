"""What searches leave behind, and a module of functions for them to seek."""

from __future__ import annotations

import csv
import json
import re
import zlib
from pathlib import Path
from typing import Any

MODULE = """\
import os
import time

def score(graph):
    return graph.macs % 1009 / 1009

def slow(graph):
    open(f"at-{os.getpid()}", "w").close()
    time.sleep(0.15)
    while os.path.exists("hold"):
        time.sleep(0.01)
    return score(graph)

def picky(graph):
    if graph.params % 2:
        raise ValueError("odd\\nparams")
    return float("nan") if graph.params % 3 == 0 else score(graph)
"""
"""table.py: objectives that are quick to have; `slow` waits while there is a file hold."""


def lines(run: str | Path) -> list[dict[str, Any]]:
    """The trials in a run's file, each of which meets its checksum where it has one."""
    found = []
    for line in (Path(run) / "trials.jsonl").read_text().splitlines():
        trial = json.loads(line)
        checksum = trial.pop("crc32", None)
        body = re.sub(r', "crc32": "[0-9a-f]{8}"\}$', "}", line)
        assert checksum in (None, f"{zlib.crc32(body.encode()):08x}")
        found.append(trial)
    return found


def without_time(run: str | Path) -> str:
    """The file without what differs between two equal runs."""
    text = (Path(run) / "trials.jsonl").read_text()
    return re.sub(r'"(fixed_)?seconds": [0-9.]+, |, "crc32": "[0-9a-f]{8}"', "", text)


def front_of(run: str | Path) -> list[dict[str, str]]:
    """The rows of pareto.csv."""
    with open(Path(run) / "pareto.csv", newline="") as file:
        return list(csv.DictReader(file))


def mine(folder):
    """The trials of the engine."""
    return [trial for trial in lines(folder) if not trial.get("baseline")]


def draw(folder):
    """Those of the random baseline."""
    return [trial for trial in lines(folder) if trial.get("baseline")]
