"""The search for what is only counted, start to end, and a random search as long beside it."""

from __future__ import annotations

import time
from collections.abc import Callable

from archspec.errors import Problem, SpecError
from archspec.training.search.batch import ENGINES, random_search
from archspec.training.search.counted import Counted, Fresh
from archspec.training.search.trials import TRIALS, Trials
from archspec.training.signals import Stop

OF_BASELINE = 2**32
"""Added to the seed of the engine, so that its random start is not the baseline's."""


def count(
    trials: Trials,
    problem: Counted,
    stop: Stop,
    ends: float | None = None,
    say: Callable[[int], None] = lambda done: None,
) -> None:
    """Run the engine that run.json names, then the random baseline with as many networks.

    All comes from the seed, so a search that was stopped is made anew, and what stands in
    trials.jsonl is not written again. `ends` is in time.monotonic()'s seconds; `say` is told how
    many networks are counted. Raises SpecError where the folder's trials are not those this seed
    gives.
    """
    facts = trials.facts
    earlier = trials.read()
    stop.listen()
    for is_baseline in (False, True):
        engine = random_search if is_baseline else ENGINES[facts["engine"]]
        seed = facts["seed"] + OF_BASELINE * is_baseline
        known = [trial for trial in earlier if bool(trial.get("baseline")) == is_baseline]
        wanted = facts["trials"]
        if is_baseline:
            tried = sum(not trial.get("baseline") for trial in trials.read())
            if facts["engine"] == "random" or tried < wanted:  # then it was every network
                return
        number = 0
        for rows, costs in engine(problem, wanted, seed, Fresh(problem), facts["population"]):
            lines = []
            for row, cost in zip(rows.tolist(), costs, strict=True):
                head = {"baseline": True} if is_baseline else {}
                line = {"number": number, "state": "done", **head, "row": row}
                line["objectives"] = problem.named(cost)
                if number >= len(known):
                    lines.append(line)
                elif known[number] != line:
                    raise _changed(trials, number)
                number += 1
            trials.append(lines)
            say(number)
            if stop.number is not None or (ends is not None and time.monotonic() > ends):
                return


def _changed(trials: Trials, number: int) -> SpecError:
    return SpecError(
        Problem(
            f"trial {number} is not what this seed gives now; the version of archspec that began"
            " the search, or a new --out, would do",
            str(trials.path / TRIALS),
        )
    )
