"""A search from its folder: read this first.

create_search       what is asked, checked, into a new folder          training.search.plan
run_search          nothing is trained:  counting, batches of networks training.search.counting
                    else:                a worker, network by network  training.search.worker
publish             the front, its picture, the report                 training.search.report
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archspec.checksums import damage_error, set_aside
from archspec.errors import SpecError, UsageError, listed
from archspec.training.search.counted import Counted, count_exactly
from archspec.training.search.counting import count
from archspec.training.search.facts import LISTED, read_found, write_found
from archspec.training.search.feasible import why_none
from archspec.training.search.helpers import helpers
from archspec.training.search.objectives import PYTHON, read_constraint
from archspec.training.search.plan import check_workers, counts
from archspec.training.search.report import publish
from archspec.training.search.results import Results
from archspec.training.search.sharing import share
from archspec.training.search.single_path.found import FOLDER
from archspec.training.search.trials import FOUND, Trials
from archspec.training.search.worker import NothingWorksError, Worker
from archspec.training.signals import Stop

Say = Callable[[Mapping[str, Any], int, int], None]


def run_search(
    trials: Trials,
    stop: Stop,
    *,
    budget: float | None = None,
    workers: int = 1,
    allowed: Sequence[str] = (),
    counting: Callable[[int, int], None] = lambda done, wanted: None,
    tried: Say = lambda record, done, wanted: None,
    waits: bool = True,
    restarts: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
) -> Results:
    """Resume a search to its end, until `budget` seconds are over or someone wishes to stop,
    and write what it came to. `workers` processes try networks, of which this is one.

    `allowed` are the objectives that the command line names: a function of the user's is called
    only where it is among them. `counting`, `tried` and `say` are told of progress. One that
    `waits` ends when the networks that others try have ended too; one that `restarts` begins those
    searches of a supernet again that have lost their checkpoints. Raises UsageError, SpecError;
    RunError where a single-path search fails, or its storage is out of reach for long;
    NothingWorksError where the first networks all fail for one reason.
    """
    ends = None if budget is None else time.monotonic() + budget
    objectives = trials.objectives
    check_allowed(trials, allowed)
    check_workers(workers, trials.facts["engine"], objectives)
    trials = trials.mend(say)
    problem = problem_of(trials)
    if counts(trials.facts["engine"], objectives):
        count(trials, problem, stop, ends, counting)
    else:
        listed: list[np.ndarray] = []
        if trials.facts["engine"] == LISTED:
            trials, listed = _list_networks(trials, problem, stop, say, ends, restarts)
        worker = Worker(trials, problem, objectives, stop, listed, tried, say, waits)
        if stop.number is None and (listed or trials.facts["engine"] != LISTED):
            try:
                with helpers(trials, workers - 1, ends, allowed, stop, say):
                    worker.work(ends)
            except NothingWorksError:
                with trials.lock():
                    publish(trials, problem)
                raise
    with trials.lock():
        results = publish(trials, problem)
    is_over = stop.number is None and (ends is None or time.monotonic() < ends)
    if is_over and waits and not results.tried and not results.failed:
        raise SpecError(f"{trials.path}: {why_none(problem)}")
    return results


def problem_of(trials: Trials) -> Counted:
    """What of a search is counted."""
    constraints = [read_constraint(text) for text in trials.facts["constraints"]]
    return count_exactly(trials.space, [o for o in trials.objectives if o.is_counted], constraints)


def check_allowed(trials: Trials, allowed: Sequence[str]) -> None:
    """Raises UsageError where a search would call a function that the command line does not
    name: a folder, which may be another's, must not choose what code is run."""
    objectives = trials.objectives
    for text in allowed:
        if text not in map(str, objectives):
            raise UsageError(
                f"{trials.path} does not seek {text}; a resumed search seeks what it did"
                f" ({listed([*map(str, objectives)], 'and')})"
            )
    for objective in objectives:
        if objective.name.startswith(PYTHON) and str(objective) not in allowed:
            raise UsageError(
                f"{trials.path} calls {objective.name.removeprefix(PYTHON)}, which is code and is"
                f" run only where it is asked for; use --objective {objective} beside it"
            )


def _list_networks(
    trials: Trials,
    problem: Counted,
    stop: Stop,
    say: Callable[[str], None],
    ends: float | None,
    restarts: bool,
) -> tuple[Trials, list[np.ndarray]]:
    """The search with the networks that the single-path engine finds, made now where it was not;
    with none where that is stopped, or `ends` comes, before all are found."""
    path = trials.path / FOUND
    lines = _read_found_before(trials, say)
    if lines is None:
        from archspec.training.search.single_path import SinglePathSettings, search_single_path

        given = {**trials.facts["single_path"]}
        for name in ("lam", "target", "recipe_settings"):
            given[name] = tuple(given[name])
        settings = SinglePathSettings(**given)
        found = search_single_path(
            trials.space, settings, trials.path, stop, say, ends, restarts=restarts
        )
        if len(found) < settings.searches:
            return trials, []
        lines = [
            {
                "name": one.name,
                "assignment": dict(one.assignment),
                "objectives": dict(one.objectives),
                "target": one.target,
                "nearest": one.nearest,
                "weights": one.weights and os.path.relpath(one.weights, trials.path),
            }
            for one in found
        ]
        write_found(path, lines)
    try:
        rows = [problem.encoding.row_of(line["assignment"]) for line in lines]
    except (LookupError, StopIteration):
        raise damage_error(path, "it has a network that the space does not have") from None
    different = [*{row.tobytes(): row for row in rows}.values()]
    baseline = trials.facts["baseline"]
    facts = {
        **trials.facts,
        "trials": len(different),
        "baseline": len(different) if baseline is None else baseline,
    }
    found = replace(trials, facts=facts)
    if found.storage is not None:
        share(found)
    return found, different


def _read_found_before(trials: Trials, say: Callable[[str], None]) -> list[dict[str, Any]] | None:
    """What found.json says; None where it is not written yet, or is damaged and can be written
    again from the engine's own searches."""
    path = trials.path / FOUND
    if not path.exists():
        return None
    try:
        return read_found(path)
    except SpecError as error:
        if not (trials.path / FOLDER).is_dir():
            raise
        say(f"note: {error}; it is set aside as {set_aside(path).name} and written again")
        return None
