"""Write a network for deployment: ONNX, MindIR, AIR, or an OM for Ascend chips by CANN's atc.

Batch norms are folded and dropout is left out. Every file is run once and held against plain numpy
before it takes its place.
"""

from __future__ import annotations

import argparse

from archspec.api.exporting import FORMATS, OPSETS, Exported, export, format_of
from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.cli.exporting import add_weights, check_lines, read_images, tell_written
from archspec.cli.infer_command import tell_note
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError

ONLY_FOR = {"opset": ("onnx", "om"), "soc": ("om",), "no_aipp": ("om",),
            "pixels": ("om",), "timeout": ("om",),
            "tolerance": ("onnx", "mindir", "om")}  # fmt: skip
"""Options that mean nothing to the other formats."""
MAX_IMAGES = 2048
"""At a time: more than that atc's manual advises against."""

EXAMPLES = (
    "archspec export run/spec.json --weights run/best.safetensors -o digits.onnx",
    "archspec export resnet50 --weights resnet50.safetensors --dynamic-batch 1,8,16 -o "
    "resnet50.mindir",
    "archspec export isynet_n0 --weights n0.safetensors --format om --soc Ascend310 --batch "
    "16 -o n0.om",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    add_overrides(parser)
    add_weights(parser)
    parser.add_argument(
        "--format", choices=list(FORMATS), help="default: what the output's name ends in"
    )
    batch = parser.add_mutually_exclusive_group()
    batch.add_argument("--batch", metavar="N", help="images at a time; default: 1")
    batch.add_argument(
        "--dynamic-batch",
        metavar="N,N...",
        help="several numbers of images; ONNX and MindIR then take any",
    )
    parser.add_argument("--opset", type=int, choices=OPSETS, help="of ONNX; default: 11")
    parser.add_argument("--soc", metavar="CHIP", help="for om: the chip, such as Ascend310")
    parser.add_argument(
        "--no-aipp",
        action="store_true",
        default=None,
        help="for om: take normalised float32, not pixels that AIPP crops and normalises",
    )
    parser.add_argument(
        "--pixels",
        choices=("rgb", "yuv420sp", "yuv400"),
        help="for om: what it takes: rgb, NV12 as cameras and DVPP give it, or grey; default: rgb,"
        " or yuv400 of a grey network",
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="for om: stop atc after that long"
    )
    parser.add_argument(
        "--tolerance", type=float, metavar="SHARE",
        help="by how much of the largest value the file's numbers may differ from numpy's;"
        " default: 1e-4",
    )  # fmt: skip
    parser.add_argument(
        "-o",
        "--output",
        type=OutputPath,
        metavar="FILE",
        help="the file to write; default: SPEC's name and format",
    )


def run(options: argparse.Namespace) -> int:
    kind = options.format or format_of(options.output)
    _refuse_what_means_nothing(options, kind)
    batch, gears = _batch(options)
    graph = graph_of(options.spec, options)
    written = export(
        graph, options.output or f"{graph.name}.{kind}", weights=options.weights, format=kind,
        batch=batch, gears=gears, opset=options.opset or OPSETS[0], soc=options.soc,
        pixels=None if options.no_aipp else options.pixels or "rgb", timeout=options.timeout,
        tolerance=options.tolerance, tell=tell_note,
    )  # fmt: skip
    tell_written(str(written.path), written.params, _lines(written))
    return 0


def _refuse_what_means_nothing(options: argparse.Namespace, kind: str) -> None:
    for name, kinds in ONLY_FOR.items():
        if getattr(options, name) is not None and kind not in kinds:
            raise UsageError(
                f"--{name.replace('_', '-')} is for {' and '.join(kinds)}; leave it out for {kind}"
            )
    if options.pixels and options.no_aipp:
        raise UsageError("--pixels is for AIPP, which --no-aipp leaves out; use one of them")
    if options.tolerance is not None and not 0 < options.tolerance <= 1:
        raise UsageError(f"--tolerance {options.tolerance:g}: it must be more than 0 and at most 1")
    if options.timeout is not None and not options.timeout > 0:
        raise UsageError(f"--timeout {options.timeout:g}: it must be more than 0 seconds")


def _batch(options: argparse.Namespace) -> tuple[int | None, tuple[int, ...]]:
    """The batch, None for any, and the sizes that are asked for then, in order."""
    if options.dynamic_batch is None:
        return read_images("--batch", options.batch or "1", MAX_IMAGES), ()
    gears = [
        read_images("--dynamic-batch", part, MAX_IMAGES)
        for part in options.dynamic_batch.split(",")
    ]
    return None, tuple(sorted(set(gears)))


def _lines(written: Exported) -> list[str]:
    """What is said of a file beside its size."""
    if written.format == "air":
        return ["not checked: only a device runs AIR"]
    checked = check_lines(written.comparison)
    if written.om is None:
        return checked
    om = written.om
    return [
        f"for {om.soc}, by CANN {om.toolkit.release or 'of unknown release'}; what atc said is"
        f" in {om.log}",
        f"takes {om.takes}; gives float32",
        *(f"its ONNX is {line}" for line in checked),
        "the OM itself is not run: that takes the chip",
    ]
