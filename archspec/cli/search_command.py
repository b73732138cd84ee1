"""Search a space for the networks that are best by what is asked: counted, or trained a little."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from archspec.cli.common import print_json, write_new_file
from archspec.cli.search_opening import create_trials, join_trials, resume_trials
from archspec.cli.search_options import ACTIONS, EXAMPLES, add_arguments, list_given, seconds_of
from archspec.cli.search_telling import search_and_tell, tell_whether_found
from archspec.errors import UsageError, did_you_mean, listed
from archspec.extras import need
from archspec.tables import write_table
from archspec.writing import written_normal_form

__all__ = ["EXAMPLES", "add_arguments", "run"]


def run(options: argparse.Namespace) -> int:
    need("archspec search", "numpy", extra="search")
    if options.restart and not options.resume:
        raise UsageError("--restart is for a search that there is; use --resume RUN --restart")
    first, *rest = options.words or [""]
    if first in ACTIONS:
        is_joining = first == "worker" and options.study is not None
        if len(rest) != (not is_joining):
            also = ", or --storage and --study" if is_joining else ""
            raise UsageError(f"archspec search {first} takes one folder of a search{also}")
        for option in [*list_given(options, first), *(["--resume"] if options.resume else [])]:
            raise UsageError(f"{option} is not for archspec search {first}, which does not take it")
        action = {"worker": _worker, "pareto": _pareto, "derive": _derive}[first]
        return action(options, rest[0] if rest else "")
    if len(options.words) > 1:
        hint = did_you_mean(first, ACTIONS)
        raise UsageError(
            f"one space is searched at a time and these are {len(options.words)}{hint}"
        )
    for name in ("id", "output"):
        if getattr(options, name):
            raise UsageError(f"--{name} is for derive; use archspec search derive RUN")
    return _search(options, first)


def _search(options: argparse.Namespace, space: str) -> int:
    from archspec.training.signals import Stop

    budget = seconds_of(options.budget)
    with Stop() as stop:
        trials = resume_trials(options, space) if options.resume else create_trials(options, space)
        return search_and_tell(options, trials, stop, budget)


def _worker(options: argparse.Namespace, path: str) -> int:
    from archspec.training.signals import Stop

    with Stop() as stop:
        from archspec.training.search.facts import LISTED
        from archspec.training.search.plan import counts
        from archspec.training.search.trials import FOUND

        trials = join_trials(options, path)
        path = str(trials.path)
        engine = trials.facts["engine"]
        if counts(engine, trials.objectives):
            raise UsageError(
                f"{path} only counts, which one process does; use archspec search --resume {path}"
            )
        if engine == LISTED and not (trials.path / FOUND).exists():
            raise UsageError(
                f"{path} has not found its networks yet, which one process does; a worker can join"
                " when it trains them"
            )
        return search_and_tell(options, trials, stop, seconds_of(options.budget), waits=False)


def _pareto(options: argparse.Namespace, path: str) -> int:
    from archspec.training.search.report import front_table, publish
    from archspec.training.search.run import problem_of
    from archspec.training.search.trials import FRONT, open_trials

    trials = open_trials(path)
    problem = problem_of(trials)
    results = publish(trials, problem)
    for where in trials.damage():
        print(f"note: {where}; the line is left out", file=sys.stderr)
    if options.format == "json":
        print_json(results.rows)
    elif options.format == "csv":
        print((trials.path / FRONT).read_text(), end="")
    else:
        write_table(front_table(results), options.format)
    return tell_whether_found(results)


def _derive(options: argparse.Namespace, path: str) -> int:
    from archspec.training.search.results import results_of
    from archspec.training.search.run import problem_of
    from archspec.training.search.trials import open_trials

    if not options.id or not options.output:
        missing = "--id" if not options.id else "-o"
        raise UsageError(
            f"{missing} is missing; use archspec search derive {path} --id ID -o NETWORK.json"
        )
    trials = open_trials(path)
    problem = problem_of(trials)
    results = results_of(trials, problem.encoding)
    known: dict[str, Any] = {}
    for trial in (*results.listed, *results.tried):
        if "fingerprint" in trial:
            known.setdefault(trial["fingerprint"], trial)
    for trial in results.listed:
        known.setdefault(results.graph(trial).fingerprint, trial)
    fitting = [fingerprint for fingerprint in known if fingerprint.startswith(options.id)]
    if len(fitting) != 1:
        best = [results.graph(trial).fingerprint for trial in results.front]
        found = listed([fingerprint[:12] for fingerprint in fitting or best])
        problem_ = "several networks" if fitting else "no network"
        raise UsageError(f"{path} has {problem_} whose id begins with {options.id}; use {found}")
    graph = results.graph(known[fitting[0]])
    write_new_file(options.output, written_normal_form(graph.normal_form()))
    print(f"wrote {options.output}: {graph.fingerprint[:12]}, {graph.params:,} parameters")
    return 0
