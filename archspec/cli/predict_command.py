"""The classes that a network finds likeliest for images.

NETWORK is a spec, with --weights, or an exported model (.onnx, .mindir, .om).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.common import add_format, add_overrides, add_spec, graph_of, print_json
from archspec.cli.device_options import add_device
from archspec.cli.infer_command import graph_beside, need_numpy
from archspec.deploy.engine_table import ENDINGS, ENGINES
from archspec.errors import UsageError
from archspec.tables import Column, Table, write_table

if TYPE_CHECKING:
    from archspec.compiler.images.guesses import Classifier, Prediction

EXAMPLES = (
    "archspec predict run/spec.json --weights run/best.safetensors photo.jpg",
    "archspec predict tuned.onnx photos/val --top 1 --format csv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "network", metavar="NETWORK", help="a spec, by path or bare name, or an exported model"
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="image files, or folders of them"
    )
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
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    need_numpy("predict")
    if options.top < 1:
        raise UsageError(f"--top {options.top}: must be 1 or more")
    from archspec.compiler.images.guesses import find_all, predict
    from archspec.training.signals import Stop

    # MindSpore puts handlers of its own in place, under which Ctrl-C would not end cleanly
    with Stop():
        files, notes = find_all(options.images)
        with _open_network(options, len(files)) as classifier:
            if classifier.names is None:
                notes.append(_nameless(options))
            found = list(predict(classifier, files, options.top))
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    _show([one for one in found if one.guesses], classifier.names is not None, options.format)
    unread = [one for one in found if not one.guesses]
    for one in unread:
        print(f"error: {one.image} {one.fault}", file=sys.stderr)
    return 1 if unread else 0


@contextmanager
def _open_network(options: argparse.Namespace, images: int) -> Iterator[Classifier]:
    """What NETWORK means, with the names of --classes where they are given."""
    is_model = Path(options.network).suffix.lower() in ENDINGS  # any other NETWORK is a spec
    with (_model if is_model else _spec)(options, images) as classifier:
        if options.classes:
            from archspec.compiler.images.classes import check_count, read_class_file

            names = read_class_file(options.classes)
            shape = (classifier.outputs,)
            check_count(options.classes, names, options.network, {"logits": shape})
            classifier = replace(classifier, names=names)
        yield classifier


@contextmanager
def _model(options: argparse.Namespace, images: int) -> Iterator[Classifier]:
    for name in ("weights", "device", "backend", "flip"):
        if getattr(options, name):
            raise UsageError(f"--{name} is for specs, and {options.network} is a model")
    from archspec.deploy.predict import open_classifier

    graph = graph_beside(options)
    with open_classifier(options.network, engine=options.engine, graph=graph) as classifier:
        yield classifier


@contextmanager
def _spec(options: argparse.Namespace, images: int) -> Iterator[Classifier]:
    for name in ("engine", "spec"):
        if getattr(options, name):
            raise UsageError(
                f"--{name} is for exported models ({', '.join(ENDINGS)}), and {options.network} is"
                " a spec"
            )
    if not options.weights:
        raise UsageError(
            "--weights is missing; use --weights FILE, or an exported model in place of the spec"
        )
    graph = graph_of(options.network, options)
    from archspec.training.backend import BACKENDS, is_installed
    from archspec.training.predict import BATCH, open_classifier, open_numpy_classifier

    device = options.device or "CPU"
    if device == "CPU" and options.backend is None and not any(map(is_installed, BACKENDS)):
        print(
            "note: neither MindSpore nor PyTorch is installed; plain numpy runs the network",
            file=sys.stderr,
        )
        yield open_numpy_classifier(graph, options.weights, options.flip)
        return
    batch = min(BATCH, images)
    yield open_classifier(graph, options.weights, batch, device, options.backend, options.flip)


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
