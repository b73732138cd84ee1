"""The classes that a network finds likeliest for images.

NETWORK is a spec, with --weights, or an exported model (.onnx, .mindir, .om).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from archspec.cli.common import FORMATS, add_format, add_overrides, add_spec, print_json
from archspec.cli.device_options import add_device
from archspec.cli.infer_command import need_numpy, network_of
from archspec.deploy.engine_table import ENGINES
from archspec.errors import UsageError
from archspec.tables import Column, Table, write_table

if TYPE_CHECKING:
    from archspec.compiler.images.guesses import Classifier, Prediction

EXAMPLES = (
    "archspec predict run/spec.json --weights run/best.safetensors photo.jpg",
    "archspec predict tuned.onnx photos/val --top 1 --format csv",
    "find photos -newer last -name '*.jpg' | archspec predict tuned.onnx - --format jsonl",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "network", metavar="NETWORK", help="a spec, by path or bare name, or an exported model"
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE",
        help="image files, folders of them, patterns such as 'photos/*.jpg', or - for names on"
        " standard input, one a line",
    )  # fmt: skip
    add_overrides(parser)
    parser.add_argument("--weights", metavar="FILE", help="of a spec: the network's weights")
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="names of the classes, where the file has none: a name a line, JSON names in a list or"
        " by number, or a folder of class folders",
    )
    parser.add_argument("--top", type=int, default=5, metavar="K", help="classes; default: 5")
    parser.add_argument(
        "--flip",
        action="store_true",
        help="of a spec: average the logits with those of the mirror image",
    )
    add_device(parser, "of a spec; ")
    parser.add_argument(
        "--engine", choices=ENGINES, help="of a model: what runs it; default: by its name's ending"
    )
    add_spec(parser, "--spec")
    add_format(parser, (*FORMATS, "jsonl"))


def run(options: argparse.Namespace) -> int:
    need_numpy("predict")
    if options.top < 1:
        raise UsageError(f"--top {options.top}: must be 1 or more")
    from archspec.compiler.images.guesses import find_all, predict
    from archspec.training.signals import Stop

    # MindSpore puts handlers of its own in place, under which Ctrl-C would not end cleanly
    with Stop():
        files, notes = find_all(options.images, sys.stdin)
        with _open(options, len(files)) as classifier:
            has_names = classifier.names is not None
            if not has_names:
                notes.append(_nameless(options))
            predictions = predict(classifier, files, options.top)
            found = map(_write_line, predictions) if options.format == "jsonl" else predictions
            found = list(found)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if options.format != "jsonl":
        _show([one for one in found if one.guesses], has_names, options.format)
    unread = [one for one in found if not one.guesses]
    for one in unread:
        print(f"error: {one.image} {one.fault}", file=sys.stderr)
    return 1 if unread else 0


def _open(options: argparse.Namespace, images: int) -> AbstractContextManager[Classifier]:
    from archspec.api.predicting import open_network

    network, spec = network_of(options.network, options)
    return open_network(
        network, weights=options.weights, classes=options.classes, spec=spec,
        engine=options.engine, device=options.device, backend=options.backend, flip=options.flip,
        images=images,
    )  # fmt: skip


def _write_line(one: Prediction) -> Prediction:
    """One image as one line of JSON, as soon as it is known."""
    said: dict[str, Any] = {"image": one.image}
    if one.guesses:
        said["classes"] = [vars(guess) for guess in one.guesses]
    else:
        said["error"] = one.fault
    print(json.dumps(said, ensure_ascii=False), flush=True)
    return one


def _nameless(options: argparse.Namespace) -> str:
    file = options.weights or options.network
    return (
        f"{file} does not name its classes, so their numbers are shown; use --classes FILE, a text"
        " of one name a line, JSON names in a list or by number, or a folder of class folders"
    )


def _show(found: Sequence[Prediction], has_names: bool, form: str) -> None:
    rows: list[dict[str, Any]] = [
        {"image": one.image, **vars(guess)} for one in found for guess in one.guesses
    ]
    if form == "json":
        print_json(rows)
        return
    columns = [
        Column("image", "image"),
        Column("name", "class"),
        Column("number", "number", is_number=True),
        Column("probability", "probability", "{:.2%}".format, True),
    ]
    if not has_names:
        del columns[1]
    if form == "table":
        # an image's name once, above its other classes
        rows = [
            {**row, "image": "" if index % len(found[0].guesses) else row["image"]}
            for index, row in enumerate(rows)
        ]
    if rows:
        write_table(Table(columns, rows), form)
