"""Import published checkpoints, look into files of weights, and change one kind into another."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.common import add_overrides, add_spec, graph_of, print_json
from archspec.cli.outputs import OutputPath
from archspec.errors import LackingError, printable
from archspec.extras import lacking
from archspec.shapes import written
from archspec.tables import Column, Table, shown_bytes, shown_count, write_table

if TYPE_CHECKING:
    from archspec.compiler.weights.arrays import Entry, TensorFile
    from archspec.compiler.weights.fitting import Fit
    from archspec.compiler.weights.importing import Imported
    from archspec.graph import Graph

TARGETS = ("timm", "torchvision", "mindcv")
PUBLISHERS = ("modelzoo", "mindcv", "timm", "torch")
KINDS = ".safetensors, .npz or .ckpt"

EXAMPLES = (
    "archspec weights import resnet50.pth --for resnet50 -o resnet50.safetensors",
    "archspec weights import export.ckpt --for mynet.json --map names.json -o mynet.safetensors",
    "archspec weights inspect resnet50.safetensors",
    "archspec weights inspect checkpoint.pth --key model_ema --format json",
    "archspec weights convert resnet50.safetensors -o resnet50.npz",
    "archspec weights convert checkpoint.pth --key model -o plain.safetensors",
    "archspec weights map unknown.pth --for mynet.json -o names.json",
    "archspec weights map run.ckpt --for resnet18 -o names.json",
    "archspec weights export resnet50.safetensors --for resnet50 --to timm -o "
    "resnet50_timm.safetensors",
    "archspec weights export best.safetensors --for mobilenet_v2 --to mindcv -o mobilenet_v2.ckpt",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_import(actions)
    _add_others(actions)


def _add_import(actions: Any) -> None:
    imports = actions.add_parser(
        "import",
        help="a published checkpoint as a network's weights",
        description="Write a published checkpoint as a network's weights: every tensor has its"
        " place by its publisher's names, or by structure where only one way fits; else nothing"
        " is written.",
    )
    imports.add_argument(
        "file", metavar="FILE", help=".ckpt, .safetensors, .npz, .pth, .pt or .bin"
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
    _add_key(imports)
    imports.add_argument(
        "--map",
        metavar="FILE",
        help="a JSON object of our names and the file's, where nothing else says which is which;"
        " archspec weights map drafts one",
    )
    imports.add_argument(
        "--logits",
        metavar="FILE",
        help=".npz with an image as the network takes it and the logits that the trained network"
        " gave: epsilon, padding and activations are then proven",
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


def _add_others(actions: Any) -> None:
    inspect = actions.add_parser(
        "inspect",
        help="what is in a file of weights, and which shipped spec it fits",
        description="List the tensors of a file, and the shipped specs that they fit.",
    )
    inspect.add_argument("file", metavar="FILE")
    _add_key(inspect)
    inspect.add_argument("--format", choices=("table", "json", "csv", "markdown"), default="table")
    convert = actions.add_parser(
        "convert",
        help="the same tensors as another kind of file",
        description="Write the tensors of a file under their own names as another kind of file,"
        " as float32.",
    )
    convert.add_argument("file", metavar="FILE")
    _add_key(convert)
    convert.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="FILE", help=KINDS
    )
    drafts = actions.add_parser(
        "map",
        help="a draft of the names that weights import --map takes",
        description="Write which layer of a file is which node as far as shapes and names say it,"
        " and the candidates where they do not.",
    )
    drafts.add_argument("file", metavar="FILE")
    add_spec(drafts, "--for", dest="spec", required=True)
    add_overrides(drafts)
    _add_key(drafts)
    drafts.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="FILE", help="a .json"
    )
    exports = actions.add_parser(
        "export",
        help="a network's weights under a publisher's names",
        description="Write a network's weights by the names that timm, torchvision or MindCV have"
        " for it, for their code to load.",
    )
    exports.add_argument("file", metavar="FILE", help="a file of archspec's names")
    add_spec(exports, "--for", dest="spec", required=True)
    add_overrides(exports)
    exports.add_argument("--to", dest="target", choices=TARGETS, required=True, help="whose names")
    exports.add_argument(
        "-o", "--output", type=OutputPath, required=True, metavar="FILE", help=KINDS
    )


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key",
        metavar="KEY",
        help="the part of the file that counts, such as state_dict_ema or model.backbone",
    )


def run(options: argparse.Namespace) -> int:
    actions = {
        "import": _import,
        "inspect": _inspect,
        "convert": _convert,
        "map": _map,
        "export": _export,
    }
    action = actions[options.action]
    try:
        return action(options)
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise LackingError(lacking("archspec weights", "numpy")) from None


def _import(options: argparse.Namespace) -> int:
    from archspec.compiler.weights.backbones import import_into_parts
    from archspec.compiler.weights.files import check_writable
    from archspec.compiler.weights.fitting import advice
    from archspec.compiler.weights.importing import ImportOptions
    from archspec.compiler.weights.loading import save_weights
    from archspec.compiler.weights.logits import check_logits
    from archspec.compiler.weights.renaming import read_map

    check_writable(options.output)
    graph = graph_of(options.spec, options)
    classes = _class_notes(options.classes, graph)
    imported = import_into_parts(
        options.file,
        graph,
        ImportOptions(
            options.publisher,
            options.part,
            options.key,
            read_map(options.map) if options.map else None,
            options.any_network,
        ),
        advice=lambda file: advice(file, options.spec),
    )
    if options.logits:
        proof = check_logits(options.logits, graph, imported.weights)
        imported = replace(imported, notes=[*imported.notes, proof])
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

    with open_tensors(options.file, options.key) as file:
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
        *(
            f"left out    {count:,} tensors of {printable(repr(key))}; --key takes them"
            for key, count in file.left_out.items()
        ),
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
    with open_tensors(options.file, options.key) as file:
        arrays = {name: as_float32(file.read(name), name, file.path) for name in floating(file)}
        write_tensors(options.output, arrays, file.metadata)
    left_out = len(file.entries) - len(arrays)
    besides = f", {left_out:,} that are not floating point left out" if left_out else ""
    print(f"wrote {options.output}: {len(arrays):,} tensors{besides}")
    return 0


def _map(options: argparse.Namespace) -> int:
    from archspec.compiler.weights.files import open_tensors
    from archspec.compiler.weights.plans import match_file
    from archspec.compiler.weights.renaming import draft_map
    from archspec.writing import write_whole

    graph = graph_of(options.spec, options)
    with open_tensors(options.file, options.key) as file:
        match, entries = match_file(file.entries, graph)
        write_whole(options.output, draft_map(match, graph, entries))
    unsettled = sum(node.layer.weights != () for node in graph.nodes.values()) - len(match.units)
    why = match.method or match.why
    print(f"wrote {options.output}: {len(match.units):,} nodes settled, {unsettled:,} open; {why}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from archspec.compiler.weights.exporting import name_for
    from archspec.compiler.weights.files import check_writable, write_tensors
    from archspec.compiler.weights.loading import load_weights

    check_writable(options.output)
    graph = graph_of(options.spec, options)
    family, tensors = name_for(load_weights(options.file, graph), graph, options.target)
    write_tensors(options.output, tensors, {"spec": graph.name})
    print(f"wrote {options.output}: {len(tensors):,} tensors by the names of {family}")
    return 0


def floating(file: TensorFile) -> list[str]:
    """The names of the tensors that could be weights."""
    from archspec.compiler.weights.arrays import FLOATS

    return [name for name, entry in file.entries.items() if entry.dtype in FLOATS]
