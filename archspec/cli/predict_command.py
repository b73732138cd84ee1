"""The classes that a network finds likeliest for images."""

from __future__ import annotations

import argparse

from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.train_command import DEVICES, need_mindspore
from archspec.errors import UsageError
from archspec.tables import Column, Table, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_spec(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    add_overrides(parser)
    parser.add_argument("--weights", required=True, metavar="FILE", help="the network's weights")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="classes; default: 5")
    parser.add_argument("--device", choices=DEVICES, default="CPU", help="default: CPU")
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    need_mindspore("predict")
    if options.top < 1:
        raise UsageError(f"--top {options.top}: 1 or more would do")
    from archspec.training.predict import predicted

    graph = graph_of(options.spec, options)
    found = predicted(graph, options.weights, options.images, options.top, options.device)
    rows = [{"image": prediction.image, **vars(guess)} for prediction in found
            for guess in prediction.guesses]  # fmt: skip
    if options.format == "json":
        print_json(rows)
        return 0
    columns = [
        Column("image", "image"),
        Column("name", "class"),
        Column("number", "number", is_number=True),
        Column("probability", "probability", "{:.2%}".format, True),
    ]
    shown = rows
    if options.format == "table":
        # an image's name once, above its other classes
        shown = [
            {**row, "image": "" if index % len(found[0].guesses) else row["image"]}
            for index, row in enumerate(rows)
        ]
    write_table(Table(columns, shown), options.format)
    return 0
