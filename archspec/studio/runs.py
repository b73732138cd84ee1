"""Trainings and searches as the page shows them while they grow: what their folders say so far."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.errors import SpecError, UsageError
from archspec.plot.page import draw
from archspec.plot.svg import render_svg
from archspec.studio.files import locate
from archspec.studio.opening import RUN_FACTS, SPACE
from archspec.studio.questions import Part, Pause, Question
from archspec.writing import written_normal_form

if TYPE_CHECKING:
    from archspec.training.search.results import Results, Trial

MAX_POINTS = 600
"""Of a line, and of a cloud; more would be finer than a pixel."""
MAX_LOG = 200
LARGEST_LOG = 64 * 2**20
"""Bytes of trials.jsonl that are read each time it has grown."""

_GROWS = ("metrics.jsonl", "trials.jsonl")
Line = Mapping[str, Any]


def tell_run(question: Question, _pause: Pause) -> Iterator[Part]:
    """What a run's folder says, {same: true} where it is as it was at the stamp `seen`."""
    folder = _folder_of(question)
    stamp = _stamp_of(folder)
    if question.get("seen") == stamp:
        yield {"same": True}
        return
    told = _tell_search(folder) if (folder / SPACE).exists() else _tell_training(folder)
    spec = folder / "spec.json"
    name = spec.relative_to(question["root"]).as_posix() if spec.is_file() else ""
    yield {"stamp": stamp, "folder": folder.name, "spec": name, **told}


def tell_trial(question: Question, _pause: Pause) -> Iterator[Part]:
    """The network of a search's trial: its picture, its costs and its spec as text."""
    from archspec.training.search.trials import ARCHS, ID_LENGTH

    folder, root = _folder_of(question), Path(question["root"])
    results = _results(folder)
    trials = results.baseline if question.get("baseline") is True else results.tried
    trial = next((one for one in trials if one["number"] == question.get("number")), None)
    if trial is None:
        raise SpecError("the search has no such network")
    if "row" in trial:
        results = _with_encoding(results)
    graph = results.graph(trial)
    name = graph.fingerprint[:ID_LENGTH]
    spec = folder / ARCHS / f"{name}.json"
    yield {
        "id": name,
        "spec": spec.relative_to(root).as_posix() if spec.is_file() else "",
        "text": written_normal_form(graph.normal_form()),
        "svg": render_svg(draw(graph)),
        "params": graph.params,
        "macs": graph.macs,
        "decisions": [f"{key} = {value}" for key, value in results.assignment(trial).items()],
    }


def _folder_of(question: Question) -> Path:
    root, name = Path(question["root"]), str(question.get("run", ""))
    folder = root if name in ("", ".") else locate(root, name)
    for file in (RUN_FACTS, *_GROWS, SPACE):
        if (folder / file).is_symlink():
            raise UsageError(f"{file} is a link; a run has its files itself")
    if not (folder / RUN_FACTS).is_file():
        raise UsageError(f"{folder.name} is not the folder of a run, for it has no {RUN_FACTS}")
    return folder


def _stamp_of(folder: Path) -> str:
    found = [(folder / name).stat() for name in _GROWS if (folder / name).exists()]
    return " ".join(f"{one.st_size}:{one.st_mtime_ns}" for one in found) or "nothing yet"


