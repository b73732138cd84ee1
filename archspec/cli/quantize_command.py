"""Quantise a trained network to int8 with images: a QDQ ONNX, or a folder that becomes an OM.

Nothing is trained. What each layer loses is told, the worst first.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.common import add_format, add_overrides, add_spec, counted, graph_of, print_json
from archspec.cli.estimating import add_device
from archspec.cli.exporting import classes_of, model_of, read_images
from archspec.cli.outputs import OutputPath
from archspec.errors import SpecError, UsageError
from archspec.extras import need
from archspec.tables import shown_bytes, write_table
from archspec.writing import write_whole

if TYPE_CHECKING:
    import numpy as np

    from archspec.compiler.quantize.pipeline import Scheme
    from archspec.compiler.quantize.quantization import Quantization
    from archspec.compiler.quantize.report import Told
    from archspec.graph import Graph

OBSERVERS = ("percentile", "min-max", "mse", "entropy")
"""The first unless told otherwise: see docs/quantize.md for what they come to."""
WEIGHTS = ("channel", "tensor")
IMAGES = 128
REPORTED = 16
"""Calibration images that the report of the layers is of."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_overrides(parser)
    parser.add_argument("--weights", metavar="FILE", help="required: the network's weights")
    parser.add_argument(
        "--data", metavar="DIR", help="required: holds train/CLASS/IMAGE, or CLASS/IMAGE"
    )
    parser.add_argument(
        "--calibrate", default=str(IMAGES), metavar="N",
        help=f"images, as many of each class; default: {IMAGES}",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which; default: 0")
    parser.add_argument(
        "--observer", choices=OBSERVERS, default=OBSERVERS[0],
        help=f"how ranges are chosen; default: {OBSERVERS[0]}",
    )  # fmt: skip
    parser.add_argument(
        "--per", choices=WEIGHTS, default=WEIGHTS[0],
        help="a scale for each channel of a convolution's weight, or for all; default: channel",
    )  # fmt: skip
    parser.add_argument(
        "--equalize", action=argparse.BooleanOptionalAction, default=None,
        help="even out channels between layers first; default: with --per tensor",
    )  # fmt: skip
    parser.add_argument(
        "--bias-correction", action=argparse.BooleanOptionalAction, default=True,
        help="take the mean error back by biases; default: yes",
    )  # fmt: skip
    parser.add_argument(
        "--sums", action=argparse.BooleanOptionalAction, default=None,
        help="sums read integers too, which onnxruntime is faster with; default: not for an OM",
    )  # fmt: skip
    parser.add_argument(
        "--float", nargs="+", default=[], metavar="PATTERN", dest="left",
        help="nodes that stay float, such as 'stem.*' classifier",
    )  # fmt: skip
    parser.add_argument(
        "--max-drop", type=float, metavar="POINTS",
        help="leave the most harmful layers float until at most so many of a hundred calibration"
        " images change their likeliest class",
    )  # fmt: skip
    parser.add_argument("--batch", metavar="N", help="images at a time; default: 1")
    parser.add_argument("--soc", metavar="CHIP", help="for om: the chip, such as Ascend310B4")
    parser.add_argument(
        "--no-aipp", action="store_true", help="for om: take normalised float32, not pixels"
    )
    add_device(parser)
    parser.add_argument("--report", type=OutputPath, metavar="FILE", help="the report as JSON")
    parser.add_argument("--picture", type=OutputPath, metavar="FILE", help="the report as PNG")
    parser.add_argument(
        "--record", type=OutputPath, metavar="FILE", help="the factors as AMCT's record file"
    )
    parser.add_argument(
        "-o", "--output", type=OutputPath, metavar="FILE", help="q.onnx, or q.om for a chip"
    )
    add_format(parser, ("table", "json"))


def run(options: argparse.Namespace) -> int:
    need("archspec quantize", "numpy")
    need("archspec quantize", "onnx")
    _check(options)
    from archspec.compiler.latency.device import find_device
    from archspec.compiler.quantize import report

    count = read_images("--calibrate", options.calibrate, 4096)
    device = find_device(options.device)
    graph = graph_of(options.spec, options)
    images, quantization, outcome, left = _quantize(graph, options, count)
    told = report.tell(quantization, outcome, device, left)
    lines = _write(graph, options, quantization, images)
    _write_reports(options, told)
    if options.format == "json":
        print_json(report.as_json(told))
        return 0
    for line in lines:
        print(line)
    print()
    write_table(report.table_of(told), options.format)
    return 0


def _check(options: argparse.Namespace) -> None:
    for name in ("weights", "data"):
        if getattr(options, name) is None:
            raise UsageError(f"--{name} is missing; use --{name} with {_form_of(name)}")
    output = options.output or ""
    kind = Path(output).suffix
    if kind not in (".onnx", ".om"):
        raise UsageError(f"-o {output or 'is missing'}: use a name that ends in .onnx or .om")
    if kind == ".om" and not options.soc:
        raise UsageError("an OM is for one chip, and --soc is missing; use --soc Ascend310B4, say")
    for name in ("soc", "no_aipp"):
        if kind == ".onnx" and getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} is for an OM; use -o with .om, or none")
    if options.max_drop is not None and not 0 <= options.max_drop <= 100:
        raise UsageError(f"--max-drop {options.max_drop:g}: it must be 0 to 100 points")
    for path in (options.spec, options.weights):
        if Path(path).suffix == ".onnx" and Path(path).is_file():
            _refuse_model(path)


