"""Top-1 and top-5 accuracy from the result folders of the older Ascend tools."""

from __future__ import annotations

import argparse
import sys

from archspec.cli.common import add_format, print_json
from archspec.cli.infer_command import need_numpy
from archspec.errors import UsageError

EXAMPLES = (
    "archspec accuracy result_Files --labels bins/labels.txt",
    "archspec accuracy result_Files --labels imagenet_label.json --classes 1001",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", metavar="RESULTS", help="holds NAME_0.bin, or NAME/output_0.bin")
    parser.add_argument(
        "--labels", required=True, metavar="FILE",
        help="imagenet_label.json, or a folder of NAME_label.bin as archspec preprocess writes it",
    )  # fmt: skip
    parser.add_argument(
        "--dtype", choices=("auto", "float16", "float32"), default="auto",
        help="of the results; default: by their size",
    )  # fmt: skip
    parser.add_argument("--classes", type=int, metavar="N", help="outputs of the network")
    add_format(parser, ("table", "json"))


def run(options: argparse.Namespace) -> int:
    need_numpy("accuracy")
    from archspec.deploy.accuracy import accuracy_of

    if options.classes is not None and options.classes < 1:
        raise UsageError(f"--classes {options.classes}: must be 1 or more")
    found = accuracy_of(options.results, options.labels, options.dtype, options.classes)
    if found.not_finite:
        print(
            f"note: the logits of {found.not_finite:,} images are not all finite numbers, which"
            " counts as wrong",
            file=sys.stderr,
        )
    if options.format == "json":
        layout = {"dtype": found.layout.dtype, "classes": found.layout.classes}
        print_json({**vars(found.scores), **layout, "not_finite": found.not_finite})
    else:
        print(found.scores)
    return 0
