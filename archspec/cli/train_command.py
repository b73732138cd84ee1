"""Train a network from its spec by a recipe, or take up a training that was stopped."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from archspec.cli.common import add_spec, arguments_of, graph_of, input_shape_of
from archspec.cli.device_options import add_device
from archspec.cli.outputs import OutputPath
from archspec.errors import Problem, SpecError, UsageError
from archspec.processes import python_command
from archspec.program import read_program

if TYPE_CHECKING:
    from archspec.training.backend import Backend
    from archspec.training.loop import Result
    from archspec.training.plan import Plan
    from archspec.training.run import Run
    from archspec.training.signals import Stop

MANY_IMAGES = 5000
SWITCHES = ("compile", "deterministic")
"""Options that one backend or another has for itself."""

EXAMPLES = (
    "archspec train tiny/isynet --recipe tiny --data digits --out run",
    "archspec train --resume run",
    "archspec train efficientnet_lite0 --set classes=6 --recipe finetune --data photos "
    "--weights lite0.safetensors --reset 'classifier.*' --out tuned",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser, nargs="?")
    parser.add_argument("--recipe", metavar="NAME|FILE", help="see archspec recipes")
    parser.add_argument(
        "--data", metavar="DIR", help="holds train/CLASS/IMAGE and val/CLASS/IMAGE, or MindRecord"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a setting of the recipe (optimizer.lr=0.1) or for one of the spec's"
        " args (classes=10)",
    )
    parser.add_argument("--epochs", metavar="N", help="the same as --set epochs=N")
    parser.add_argument("--input", metavar="CxHxW", help="another input shape, such as 3x64x64")
    parser.add_argument("--weights", metavar="FILE", help="weights to start from")
    parser.add_argument(
        "--reset",
        action="append",
        default=[],
        metavar="PATTERN",
        help="nodes that start anew for all that --weights has of them ('classifier.*'): a head of"
        " another number of classes",
    )
    add_device(parser)
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="of torch: compile the network for the device first; default: on a GPU",
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="of torch on a GPU: kernels that give the same bits again, which are slower",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes on this machine; default: 1"
    )
    parser.add_argument(
        "--out", type=OutputPath, metavar="RUN", help="a new folder; default: one below runs/"
    )
    parser.add_argument(
        "--resume",
        metavar="RUN",
        help="resume the training in this folder; --epochs N extends it to more epochs, and makes"
        " one that stopped early go on",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="begin the run of --resume again from its first step; what it has learned is kept",
    )


def run(options: argparse.Namespace) -> int:
    from archspec.training.signals import Stop

    with Stop() as stop:
        from archspec.training.backend import find_backend
        from archspec.training.distributed import finish, follow_parent
        from archspec.training.new_run import remove_if_refused

        follow_parent()
        try:
            run = _resume(options) if options.resume else _create(options)
            backend = find_backend(run.backend, "archspec train")
            with nullcontext() if options.resume else remove_if_refused(run):
                if run.facts["workers"] > 1 and backend.told_by() is None:
                    return _launch(run, backend, stop)
                from archspec.training.loop import train_run

                code = _tell(train_run(run, stop))
        except (SpecError, UsageError) as error:
            finish(error.exit_code, str(error))
            raise
        finish(code)
        return code


def _resume(options: argparse.Namespace) -> Run:
    from archspec.training.backend import find_backend
    from archspec.training.run import RunError, open_run

    for name in ("recipe", "set", "input", "weights", "reset", "out", "device", *SWITCHES):
        if getattr(options, name) not in (None, []):
            raise UsageError(
                f"--resume continues the run as it was begun; use it without --{name}, which is"
                " for a new run"
            )
    epochs = _epochs(options.epochs)
    run = open_run(options.resume)
    for note in run.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.backend not in (None, run.backend):
        raise RunError(
            f"{run.path} was begun with {run.backend}, whose checkpoints are of no use to"
            f" {options.backend}; use --resume {run.path} alone, or --weights"
            f" {run.path}/last.safetensors in a new run"
        )
    if options.workers not in (None, run.facts["workers"]):
        raise UsageError(
            f"{run.path} was begun with {run.facts['workers']} workers, and with another number it"
            f" would be another training; use --workers {run.facts['workers']}"
        )
    if options.spec is not None:
        given = graph_of(options.spec, argparse.Namespace(set=[], input=None, decisions="first"))
        if given.name != run.facts["name"]:
            raise UsageError(
                f"{run.path} trains {run.facts['name']}, not {given.name}; leave SPEC out"
                " beside --resume"
            )
    if options.data is None and epochs is None and not options.restart:
        return run
    backend = find_backend(run.backend, "archspec train")
    job = backend.job()
    changed = f"changed {run.path.resolve()}"
    if job.read(changed):  # by a process in whose place a launcher has started this one
        return run
    if backend.told_by() is None:
        run = _change(run, options.data, epochs, options.restart)
        job.note(changed, "yes")
        return run
    ranks = backend.join(run.facts["device"])
    if ranks.is_first:
        _change(run, options.data, epochs, options.restart)
        job.note(changed, "yes")
    ranks.wait()
    return open_run(options.resume)


def _change(run: Run, data: str | None, epochs: int | None, restarts: bool) -> Run:
    """The run as it is to be resumed, its folder changed so."""
    from archspec.training.run import lock, move_data
    from archspec.training.upkeep import extend, restart

    with lock(run):
        if data is not None:
            run = move_data(run, data)
        if epochs is not None:
            before = run.recipe.epochs
            run = extend(run, epochs)
            print(
                f"note: the run is extended to {epochs} epochs; the {run.recipe.schedule.name}"
                " schedule continues as if it had begun with them"
                if epochs > before
                else f"note: the run, which stopped early, goes on to its {epochs} epochs",
                file=sys.stderr,
            )
        if restarts:
            print(f"note: what was learned is kept in {restart(run)}", file=sys.stderr)
    return run


def _epochs(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 1_000_000):
        raise UsageError(f"--epochs {text}: it must be a whole number from 1 to 1,000,000")
    return int(text)


def _create(options: argparse.Namespace) -> Run:
    from archspec.training.backend import choose_backend, find_backend
    from archspec.training.new_run import check_free, create_run, free_name, made_by, note_made
    from archspec.training.run import open_run

    device = options.device or "CPU"
    name = options.backend or choose_backend(device, "archspec train")
    backend = find_backend(name, f"archspec train --backend {name}")
    wanted = {name: getattr(options, name) for name in SWITCHES}
    switches = backend.switches(device, {n: on for n, on in wanted.items() if on is not None})

    if options.restart:
        raise UsageError("--restart begins a run again; use --resume RUN --restart")
    for name, value in (("SPEC", options.spec), ("--data", options.data)):
        if value is None:
            raise UsageError(
                f"{name} is missing; use archspec train SPEC --recipe NAME --data DIR, or"
                " archspec train --resume RUN"
            )
    if options.recipe is None:
        raise UsageError("--recipe is missing; use --recipe NAME (archspec recipes lists them)")
    if options.workers is not None and not 1 <= options.workers <= 1024:
        raise UsageError(f"--workers {options.workers}: must be 1 to 1,024")
    several = backend.told_by() is not None
    if several and options.out is None:
        raise UsageError("several processes need to know one folder; use --out RUN")
    if several and options.workers not in (None, 1):
        raise UsageError(
            "--workers starts processes, and this one was started as one of several already;"
            " use without it"
        )
    job = backend.job()
    made = made_by(job, options.out)
    if made is not None:
        return made
    if options.out is not None:
        check_free(options.out)
    if not several:
        plan = _plan(options, backend, switches, options.workers or 1)
        if plan.workers == 1:
            backend.join(plan.device)  # refused, where it does not exist, before there is a folder
        out = options.out or free_name(plan.name, plan.recipe.name)
        note_made(job, options.out, out)
        return create_run(plan, out, _command())
    assert options.out is not None, "several processes were asked for one above"
    # started by msrun, mpirun, torchrun or with a rank table: all check, the first one writes
    ranks = backend.join(device)
    plan = _plan(options, backend, switches, ranks.ranks, quiet=not ranks.is_first)
    ranks.wait()
    if ranks.is_first:
        note_made(job, options.out, options.out)
        create_run(plan, options.out, _command())
    ranks.wait()
    return open_run(options.out)


def _plan(
    options: argparse.Namespace,
    backend: Backend,
    switches: Mapping[str, bool],
    workers: int,
    quiet: bool = False,
) -> Plan:
    from archspec.training.plan import plan_run

    settings, arguments = _sort_settings(options.spec, options.set)
    if options.epochs is not None:
        settings.append(f"epochs={options.epochs}")
    plan = plan_run(
        options.spec,
        options.recipe,
        options.data,
        settings=settings,
        arguments=arguments_of(read_program(options.spec), arguments),
        input_shape=input_shape_of(options.input),
        weights=options.weights,
        reset=options.reset,
        device=options.device or "CPU",
        workers=workers,
        backend=backend.name,
        switches=switches,
        progress=None if quiet else _watch_reading(),
    )
    for note in () if quiet else plan.notes:
        print(f"note: {note}", file=sys.stderr)
    return plan


def _watch_reading() -> Callable[[int, int], None] | None:
    """Tells of the images that are read before a first training on them, where there are many."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        if total >= MANY_IMAGES and (done % 100 == 0 or done == total):
            end = "\n" if done == total else ""
            print(f"\r{done:,} of {total:,} images looked at", end=end, file=sys.stderr, flush=True)

    return show


