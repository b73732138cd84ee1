"""Write images as the .bin files that the older Ascend tools read.

archspec infer needs none of them: it prepares images as it goes.
"""

from __future__ import annotations

import argparse
import sys

from archspec.cli.common import add_overrides, add_spec, graph_of
from archspec.cli.infer_command import need_numpy
from archspec.cli.outputs import OutputPath
from archspec.tables import shown_bytes

EXAMPLES = (
    "archspec preprocess digits/val bins --spec run/spec.json",
    "archspec preprocess imagenet bins --spec resnet50 --batch 16",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="holds val/CLASS/IMAGE, or CLASS/IMAGE")
    parser.add_argument(
        "output", type=OutputPath, metavar="OUT", help="a folder that does not exist yet"
    )
    add_spec(parser, "--spec", required=True)
    add_overrides(parser)
    parser.add_argument(
        "--batch", type=int, default=1, metavar="N", help="images in a file; default: 1"
    )
    parser.add_argument(
        "--workers", type=int, default=8, metavar="N", help="threads that read images; default: 8"
    )


def run(options: argparse.Namespace) -> int:
    need_numpy("preprocess")
    from archspec.compiler.images.batches import usable_workers
    from archspec.compiler.images.checks import damage
    from archspec.compiler.images.steps import preprocessing_of
    from archspec.deploy.folders import images_in, readable_images
    from archspec.deploy.preprocess import NAMES, write_bins
    from archspec.deploy.progress import Progress

    graph = graph_of(options.spec, options)
    preprocessing = preprocessing_of(graph.preprocessing, graph.input_shape)
    workers = usable_workers(options.workers)
    found = images_in(options.folder)
    with Progress(f"reading {found.where}") as progress:
        images = readable_images(found, workers, progress)
    with Progress(f"writing {options.output}") as progress:
        written = write_bins(
            images, preprocessing, options.output,
            batch=options.batch, workers=workers, progress=progress,
        )  # fmt: skip
    for note in (*images.ignored, damage(images)):
        if note is not None:
            print(f"note: {note}", file=sys.stderr)
    if not written.has_names:
        print(f"note: no {NAMES}, since some images have the same name", file=sys.stderr)
    print(
        f"wrote {options.output}: {written.images:,} images in {written.samples:,} files of"
        f" {shown_bytes(written.bytes_of_a_sample)}, {len(images.classes):,} classes"
    )
    return 0
