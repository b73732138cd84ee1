"""How far two ways of running one network are apart, image by image: ONNX, MindIR, OM, or what one
gave on another machine.

A and B are exported models, or files that -o wrote. With A alone -o keeps what it gives, and --fp16
estimates what a chip in float16 makes of the spec.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.infer_command import graph_beside, need_numpy
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError
from archspec.tables import write_table

if TYPE_CHECKING:
    from archspec.deploy.drift import Outputs

EXAMPLES = (
    "archspec compare-outputs net.onnx net.om --data photos",
    "archspec compare-outputs net.om --data photos -o board.npz",
    "archspec compare-outputs net.onnx board.npz --data photos --show 10",
    "archspec compare-outputs net.onnx --fp16 --spec SPEC --weights w.safetensors --data photos",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("one", metavar="A", help="an .onnx, .mindir or .om file, or an .npz of -o")
    parser.add_argument("other", nargs="?", metavar="B", help="the same")
    parser.add_argument("--data", metavar="DIR", help="holds images, class folders or none")
    parser.add_argument(
        "--images", type=int, default=100, metavar="N", help="the first N; default: 100"
    )
    parser.add_argument(
        "--fp16",
        action="store_true",
        help="compare A with an estimate of float16, as an Ascend 310 computes; takes --spec and"
        " --weights",
    )
    parser.add_argument("--weights", metavar="FILE", help="of --fp16: the network's weights")
    add_spec(parser, "--spec")
    add_overrides(parser)
    parser.add_argument(
        "--show", type=int, default=20, metavar="N", help="rows, the furthest first; default: 20"
    )
    parser.add_argument(
        "--limit", type=float, metavar="COSINE", help="exit with 1 where any is less than this"
    )
    parser.add_argument(
        "-o", dest="kept", type=OutputPath, metavar="FILE", help="keep what A gives, as .npz"
    )
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    need_numpy("compare-outputs")
    _check(options)
    from archspec.deploy.drift import compare_outputs, drift_table, write_outputs

    one = _outputs(options.one, options)
    if options.kept:
        write_outputs(one, options.kept)
        if not options.other and not options.fp16:
            print(f"wrote {options.kept}: {len(one.images):,} images")
            return 0
    other = _half(options) if options.fp16 else _outputs(options.other, options)
    drifts = compare_outputs(one, other)
    if options.format == "json":
        print_json([vars(drift) for drift in drifts])
    else:
        most = options.show if options.format == "table" else None
        write_table(drift_table(drifts, f"{one.where} and {other.where}", most), options.format)
    if options.limit is None:
        return 0
    return int(any(not drift.cosine >= options.limit for drift in drifts))


def _check(options: argparse.Namespace) -> None:
    if bool(options.other) == options.fp16 and not (options.kept and not options.other):
        raise UsageError(
            "what A is compared with is missing; use B, or --fp16 in its place, or -o FILE to keep"
            " what A gives"
        )
    if options.fp16 and not (options.spec and options.weights):
        raise UsageError("--fp16 computes a spec; use --spec SPEC and --weights FILE")
    if options.weights and not options.fp16:
        raise UsageError("--weights is for --fp16; models have theirs")
    for name, value in (("images", options.images), ("show", options.show)):
        if not 1 <= value <= 1_000_000:
            raise UsageError(f"--{name} {value}: must be 1 to 1,000,000")
    if options.limit is not None and not -1 <= options.limit <= 1:
        raise UsageError(f"--limit {options.limit:g}: must be -1 to 1")


def _outputs(name: str, options: argparse.Namespace) -> Outputs:
    from archspec.deploy.drift import NPZ, outputs_of, read_outputs

    if name.endswith(NPZ):
        return read_outputs(name)
    graph = graph_beside(options)
    return outputs_of(name, _data(options), graph=graph, most=options.images)


def _half(options: argparse.Namespace) -> Outputs:
    from archspec.api.exporting import model_of
    from archspec.compiler.images.steps import preprocessing_of
    from archspec.compiler.pipeline import for_deployment
    from archspec.deploy.drift import half_outputs

    graph = graph_of(options.spec, options)
    model = for_deployment(model_of(graph, options.weights))
    to = preprocessing_of(graph.preprocessing, graph.input_shape)
    return half_outputs(model, to, _data(options), options.images)


def _data(options: argparse.Namespace) -> str:
    if options.data is None:
        raise UsageError("--data is missing; use --data DIR, a folder of images")
    return options.data
