"""Search a space for the networks that are best by what is asked: counted, or trained a little."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.common import add_format, print_json, write_new_file
from archspec.cli.expand_command import written_normal_form
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError, did_you_mean, listed
from archspec.extras import need
from archspec.machine import DEVICES
from archspec.tables import write_table

if TYPE_CHECKING:
    from archspec.training.search.results import Results
    from archspec.training.search.trials import Trials

USAGE = """%(prog)s SPACE --objective min:macs --objective max:accuracy --out RUN ...
       %(prog)s --resume RUN
       %(prog)s worker RUN
       %(prog)s worker --storage URL --study NAME
       %(prog)s pareto RUN [--format table|json|csv|markdown]
       %(prog)s derive RUN --id ID -o NETWORK.json"""
ACTIONS = ("worker", "pareto", "derive")
OF_SETTINGS = (
    "engine", "trials", "seed", "baseline", "population", "recipe", "data", "epochs", "seeds",
    "device", "storage", "study",
)  # fmt: skip
OF_A_NEW_SEARCH = (
    *OF_SETTINGS, "constraint", "set", "out", "search_epochs", "warmup_epochs", "search_seeds",
    "target", "lam", "runtime",
)  # fmt: skip
ALLOWED = {
    "--resume": ("trials", "storage", "data"),
    "worker": ("storage", "study", "data", "out"),
    "pareto": (),
    "derive": (),
}
"""Options of a new search that mean something to one that there is."""
SHOWN = 10
"""Rows of the front that are printed in the end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = USAGE
    parser.add_argument(
        "words",
        nargs="*",
        metavar="SPACE",
        help="path of a spec with choices, or the bare name of a shipped one; or worker, which"
        " joins a search as one more process; pareto, which prints its front; derive, which writes"
        " one of its networks",
    )
    _add_goal(parser)
    _add_way(parser)
    _add_training(parser)
    _add_single_path(parser)
    out = parser.add_argument_group("of derive and pareto")
    out.add_argument("--id", metavar="ID", help="the beginning of a network's id in pareto.csv")
    out.add_argument(
        "-o", "--output", type=OutputPath, metavar="FILE", help="the network's plain spec"
    )
    add_format(out)  # type: ignore[arg-type]


def _add_goal(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is sought")
    what.add_argument(
        "--objective",
        action="append",
        default=[],
        metavar="MIN|MAX:METRIC",
        help="params, macs, activations, latency:DEVICE[:BATCH], accuracy, or"
        " python:MODULE:FUNCTION, which gets the network's graph; repeat it for several",
    )
    what.add_argument(
        "--constraint",
        action="append",
        default=[],
        metavar="TEXT",
        help="such as 'params<5e6'; on what is counted, and checked before anything is built",
    )


def _add_way(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how it is sought")
    how.add_argument(
        "--engine",
        metavar="NAME",
        help="random, enumerate, nsga2 (the default), evolution, tpe or single-path",
    )
    how.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="networks to try; default: 100 that are trained, 20,000 that are only counted; with"
        " --resume a greater number goes on to that",
    )
    how.add_argument("--budget", metavar="TIME", help="stop after 90s, 30m or 2h of this call")
    how.add_argument("--seed", type=int, metavar="N", help="default: 1")
    how.add_argument("--population", type=int, metavar="N", help="of nsga2 and evolution")
    how.add_argument(
        "--baseline",
        type=int,
        metavar="N",
        help="try N networks drawn at random beside them, to compare with; default: as many",
    )
    how.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes that train networks; of more than one no two logs are the same; default: 1",
    )
    how.add_argument(
        "--out", type=OutputPath, metavar="RUN", help="a new folder; default: one below runs/"
    )
    how.add_argument("--resume", metavar="RUN", help="go on with the search in this folder")
    how.add_argument(
        "--restart",
        action="store_true",
        help="with --resume, of single-path: begin again what has lost all its checkpoints; what"
        " there is of it is kept under another name",
    )
    how.add_argument(
        "--storage",
        metavar="URL",
        help="an Optuna storage that machines share; the variable ARCHSPEC_STORAGE is one that no"
        " other user sees; default: a journal in the folder",
    )
    how.add_argument("--study", metavar="NAME", help="of the search in the storage")


def _add_training(parser: argparse.ArgumentParser) -> None:
    train = parser.add_argument_group("how accuracy is found")
    train.add_argument("--recipe", metavar="NAME|FILE", help="see archspec recipes")
    train.add_argument("--data", metavar="DIR", help="holds train/CLASS/IMAGE and val/CLASS/IMAGE")
    train.add_argument("--epochs", type=int, metavar="N", help="the same as --set epochs=N")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a setting of the recipe",
    )
    train.add_argument(
        "--seeds",
        type=int,
        metavar="K",
        help="trainings of a network; default: 2, from which the report tells how much is luck",
    )
    train.add_argument("--device", choices=DEVICES, help="default: CPU")


