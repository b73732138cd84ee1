"""Accuracy from the result folders of the older Ascend tools.

    RESULTS/<image>_0.bin             what the scripts of CSPDarkNet53, ResNeXt and Single-Path-NAS
                                      leave, with labels in one JSON object {image: class}
    RESULTS/imagenet_<i>/output_0.bin what ISyNet's tool leaves, with labels in
                                      LABELS/imagenet_<i>_label.bin

A result is raw logits, little-endian, of one image or of a batch. The networks' own scripts took
each for float16 or float32 by rote; here their size tells.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archspec.compiler.images.scores import Scores, cross_entropy, right
from archspec.deploy.preprocess import INPUT, LABEL, LABELS, NAMES
from archspec.errors import Problem, SpecError, UsageError, listed
from archspec.reading import open_regular

DTYPES: Mapping[str, str] = {"float32": "<f4", "float16": "<f2"}
RESULT_FOLDER_FILE = "output_0.bin"
RESULT_ENDING = "_0.bin"
MAX_NAMED = 4


@dataclass(frozen=True)
class Layout:
    """How a result is to be read: (rows, classes) of a type of DTYPES."""

    dtype: str
    rows: int
    classes: int

    def __str__(self) -> str:
        rows = f"{self.rows:,} x " if self.rows > 1 else ""
        return f"{rows}{self.classes:,} {self.dtype}"


@dataclass(frozen=True)
class Accuracy:
    """`not_finite` counts images whose logits are not all numbers, as float16 can have it; they
    count as wrong."""

    scores: Scores
    layout: Layout
    not_finite: int


def accuracy_of(
    results: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    dtype: str = "auto",
    classes: int | None = None,
) -> Accuracy:
    """Score every result of a folder. Raises UsageError for paths that are not there, SpecError
    with all that is wrong: results missing, short, or of no label."""
    wanted = read_labels(labels)
    files = _results(Path(results))
    problems = list(_mismatches(Path(results), files, wanted))
    if problems:
        raise SpecError(problems)
    sizes = {name: path.stat().st_size for name, path in files.items()}
    common, _ = Counter(sizes.values()).most_common(1)[0]
    problems = list(_odd_sizes(files, sizes, common))
    if problems:
        raise SpecError(problems)
    layout = layout_of(common, list(wanted.values()), dtype, classes)
    return _score(files, wanted, layout)


def read_labels(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Classes of the images of each sample, by the sample's name: from a folder of <name>_label.bin
    (or one that archspec preprocess wrote), or a JSON object {image: class}. Raises UsageError
    where there is none, SpecError for what cannot be read."""
    place = Path(path)
    if place.is_file():
        return _labels_of_json(place)
    if (place / LABELS).is_dir():
        place = place / LABELS
    ending = LABEL.format("")
    try:
        files = sorted(file for file in place.iterdir() if file.name.endswith(ending))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({(error.strerror or '').lower()})") from None
    if not files:
        raise UsageError(
            f"{path} has no *{ending}; use the label folder that archspec preprocess writes, or a"
            f" JSON file such as {NAMES}"
        )
    return {file.name.removesuffix(ending): _labels_of_bin(file) for file in files}


def layout_of(
    size: int, labels: Sequence[np.ndarray], dtype: str = "auto", classes: int | None = None
) -> Layout:
    """How results of this many bytes are to be read, where samples have these labels.

    If neither the type nor the number of classes is given, that type is taken under which there are
    as many outputs as classes in the labels, or one more, as the original ISyNets have. Raises
    UsageError where nothing or more than one thing fits.
    """
    rows = max(map(len, labels))
    needed = 1 + max(int(numbers.max()) for numbers in labels)
    found: list[Layout] = []
    for name in DTYPES if dtype == "auto" else (dtype,):
        numbers, rest = divmod(size, rows * np.dtype(DTYPES[name]).itemsize)
        if not rest and numbers >= needed and classes in (None, numbers):
            found.append(Layout(name, rows, numbers))
    close = [layout for layout in found if layout.classes in (needed, needed + 1)]
    if len(found) > 1 and len(close) == 1:
        found = close
    if len(found) == 1:
        return found[0]
    met = f"results have {size:,} bytes and labels go up to {needed - 1:,}"
    if rows > 1:
        met += f", {rows:,} images a result"
    if found:
        may_be = " or ".join(map(str, found))
        raise UsageError(f"{met}: they may be {may_be}; use --classes N or --dtype")
    asked = f" of {classes:,} classes" if classes is not None else ""
    kind = "float32 or float16" if dtype == "auto" else dtype
    raise UsageError(f"{met}, which is not a {kind}{asked}; use labels of the same images")


