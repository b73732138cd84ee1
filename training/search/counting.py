"""The search for what is only counted, start to end, and a random search as long beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from archspec.checksums import seal_text
from archspec.errors import Problem, SpecError
from archspec.training.search.batch import ENGINES, random_search
from archspec.training.search.counted import Counted, Fresh
from archspec.training.search.trials import TRIALS, Trials
from archspec.training.signals import Stop

OF_BASELINE = 2**32
"""Added to the seed of the engine, so that its random start is not the baseline's."""

WRITE_EVERY = 1.0
"""Seconds."""


def count(
    trials: Trials,
    problem: Counted,
    stop: Stop,
    ends: float | None = None,
    say: Callable[[int, int], None] = lambda done, wanted: None,
) -> None:
    """Run the engine that run.json names, then the random baseline with as many networks.

    All comes from the seed, so a search that was stopped is made again, and what stands in
    trials.jsonl is not written again. `ends` is in time.monotonic()'s seconds; `say` is told how
    many networks are counted of how many. Raises SpecError where the folder's trials are not those
    this seed gives.
    """
    facts = trials.facts
    earlier = trials.read()
    stop.listen()
    trials.write_columns(problem.encoding.columns)
    wanted, legs = facts["trials"], facts.get("legs", ())
    has_baseline = facts["engine"] != "random"
    done = 0
    for is_baseline in (False, True)[: 1 + has_baseline]:
        if is_baseline and done < wanted:  # then it was every network
            return
        engine = random_search if is_baseline else ENGINES[facts["engine"]]
        seed = facts["seed"] + OF_BASELINE * is_baseline
        batches = engine(problem, wanted, seed, Fresh(problem), facts["population"], legs=legs)
        known = {t["number"]: t for t in earlier if bool(t.get("baseline")) == is_baseline}
        head = '"baseline": true, ' if is_baseline else ""
        number = 0
        with _Log(trials) as log:
            for rows, costs in batches:
                for row, cost in zip(rows.tolist(), costs, strict=True):
                    values = problem.name_costs(cost)
                    if number not in known:
                        log.add(
                            f'{{"number": {number}, "state": "done", {head}"row": {row},'
                            f' "objectives": {json.dumps(values)}}}'
                        )
                    elif (known[number].get("row"), known[number]["objectives"]) != (row, values):
                        raise _change_error(trials, number)
                    number += 1
                done += len(rows)
                say(done, wanted * (1 + has_baseline))
                if stop.number is not None or (ends is not None and time.monotonic() > ends):
                    return


class _Log:
    """Lines on their way to trials.jsonl. What is lost with the process is counted again to the
    same, so that waiting for the disk once in WRITE_EVERY is enough."""

    def __init__(self, trials: Trials):
        self._trials = trials
        self._lines: list[str] = []
        self._written = time.monotonic()

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def add(self, line: str) -> None:
        self._lines.append(seal_text(line))
        if time.monotonic() - self._written > WRITE_EVERY:
            self._write()

    def _write(self) -> None:
        self._trials.append_sealed("".join(self._lines))
        self._lines = []
        self._written = time.monotonic()


def _change_error(trials: Trials, number: int) -> SpecError:
    return SpecError(
        Problem(
            f"trial {number} is not what this seed gives now; use the version of archspec that"
            " began the search, or a new --out",
            str(trials.path / TRIALS),
        )
    )