def _add_single_path(parser: argparse.ArgumentParser) -> None:
    path = parser.add_argument_group("of --engine single-path")
    path.add_argument("--search-epochs", type=int, metavar="N", help="of the supernet")
    path.add_argument("--warmup-epochs", type=int, metavar="N", help="with weights learning alone")
    path.add_argument("--search-seeds", type=int, metavar="K", help="searches for each target")
    path.add_argument(
        "--target", type=float, action="append", metavar="R", help="a runtime to aim at"
    )
    path.add_argument(
        "--lam", type=float, action="append", metavar="L", help="weight of the runtime"
    )
    path.add_argument(
        "--runtime", metavar="macs|latency:DEVICE|FILE", help="what runtime is; default: macs"
    )


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
        for option in [*_list_given(options, first), *(["--resume"] if options.resume else [])]:
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
        trials = _resume(options, space) if options.resume else _create(options, space)
        return _search_and_tell(options, trials, stop, budget)


def _resume(options: argparse.Namespace, space: str) -> Trials:
    from archspec.training.search.facts import LISTED
    from archspec.training.search.plan import extend
    from archspec.training.search.storage import connect
    from archspec.training.search.trials import open_trials

    given = ["SPACE"] if space else []
    given += _list_given(options, "--resume")
    for name in given:
        raise UsageError(
            f"--resume goes on with the search as it was begun; without {name} it would, and a new"
            " search would take it"
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


def _create(options: argparse.Namespace, space: str) -> Trials:
    from archspec.training.run import free_name
    from archspec.training.search.facts import LISTED
    from archspec.training.search.objectives import LATENCY, read_objectives
    from archspec.training.search.plan import SearchSettings, check_workers, create_search

    if not space:
        raise UsageError(
            "SPACE is missing; use archspec search SPACE --objective min:macs --out RUN, and"
            " so would --resume RUN"
        )
    given = {name: getattr(options, name) for name in OF_SETTINGS if _is_given(options, name)}
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


def _list_given(options: argparse.Namespace, action: str) -> list[str]:
    """The options of a new search that there are, without those that the action takes."""
    taken = ALLOWED[action]
    names = [name for name in OF_A_NEW_SEARCH if _is_given(options, name) and name not in taken]
    return [f"--{name.replace('_', '-')}" for name in names]


def _is_given(options: argparse.Namespace, name: str) -> bool:
    return getattr(options, name) not in (None, [])


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


def _worker(options: argparse.Namespace, path: str) -> int:
    from archspec.training.signals import Stop

    with Stop() as stop:
        from archspec.training.search.facts import LISTED
        from archspec.training.search.plan import counts
        from archspec.training.search.trials import FOUND

        trials = _move(_join(options, path), options.data)
        path = str(trials.path)
        engine = trials.facts["engine"]
        if counts(engine, trials.objectives):
            raise UsageError(
                f"{path} only counts, which one process does; archspec search --resume {path}"
                " would go on with it"
            )
        if engine == LISTED and not (trials.path / FOUND).exists():
            raise UsageError(
                f"{path} has not found its networks yet, which one process does; a worker can join"
                " when it trains them"
            )
        return _search_and_tell(options, trials, stop, seconds_of(options.budget), waits=False)


def _join(options: argparse.Namespace, path: str) -> Trials:
    """The search of a folder, or of a name in a storage."""
    from archspec.training.search.sharing import join_search
    from archspec.training.search.storage import VARIABLE, connect
    from archspec.training.search.trials import open_trials

    if options.study is None:
        if options.out is not None:
            raise UsageError("--out is for a worker that joins by --storage and --study")
        return connect(open_trials(path), options.storage)
    url = options.storage or os.environ.get(VARIABLE)
    if not url:
        raise UsageError(
            f"--study {options.study} is the name of a search in a database; use --storage URL, or"
            f" {VARIABLE}, with it"
        )
    return join_search(url, options.study, options.out)


def _search_and_tell(
    options: argparse.Namespace,
    trials: Trials,
    stop: Any,
    budget: float | None,
    waits: bool = True,
) -> int:
    """Search, say how it goes on and what it came to; the exit code."""
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

    before: list[int] = []

    def tell(record: Mapping[str, Any], done: int, wanted: int) -> None:
        before.append(done - 1)  # what ended before this call says nothing of its pace
        pace = (time.monotonic() - began) / (done - before[0])
        left = f"  ETA {clock(pace * (wanted - done))}" if done < wanted else ""
        print(f"{_line(record)}  {done:,} of {wanted:,}{left}", file=sys.stderr, flush=True)

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
        print(f"stopped and saved; archspec search --resume {trials.path} goes on", file=sys.stderr)
        return 128 + stop.number
    return _tell_whether_found(results)


def _tell_whether_found(results: Results) -> int:
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
    return _tell_whether_found(results)


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


def seconds_of(text: str | None) -> float | None:
    """The seconds that "90s", "30m" or "1h30m" mean. Raises UsageError."""
    if text is None:
        return None
    pieces = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text.strip())
    hours, minutes, seconds = (int(piece or 0) for piece in pieces.groups()) if pieces else (0,) * 3
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise UsageError(f"--budget {text} is not a time; use 90s, 30m or 2h")
    return float(total)