def _labels_of_json(path: Path) -> dict[str, np.ndarray]:
    try:
        found = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{path} is not JSON ({error})") from None
    if not isinstance(found, dict) or not found:
        raise SpecError(f'{path} is not a JSON object {{"IMAGE": CLASS}} of one image or more')
    labels: dict[str, np.ndarray] = {}
    for image, label in found.items():
        if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < 2**31:
            raise SpecError(f"{path}: the class of {image!r} is {label!r}; use 0 or more")
        name = Path(image).stem
        if name in labels:
            raise SpecError(f"{path}: two images are called {name!r}, and results go by that name")
        labels[name] = np.array([label])
    return labels


def _labels_of_bin(path: Path) -> np.ndarray:
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({(error.strerror or '').lower()})") from None
    labels = np.frombuffer(content[: len(content) // 4 * 4], "<i4")
    if not content or len(content) % 4 or labels.min() < 0:
        raise SpecError(f"{path} is not int32 labels of 0 or more ({len(content):,} bytes)")
    return labels


def _results(folder: Path) -> dict[str, Path]:
    """Results by the names of their samples. A sample's other outputs are left aside."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder} cannot be read ({(error.strerror or '').lower()})") from None
    folders = {entry.name: entry for entry in entries if entry.is_dir()}
    if folders:
        return {name: entry / RESULT_FOLDER_FILE for name, entry in folders.items()}
    found = {
        entry.name.removesuffix(RESULT_ENDING): entry
        for entry in entries
        if entry.name.endswith(RESULT_ENDING)
    }
    if not found:
        raise UsageError(
            f"{folder} has no results; use NAME/{RESULT_FOLDER_FILE} or NAME{RESULT_ENDING}"
        )
    return found


def _mismatches(
    folder: Path, files: Mapping[str, Path], labels: Mapping[str, np.ndarray]
) -> Iterator[Problem]:
    where = str(folder)
    if (folder / next(iter(files)) / INPUT).is_file():
        yield Problem("it holds inputs; use the folder that the tool wrote its results into", where)
        return
    missing = [name for name in labels if name not in files or not files[name].is_file()]
    extra = [name for name in files if name not in labels]
    if missing:
        yield Problem(
            f"{len(missing):,} of {len(labels):,} samples have no result: {_some(missing)}", where
        )
    if extra:
        yield Problem(f"{len(extra):,} results are of no label: {_some(extra)}", where)


def _odd_sizes(
    files: Mapping[str, Path], sizes: Mapping[str, int], common: int
) -> Iterator[Problem]:
    for name, size in sizes.items():
        if size != common:
            kind = "short" if size < common else "long"
            yield Problem(
                f"it is {kind}: {size:,} bytes, and most results have {common:,}", str(files[name])
            )
    if not common:
        yield Problem("the results are empty", str(next(iter(files.values())).parent))


def _score(files: Mapping[str, Path], labels: Mapping[str, np.ndarray], layout: Layout) -> Accuracy:
    sums, not_finite = np.zeros(4), 0
    for name, numbers in labels.items():
        raw = np.fromfile(files[name], DTYPES[layout.dtype])
        logits = raw.reshape(layout.rows, layout.classes)[: len(numbers)].astype(np.float64)
        sums += (len(numbers), *right(logits, numbers), cross_entropy(logits, numbers).sum())
        not_finite += int((~np.isfinite(logits).all(axis=1)).sum())
    count, top1, top5, loss = map(float, sums)
    return Accuracy(
        Scores(int(count), top1 / count, top5 / count, loss / count), layout, not_finite
    )


def _some(names: Iterable[str]) -> str:
    return listed(list(names), "and", MAX_NAMED)
