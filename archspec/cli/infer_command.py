"""Accuracy and latency of an exported model over a folder of images."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from archspec.cli.answer_options import (
    add_answers,
    answers_as_json,
    check_report,
    tell_answers,
)
from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.outputs import OutputPath
from archspec.deploy.engine_table import ENGINES
from archspec.errors import UsageError
from archspec.extras import need
from archspec.tables import write_table
from archspec.writing import whole_file

if TYPE_CHECKING:
    from archspec.api.evaluating import Evaluation
    from archspec.api.networks import Network
    from archspec.graph import Graph

EXAMPLES = (
    "archspec infer digits.onnx --data digits",
    "archspec infer n0.om --data imagenet --batch 16 -o result.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="an .onnx, .mindir or .om file")
    parser.add_argument(
        "--data", metavar="DIR", help="required: holds val/CLASS/IMAGE, or CLASS/IMAGE"
    )
    parser.add_argument(
        "--engine", choices=ENGINES, help="what runs the model; default: by its name's ending"
    )
    parser.add_argument(
        "--device", type=int, default=0, metavar="N", help="number of the NPU; default: 0"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="of an engine on the CPU; default: one a CPU"
    )
    parser.add_argument(
        "--batch", type=int, metavar="N", help="default: the model's, or 16 where it takes any"
    )
    parser.add_argument(
        "--workers", type=int, default=8, metavar="N",
        help="threads that read and prepare images; default: 8, or as many as there are CPUs",
    )  # fmt: skip
    parser.add_argument(
        "--warm-up", type=int, default=3, metavar="N", help="runs that do not count; default: 3"
    )
    parser.add_argument(
        "--output", metavar="NAME", help="the output to score; default: logits, or the only one"
    )
    add_spec(parser, "--spec")
    add_overrides(parser)
    parser.add_argument(
        "-o", dest="results", type=OutputPath, metavar="FILE", help="write all results as JSON"
    )
    add_answers(parser)
    add_format(parser, ("table", "json"))


def run(options: argparse.Namespace) -> int:
    need_numpy("infer")
    if options.data is None:
        raise UsageError(
            "--data is missing; use --data DIR, a folder of class folders, or archspec predict for"
            " images without classes"
        )
    from archspec.training.signals import Stop

    check_report(options.report)
    file = whole_file(options.results) if options.results else nullcontext()
    # MindSpore puts handlers of its own in place, under which Ctrl-C would not end cleanly
    with Stop(), file as target:
        found = _infer(options)
        assert found.results is not None, "of a model"
        said = {**found.results.as_json(), **answers_as_json(found, options)}
        if target is not None:
            target.write(f"{json.dumps(said, indent=2)}\n".encode())
    if options.format == "json":
        print_json(said)
    else:
        print(found.scores)
        print()
        write_table(found.results.table(), options.format)
    tell_answers(found, options)
    return 0


def need_numpy(command: str) -> None:
    """Raises UsageError where it is not installed."""
    need(f"archspec {command}", "numpy")


def network_of(name: str, options: argparse.Namespace) -> tuple[Network, Graph | None]:
    """What a name and the options of add_overrides mean: an exported model's path and the graph of
    its --spec, or the graph of a spec. Raises UsageError for options that belong to the other."""
    from archspec.api.networks import is_model, refuse_for_spec

    if is_model(name):
        return name, graph_beside(options)
    refuse_for_spec(name, engine=options.engine, spec=options.spec)
    return graph_of(name, options), None


def graph_beside(options: argparse.Namespace) -> Graph | None:
    """The graph that --spec means, where it is given. Raises UsageError for what belongs to it and
    stands alone."""
    if options.spec:
        return graph_of(options.spec, options)
    for name in ("set", "input"):
        if getattr(options, name):
            raise UsageError(f"--{name} changes a spec, and none is given; use --spec SPEC")
    return None


def tell_note(note: str) -> None:
    print(f"note: {note}", file=sys.stderr)


def _infer(options: argparse.Namespace) -> Evaluation:
    from archspec.api.evaluating import evaluate
    from archspec.deploy.engines import engine_for

    return evaluate(
        options.model,
        options.data,
        engine=options.engine or engine_for(options.model),
        batch=options.batch,
        device=options.device,
        threads=options.threads,
        spec=graph_beside(options),
        output=options.output,
        workers=options.workers,
        warm_up=options.warm_up,
        tell=tell_note,
    )
