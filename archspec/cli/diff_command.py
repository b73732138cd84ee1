"""What differs between two networks, in words and numbers; exit code 0 whether or not they do."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_format, add_overrides, graph_of, print_json
from archspec.diff import changes, find_renamed, signed_amount
from archspec.tables import Column, Table, shown_amount, write_table

EXAMPLES = (
    "archspec diff isynet_n1 isynet_n1_s1",
    "archspec diff mynet.json resnet18 --format json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="A", help="path of a spec, or a shipped one's bare name")
    parser.add_argument("new", metavar="B", help="the spec compared with it")
    add_overrides(parser)
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    old, new = graph_of(options.old, options), graph_of(options.new, options)
    found = changes(old, new)
    if options.format == "json":
        print_json(
            {
                "a": {"name": old.name, "fingerprint": old.fingerprint},
                "b": {"name": new.name, "fingerprint": new.fingerprint},
                "params": new.params - old.params,
                "macs": new.macs - old.macs,
                "changes": [vars(change) for change in found],
            }
        )
        return 0
    if options.format != "table":
        columns = [
            Column("where", "where"),
            Column("what", "what"),
            Column("params", "parameters", lambda value: f"{value:+,}", True),
            Column("macs", "MACs", signed_amount, True),
        ]
        write_table(Table(columns, [vars(change) for change in found]), options.format)
        return 0
    for change in found:
        print(change)
    if not found:
        print(f"{old.name} and {new.name} are one architecture")
        if pairs := find_renamed(old, new):
            old_name, new_name = pairs[0]
            count = f"{len(pairs):,} node{'s' * (len(pairs) > 1)}"
            print(f"note: {count} and their weights have other names: {old_name} -> {new_name}")
        return 0
    print(
        f"\n{old.name} -> {new.name}: {old.params:,} -> {new.params:,} parameters"
        f" ({new.params - old.params:+,}),"
        f" {shown_amount(old.macs)} -> {shown_amount(new.macs)} MACs"
        f" ({signed_amount(new.macs - old.macs)})"
    )
    return 0
