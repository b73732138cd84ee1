"""Import published checkpoints, look into files of weights, and change one kind into another."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.common import add_overrides, add_spec, graph_of, print_json
from archspec.cli.outputs import OutputPath
from archspec.errors import UsageError, printable
from archspec.extras import lacking
from archspec.shapes import written
from archspec.tables import Column, Table, shown_bytes, shown_count, write_table

if TYPE_CHECKING:
    from archspec.compiler.weights.arrays import Entry, TensorFile
    from archspec.compiler.weights.fitting import Fit
    from archspec.compiler.weights.importing import Imported
    from archspec.graph import Graph

PUBLISHERS = ("modelzoo", "timm", "torch")
KINDS = ".safetensors, .npz or .ckpt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    imports = actions.add_parser(
        "import",
        help="a published checkpoint as a network's weights",
        description="Write a published checkpoint as a network's weights: every tensor has its"
        " place by its publisher's names, or by structure where only one way fits; else nothing"
        " is written.",
    )
    imports.add_argument(
        "file", metavar="FILE", help=".ckpt, .safetensors, .npz, or with torch .pth and .pt"
    )
    add_spec(imports, "--for", dest="spec", required=True)
    add_overrides(imports)
    imports.add_argument(
        "--from", dest="publisher", choices=PUBLISHERS, help="whose names; default: any that fit"
    )
    imports.add_argument(
        "--part", type=int, metavar="N", help="which network of a file that holds several"
    )
    imports.add_argument(
        "--any-network",
        action="store_true",
        help="take archspec's own weights of another network where all tensors fit",
    )
    imports.add_argument(
        "--classes",
        metavar="FILE",
        help="names of the classes, written beside the weights, so that all that is made of them"
        " knows them: a name a line, JSON names in a list or by number, or a folder of class"
        " folders",
    )
    imports.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="FILE", help=KINDS
    )
    inspect = actions.add_parser(
        "inspect",
        help="what is in a file of weights, and which shipped spec it fits",
        description="List the tensors of a file, and the shipped specs that they fit.",
    )
    inspect.add_argument("file", metavar="FILE")
    inspect.add_argument("--format", choices=("table", "json", "csv", "markdown"), default="table")
    convert = actions.add_parser(
        "convert",
        help="the same tensors as another kind of file",
        description="Write the tensors of a file under their own names as another kind of file,"
        " as float32.",
    )
    convert.add_argument("file", metavar="FILE")
    convert.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="FILE", help=KINDS
    )


def run(options: argparse.Namespace) -> int:
    action = {"import": _import, "inspect": _inspect, "convert": _convert}[options.action]
    try:
        return action(options)
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise UsageError(lacking("archspec weights", "numpy")) from None


def _import(options: argparse.Namespace) -> int:
    from archspec.compiler.weights.backbones import import_into_parts
    from archspec.compiler.weights.files import check_writable
    from archspec.compiler.weights.fitting import advice
    from archspec.compiler.weights.loading import save_weights

    check_writable(options.output)
    graph = graph_of(options.spec, options)
    classes = _class_notes(options.classes, graph)
    imported = import_into_parts(
        options.file,
        graph,
        options.publisher,
        options.part,
        of_any_network=options.any_network,
        advice=lambda file: advice(file, options.spec),
    )
    source = f"{imported.source} sha256 {imported.source_sha256}"
    save_weights(options.output, graph, imported.weights, {"source": source, **classes})
    _report(options, graph.name, imported)
    return 0


def _class_notes(path: str | None, graph: Graph) -> dict[str, str]:
    """What a file of weights says of the classes that a file or a folder names."""
    if path is None:
        return {}
    from archspec.compiler.images.classes import CLASSES, check_count, read_class_file

    names = read_class_file(path)
    check_count(path, names, graph.name, graph.output_shapes)
    return {CLASSES: json.dumps(names, ensure_ascii=False)}


def _report(options: argparse.Namespace, name: str, imported: Imported) -> None:
    numbers = sum(array.size for array in imported.weights.values())
    columns = [
        Column("ours", "node"),
        Column("theirs", "in the file"),
        Column("tensors", "tensors", shown_count, True),
        Column("numbers", "numbers", shown_count, True),
    ]
    ignored = ", ".join(f"{count:,} {kind}" for kind, count in sorted(imported.ignored.items()))
    narrowed = imported.dtypes.get("float64", 0)
    notes = [
        f"wrote       {options.output}: {len(imported.weights):,} weights of {name},"
        f" {numbers:,} numbers",
        f"from        {options.file}, {shown_bytes(imported.source_bytes)},"
        f" sha256 {imported.source_sha256}",
        f"matched     {imported.method}",
        *([f"left out    {ignored}"] if ignored else []),
        *([f"rounded     {narrowed:,} tensors from float64 to float32"] if narrowed else []),
        *(f"note        {note}" for note in imported.notes),
    ]
    write_table(Table(columns, [vars(rule) for rule in imported.rules], notes=notes), "table")


def _inspect(options: argparse.Namespace) -> int:
    from archspec.compiler.weights.files import open_tensors
    from archspec.compiler.weights.fitting import fits

    with open_tensors(options.file) as file:
        found = fits(file)
        if options.format == "json":
            print_json(_as_json(options.file, file, found))
        else:
            write_table(_table(options.file, file, found), options.format)
    return 0


def _as_json(path: str, file: TensorFile, found: list[Fit]) -> dict[str, Any]:
    return {
        "file": path,
        "bytes": Path(path).stat().st_size,
        "tensors": [
            {"name": name, "shape": list(entry.shape), "dtype": entry.dtype}
            for name, entry in file.entries.items()
        ],
        "numbers": sum(entry.size for entry in file.entries.values()),
        "metadata": dict(file.metadata),
        "fits": [vars(fit) for fit in found],
    }


def _table(path: str, file: TensorFile, found: list[Fit]) -> Table:
    columns = [
        Column("name", "name", printable),
        Column("shape", "shape", lambda shape: written(shape) or "one number"),
        Column("dtype", "type"),
        Column("size", "numbers", shown_count, True),
    ]
    rows = [
        {"name": name, "shape": entry.shape, "dtype": entry.dtype, "size": entry.size}
        for name, entry in file.entries.items()
    ]
    notes = [
        f"total       {len(rows):,} tensors, {sum(row['size'] for row in rows):,} numbers"
        f" ({_types(file.entries)}), {shown_bytes(Path(path).stat().st_size)}",
        *(f"{printable(key):<11} {printable(value)}" for key, value in file.metadata.items()),
        *(f"fits        {fit}: {_why(fit)}" for fit in found),
    ]
    if not found:
        notes.append("fits        no shipped spec, by any names known here")
    return Table(columns, rows, notes=notes)


def _types(entries: Mapping[str, Entry]) -> str:
    counts: dict[str, int] = {}
    for entry in entries.values():
        counts[entry.dtype] = counts.get(entry.dtype, 0) + 1
    return ", ".join(f"{count:,} {dtype}" for dtype, count in counts.items()) or "none"


def _why(fit: Fit) -> str:
    if fit.is_same_network is None:
        return fit.family
    same = "the same fingerprint" if fit.is_same_network else "another fingerprint"
    return f"{fit.family}, {same}"


def _convert(options: argparse.Namespace) -> int:
    from archspec.compiler.weights.arrays import as_float32
    from archspec.compiler.weights.files import check_writable, open_tensors, write_tensors

    check_writable(options.output)
    with open_tensors(options.file) as file:
        arrays = {name: as_float32(file.read(name), name, file.path) for name in floating(file)}
        write_tensors(options.output, arrays, file.metadata)
    left_out = len(file.entries) - len(arrays)
    besides = f", {left_out:,} that are not floating point left out" if left_out else ""
    print(f"wrote {options.output}: {len(arrays):,} tensors{besides}")
    return 0


def floating(file: TensorFile) -> list[str]:
    """The names of the tensors that could be weights."""
    from archspec.compiler.weights.arrays import FLOATS

    return [name for name, entry in file.entries.items() if entry.dtype in FLOATS]
