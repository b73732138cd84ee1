"""What is asked of images before the first step, so that no run stops at its fortieth epoch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from archspec.compiler.images.folder import check_learnable, shown_letters, spelt_alike
from archspec.compiler.images.lookahead import in_order
from archspec.compiler.images.preprocess import fault
from archspec.compiler.images.source import Source
from archspec.errors import UsageError, listed
from archspec.graph import Graph
from archspec.shapes import written
from archspec.writing import write_whole

FOUND = Path("archspec") / "images"
"""Where in the user's cache it is kept which images can be read."""
MAX_UNREADABLE = 0.01
"""The share of images that may be damaged; one always may."""

Progress = Callable[[int, int], None]


def readable(
    source: Source,
    workers: int,
    most_unreadable: float = MAX_UNREADABLE,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Source:
    """The images that can be read whole: every file is decoded once, here and not in the midst of
    a training, so that all epochs have the same images and every rank as many steps.

    A folder `cache` keeps what was found until the files change (their names, sizes or times).
    `progress` is told images done and images in all. Raises UsageError where more than a share are
    damaged, or a class would be left with one image or none.
    """
    found = find_unreadable(source, workers, cache, progress)
    check_damage(source, found, most_unreadable)
    return source.without(found) if found else source


def check_damage(
    source: Source, found: Mapping[int, str], most_unreadable: float = MAX_UNREADABLE
) -> None:
    """Raises UsageError where more than a share of images are damaged (`found`, by number), or a
    class would be left with one image or none."""
    if not found:
        return
    total = len(source.labels)
    examples = [f"{source.name(index)} ({why})" for index, why in islice(found.items(), 3)]
    more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
    if len(found) > max(1, int(most_unreadable * total)):
        raise UsageError(
            f"{source.where}: {len(found):,} of {total:,} images cannot be read, more than"
            f" {most_unreadable:.0%} of them: {', '.join(examples)}{more}; archspec data check"
            " lists all"
        )
    kept = source.without(found)
    counts = np.bincount(kept.labels, minlength=len(kept.classes))
    touched = sorted({int(source.labels[index]) for index in found})
    left = {kept.classes[label]: int(counts[label]) for label in touched}
    check_learnable(f"{source.where} without damaged images", left)


def find_unreadable(
    source: Source,
    workers: int,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[int, str]:
    """The images that cannot be read whole, by number, and why; the rest is as for `readable`."""
    found = _recall(source, cache)
    if found is None:
        found = _unreadable(source, workers, progress)
        _remember(source, cache, found)
    return found


def images_cache() -> Path | None:
    """Where it is kept which images can be read; None where there is no place for that."""
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / FOUND
    except RuntimeError:  # nobody's home
        return None


def damage(source: Source) -> str | None:
    """In words, what images were left out for being damaged."""
    if not source.unreadable:
        return None
    count = len(source.unreadable)
    examples = [f"{name!r} ({why})" for name, why in islice(source.unreadable.items(), 3)]
    more = f" and {count - 3:,} more" if count > 3 else ""
    images = "image that cannot" if count == 1 else "images that cannot"
    return f"{source.where}: left out {count:,} {images} be read: {', '.join(examples)}{more}"


def check_same_classes(train: Source, val: Source) -> None:
    """Raises UsageError where the two are not of the same classes in the same order."""
    if train.classes == val.classes:
        return
    for name in train.classes:
        twins = spelt_alike([name, *val.classes])
        if name not in val.classes and twins:
            raise UsageError(
                f"{train.where} and {val.where} spell one class in two ways,"
                f" {shown_letters(twins)}; rename one of the folders"
            )
    differences = [
        f"{one.where} alone has {listed(sorted(set(one.classes) - set(other.classes)), 'and')}"
        for one, other in ((train, val), (val, train))
        if set(one.classes) - set(other.classes)
    ]
    raise UsageError(
        f"{train.where} has {len(train.classes):,} classes and {val.where} {len(val.classes):,},"
        f" which are not the same: {', '.join(differences) or 'their order differs'}; use one"
        " folder of each class in both"
    )


def check_fits(source: Source, graph: Graph) -> None:
    """Raises UsageError where the network's first output is not one number for each class."""
    name, shape = next(iter(graph.output_shapes.items()))
    classes = len(source.classes)
    if shape == (classes,):
        return
    message = (
        f"{source.where} has {classes:,} classes and {graph.name} gives {written(shape)}"
        f" (its output {name!r})"
    )
    sizes = [key for key, value in graph.arguments.items() if shape == (value,)]
    if "classes" in sizes or len(sizes) == 1:
        key = "classes" if "classes" in sizes else sizes[0]
        raise UsageError(f"{message}; use --set {key}={classes}")
    raise UsageError(f"{message}; use a spec of {classes} outputs")


def _unreadable(source: Source, workers: int, progress: Progress | None) -> dict[int, str]:
    total = len(source.labels)
    found: dict[int, str] = {}
    for index, why in enumerate(in_order(_fault, source.loads(range(total)), workers)):
        if why is not None:
            found[index] = why
        if progress is not None:
            progress(index + 1, total)
    return found


def _fault(load: Callable[[], bytes]) -> str | None:
    try:
        return fault(load())
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _recall(source: Source, cache: Path | None) -> dict[int, str] | None:
    if cache is None:
        return None
    try:
        kept = json.loads(_cache_path(source, cache).read_text())
        return {int(index): str(why) for index, why in kept["unreadable"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None  # not there, or not ours: looking again finds out


def _remember(source: Source, cache: Path | None, found: dict[int, str]) -> None:
    if cache is None:
        return
    content = {"images": source.where, "unreadable": found}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_whole(_cache_path(source, cache), json.dumps(content, indent=2) + "\n")
    except (OSError, UsageError):
        pass  # a cache is not a requirement: they are read again next time


def _cache_path(source: Source, cache: Path) -> Path:
    return cache / f"{source.listing}.json"
