"""A spec with its weights as a file that something else runs, checked before it takes its place."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.api.networks import Network, graph_of, is_model, shown_name
from archspec.compiler.targets import check_packages, find_target, written_by
from archspec.errors import UsageError
from archspec.graph import Graph

if TYPE_CHECKING:
    from archspec.compiler.model import Model
    from archspec.deploy.checking import Comparison
    from archspec.deploy.export import Om, Source

FORMATS = written_by("export")
OPSETS = (11, 13, 17)
"""Versions of ONNX's operators that are written; the first unless told otherwise."""
SCHEME, SEED = "he", 0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Exported:
    """A file that was written: how it compared with plain numpy, where something here runs it, its
    trainable numbers, and for an OM by which CANN and where atc's words are."""

    path: Path
    format: str
    comparison: Comparison | None
    params: int
    om: Om | None = None


def export(
    network: Network,
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    format: str | None = None,
    batch: int | None = 1,
    gears: tuple[int, ...] = (),
    opset: int = OPSETS[0],
    soc: str | None = None,
    pixels: str | None = "rgb",
    timeout: float | None = None,
    tolerance: float | None = None,
    tell: Tell | None = None,
) -> Exported:
    """Write a network for deployment, batch norms folded: "onnx", "mindir", "air" or "om", by the
    path's ending if not given.

    `weights` is a file of them; without one they are random, which `tell` is told. `batch` is how
    many images it takes at a time, None for any number, of which an OM has `gears` to choose from.
    For an OM, `soc` is the chip ("Ascend310B4") and `pixels` what it takes: "rgb", "yuv420sp" or
    "yuv400" bytes that its AIPP crops and normalises, None for normalised float32; atc is stopped
    after `timeout` seconds. The file's numbers may differ from numpy's by `tolerance` of the
    largest. Raises SpecError where they do and UsageError for whatever cannot be written; then no
    file is left.
    """
    if is_model(network):
        raise UsageError(f"{shown_name(network)} is exported already; use the spec it was made of")
    kind = format or format_of(path)
    check_packages(find_target(kind, list(FORMATS)))
    from archspec.compiler.pipeline import for_deployment
    from archspec.deploy.checking import TOLERANCE

    graph = graph_of(network)
    source = source_of(
        graph, weights, tell, batch=batch, gears=gears, opset=opset,
        tolerance=TOLERANCE if tolerance is None else tolerance,
    )  # fmt: skip
    comparison, om = _write(kind, source, path, soc=soc, pixels=pixels, timeout=timeout)
    params = for_deployment(graph).graph.params
    return Exported(Path(path), kind, comparison, params, om)


def _write(
    kind: str, source: Source, path: str | os.PathLike[str], **options: Any
) -> tuple[Comparison | None, Om | None]:
    from archspec.deploy import export as writers

    if kind == "om":
        om = writers.write_om(source, path, **options)
        return om.comparison, om
    if kind == "air":
        writers.write_air(source, path)
        return None, None
    return {"onnx": writers.write_onnx, "mindir": writers.write_mindir}[kind](source, path), None


def format_of(path: str | os.PathLike[str] | None) -> str:
    """What is written into a file of this name. Raises UsageError."""
    ending = Path(path or "").suffix[1:]
    if ending in FORMATS:
        return ending
    raise UsageError(
        f"{path or 'the command'} does not say what to write; use --format with"
        f" {', '.join(FORMATS)}, or -o with such an ending"
    )


def source_of(
    graph: Graph, weights: str | os.PathLike[str] | None, tell: Tell | None = None, **settings: Any
) -> Source:
    """A graph with the weights in a file, or random ones, as what writes files takes it."""
    from archspec.deploy.export import Source

    model = model_of(graph, weights, tell)
    return Source(model, notes=classes_of(weights, graph), **settings)


def model_of(
    graph: Graph, weights: str | os.PathLike[str] | None, tell: Tell | None = None
) -> Model:
    """The graph with the weights in a file, or with random ones, which is said."""
    from archspec.compiler.model import Model

    if weights is not None:
        from archspec.compiler.weights.loading import load_weights

        return Model(graph, load_weights(weights, graph))
    from archspec.compiler.weights.initialize import initialize

    if tell is not None:
        tell(f"without --weights they are random, scheme {SCHEME}, seed {SEED}")
    return Model(graph, initialize(graph, SCHEME, SEED))


def classes_of(weights: str | os.PathLike[str] | None, graph: Graph) -> dict[str, str]:
    """The names that a training wrote into its weights, as an ONNX keeps them. Raises SpecError
    where the graph gives another number of them."""
    if weights is None:
        return {}
    from archspec.compiler.images.classes import CLASSES, class_names

    names = class_names(weights, graph)
    return {} if names is None else {CLASSES: json.dumps(names, ensure_ascii=False)}
