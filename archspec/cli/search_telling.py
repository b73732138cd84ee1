"""A search that says how it goes on and what it found."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.tables import write_table

if TYPE_CHECKING:
    from archspec.training.search.results import Results
    from archspec.training.search.trials import Trials

SHOWN = 10
"""Rows of the front that are printed in the end."""


def search_and_tell(
    options: argparse.Namespace,
    trials: Trials,
    stop: Any,
    budget: float | None,
    waits: bool = True,
) -> int:
    """Search, report progress and the result; the exit code."""
    from archspec.training.progress import clock
    from archspec.training.search.run import run_search
    from archspec.training.search.storage import redact

    is_terminal = sys.stderr.isatty()

    began = time.monotonic()

    def counting(done: int, wanted: int) -> None:
        if is_terminal:
            left = clock((time.monotonic() - began) / done * (wanted - done))
            text = f"{done:,} of {wanted:,} networks counted  ETA {left}"
            print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)

    pace = _Pace(None if budget is None else began + budget)

    def tell(record: Mapping[str, Any], done: int, wanted: int) -> None:
        left = pace.estimate(record["seconds"], done, wanted)
        words = f"  ETA {clock(left)}" if done < wanted else ""
        print(f"{_line(record)}  {done:,} of {wanted:,}{words}", file=sys.stderr, flush=True)

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    if waits and trials.storage is not None:
        say(
            "others join by archspec search worker --storage"
            f" {redact(trials.storage)} --study {trials.facts['study']}"
        )
    results = run_search(
        trials,
        stop,
        budget=budget,
        workers=options.workers,
        allowed=[*options.objective],
        counting=counting,
        tried=tell,
        waits=waits,
        restarts=options.restart,
        say=say,
    )
    if is_terminal:
        print(file=sys.stderr)
    _print_front(results)
    if stop.number is not None:
        command = f"archspec search --resume {trials.path}"
        print(f"stopped and saved; {command} resumes it", file=sys.stderr)
        return 128 + stop.number
    if not waits and not results.failed:
        return 0  # a worker that ends first: others try networks still
    return tell_whether_found(results)


class _Pace:
    """How long trials take that end while this process looks on, and what is left by that."""

    def __init__(self, ends: float | None):
        self._ends = ends
        self._first: tuple[float, int] | None = None

    def estimate(self, seconds: float, done: int, wanted: int) -> float:
        """After a trial of so many seconds; never more than until the search must end."""
        now = time.monotonic()
        if self._first is None:  # what ended before, and what led to it, say nothing of the pace
            self._first = now - seconds, done - 1
        since, before = self._first
        left = (now - since) / (done - before) * (wanted - done)
        return left if self._ends is None else min(left, max(self._ends - now, 0.0))


def tell_whether_found(results: Results) -> int:
    """1, with a sentence, where every network failed; else 0."""
    from archspec.training.search.report import why_nothing

    why = why_nothing(results)
    if why:
        print(f"error: {why}" if results.failed else why, file=sys.stderr)
    return 1 if why and results.failed else 0


def _line(record: Mapping[str, Any]) -> str:
    """What a trial came to, in a line."""
    words = [f"trial {record['number']}", record["fingerprint"][:12]]
    if record.get("baseline"):
        words[0] = f"random {record['number']}"
    if record["state"] == "failed":
        words.append(f"failed: {record['error']}")
    else:
        words += [f"{name} {value:,.6g}" for name, value in record["objectives"].items()]
    if record["state"] == "duplicate":
        words.append(f"the same as trial {record['duplicate_of']}")
    return "  ".join([*words, f"{record['seconds']:.1f} s"])


def _print_front(results: Results) -> None:
    from archspec.training.search.report import front_table
    from archspec.training.search.trials import PICTURE, REPORT

    if results.rows:
        write_table(front_table(results, SHOWN), "table")
    path = results.trials.path
    picture = f", {path / PICTURE} shows it" if (path / PICTURE).exists() else ""
    print(f"{path / REPORT} has the rest{picture}")