def _form_of(name: str) -> str:
    return "a file of weights" if name == "weights" else "a folder of class folders of images"


def _refuse_model(path: str) -> None:
    """Raises SpecError for an ONNX where a spec or weights are wanted, by what is in it."""
    is_quantized = b"QuantizeLinear" in Path(path).read_bytes()
    what = "is quantised already" if is_quantized else "is a model"
    raise SpecError(
        f"{path} {what}; use the spec that it was made of and its float weights (archspec import"
        " onnx reads a float model of others)"
    )


def _quantize(
    graph: Graph, options: argparse.Namespace, count: int
) -> tuple[np.ndarray, Quantization, Any, list[str]]:
    from archspec.compiler.images.steps import preprocessing_of
    from archspec.compiler.node_patterns import nodes_that_fit
    from archspec.compiler.pipeline import for_deployment
    from archspec.compiler.quantize.fidelity import compare
    from archspec.compiler.quantize.harm import leave_harmful_float
    from archspec.compiler.quantize.pipeline import batches, quantize
    from archspec.deploy.calibration import read_calibration_images
    from archspec.deploy.progress import Progress

    if options.soc:
        from archspec.deploy import amct
        from archspec.deploy.socs import check_soc

        amct.check_chip(check_soc(options.soc))
    model = for_deployment(model_of(graph, options.weights))
    left_float = nodes_that_fit(model.graph, options.left, "--float") if options.left else ()
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    images = read_calibration_images(options.data, preprocessing, count, options.seed)
    if len(images) < count:
        print(f"note: {options.data} has {counted(len(images), 'image')}", file=sys.stderr)
    with Progress(f"calibrating {graph.name}") as progress:
        quantization, found = quantize(
            model, images, _scheme(options), left_float, lambda n: progress(n, len(images))
        )
    left: list[str] = []
    if options.max_drop is not None:
        total = len(quantization.nodes)
        with Progress("trying which layers do harm") as progress:
            quantization, left = leave_harmful_float(
                quantization, images, options.max_drop / 100, lambda n: progress(n, total)
            )
    outcome = compare(quantization, found, batches(images[:REPORTED]))
    return images, quantization, outcome, left


def _scheme(options: argparse.Namespace) -> Scheme:
    from archspec.compiler.quantize.pipeline import Scheme

    is_onnx = Path(options.output).suffix == ".onnx"
    equalizes = options.per == "tensor" if options.equalize is None else options.equalize
    sums = is_onnx if options.sums is None else options.sums
    return Scheme(options.per, options.observer, equalizes, options.bias_correction, sums)


def _write(
    graph: Graph, options: argparse.Namespace, quantization: Quantization, images: np.ndarray
) -> list[str]:
    from archspec.deploy.quantize import leave_quantized_kit, write_quantized_onnx

    notes = classes_of(options.weights, graph)
    batch = read_images("--batch", options.batch or "1", 2048)
    count = counted(len(quantization.weights), "layer")
    if Path(options.output).suffix == ".om":
        script, checked = leave_quantized_kit(
            quantization, options.output, options.soc, images, batch, not options.no_aipp, notes
        )
        lines = [
            f"wrote {script.parent}: {count} in int8 for {options.soc}; where CANN and its"
            f" amct_onnx are installed: bash {script}",
        ]
    else:
        checked = write_quantized_onnx(quantization, options.output, images, batch, notes)
        size = shown_bytes(Path(options.output).stat().st_size)
        lines = [f"wrote {options.output}: {count} in int8, {size}"]
    return [*lines, *([] if checked is None else [f"checked: {checked}"])]


def _write_reports(options: argparse.Namespace, told: Told) -> None:
    from archspec.compiler.quantize import report
    from archspec.deploy.amct import record_of

    if options.report:
        write_whole(options.report, json.dumps(report.as_json(told), indent=2) + "\n")
    if options.picture:
        write_whole(options.picture, report.picture_of(told))
    if options.record:
        write_whole(options.record, record_of(told.quantization))
