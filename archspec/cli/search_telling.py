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

    first: list[tuple[float, int]] = []

    def tell(record: Mapping[str, Any], done: int, wanted: int) -> None:
        now = time.monotonic()
        if not first:  # what ended before this, and what led to it, say nothing of its pace
            first.append((now - record["seconds"], done - 1))
        since, before = first[0]
        left = (now - since) / (done - before) * (wanted - done)
        if budget is not None:
            left = min(left, max(began + budget - now, 0.0))
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
