"""Turn a network into MindSpore source, MindIR or ONNX."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.errors import UsageError
from archspec.tables import shown_bytes, shown_count
from archspec.writing import write_whole

if TYPE_CHECKING:
    from archspec.compiler.model import Model
    from archspec.graph import Graph

TARGETS = {"mindspore": ".py", "mindir": ".mindir", "onnx": ".onnx"}
"""What is written, and the ending of such a file's name."""
OPSETS = (11, 13, 17)
CHECKPOINT = ".ckpt"
SEED = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_overrides(parser)
    parser.add_argument(
        "--target",
        choices=list(TARGETS),
        help="MindSpore source, MindIR or ONNX; default: what the output's name ends in",
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="the network's weights (.safetensors, .npz or .ckpt)"
    )
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
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write")


def run(options: argparse.Namespace) -> int:
    target = options.target or _target_of(options.output)
    batch = _batch(options.batch)
    graph = graph_of(options.spec, options)
    model = _model(graph, options.weights, target)
    if options.deployment:
        from archspec.compiler.pipeline import for_deployment

        model = for_deployment(model)
    if target == "mindspore":
        _write_source(model, options.output)
    elif target == "mindir":
        from archspec.compiler.targets.mindspore import write_mindir

        write_mindir(model, options.output, batch)
    else:
        from archspec.compiler.targets.onnx import write_onnx

        write_onnx(model, options.output, opset=options.opset, batch=batch)
    size = shown_bytes(Path(options.output).stat().st_size)
    print(f"wrote {options.output}: {shown_count(model.graph.params)} parameters, {size}")
    return 0


def _target_of(output: str) -> str:
    for target, ending in TARGETS.items():
        if output.endswith(ending):
            return target
    raise UsageError(
        f"{output} does not tell what to write; a name that ends in {', '.join(TARGETS.values())},"
        " or --target, would do"
    )


def _batch(text: str) -> int | None:
    if text == "any":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:7]) <= 65536 and len(text) < 7):
        raise UsageError(f'--batch {text}: 1 to 65,536, or "any", would do')
    return int(text)


def _model(graph: Graph, weights: str | None, target: str) -> Model:
    """The graph with its weights; a file of arrays cannot go without and gets random ones."""
    from archspec.compiler.model import Model

    if weights is None and target == "mindspore":
        return Model(graph)
    _require(target)
    if weights is not None:
        from archspec.compiler.weights.loading import load_weights

        return Model(graph, load_weights(weights, graph))
    from archspec.compiler.weights.initialize import initialize

    print(f"note: without --weights they are random, by scheme he and seed {SEED}", file=sys.stderr)
    return Model(graph, initialize(graph, "he", SEED))


def _require(target: str) -> None:
    """Say early, before weights are read, which extra a target lacks. Raises UsageError."""
    if target == "onnx":
        import compiler.targets.onnx  # noqa: F401  (it says so itself)
    else:
        from archspec.compiler.targets.mindspore.installed import mindspore

        mindspore()


def _write_source(model: Model, output: str) -> None:
    """Source, which needs no MindSpore to be written, and beside it a checkpoint of the weights."""
    from importlib.util import find_spec

    from archspec.compiler.targets.mindspore.installed import EXTRA
    from archspec.compiler.targets.mindspore.source import source_of

    checkpoint = ""
    if model.weights is not None:
        from archspec.compiler.weights.loading import save_weights

        path = Path(output).with_suffix(CHECKPOINT)
        save_weights(path, model.graph, model.weights)
        print(f"wrote {path}: its weights")
        checkpoint = path.name
    write_whole(output, source_of(model, checkpoint))
    if find_spec("mindspore") is None:
        print(f"note: to run it needs MindSpore, which is not installed here: {EXTRA}")
