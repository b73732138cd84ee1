"""Turn a network into source of a framework, MindIR or ONNX.

MindIR and ONNX are run once and held against plain numpy before they take their place.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.api.exporting import OPSETS, model_of, source_of
from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.cli.exporting import add_weights, read_images, tell_written, write_checked
from archspec.cli.infer_command import tell_note
from archspec.cli.outputs import OutputPath
from archspec.compiler.targets import Target, check_packages, find_target, written_by
from archspec.errors import UsageError, use
from archspec.extras import lacking
from archspec.writing import write_whole

if TYPE_CHECKING:
    from archspec.graph import Graph

TARGETS = written_by("compile")
CHECKPOINT = ".ckpt"
MAX_IMAGES = 65_536
"""At a time."""

EXAMPLES = (
    "archspec compile resnet50 --target torch -o resnet50.py",
    "archspec compile resnet50 --deployment --weights resnet50.safetensors --batch any -o "
    "resnet50.onnx",
    "archspec compile isynet_n1 -o isynet_n1.py  # MindSpore",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_overrides(parser)
    parser.add_argument(
        "--target",
        choices=list(TARGETS),
        help=f"{listed_targets()}; default: what the output's name ends in",
    )
    add_weights(parser)
    parser.add_argument(
        "--deployment",
        action="store_true",
        help="for inference alone: dropout left out, batch norms folded, branches merged",
    )
    parser.add_argument(
        "--batch",
        default="1",
        metavar="N",
        help='images at a time in MindIR and ONNX, or "any"; default: 1',
    )
    parser.add_argument(
        "--opset", type=int, choices=OPSETS, default=OPSETS[0], help="of ONNX; default: 11"
    )
    parser.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="FILE", help="the file to write"
    )


def run(options: argparse.Namespace) -> int:
    target = find_target(options.target) if options.target else _target_of(options.output)
    batch = _batch(options.batch)
    graph = graph_of(options.spec, options)
    if target.is_source:
        graph, said = _write_source(graph, target, options)
    else:
        graph, said = _write_checked(graph, target, batch, options)
    tell_written(options.output, graph.params, said)
    return 0


def listed_targets() -> str:
    """What can be written, in words."""
    *most, last = (target.writes for target in TARGETS.values())
    return f"{', '.join(most)} or {last}"


def _target_of(output: str) -> Target:
    for target in TARGETS.values():
        if output.endswith(target.ending):
            return target
    endings = dict.fromkeys(target.ending for target in TARGETS.values())
    raise UsageError(
        f"{output} does not say what to write"
        + use(f"a name that ends in {', '.join(endings)}, or --target")
    )


def _batch(text: str) -> int | None:
    if text == "any":
        return None
    return read_images("--batch", text, MAX_IMAGES, otherwise=', or "any"')


def _write_checked(
    graph: Graph, target: Target, batch: int | None, options: argparse.Namespace
) -> tuple[Graph, list[str]]:
    """An array of weights cannot be left out of these, so without a file they are random."""
    check_packages(target)
    from archspec.compiler.pipeline import for_deployment

    source = source_of(
        graph, options.weights, tell_note,
        batch=batch, opset=options.opset, is_deployment=options.deployment,
    )  # fmt: skip
    said = write_checked(target.name, source, options.output)
    return for_deployment(graph).graph if options.deployment else graph, said


def _write_source(
    graph: Graph, target: Target, options: argparse.Namespace
) -> tuple[Graph, list[str]]:
    """Source, which needs no framework to be written, and beside it a file of the weights."""
    from archspec.compiler.model import Model
    from archspec.compiler.pipeline import for_deployment

    module, model, given = target.load(), Model(graph), options.weights
    if given is not None:
        if target.weights == CHECKPOINT:
            check_packages(target)  # MindSpore writes it; said before anything is read
        model = model_of(graph, given)
    if options.deployment:
        model = for_deployment(model)
    beside = Path(options.output).with_suffix(target.weights)
    text = module.source_of(model, "" if model.weights is None else beside.name)
    if model.weights is not None and given is not None:
        from archspec.compiler.weights.loading import save_weights

        if beside.exists() and beside.samefile(given):
            raise UsageError(
                f"{options.output} has its weights in {beside}, which are those given"
                + use("another name for -o")
            )
        save_weights(beside, model.graph, model.weights, names=module.weight_names(model.graph))
        print(f"wrote {beside}: its weights")
    write_whole(options.output, text)
    note = f"note: {lacking('running it', target.packages[-1])}"
    return model.graph, [note] if target.lacks() else []
