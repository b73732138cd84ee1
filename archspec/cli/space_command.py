"""Look into a search space: its size and costs, networks drawn from it, one network written."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from archspec.cli.common import add_format, add_spec, print_json, write_new_file
from archspec.cli.outputs import OutputPath
from archspec.document import read_document
from archspec.errors import SpecError, UsageError
from archspec.program import read_program
from archspec.space import Space
from archspec.space_gates import assignments_of
from archspec.space_summary import Summary, summarize
from archspec.tables import Column, Table, shown_amount, shown_bytes, write_table
from archspec.writing import written_normal_form

MAX_ENUMERATED = 1000
MAX_DRAWN = 1_000_000

EXAMPLES = (
    "archspec space info spaces/tiny",
    "archspec space info mine.json --format json",
    "archspec space sample spaces/tiny -n 3",
    "archspec space sample spaces/single_path_nas --seed 7",
    "archspec space assign spaces/tiny --set decisions.json -o network.json",
    "archspec space assign spaces/tiny --set stage1.layer1.kernel=5 -o chosen.json",
    "archspec space enumerate spaces/tiny",
    "archspec space enumerate mine.json --max 5000",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    info = actions.add_parser(
        "info",
        help="how many networks, what is decided, the least and the most they cost",
        description="Size, decisions and costs of a search space: exact where its networks are sums"
        " of parts, else of networks drawn at random; it says which.",
    )
    _add_info(info)
    sample = actions.add_parser(
        "sample",
        help="assignments drawn at random",
        description="Draw assignments option by option, each equally likely; one a line, as JSON.",
    )
    add_spec(sample)
    sample.add_argument("-n", type=int, default=1, metavar="N", help="how many; default: 1")
    sample.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    assign = actions.add_parser(
        "assign",
        help="the plain spec of an assignment",
        description="Write the network of an assignment as a plain spec in its normal form.",
    )
    add_spec(assign)
    assign.add_argument(
        "--set",
        action="append",
        required=True,
        metavar="FILE|KEY=OPTION",
        help="a JSON file of decisions, or one decision; repeat it, and the last one counts",
    )
    assign.add_argument(
        "-o", "--output", type=OutputPath, metavar="FILE", help="default: standard output"
    )
    every = actions.add_parser(
        "enumerate",
        help="every assignment of a small space",
        description="List every assignment; one a line, as JSON.",
    )
    add_spec(every)
    every.add_argument(
        "--max",
        type=int,
        default=MAX_ENUMERATED,
        metavar="N",
        help=f"refuse a space that has more; default: {MAX_ENUMERATED:,}",
    )


def _add_info(info: argparse.ArgumentParser) -> None:
    add_spec(info)
    info.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="NAME[:BATCH]",
        help="estimated milliseconds an image too; repeat it for several devices",
    )
    info.add_argument(
        "--constraint",
        action="append",
        default=[],
        metavar="TEXT",
        help="how many networks keep to it, such as 'params<5e6'; repeat it for several at once",
    )
    add_format(info)


def run(options: argparse.Namespace) -> int:
    actions = {"info": _info, "sample": _sample, "assign": _assign, "enumerate": _enumerate}
    return actions[options.action](options)


def space_of(name: str) -> Space:
    """The search space of that name. Raises UsageError where it is a plain spec."""
    program = read_program(name)
    if not program.has_choice:
        raise UsageError(
            f"{name} has no choice in it, so it is one network, not a search space; use archspec"
            f" stats {name}, or spaces/tiny for a space"
        )
    return Space(program)


def _info(options: argparse.Namespace) -> int:
    from archspec.training.search.objectives import LATENCY, counted_functions, read_constraint

    space = space_of(options.spec)
    constraints = [read_constraint(text) for text in options.constraint]
    names = [f"{LATENCY}{device}" for device in options.device]
    functions = counted_functions([*names, *(constraint.metric for constraint in constraints)])

    def keeps(metrics: Mapping[str, float]) -> bool:
        return all(constraint.holds(metrics[constraint.metric]) for constraint in constraints)

    summary = summarize(space, functions, keeps if constraints else None)
    texts = [str(constraint) for constraint in constraints]
    if options.format == "json":
        print_json(_as_json(summary, texts))
    else:
        write_table(_table(summary, texts), options.format)
    return 0


def _as_json(summary: Summary, constraints: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": summary.space.program.name,
        "assignments": summary.assignments,
        "networks": summary.networks,
        "networks_at_most": summary.most_networks,
        "is_exact": not summary.why_drawn,
        "drawn": summary.drawn,
        "metrics": {
            one.metric: {"least": _number(one.least), "most": _number(one.most)}
            for one in summary.ranges
        },
        "decisions": {key: list(options) for key, options in summary.decisions.items()},
    }
    if summary.kept is not None:
        found["constraints"] = {"texts": list(constraints), "kept_by": summary.kept}
    return found


def _table(summary: Summary, constraints: Sequence[str]) -> Table:
    columns = [
        Column("decision", "decision"),
        Column("count", "options", is_number=True),
        Column("options", "", is_prose=True),
    ]
    rows = [
        {"decision": key, "count": len(options) or None, "options": _words(options)}
        for key, options in summary.decisions.items()
    ]
    of = "over all networks" if not summary.why_drawn else f"of {summary.drawn} drawn at random"
    notes = [
        f"space        {summary.space.program.name}: {len(rows)} decisions, {_size(summary)}",
        *(f"{_title(one.metric):<12} {_range(one.metric, one.least, one.most)}, {of}"
          for one in summary.ranges),
    ]  # fmt: skip
    if summary.why_drawn:
        notes.append(f"not exact    {summary.why_drawn}, so networks were drawn instead")
    if summary.kept is not None:
        kept = f"{summary.kept:.1%} of {summary.drawn:,} assignments drawn at random keep to"
        notes.append(f"constraints  {kept} {', '.join(constraints)}")
    return Table(columns, rows, notes=notes)


def _size(summary: Summary) -> str:
    if summary.assignments is None:
        return "more assignments than are counted here"
    size = f"{summary.assignments:,} assignments"
    if summary.networks is not None:
        return f"{size}, {summary.networks:,} networks"
    if summary.most_networks is not None and summary.most_networks < summary.assignments:
        return f"{size}, at most {summary.most_networks:,} networks"
    return f"{size}, as many networks or fewer"


def _title(metric: str) -> str:
    return {"params": "parameters", "macs": "MACs"}.get(metric, metric.partition(":")[0])


def _range(metric: str, least: float, most: float) -> str:
    if metric in ("params", "macs"):
        return f"{least:,} to {most:,} ({shown_amount(least)} to {shown_amount(most)})"
    if metric == "activations":
        return f"{shown_bytes(int(least))} to {shown_bytes(int(most))}"
    device = metric.partition(":")[2]
    return f"{least:.4g} to {most:.4g} ms an image on {device}, estimated"


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _words(options: Sequence[Any]) -> str:
    return ", ".join(o if isinstance(o, str) else json.dumps(o) for o in options)


def _sample(options: argparse.Namespace) -> int:
    if not 1 <= options.n <= MAX_DRAWN:
        raise UsageError(f"-n {options.n}: must be 1 to {MAX_DRAWN:,}")
    space = space_of(options.spec)
    generator = random.Random(options.seed)
    _print_lines(space.sample(generator) for _ in range(options.n))
    return 0


def _assign(options: argparse.Namespace) -> int:
    space = space_of(options.spec)
    decisions: dict[str, Any] = {}
    for text in options.set:
        decisions.update(_decisions(text))
    text = written_normal_form(space.assign(decisions).normal_form())
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_new_file(options.output, text)
    return 0


def _decisions(text: str) -> dict[str, Any]:
    """What a file of decisions says, or "KEY=OPTION"."""
    key, equals, option = text.partition("=")
    if equals and not Path(text).exists():
        try:
            return {key: json.loads(option, parse_constant=str)}
        except (ValueError, RecursionError):
            return {key: option}
    found = read_document(text).data
    if not isinstance(found, dict):
        raise SpecError(f"{text}: decisions are one object, choice: option")
    return found


def _enumerate(options: argparse.Namespace) -> int:
    space = space_of(options.spec)
    size = assignments_of(space)
    if size is not None:
        _check_size(options, size, f"{size:,}")
    found = list(islice(space.enumerate(), options.max + 1))
    _check_size(options, len(found), f"more than {options.max:,}")
    _print_lines(found)
    return 0


def _check_size(options: argparse.Namespace, size: int, shown: str) -> None:
    if size > options.max:
        raise UsageError(
            f"{options.spec} has {shown} assignments; use a larger --max, or archspec space"
            " sample for some of them"
        )


def _print_lines(assignments: Iterable[Mapping[str, Any]]) -> None:
    for assignment in assignments:
        print(json.dumps(assignment, ensure_ascii=False))
