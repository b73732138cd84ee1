"""Look into an Ascend offline model (.om): what goes in and out, its parts, how it was made."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archspec.cli.common import add_format, print_json
from archspec.errors import Problem, SpecError, printable
from archspec.reading import sha256_of
from archspec.shapes import written
from archspec.tables import Column, Table, shown_bytes, shown_count, write_table

if TYPE_CHECKING:
    from archspec.deploy.om import Header, ModelDefinition, OfflineModel, Partition, Tensor

TOLD = (
    "soc_version", "arch_type", "opp_version", "host_env_os", "host_env_cpu", "memory_size",
    "weight_size", "stream_num", "atc_cmdline",
)  # fmt: skip
"""Attributes that people ask for; all others are in the JSON."""
BYTES = ("memory_size", "weight_size")

TENSOR_COLUMNS = (
    Column("name", "name", printable),
    Column("kind", "what", printable),
    Column("dtype", "dtype"),
    Column("shape", "shape", lambda shape: written(shape) or "one number"),
    Column("layout", "layout", printable),
    Column("size", "bytes", shown_bytes, True),
)
COUNT_COLUMNS = (
    Column("type", "operators", printable),
    Column("count", "count", shown_count, True),
)
PARTITION_COLUMNS = (
    Column("name", "partition"),
    Column("offset", "at byte", shown_count, True),
    Column("bytes", "bytes", shown_bytes, True),
)

EXAMPLES = (
    "archspec om inspect n0.om",
    "archspec om inspect n0.om --format json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    inspect = actions.add_parser(
        "inspect",
        help="inputs, outputs, operators, parts, and the atc command that made it",
        description="Say what is in an offline model, and what of it is damaged. Whether a device"
        " takes it cannot be told from the file.",
    )
    inspect.add_argument("file", metavar="FILE.om")
    inspect.add_argument("--ops", action="store_true", help="each operator, not only their counts")
    add_format(inspect, ("table", "json"))


def run(options: argparse.Namespace) -> int:
    from archspec.deploy.om import read_om

    model = read_om(options.file)
    sha256 = sha256_of(options.file)
    if options.format == "json":
        print_json(_as_json(model, sha256, options.ops))
    else:
        _print_tables(model, sha256, options.ops)
    if model.problems:
        raise SpecError(Problem(problem, options.file) for problem in model.problems)
    return 0


def _as_json(model: OfflineModel, sha256: str, has_operators: bool) -> dict[str, Any]:
    container = model.container
    return {
        "file": container.path,
        "bytes": container.size,
        "sha256": sha256,
        "kind": container.header.kind_name,
        "header": asdict(container.header),
        "models": [
            _model_as_json(number, container.partitions, model.models.get(number), has_operators)
            for number in _numbers(model)
        ],
        "problems": list(model.problems),
    }


def _model_as_json(
    number: int,
    partitions: Iterable[Partition],
    definition: ModelDefinition | None,
    has_operators: bool,
) -> dict[str, Any]:
    own = [part for part in partitions if part.model == number]
    known: dict[str, Any] = {
        "partitions": [_partition(part) for part in own],
        "weights_bytes": _weights_bytes(own),
    }
    if definition is None:
        return known
    known = {
        "name": definition.name,
        "inputs": [asdict(tensor) for tensor in definition.inputs],
        "outputs": [asdict(tensor) for tensor in definition.outputs],
        "batches": definition.batches,
        "operator_counts": _counts(definition),
        "attributes": definition.attributes,
        **known,
    }
    if has_operators:
        known["operators"] = [asdict(operator) for operator in definition.operators]
    return known


def _print_tables(model: OfflineModel, sha256: str, has_operators: bool) -> None:
    header = model.container.header
    size = shown_bytes(model.container.size)
    print(f"{printable(model.container.path)}: {header.kind_name}, {size}")
    print(f"sha256       {sha256}")
    print(f"header       {_header_words(header)}")
    numbers = _numbers(model)
    for number in numbers:
        if len(numbers) > 1:
            print(f"\nmodel {number}, of {len(numbers)}")
        if number in model.models:
            _print_definition(model.models[number], has_operators)
        parts = [part for part in model.container.partitions if part.model == number]
        _print_table(Table(PARTITION_COLUMNS, [_partition(part) for part in parts]))


def _header_words(header: Header) -> str:
    words = [
        f"version {header.version:#x}",
        f"{64 if header.has_wide_table else 32}-bit partition table",
    ]
    if header.name:
        words.append(f"name {printable(header.name)}")
    if header.platform_version:
        words.append(f"platform version {printable(header.platform_version)}")
    if header.is_dynamic:
        words.append("shapes that are known only when it runs")
    if header.is_encrypted:
        words.append("encrypted, so that no more of it can be read")
    elif not header.is_readable:
        words.append("of a kind that is named here and not read")
    return ", ".join(words)


def _print_definition(definition: ModelDefinition, has_operators: bool) -> None:
    ends = [_tensor(tensor, tensor.name, "input") for tensor in definition.inputs]
    ends += [_tensor(tensor, tensor.name, "output") for tensor in definition.outputs]
    _print_table(Table(TENSOR_COLUMNS, ends, notes=_notes(definition)))
    if has_operators:
        rows = [_tensor(op.output, op.name, op.type) for op in definition.operators]
        _print_table(Table(TENSOR_COLUMNS, rows))
    else:
        counts = [{"type": kind, "count": count} for kind, count in _counts(definition).items()]
        _print_table(Table(COUNT_COLUMNS, counts))


def _notes(definition: ModelDefinition) -> list[str]:
    """What is known of the model except its ends, a line each."""
    attributes = definition.attributes
    known = {key: attributes[key] for key in TOLD if key in attributes}
    for key in BYTES:
        if type(known.get(key)) is int:
            known[key] = f"{known[key]:,} bytes"
    if definition.batches:
        known["batches"] = ", ".join(map(str, definition.batches))
    if definition.name:
        known["model"] = definition.name
    return [f"{key:<12} {printable(str(value))}" for key, value in known.items()]


def _print_table(table: Table) -> None:
    """A table behind an empty line, or nothing where nothing could be read."""
    if table.rows or table.notes:
        print()
        write_table(table, "table")


def _tensor(tensor: Tensor | None, name: str, kind: str) -> dict[str, Any]:
    """A row of what gives a tensor: an end of the model, or an operator."""
    known = {} if tensor is None else vars(tensor) | {"size": tensor.size or None}
    return known | {"name": name, "kind": kind}


def _partition(partition: Partition) -> dict[str, Any]:
    return {
        "name": partition.name,
        "type": partition.type,
        "offset": partition.offset,
        "bytes": partition.size,
    }


def _numbers(model: OfflineModel) -> list[int]:
    """The models that have partitions."""
    return sorted({partition.model for partition in model.container.partitions})


def _counts(definition: ModelDefinition) -> dict[str, int]:
    """Operators by type, the most frequent first."""
    return dict(Counter(operator.type for operator in definition.operators).most_common())


def _weights_bytes(partitions: Iterable[Partition]) -> int:
    from archspec.deploy.om.container import WEIGHTS_DATA

    return sum(part.size for part in partitions if part.type == WEIGHTS_DATA)
