"""Which search is meant: a new one, one of a folder, or one that others share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.search_options import OF_SETTINGS, is_given, list_given
from archspec.errors import UsageError

if TYPE_CHECKING:
    from archspec.training.search.trials import Trials


def resume_trials(options: argparse.Namespace, space: str) -> Trials:
    """The search of --resume, with what else is said of it. Raises UsageError."""
    from archspec.training.search.facts import LISTED
    from archspec.training.search.plan import extend
    from archspec.training.search.storage import connect
    from archspec.training.search.trials import open_trials

    given = ["SPACE"] if space else []
    given += list_given(options, "--resume")
    for name in given:
        raise UsageError(
            f"--resume continues the search as it was begun; leave {name} out, which is for a new"
            " search"
        )
    trials = _move(connect(open_trials(options.resume), options.storage), options.data)
    if options.restart and trials.facts["engine"] != LISTED:
        raise UsageError(
            f"--restart is for the searches of single-path, and the engine of {trials.path} is"
            f" {trials.facts['engine']}; use --resume alone"
        )
    return trials if options.trials is None else extend(trials, options.trials)


def _move(trials: Trials, data: str | None) -> Trials:
    """The search with its images in another folder, such as another machine has."""
    from archspec.training.search.plan import move_data

    return trials if data is None else move_data(trials, data)


def create_trials(options: argparse.Namespace, space: str) -> Trials:
    """A new search of a space. Raises UsageError."""
    from archspec.training.new_run import free_name
    from archspec.training.search.facts import LISTED
    from archspec.training.search.objectives import LATENCY, read_objectives
    from archspec.training.search.plan import SearchSettings, check_workers, create_search

    if not space:
        raise UsageError(
            "SPACE is missing; use archspec search SPACE --objective min:macs --out RUN, or"
            " archspec search --resume RUN"
        )
    given = {name: getattr(options, name) for name in OF_SETTINGS if is_given(options, name)}
    objectives = options.objective
    if options.engine == LISTED:
        given["single_path"] = _single_path(options)
        # what a table says of a network is not known of its graph alone
        is_metric = (options.runtime or "").startswith(LATENCY)
        time_of = options.runtime if is_metric else "macs"
        objectives = objectives or ["max:accuracy", f"min:{time_of}"]
    settings = SearchSettings(
        space,
        tuple(objectives),
        constraints=tuple(options.constraint),
        recipe_settings=tuple(options.set),
        **given,
    )
    check_workers(options.workers, settings.engine, read_objectives(objectives))
    out = options.out or str(free_name(Path(space).stem, settings.engine))
    return create_search(settings, out, ["archspec", *sys.argv[1:]])


def _single_path(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that are the single-path engine's own."""
    given = {
        "epochs": options.search_epochs,
        "warmup_epochs": options.warmup_epochs,
        "seed": options.seed,
        "seeds": options.search_seeds,
        "target": options.target and tuple(options.target),
        "lam": options.lam and tuple(options.lam),
        "runtime": options.runtime,
    }
    if options.data is None:
        raise UsageError("--engine single-path trains a supernet; use --data DIR for it")
    return {name: value for name, value in given.items() if value is not None}


def join_trials(options: argparse.Namespace, path: str) -> Trials:
    """The search of a folder, or of a name in a storage, its images where --data says. Raises
    UsageError."""
    from archspec.training.search.sharing import join_search
    from archspec.training.search.storage import VARIABLE, connect
    from archspec.training.search.trials import open_trials

    if options.study is None:
        if options.out is not None:
            raise UsageError("--out is for a worker that joins by --storage and --study")
        return _move(connect(open_trials(path), options.storage), options.data)
    url = options.storage or os.environ.get(VARIABLE)
    if not url:
        raise UsageError(
            f"--study {options.study} is the name of a search in a database; use --storage URL, or"
            f" {VARIABLE}, with it"
        )
    return _move(join_search(url, options.study, options.out), options.data)
