"""What archspec search takes: its options, and which of them go with what."""

from __future__ import annotations

import argparse
import re

from archspec.cli.common import add_format
from archspec.cli.device_options import add_device
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError

USAGE = """%(prog)s SPACE --objective min:macs --objective max:accuracy --out RUN ...
       %(prog)s --resume RUN
       %(prog)s worker RUN
       %(prog)s worker --storage URL --study NAME
       %(prog)s pareto RUN [--format table|json|csv|markdown]
       %(prog)s derive RUN --id ID -o NETWORK.json"""
ACTIONS = ("worker", "pareto", "derive")
OF_SETTINGS = (
    "engine", "trials", "seed", "baseline", "population", "recipe", "data", "epochs", "seeds",
    "device", "backend", "storage", "study",
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

EXAMPLES = (
    "archspec search spaces/single_path_nas --objective min:macs --objective max:params "
    "--out found",
    "archspec search spaces/tiny --objective max:accuracy --objective min:macs --recipe "
    "tiny --data digits --epochs 2 --budget 10m --out found2",
    "archspec search derive found --id 13f718e1567c -o network.json",
)


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
        " --resume, a greater number extends the search",
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
        help="processes that train networks; with several, no two logs are the same; default: 1",
    )
    how.add_argument(
        "--out", type=OutputPath, metavar="RUN", help="a new folder; default: one below runs/"
    )
    how.add_argument("--resume", metavar="RUN", help="resume the search in this folder")
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
    add_device(train)


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


def list_given(options: argparse.Namespace, action: str) -> list[str]:
    """The options of a new search that there are, without those that the action takes."""
    taken = ALLOWED[action]
    names = [name for name in OF_A_NEW_SEARCH if is_given(options, name) and name not in taken]
    return [f"--{name.replace('_', '-')}" for name in names]


def is_given(options: argparse.Namespace, name: str) -> bool:
    """Whether an option of a new search stands on the command line."""
    return getattr(options, name) not in (None, [])


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