def _sort_settings(spec: str, settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Settings of the recipe, and those for the spec's args: a name that is the recipe's own is the
    recipe's."""
    from archspec.training.recipe import Recipe
    from archspec.training.recipe_schema import settings_of

    args = read_program(spec).parameters.keys() - settings_of(Recipe).keys()
    for_spec = [text for text in settings if text.partition("=")[0] in args]
    return [text for text in settings if text not in for_spec], for_spec


def _command() -> list[str]:
    return ["archspec", *sys.argv[1:]]


def _launch(run: Run, backend: Backend, stop: Stop) -> int:
    from archspec.training.distributed import launch
    from archspec.training.run import LOGS

    command = python_command("archspec.cli", "train", "--resume", str(run.path))
    try:
        code = launch(command, run.facts["workers"], run.path / LOGS, stop, backend)
    except SpecError as error:
        if run.is_unused:
            raise
        how = Problem(f"{run.resume_command} resumes from the last checkpoint")
        raise type(error)([*error.problems, how]) from None
    if stop.number is not None:
        saved = "stopped before anything was saved" if run.is_unused else "stopped and saved"
        print(f"{saved}; {run.resume_command} resumes it", file=sys.stderr)
    return code


def _tell(result: Result) -> int:
    """Say how it ended; the exit code."""
    if not result.is_first:
        return 0 if result.stopped_by is None else 128 + result.stopped_by
    if result.stopped_by is not None:
        print(
            f"stopped after step {result.steps:,} and saved;"
            f" {result.run.resume_command} resumes it",
            file=sys.stderr,
        )
        return 128 + result.stopped_by
    print(
        f"best top-1 {result.best_top1:.2%} in epoch {result.best_epoch};"
        f" {result.run.path / 'report.md'} has the rest"
    )
    return 0
