"""Images as the .bin files that the older Ascend tools read, in the layout of ISyNet's scripts.

    OUT/img_data/imagenet_<i>/input_0.bin    float32 NCHW, little-endian: one batch
    OUT/label/imagenet_<i>_label.bin         int32: the class of each of its images
    OUT/imagenet_label.json                  {image: class}, as the scripts of the other networks
                                             read it; left out where two images share a name

Samples are in the order of class and name, classes numbered by the sorted names of their folders.
`archspec infer` needs none of this.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from archspec.compiler.images.source import Source
from archspec.compiler.images.steps import Preprocessing
from archspec.deploy.engines import Port
from archspec.deploy.feeding import feed_of
from archspec.errors import LackingError
from archspec.tables import shown_bytes
from archspec.writing import whole_folder

IMAGES, LABELS, NAMES = "img_data", "label", "imagenet_label.json"
SAMPLE = "imagenet_{}"
INPUT, LABEL = "input_0.bin", "{}_label.bin"


@dataclass(frozen=True)
class Written:
    """`has_names`: whether imagenet_label.json was written too."""

    images: int
    samples: int
    bytes_of_a_sample: int
    has_names: bool


def write_bins(
    images: Source,
    preprocessing: Preprocessing,
    folder: str | os.PathLike[str],
    *,
    batch: int = 1,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write all images into a new folder. The last batch is filled up with zeros, which have no
    labels. Raises LackingError where the disk has no room."""
    port = Port("data", "float32", (None, *preprocessing.shape))
    feed = feed_of(port, preprocessing, batch, "this layout")
    total = len(images.labels)
    samples, size = -(-total // batch), feed.nothing().nbytes
    _check_room(Path(folder), samples * size)
    done = 0
    with whole_folder(folder) as home:
        (home / LABELS).mkdir()
        for number, prepared in enumerate(feed.batches(images, workers)):
            sample = SAMPLE.format(number)
            (home / IMAGES / sample).mkdir(parents=True)
            pixels = prepared.array.astype("<f4", copy=False)
            (home / IMAGES / sample / INPUT).write_bytes(pixels.tobytes())
            labels = prepared.labels.astype("<i4")
            (home / LABELS / LABEL.format(sample)).write_bytes(labels.tobytes())
            done += len(labels)
            if progress is not None:
                progress(done, total)
        names = class_of_each(images)
        if names is not None:
            (home / NAMES).write_text(json.dumps(names, indent=1) + "\n")
    return Written(total, samples, size, names is not None)


def class_of_each(images: Source) -> dict[str, int] | None:
    """The number of each image's class by the file's own name; None where two share one."""
    names = [PurePath(images.name(index)).name for index in range(len(images.labels))]
    if len(set(names)) < len(names):
        return None
    return dict(zip(names, np.asarray(images.labels).tolist(), strict=True))


def _check_room(folder: Path, needed: int) -> None:
    parent = folder.absolute().parent
    if not parent.is_dir():
        return  # writing says so better
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise LackingError(
            f"{folder} would take {shown_bytes(needed)} and {parent} has {shown_bytes(free)} left;"
            " use archspec infer, which writes none of it"
        )
