"""Time of each layer: measured on an NPU by msprof, on this machine's CPU by onnxruntime, or
estimated for a device."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli.common import FORMATS, add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.infer_command import graph_beside, need_numpy
from archspec.deploy.engine_table import ENDINGS, ENGINES
from archspec.errors import UsageError
from archspec.report import GROUPINGS
from archspec.tables import write_table

if TYPE_CHECKING:
    from archspec.deploy.profile import Profile
    from archspec.graph import Graph

DEVICE, BATCH, SEED = "ascend310", 16, 0
MAX_RUNS = 100_000

EXAMPLES = (
    "archspec profile digits.onnx",
    "archspec profile resnet50 --device ascend310 --by block",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", metavar="MODEL|SPEC", help="an .onnx or .om file, or a spec")
    parser.add_argument(
        "--engine", choices=[name for name, engine in ENGINES.items() if engine.times_layers],
        help="what runs the model; default: acl for an .om, onnxruntime for others",
    )  # fmt: skip
    parser.add_argument(
        "--device", metavar="NAME|FILE",
        help=f"estimate for a device that `archspec latency devices` lists, such as {DEVICE}",
    )  # fmt: skip
    parser.add_argument(
        "--msprof", action="store_true", help="measure with msprof, or say what keeps it from that"
    )
    parser.add_argument(
        "--op-summary",
        metavar="PATH",
        help="read files made on another machine: msprof's folder,"
        " op_summary*.csv or"
        " op_statistic*.csv, or ais_bench's *_summary.json",
    )
    add_spec(parser, "--spec")
    add_overrides(parser)
    parser.add_argument(
        "--batch", type=int, metavar="N", help=f"default: the model's, or {BATCH} where it has none"
    )
    parser.add_argument("--npu", type=int, default=0, metavar="N", help="its number; default: 0")
    parser.add_argument("--threads", type=int, metavar="N", help="of onnxruntime")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument(
        "--keep", metavar="DIR", help="a new folder that msprof's own files stay in"
    )
    parser.add_argument("--by", choices=GROUPINGS, default="node", help="fold rows; default: node")
    add_format(parser, FORMATS)


def run(options: argparse.Namespace) -> int:
    need_numpy("profile")
    for name, value, most in (
        ("runs", options.runs, MAX_RUNS), ("batch", options.batch, 65536),
        ("threads", options.threads, 1024),
    ):  # fmt: skip
        if value is not None and not 1 <= value <= most:
            raise UsageError(f"--{name} {value}: must be 1 to {most:,}")
    profile = _profile(options).by(options.by)
    if options.format == "json":
        print_json(profile.as_json())
    else:
        write_table(profile.table(), options.format)
    return 0


def _profile(options: argparse.Namespace) -> Profile:
    from archspec.deploy.engines.files import first_bytes

    is_model = options.subject.endswith(tuple(ENDINGS))
    if is_model:
        first_bytes(options.subject)
    graph = (
        graph_beside(options) if is_model else graph_of(options.spec or options.subject, options)
    )
    if options.op_summary:
        from archspec.deploy.profile.msprof import read_profile

        if options.batch is None:
            raise UsageError("--op-summary does not say the batch of its runs; use --batch N")
        return read_profile(options.op_summary, graph, options.batch)
    if options.device:
        return _estimate(graph, options)
    engine = options.engine or ("acl" if options.subject.endswith(".om") else "onnxruntime")
    if engine == "acl" or options.msprof:
        return _by_msprof(graph, engine, is_model, options)
    return _on_cpu(graph, is_model, options)


def _estimate(graph: Graph | None, options: argparse.Namespace) -> Profile:
    from archspec.deploy.profile.estimate import estimate_profile

    if graph is None:
        raise UsageError(
            f"an estimate is of a spec, and {options.subject} is none; use --spec SPEC, the spec"
            " that it was made of"
        )
    return estimate_profile(graph, options.device or DEVICE, options.batch or BATCH)


def _by_msprof(
    graph: Graph | None, engine: str, is_model: bool, options: argparse.Namespace
) -> Profile:
    from archspec.deploy.profile.msprof import find_msprof, no_msprof, run_msprof

    if not is_model:
        raise UsageError(
            f"msprof runs a model, and {options.subject} is a spec; use the .om that archspec"
            " export makes of it"
        )
    if find_msprof(os.environ) is None:
        if options.msprof or graph is None:
            raise no_msprof()
        note = f"there is no msprof here, so this is an estimate for {DEVICE}"
        print(f"note: {note}", file=sys.stderr)
        return _estimate(graph, options)
    return run_msprof(
        options.subject, graph,
        engine=engine, device=options.npu, batch=options.batch, runs=options.runs,
        keep=options.keep,
    )  # fmt: skip


def _on_cpu(graph: Graph | None, is_model: bool, options: argparse.Namespace) -> Profile:
    from archspec.deploy.profile.cpu import measure

    if is_model:
        return measure(
            options.subject, graph, batch=options.batch, threads=options.threads, runs=options.runs
        )
    assert graph is not None
    with tempfile.TemporaryDirectory(prefix="archspec-profile-") as folder:
        path = Path(folder) / "network.onnx"
        _write_onnx(graph, path, options.batch or BATCH)
        return measure(path, graph, threads=options.threads, runs=options.runs)


def _write_onnx(graph: Graph, path: Path, batch: int) -> None:
    from archspec.compiler.model import Model
    from archspec.compiler.pipeline import for_deployment
    from archspec.compiler.targets.onnx import write_onnx
    from archspec.compiler.weights.initialize import initialize

    print(f"note: with random weights, by scheme he and seed {SEED}", file=sys.stderr)
    model = Model(graph, initialize(graph, "he", SEED))
    write_onnx(for_deployment(model), path, batch=batch)
