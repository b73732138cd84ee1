"""How far two ways of running one network are apart, image by image: the same model by two engines,
an OM on its device and its ONNX on a host, float and int8.

What one of them gave can be kept in a file (.npz) and brought to the other's machine.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archspec.compiler.images.batches import usable_workers
from archspec.compiler.images.folder import scan_images
from archspec.compiler.images.source import Source
from archspec.deploy.description import describe
from archspec.deploy.engines import engine_for, open_engine
from archspec.deploy.feeding import feed_of
from archspec.deploy.infer import WORKERS, only_input
from archspec.errors import SpecError, UsageError, listed
from archspec.graph import Graph
from archspec.reading import open_regular
from archspec.tables import Column, Table
from archspec.writing import whole_file

NPZ = ".npz"
NAMES = "image names"
"""What the images are called in a file of outputs."""
LARGEST = 1 << 32


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a network gave for each image: arrays by the outputs' names, (images, ...)."""

    where: str
    images: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Drift:
    """One output of one image, in both: the cosine of the angle between them, the largest
    difference, its share of the largest value, and whether both have the same first class. `finite`
    is False where either is not all finite numbers; then nothing else says anything."""

    image: str
    output: str
    cosine: float
    largest: float
    share: float
    same_top1: bool
    finite: bool


def outputs_of(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    graph: Graph | None = None,
    engine: str | None = None,
    most: int | None = None,
) -> Outputs:
    """Run a model's file over the first `most` images below a folder, class folders or none. Raises
    SpecError and UsageError for whatever does not fit."""
    images = scan_images(Path(data), most)
    with closing(open_engine(engine or engine_for(model), model)) as opened:
        description = describe(model, opened.metadata, graph)
        feed = feed_of(only_input(opened, model), description.preprocessing, None, str(model))
        parts: dict[str, list[np.ndarray]] = {port.name: [] for port in opened.outputs}
        for prepared in feed.batches(images, usable_workers(WORKERS)):
            found = opened.run({feed.port.name: prepared.array})
            for name, array in found.items():
                parts[name].append(np.asarray(array)[: len(prepared.labels)])
    return Outputs(os.fspath(model), _names(images), _join(parts))


def half_outputs(
    model: Any, preprocessing: Any, data: str | os.PathLike[str], most: int | None = None
) -> Outputs:
    """The same of a spec's model as it would be in float16, by numpy: an estimate."""
    from archspec.compiler.images.batches import EvalPipeline
    from archspec.compiler.targets.reference.half import run_half

    images = scan_images(Path(data), most)
    parts: dict[str, list[np.ndarray]] = {}
    for pixels, _ in EvalPipeline(images, preprocessing, batch=8, workers=WORKERS):
        for name, array in run_half(model, pixels).items():
            parts.setdefault(name, []).append(array)
    return Outputs(f"{model.graph.name} in float16, estimated", _names(images), _join(parts))


def compare_outputs(one: Outputs, other: Outputs) -> list[Drift]:
    """Each image and output that both have. Raises SpecError where they have none, or arrays of
    different shapes."""
    places = {name: place for place, name in enumerate(other.images)}
    shared = [name for name in one.arrays if name in other.arrays]
    both = [(place, places[name]) for place, name in enumerate(one.images) if name in places]
    if not shared:
        raise SpecError(
            f"{one.where} gives {listed([*one.arrays], 'and')} and {other.where}"
            f" {listed([*other.arrays], 'and')}, which have no name in common; use models of one"
            " spec"
        )
    if not both:
        raise SpecError(
            f"{one.where} and {other.where} are of no image in common; use the same folder for both"
        )
    for name in shared:
        ours, theirs = one.arrays[name].shape[1:], other.arrays[name].shape[1:]
        if ours != theirs:
            raise SpecError(
                f"the output {name!r} is {ours} in {one.where} and {theirs} in {other.where}; use"
                " models of one spec"
            )
    return [
        _drift(one.images[a], name, one.arrays[name][a], other.arrays[name][b])
        for a, b in both
        for name in shared
    ]


def _drift(image: str, output: str, one: np.ndarray, other: np.ndarray) -> Drift:
    a, b = (array.astype(np.float64).reshape(-1) for array in (one, other))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return Drift(image, output, np.nan, np.nan, np.nan, False, False)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    cosine = float(a @ b) / lengths if lengths else float(np.array_equal(a, b))
    largest = float(np.abs(a - b).max(initial=0))
    top = float(np.abs(a).max(initial=0))
    share = largest / top if top else float(largest > 0)
    return Drift(image, output, cosine, largest, share, int(a.argmax()) == int(b.argmax()), True)


def drift_table(drifts: Sequence[Drift], title: str, most: int | None = None) -> Table:
    """The furthest first; below it the least cosine and how many first classes differ."""
    order = sorted(drifts, key=lambda one: (one.finite, one.cosine))
    columns = [
        Column("image", "image"), Column("output", "output"),
        Column("cosine", "cosine", "{:.6f}".format, True),
        Column("largest", "largest difference", "{:.3g}".format, True),
        Column("share", "of the largest", "{:.2%}".format, True),
        Column("top1", "first class"),
    ]  # fmt: skip
    rows = [
        {
            **(vars(one) if one.finite else {"image": one.image, "output": one.output}),
            "top1": "same" if one.same_top1 else "DIFFERS" if one.finite else "NOT FINITE",
        }
        for one in order[:most]
    ]
    return Table(columns, rows, title, notes=[summarize(drifts)])


def summarize(drifts: Sequence[Drift]) -> str:
    """One sentence of all."""
    finite = [one for one in drifts if one.finite]
    flips = sum(not one.same_top1 for one in drifts)
    said = f"{len(drifts):,} compared, {flips:,} with another first class"
    if len(finite) < len(drifts):
        said += f", {len(drifts) - len(finite):,} not finite"
    if finite:
        least = min(one.cosine for one in finite)
        mean = sum(one.cosine for one in finite) / len(finite)
        worst = max(one.share for one in finite)
        said += f"; cosine at least {least:.6f}, mean {mean:.6f}, differences up to {worst:.2%}"
    return said


def write_outputs(outputs: Outputs, path: str | os.PathLike[str]) -> None:
    """Keep outputs in a file for another machine. Raises UsageError."""
    arrays: dict[str, Any] = {**outputs.arrays, NAMES: np.array(outputs.images)}
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)


def read_outputs(path: str | os.PathLike[str]) -> Outputs:
    """What `write_outputs` wrote; nothing in it is run. Raises UsageError, SpecError."""
    try:
        with open_regular(path) as file:
            content = file.read(LARGEST)
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        names = tuple(map(str, arrays.pop(NAMES).tolist()))
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; use a file of compare-outputs -o") from None
    except Exception as error:  # numpy and zipfile have many
        raise _not_ours(path, str(error) or type(error).__name__) from None
    if not arrays or any(len(array) != len(names) for array in arrays.values() if array.ndim):
        raise _not_ours(path, "its arrays are not of as many images")
    if any(array.ndim == 0 or array.dtype.kind not in "fiu" for array in arrays.values()):
        raise _not_ours(path, "its arrays are not numbers of images")
    return Outputs(os.fspath(path), names, arrays)


def _not_ours(path: str | os.PathLike[str], why: str) -> SpecError:
    reason = why.partition("\n")[0]
    return SpecError(f"{path} has no outputs in it ({reason}); use a file of compare-outputs -o")


def _names(images: Source) -> tuple[str, ...]:
    return tuple(images.name(index) for index in range(len(images.labels)))


def _join(parts: Mapping[str, Iterable[np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([*arrays]) for name, arrays in parts.items()}