def _thin(items: Sequence[Any], most: int = MAX_POINTS) -> list[Any]:
    return list(items[:: max(1, -(-len(items) // most))])


def _tell_training(folder: Path) -> dict[str, Any]:
    from archspec.training.facts import FIRST_VERSION, read_facts
    from archspec.training.metrics import read_metrics

    facts = read_facts(folder)
    lines = read_metrics(folder / _GROWS[0], facts["run"] > FIRST_VERSION).records
    epochs = [line for line in lines if line["kind"] == "epoch"]
    steps = [line for line in lines if line["kind"] == "step"]
    best = max(epochs, key=lambda line: (line["top1"], line["epoch"]), default=None)
    wanted = facts.get("settings", {}).get("epochs")
    return {
        "kind": "training",
        "title": f"{facts['name']}, trained by {facts['recipe']}",
        "facts": [
            ["epochs", f"{len(epochs)}" + (f" of {wanted}" if wanted else "")],
            ["steps", f"{lines[-1]['step']:,}" if lines else "0"],
            *([["best top-1", f"{best['top1']:.2%}, epoch {best['epoch']}"]] if best else []),
            ["images", f"{facts['images']['train']:,} and {facts['images']['val']:,}"],
            ["seed", str(facts["seed"])],
            ["device", facts["device"]],
            ["started", facts["started"]],
        ],
        "charts": _curves(steps, epochs),
        "log": [_epoch_words(line) for line in reversed(epochs[-MAX_LOG:])],
    }


def _curves(steps: Sequence[Line], epochs: Sequence[Line]) -> list[dict[str, Any]]:
    """Over steps, which both kinds of lines have."""
    steps = steps or epochs

    def line(name: str, lines: Sequence[Line], key: str) -> dict[str, Any]:
        points = [[one["step"], one[key]] for one in _thin(lines)]
        return {"name": name, "points": _finite(points)}

    charts = [
        ("loss", [line("train", steps, "loss"), line("val", epochs, "val_loss")]),
        ("accuracy", [line("train", epochs, "accuracy"), line("val top-1", epochs, "top1")]),
        ("learning rate", [line("rate", steps, "lr")]),
    ]
    return [{"title": title, "x": "steps", "lines": lines} for title, lines in charts]


def _epoch_words(line: Line) -> str:
    return (
        f"epoch {line['epoch']}: loss {line['loss']:.4f}, val {line['val_loss']:.4f},"
        f" top-1 {line['top1']:.2%}, {line['seconds']:.1f} s"
    )


def _results(folder: Path) -> Results:
    from archspec.training.search.results import results_of
    from archspec.training.search.trials import open_trials

    path = folder / _GROWS[1]
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        raise UsageError(
            f"{path.name} has {path.stat().st_size:,} bytes, more than the page reads; use"
            f" archspec search pareto {folder.name}"
        )
    return results_of(open_trials(folder))


def _with_encoding(results: Results) -> Results:
    """What is needed to know the network of a row. A device must be one that is known by name: no
    file is read because a run names it."""
    from dataclasses import replace

    from archspec.compiler.latency.device import devices
    from archspec.training.search.objectives import LATENCY, read_constraint
    from archspec.training.search.run import problem_of

    bounds = (read_constraint(text).metric for text in results.trials.facts["constraints"])
    for name in (*(objective.name for objective in results.objectives), *bounds):
        if name.startswith(LATENCY) and name.removeprefix(LATENCY) not in devices():
            raise UsageError(f"{name}: its device is not a shipped one; use archspec search derive")
    return replace(results, encoding=problem_of(results.trials).encoding)


def _tell_search(folder: Path) -> dict[str, Any]:
    results = _results(folder)
    facts, objectives = results.trials.facts, results.objectives
    done = len(results.tried) + len(results.baseline)
    if len(objectives) == 1:
        axes = ["networks tried", objectives[0].name]
    else:
        # as pareto.png has it: one that costs training upwards
        places = sorted((0, 1), key=lambda place: not objectives[place].is_counted)
        axes = [objectives[place].name for place in places]
    return {
        "kind": "search",
        "title": f"{facts['name']}, searched by {facts['engine']}",
        "facts": [
            ["networks tried", f"{len(results.tried):,} of {facts['trials']:,}"],
            ["on the front", f"{len(results.front):,}"],
            ["random search", f"{len(results.baseline):,}"],
            ["failed or twice", f"{len(results.failed):,}"],
            ["objectives", ", ".join(map(str, objectives))],
            *([["constraints", ", ".join(facts["constraints"])]] if facts["constraints"] else []),
        ],
        "axes": axes,
        "better": [0 if name == "networks tried" else _sign(results, name) for name in axes],
        "tried": _points(_thin(results.tried), axes),
        "front": _points(_thin(results.listed, 200), axes),
        "random": _points(_thin(results.baseline), axes),
        "random_front": _points(_thin(results.front_of_baseline, 200), axes),
        "log": [_trial_words(one) for one in reversed(results.tried[-MAX_LOG:])] if done else [],
    }


def _sign(results: Results, name: str) -> int:
    return next(-int(one.sign) for one in results.objectives if one.name == name)


def _points(trials: Sequence[Trial], axes: Sequence[str]) -> list[list[float]]:
    """[number, x, y] of each."""
    return _finite(
        [trial["number"], *(trial["objectives"].get(axis, trial["number"] + 1) for axis in axes)]
        for trial in trials
    )


def _finite(points: Iterable[list[float]]) -> list[list[float]]:
    """Those that can be drawn, and said in JSON."""
    return [point for point in points if all(map(math.isfinite, point))]


def _trial_words(trial: Trial) -> str:
    values = ", ".join(f"{name} {value:,.6g}" for name, value in trial["objectives"].items())
    return f"network {trial['number'] + 1}: {values}"
