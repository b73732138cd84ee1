"""Quantise a trained network to int8 with images: a QDQ ONNX, or a folder that becomes an OM.

Nothing is trained. What each layer loses is told, the worst first.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from archspec.api.quantizing import IMAGES, OBSERVERS, Quantized, quantize
from archspec.cli.common import add_format, add_overrides, add_spec, counted, graph_of, print_json
from archspec.cli.estimating import add_device
from archspec.cli.exporting import read_images
from archspec.cli.infer_command import tell_note
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError
from archspec.extras import need
from archspec.tables import shown_bytes, write_table
from archspec.writing import write_whole

WEIGHTS = ("channel", "tensor")

EXAMPLES = (
    "archspec quantize run/spec.json --weights run/best.safetensors --data digits -o q.onnx",
    "archspec quantize mobilenet_v2 --weights w.safetensors --data photographs --max-drop 0.5 "
    "--picture q.png -o q.onnx",
    "archspec quantize mobilenet_v2 --weights w.safetensors --data photographs --soc "
    "Ascend310B4 -o q.om",
)


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
    add_device(parser, None, "default: that of the --soc, or ascend310")
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
    count = _check(options)
    batch = read_images("--batch", options.batch or "1", 2048)
    is_model = Path(options.spec).suffix == ".onnx"
    done = quantize(
        options.spec if is_model else graph_of(options.spec, options), options.output,
        weights=options.weights, data=options.data, calibrate=count, seed=options.seed,
        observer=options.observer, per=options.per, equalize=options.equalize,
        bias_correction=options.bias_correction, sums=options.sums, left_float=options.left,
        max_drop=options.max_drop, batch=batch, soc=options.soc, pixels=not options.no_aipp,
        device=options.device, tell=tell_note,
    )  # fmt: skip
    _tell(options, done)
    return 0


def _check(options: argparse.Namespace) -> int:
    """How many images calibrate. Raises UsageError for options that do not fit."""
    if options.weights is None:
        raise UsageError("--weights is missing; use --weights FILE, the network's weights")
    if options.data is None:
        raise UsageError("--data is missing; use --data DIR, a folder of class folders of images")
    if options.output is None:
        raise UsageError("-o is missing; use -o with a name that ends in .onnx or .om")
    if options.no_aipp and Path(options.output).suffix == ".onnx":
        raise UsageError("--no-aipp is for an OM; use -o with .om, or none")
    if options.max_drop is not None and not 0 <= options.max_drop <= 100:
        raise UsageError(f"--max-drop {options.max_drop:g}: it must be 0 to 100 points")
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: it must be 0 or more")
    return read_images("--calibrate", options.calibrate, 4096)


def _tell(options: argparse.Namespace, done: Quantized) -> None:
    from archspec.compiler.quantize import report

    said = report.as_json(done.told)
    if options.report:
        write_whole(options.report, json.dumps(said, indent=2) + "\n")
    if options.picture:
        write_whole(options.picture, report.picture_of(done.told))
    if options.record:
        from archspec.deploy.amct import record_of

        write_whole(options.record, record_of(done.told.quantization))
    if options.format == "json":
        print_json(said)
        return
    count = counted(len(done.told.quantization.weights), "layer")
    if done.path.suffix == ".onnx":
        print(f"wrote {done.path}: {count} in int8, {shown_bytes(done.path.stat().st_size)}")
    else:
        print(f"wrote {done.path.parent}: {count} in int8 for {options.soc}")
        print(f"where CANN and its amct_onnx are installed: bash {done.path}")
    if done.checked is not None:
        print(f"checked: {done.checked}")
    print()
    write_table(report.table_of(done.told), options.format)
