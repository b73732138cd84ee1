"""Search: a spec with choices becomes specs, the best there are by what is asked.

    run                          read this first: a search from its folder
    plan, objectives             what is asked, and all that can be wrong with it
    feasible                     whether anything keeps to the constraints
    encoding, counted            networks as rows of numbers; what thousands of them cost at once
    batch, exact, counting       engines for what is only counted; the exact front; their log
    proposers, suggesting        what to train next; what Optuna's samplers suggest for that
    study, worker                trials that processes share; one of those
    storage, sharing, patience   the database of those; its settings there; waiting while it is away
    helpers                      processes that are started along with it
    evaluating, accuracy         what a network is worth; its short trainings
    trials, facts, space_files   the run folder; what its run.json may say
    pareto, results, picture, report
                                 fronts, and what people see of them
    single_path/                 the engine that trains all networks at once

From Python, `search` is the whole of `archspec search`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.training.search.results import Results


def search(
    space: str,
    objectives: Sequence[str],
    out: str,
    *,
    budget: float | None = None,
    workers: int = 1,
    command: Sequence[str] = (),
    **settings: Any,
) -> Results:
    """Search a space for these objectives ("min:macs", "max:accuracy") into a new folder.

    `settings` are those of training.search.plan.SearchSettings, `budget` is in seconds, `workers`
    are processes. Raises SpecError or UsageError for what is wrong with any of it before the first
    network.
    """
    from archspec.training.signals import Stop

    with Stop() as stop:
        from archspec.training.search.plan import SearchSettings, create_search
        from archspec.training.search.run import run_search

        asked = SearchSettings(space, tuple(objectives), **settings)
        trials = create_search(asked, out, command)
        return run_search(
            trials, stop, budget=budget, workers=workers, allowed=trials.facts["objectives"]
        )
