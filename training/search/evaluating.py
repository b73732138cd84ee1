"""What a network is worth: counted, trained for a short while, or told by a function."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from archspec.checksums import read_sealed, seal
from archspec.errors import SpecError, UsageError, did_you_mean
from archspec.graph import Graph
from archspec.locks import locked_file
from archspec.processes import python_command, start_process, wait_for_end
from archspec.training.distributed import PARENT
from archspec.training.search.objectives import PYTHON, Objective
from archspec.training.search.patience import Interrupted, Trouble, passing_trouble
from archspec.training.search.trials import ID_LENGTH, LOCK, TRAINING, Trials
from archspec.training.signals import Stop
from archspec.writing import write_whole, written_json

LOOK_EVERY = 0.2
MEASURED, LOG = "accuracy.json", "log.txt"
LAST_WORDS = 300
MAX_KILLED = 3
"""Times that a training is begun whose process is killed each time."""
TEMPORARY_FAILURE = 75
"""The exit code of a training that met trouble which may pass (EX_TEMPFAIL of sysexits.h)."""


class EvaluationError(Exception):
    """A network could not be evaluated; the message says why."""


def entry_points(objectives: tuple[Objective, ...]) -> dict[str, Callable[[Graph], float]]:
    """The functions of the objectives that name one. Raises UsageError."""
    return {o.name: _function(o.name) for o in objectives if o.name.startswith(PYTHON)}


def _function(name: str) -> Callable[[Graph], float]:
    module_name, _, function_name = name.removeprefix(PYTHON).partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` would look there
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise UsageError(f"{name}: {error}; use a module that can be imported here") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UsageError(
            f"{name}: importing {module_name} ends with {_describe(error)}; use a module that can"
            " be imported here"
        ) from None
    function: Callable[[Graph], float] | None = getattr(module, function_name, None)
    if function is None or not callable(function):
        raise UsageError(
            f"{name}: {module_name} has no function {function_name!r}"
            f"{did_you_mean(function_name, vars(module))}"
        )
    return function


def _describe(error: BaseException) -> str:
    """An error of somebody's code in a line."""
    try:
        words = " ".join(str(error).split())
    except Exception:  # its own words can be wrong as well
        words = ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def call(name: str, function: Callable[[Graph], float], graph: Graph) -> float:
    """What a function gives for a network. Raises EvaluationError for whatever it raises, an exit
    too; trouble that may pass as it is."""
    try:
        value = float(function(graph))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if passing_trouble(error) is not None:
            raise
        raise EvaluationError(f"{name}: {_describe(error)}") from error
    if not math.isfinite(value):
        raise EvaluationError(f"{name} is {value}, which is not a number to seek")
    return value


def train_seeds(
    trials: Trials,
    graph: Graph,
    stop: Stop,
    sign: Callable[[], None],
    note: Callable[[str], None] = lambda sentence: None,
) -> list[float]:
    """The accuracy of a network by seed, each from a training of its own, in a process of its own:
    what a framework keeps of a network it compiled ends with that. Trainings that were begun
    before go on, and those that are over are not made again.

    `sign` is called now and then, `note` is told what was amiss. Raises EvaluationError,
    Interrupted; Trouble that may pass.
    """
    identity = trials.write_arch(graph).stem
    folder = trials.path / TRAINING / identity
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            # the baseline of another worker can have drawn the network that the search is at here
            with locked_file(folder / LOCK, waits=False):
                known = _read_measured(folder)
                if known is None:
                    known = _train(trials.path, folder, stop, sign)
                    for sentence in known.get("notes", ()):
                        note(f"note: {sentence}")
                return [*known["top1"]]
        except BlockingIOError:
            sign()
        if stop.number is not None:
            raise Interrupted
        time.sleep(LOOK_EVERY)


def _train(run: Path, folder: Path, stop: Stop, sign: Callable[[], None]) -> Mapping[str, Any]:
    """What its trainings, made now, came to."""
    code = 0
    for _ in range(MAX_KILLED):
        code = _wait(run, folder, stop, sign)
        measured = _read_measured(folder)
        if code == 0 and measured is not None:
            return measured
        if stop.number is not None:
            raise Interrupted
        if code == TEMPORARY_FAILURE:
            raise Trouble(_last(folder).removeprefix("error: "))
        if code >= 0:
            raise EvaluationError(f"its training ended with exit code {code}: {_last(folder)}")
    name = signal.Signals(-code).name
    raise EvaluationError(
        f"its training was killed {MAX_KILLED} times (by {name}, which a machine that is short of"
        " memory does)"
    )


def _wait(run: Path, folder: Path, stop: Stop, sign: Callable[[], None]) -> int:
    """The exit code of a process that trains, negative where a signal killed it."""
    command = python_command("archspec.training.search.accuracy", str(run), folder.name)
    with open(folder / LOG, "ab") as log:
        process = start_process(command, {PARENT: str(os.getpid())}, log, log)
        is_told = False
        while process.poll() is None:
            sign()
            if stop.number is not None and not is_told:
                process.terminate()
                is_told = True
            wait_for_end([process], LOOK_EVERY)
    return process.returncode


class TrainingTime(NamedTuple):
    """Seconds of the steps of a network's trainings, and of those that the last process made."""

    whole: float
    here: float


def training_time(trials: Trials, graph: Graph) -> TrainingTime | None:
    """None where a network is not trained, or by an archspec that did not say."""
    found = _read_measured(trials.path / TRAINING / graph.fingerprint[:ID_LENGTH])
    try:
        return (
            None
            if found is None
            else TrainingTime(float(found["seconds"]), float(found["seconds_here"]))
        )
    except (KeyError, TypeError, ValueError):
        return None


def write_measured(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what a network's trainings came to, with its checksum."""
    write_whole(folder / MEASURED, written_json(seal(facts)) + "\n", within=folder)


def _read_measured(folder: Path) -> Mapping[str, Any] | None:
    """What a network's trainings came to; None where that is not known yet, or damaged: their own
    folders still say it. An archspec that knew no checksums wrote none."""
    try:
        found, _ = read_sealed(folder / MEASURED)
    except SpecError:
        return None
    is_whole = isinstance(found.get("top1"), list) and all(
        type(top1) in (int, float) for top1 in found["top1"]
    )
    return found if is_whole else None


def _last(folder: Path) -> str:
    text = (folder / LOG).read_text(errors="replace").strip()
    return text.rpartition("\n")[2][-LAST_WORDS:] or "it said nothing"
