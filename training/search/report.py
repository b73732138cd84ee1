"""report.md and what goes with it: the front, the random baseline beside it, how it was found."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from archspec.tables import (
    Column,
    Table,
    as_csv,
    as_markdown,
    markdown_text,
    shown_amount,
    shown_count,
)
from archspec.training.progress import clock
from archspec.training.search.counted import Counted
from archspec.training.search.encoding import TreeEncoding, written_assignment
from archspec.training.search.exact import exact_front
from archspec.training.search.facts import LISTED, read_found
from archspec.training.search.objectives import ACCURACY, LATENCY, Objective
from archspec.training.search.picture import pareto_png
from archspec.training.search.proposers import (
    CHANGED,
    DRAWN,
    SCORED,
    SUGGESTED,
    count_drawn_first,
)
from archspec.training.search.results import MAX_NETWORKS, Results, results_of, spread
from archspec.training.search.trials import ARCHS, FOUND, FRONT, ID_LENGTH, PICTURE, REPORT, Trials
from archspec.writing import write_whole

MAX_ROWS = 20
"""Of the table; of a long front rows spread over it."""
MAX_ARCHS = 100
"""Networks of pareto.csv that are written as specs."""
MAX_DRAWN, MAX_DRAWN_PLAIN = 10_000, 300
"""Networks drawn for the acceptance rate of constraints; fewer where each is counted by itself."""


def publish(trials: Trials, problem: Counted) -> Results:
    """Write the front, its picture, its networks and the report, however far the search is."""
    exact = None
    if all(objective.is_counted for objective in trials.objectives):
        rows = exact_front(problem)
        if rows is not None:
            exact = problem.encoding.costs(rows)[:, problem.places]
    results = results_of(trials, problem.encoding, exact)
    for trial in spread(spread(results.listed, MAX_NETWORKS), MAX_ARCHS):
        trials.write_arch(results.graph(trial))
    rows = [{**row, "decisions": written_assignment(row["decisions"])} for row in results.rows]
    write_whole(trials.path / FRONT, as_csv(Table(_columns(results, for_csv=True), rows)))
    picture = pareto_png(results)
    if picture is not None:
        write_whole(trials.path / PICTURE, picture)
    write_whole(trials.path / REPORT, report(results, problem))
    return results


def front_table(results: Results, most: int | None = None) -> Table:
    """The front for people, thinned to `most` rows; of one objective the best."""
    if len(results.objectives) == 1:
        rows = results.rows[:most]
        whole = len(results.tried)
        notes = [f"the best {len(rows):,} of {whole:,} networks tried"] if rows else []
    else:
        rows = spread(results.rows, most or len(results.rows))
        whole = len(results.front)
        notes = [f"{len(rows):,} of the {whole:,} networks on the front"]
        notes = notes if len(rows) < whole else []
    return Table(_columns(results), rows, notes=notes)


def report(results: Results, problem: Counted) -> str:
    """The text of the report."""
    facts = results.trials.facts
    path = results.trials.path
    lines = [f"# {facts['name']} searched by {facts['engine']}", ""]
    lines += [*_verdict(results), ""]
    if results.tried:
        lines += [f"![the networks tried and their front]({PICTURE})", ""]
        lines += [as_markdown(front_table(results, MAX_ROWS)).rstrip(), ""]
    for paragraph in (_list_found(results), _noise(results)):
        lines += [*paragraph, ""] if paragraph else []
    known = [(what, value) for what, value in _facts(results, problem) if value]
    lines += [
        "| what | |",
        "|---|---|",
        *(f"| {what} | {markdown_text(value)} |" for what, value in known),
    ]
    if results.rows:
        written = spread(results.rows, MAX_ARCHS)
        spec = path / ARCHS / f"{written[len(written) // 2]['id']}.json"
        lines += [
            "",
            "```",
            f"archspec stats {spec}",
            f"archspec train {spec} --recipe NAME --data DIR",
            f"archspec search derive {path} --id {results.rows[0]['id'][:4]} -o network.json",
            "```",
        ]
    return "\n".join(lines) + "\n"


def why_nothing(results: Results) -> str:
    """A sentence where no network ended well; else empty."""
    if results.tried:
        return ""
    errors = [trial["error"] for trial in results.failed if "error" in trial]
    if errors:
        count = f"None of {len(errors):,} networks" if len(errors) > 1 else "The network"
        verb = "ended well" if len(errors) > 1 else "did not end well"
        return f"{count} {verb}: {errors[0]}"
    return f"No network is tried yet. `archspec search --resume {results.trials.path}` resumes it."


def _verdict(results: Results) -> list[str]:
    facts = results.trials.facts
    nothing = why_nothing(results)
    if nothing:
        return [markdown_text(nothing)]
    sentences = [_summarize_found(results)]
    left = facts["trials"] - len(results.tried) - len(results.failed)
    if _is_everything(results):
        sentences.append("They are all the networks of the space.")
    elif left > 0:
        sentences.append(f"{left:,} of the {facts['trials']:,} asked for are not tried.")
    if results.share_of_exact is not None:
        sentences.append(
            f"It covers **{results.share_of_exact:.2%} of the exact front**, which dynamic"
            " programming gives."
        )
    lines = [" ".join(sentences)]
    return lines if _is_everything(results) else [*lines, "", _against_random(results)]


def _is_everything(results: Results) -> bool:
    """Whether every network was tried, as far as it is known how many there are. Networks that are
    trained are told apart by their fingerprints, those that are counted by their parts."""
    if not isinstance(results.encoding, TreeEncoding) or not results.tried:
        return False
    tree = results.encoding.tree
    has_fingerprints = "fingerprint" in results.tried[0]
    wanted = tree.networks if has_fingerprints else None
    return len(results.tried) >= (tree.combinations if wanted is None else wanted)


def _summarize_found(results: Results) -> str:
    tried = f"{_networks(len(results.tried))} tried"
    if len(results.objectives) == 1:
        objective = results.objectives[0]
        best = results.front[0]
        value = shower(objective)(best["objectives"][objective.name])
        return f"**The best {objective.name} is {value}**, {tried}."
    return (
        f"**{_networks(len(results.front))} on the front**, {tried}; it covers"
        f" {results.measure_cover(results.tried):.3f} of the box from the best to just beyond the"
        " worst that was met."
    )


def _networks(count: int) -> str:
    return "1 network" if count == 1 else f"{count:,} networks"


def _against_random(results: Results) -> str:
    count = min(len(results.tried), len(results.baseline))
    if not count:
        if results.trials.facts["engine"] == "random":
            return "The search was random itself."
        return (
            "No random baseline was run, so nothing here says that the engine beats drawing"
            " networks at random; `--baseline N` trains N drawn ones beside it."
        )
    mine, theirs = (
        results.measure_cover(trials[:count]) for trials in (results.tried, results.baseline)
    )
    if len(results.objectives) == 1:
        objective = results.objectives[0]
        show = shower(objective)
        best = max if objective.is_max else min
        one, other = (
            best(trial["objectives"][objective.name] for trial in trials[:count])
            for trials in (results.tried, results.baseline)
        )
        is_better = one * objective.sign < other * objective.sign
        figures = f"{show(one)} against {show(other)}"
    else:
        is_better = mine > theirs
        figures = f"{mine:.3f} against {theirs:.3f} of the box covered"
    facts = results.trials.facts
    if len(results.tried) <= (count_drawn_first(facts["engine"], facts["population"]) or 0):
        return (
            "Nothing can be said of the engine, which draws its first networks at random:"
            f" {figures}, for {count:,} of them and as many others."
        )
    word = "**Better than random search**" if is_better else "**No better than random search**"
    equal = "as many" if count == len(results.tried) else f"its first {count:,} and as many"
    extra = ""
    if results.trials.facts["engine"] == LISTED:
        extra = " Random search was spared the training of the supernet."
    return f"{word}: {figures}, for {equal} networks drawn at random.{extra}"


def _list_found(results: Results) -> list[str]:
    """What the single-path engine says of its networks, which were trained again since."""
    path = results.trials.path / FOUND
    if not path.exists():
        return []
    rows = [
        {
            "name": line["name"],
            "id": results.graph(line).fingerprint[:ID_LENGTH],
            "target": line.get("target"),
            "runtime": _runtime(line["objectives"]),
            "nearest": line.get("nearest"),
            "top1": line["objectives"].get("top1"),
            "weights": line["weights"],
        }
        for line in read_found(path)
    ]
    columns = [
        Column("name", "search"),
        Column("id", "network"),
        Column("target", "target", "{:,.6g}".format, True),
        Column("runtime", "runtime found", is_number=True),
        Column("nearest", "nearest possible", "{:,.6g}".format, True),
        Column("top1", "top-1 with the supernet's weights", "{:.2%}".format, True),
        Column("weights", "which are in"),
    ]
    return [as_markdown(Table(columns, rows)).rstrip()]


def _runtime(found: Mapping[str, float]) -> str:
    """What the single-path engine weighed against accuracy, in its unit."""
    unit = "ms" if "ms" in found else "MACs"
    return f"{found[unit]:,.6g} {unit}"


def _noise(results: Results) -> list[str]:
    if not any(objective.name == ACCURACY for objective in results.objectives):
        return []
    noise = results.noise
    if noise is None:
        return [
            "How much of accuracy is luck is not known from so few trainings; several networks,"
            " each with `--seeds 2` or more, would tell."
        ]
    return [
        f"Between the {noise.seeds} seeds of a network accuracy varies by {noise.of_seeds:.2%}"
        f" (standard deviation), between networks by {noise.of_networks:.2%}: the mean of"
        f" {noise.seeds} seeds has a reliability of {noise.reliability:.2f}, and two single seeds"
        f" order networks alike with Kendall's tau {noise.tau:.2f}. A front sorted by it is no"
        " better than that."
    ]


def _facts(results: Results, problem: Counted) -> list[tuple[str, str]]:
    facts = results.trials.facts
    duplicates = sum(trial["state"] == "duplicate" for trial in results.failed)
    failed = len(results.failed) - duplicates
    seconds = sum(trial.get("seconds", 0.0) for trial in (*results.tried, *results.baseline))
    return [
        ("space", f"{facts['name']}, {_size(problem)}"),
        ("objectives", ", ".join(map(str, results.objectives))),
        ("constraints", _constraints(problem)),
        ("engine", f"{facts['engine']}, seed {facts['seed']}"),
        ("proposals", _proposals(results)),
        ("accuracy", _training(facts)),
        ("failed", f"{failed:,} networks" if failed else ""),
        ("met twice", f"{duplicates:,} networks" if duplicates else ""),
        ("counted", f"network by network, for {problem.why_plain}" if problem.why_plain else ""),
        ("time of all trials", clock(seconds) if seconds else ""),
        ("of it not training", _list_fixed(results)),
        ("joined by", _joining(facts)),
        ("machine", facts["machine"]),
        ("versions", ", ".join(f"{name} {text}" for name, text in facts["versions"].items())),
        ("started", facts["started"]),
        ("command", f"`{shlex.join(facts['command'])}`" if facts["command"] else ""),
    ]


def _list_fixed(results: Results) -> str:
    """What each network costs however short its training is."""
    fixed = [
        trial["fixed_seconds"]
        for trial in (*results.tried, *results.baseline)
        if "fixed_seconds" in trial
    ]
    if not fixed:
        return ""
    each = sum(fixed) / len(fixed)
    return (
        f"{clock(sum(fixed))}, {each:.1f} s for each of {_networks(len(fixed))}: starting a"
        " process, compiling, reading images, evaluating"
    )


def _joining(facts: Mapping[str, Any]) -> str:
    if not facts.get("is_shared"):
        return ""
    return f"`archspec search worker --storage {facts['storage']} --study {facts['study']}`"


def _proposals(results: Results) -> str:
    """Where the networks tried are from, for an engine that learns from them."""
    facts = results.trials.facts
    if count_drawn_first(facts["engine"], facts["population"]) is None:
        return ""
    own = (*results.tried, *(trial for trial in results.failed if not trial.get("baseline")))
    counts = Counter(trial.get("origin") for trial in own)
    words = {
        DRAWN: "drawn at random",
        SUGGESTED: f"suggested by {facts['engine']}",
        SCORED: "unseen ones that its model expected most of, for what it suggested was known",
        CHANGED: "what it suggested with more of it changed, for all of that was known",
    }
    return "; ".join(f"{counts[key]:,} {text}" for key, text in words.items() if counts[key])


def _size(problem: Counted) -> str:
    encoding = problem.encoding
    if isinstance(encoding, TreeEncoding):
        tree = encoding.tree
        assignments = f"{shown_size(tree.assignments)} assignments"
        if tree.networks is None:
            return f"{assignments}, at most {shown_size(tree.combinations)} networks"
        return f"{assignments}, {shown_size(tree.networks)} networks"
    return "its size is in archspec space info"


def shown_size(size: int) -> str:
    """12,345, or 3.12e13 where that is too long to read."""
    return shown_count(size) if size < 10**9 else f"{size:.3g}"


def acceptance(problem: Counted) -> tuple[float, int]:
    """The share of networks drawn at random that keep to the constraints, and of how many."""
    count = MAX_DRAWN if isinstance(problem.encoding, TreeEncoding) else MAX_DRAWN_PLAIN
    rows = problem.encoding.draw(count, np.random.default_rng(0))
    return float(problem.is_feasible(problem.encoding.costs(rows)).mean()), count


def _constraints(problem: Counted) -> str:
    if not problem.constraints:
        return ""
    share, count = acceptance(problem)
    bounds = ", ".join(map(str, problem.constraints))
    return f"{bounds} (kept to by {share:.1%} of {count:,} networks drawn at random)"


def _training(facts: Mapping[str, Any]) -> str:
    training = facts.get("training")
    if not training:
        return ""
    seeds = ", ".join(map(str, training["seeds"]))
    return (
        f"top-1 on the val images of {training['data']} after {training['epochs']} epochs of"
        f" {training['recipe']}, the mean of seeds {seeds}"
    )


def _columns(results: Results, for_csv: bool = False) -> list[Column]:
    names = [objective.name for objective in results.objectives]
    columns = [Column("id", "network"), Column("number", "trial", shown_count, True)]
    columns += [Column(o.name, o.name, shower(o), True) for o in results.objectives]
    columns += [
        Column(name, name, shown_amount, True) for name in ("params", "macs") if name not in names
    ]
    return [*columns, Column("decisions", "decisions")] if for_csv else columns


def shower(objective: Objective) -> Callable[[float], str]:
    """How people read a value of an objective."""
    if objective.name == ACCURACY:
        return "{:.2%}".format
    if objective.name.startswith(LATENCY):
        return "{:.4g} ms".format
    if objective.is_counted:
        return lambda value: shown_count(int(value))
    return "{:.6g}".format
