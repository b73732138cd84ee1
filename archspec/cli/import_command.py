"""Read a network from another format and write it as a spec; say what was preserved."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli.common import write_new_file
from archspec.cli.outputs import OutputPath
from archspec.document import read_document
from archspec.errors import UsageError, listed, printable
from archspec.isynet_format import import_isynet
from archspec.loading import load
from archspec.tables import shown_amount
from archspec.writing import written_json

if TYPE_CHECKING:
    from archspec.compiler.importing.onnx import Found

FORMATS = ("isynet", "onnx")
ONNX_ONLY = ("weights", "name", "flat", "unfold_norms", "explain")

EXAMPLES = (
    "archspec import onnx resnet50.onnx -o resnet50.json --weights resnet50.safetensors",
    "archspec import isynet n1.json -o n1_spec.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="FORMAT", choices=FORMATS, help=listed(list(FORMATS)))
    parser.add_argument("file", metavar="FILE", help="the network in that format")
    parser.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="SPEC", help="the spec to write"
    )
    of_onnx = parser.add_argument_group("of onnx")
    of_onnx.add_argument(
        "--weights", type=OutputPath, metavar="FILE", help="write its weights (.safetensors) too"
    )
    of_onnx.add_argument("--name", help="the network's name; by default the spec's file's")
    of_onnx.add_argument(
        "--flat", action="store_true", help="write node by node, without templates and repeats"
    )
    of_onnx.add_argument(
        "--unfold-norms",
        action="store_true",
        help="put batch norms behind convolutions that the exporter folded theirs into, to train",
    )
    of_onnx.add_argument(
        "--explain", action="store_true", help="say which nodes of the file each node stands for"
    )


def run(options: argparse.Namespace) -> int:
    if options.kind == "onnx":
        return _run_onnx(options)
    for name in ONNX_ONLY:
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} is for onnx, not for {options.kind}")
    imported = import_isynet(read_document(options.file), Path(options.output).stem)
    write_new_file(options.output, written_json(imported.spec) + "\n")
    graph = load(options.output)
    print(f"wrote {options.output}: {graph.params:,} parameters, {shown_amount(graph.macs)} MACs")
    if imported.quirks:
        print("preserved:")
        for quirk in imported.quirks:
            print(f"- {quirk}")
    return 0


def _run_onnx(options: argparse.Namespace) -> int:
    from archspec.compiler.importing.onnx import import_onnx, name_for
    from archspec.compiler.weights.files import check_writable
    from archspec.compiler.weights.loading import save_weights

    for path in filter(None, (options.output, options.weights)):
        if Path(path).exists():
            raise UsageError(f"{path} exists already; use another name, or remove it")
    if options.weights:
        check_writable(options.weights)
    found = import_onnx(
        options.file,
        options.name or name_for(options.output),
        with_norms=options.unfold_norms,
        is_flat=options.flat,
    )
    graph = found.model.graph
    assert found.model.weights is not None
    if options.weights:
        save_weights(options.weights, graph, found.model.weights)
    write_new_file(options.output, found.text)
    _tell(options, found)
    return 0


def _tell(options: argparse.Namespace, found: Found) -> None:
    graph = found.model.graph
    print(*found.tell(), sep="\n")
    lines = Path(options.output).read_text().count("\n")
    amounts = f"{graph.params:,} parameters, {shown_amount(graph.macs)} MACs"
    print(f"wrote {options.output}: {amounts}, {lines} lines")
    if options.weights:
        print(f"wrote {options.weights}")
    if options.explain:
        for name, nodes in found.covers.items():
            print(printable(f"  {name}: {', '.join(nodes) or 'nothing of the file'}"))
