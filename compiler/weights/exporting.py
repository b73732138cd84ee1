"""A network's weights under a publisher's names, for that publisher's own code to load."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.families import Family, Source, sources
from archspec.compiler.weights.loading import shapes_of
from archspec.compiler.weights.maps import FAMILIES
from archspec.errors import UsageError, listed
from archspec.graph import Graph

TARGETS = {"timm": "timm", "torchvision": "torch", "mindcv": "mindcv"}
"""Whose code can load what is written, with the publisher's name in the tables."""


def name_for(
    weights: Mapping[str, Array], graph: Graph, target: str
) -> tuple[str, dict[str, Array]]:
    """The name of the family and the tensors by its names, which an import takes back unchanged.
    Raises UsageError where no family of the target has names for the graph."""
    family, found = _family_of(graph, target)
    tensors: dict[str, Array] = {}
    for name, shape in shapes_of(graph).items():
        _spread(found[name], weights[name], tuple(shape), tensors)
    return family.name, tensors


def _family_of(graph: Graph, target: str) -> tuple[Family, dict[str, Source]]:
    for family in FAMILIES:
        if _is_of(family, target):
            found = sources(family, graph)
            if found is not None:
                return family, found
    others = [
        one
        for one in TARGETS
        if any(_is_of(family, one) and sources(family, graph) for family in FAMILIES)
    ]
    hint = f"; use --to {listed(others)}" if others else ""
    raise UsageError(f"{target} has no names that are known for {graph.name}{hint}")


def _is_of(family: Family, target: str) -> bool:
    """Whether a family has the names of a target's own code; "torch" has others' names too."""
    return TARGETS[target] in family.publishers and target in family.name.casefold()


def _spread(source: Source, ours: Array, shape: tuple[int, ...], into: dict[str, Array]) -> None:
    """Put a weight where its source takes it from: Source.assemble, backwards."""
    rule = source.rule
    if rule is not None and rule.swap and ours.ndim > 1:
        ours = np.roll(ours, -(ours.shape[1] // 2), axis=1)
    if rule is not None and rule.turned:
        ours = ours.reshape(shape[0], -1).T
    piece = tuple(source.piece_shape(shape))
    if rule is not None and rule.share is not None:
        start, stop, of = rule.share
        (name,) = source.names
        whole = into.setdefault(name, np.zeros(piece, np.float32))
        split = whole.reshape(source.heads, of, -1, *piece[1:])
        split[:, start:stop] = ours.reshape(source.heads, stop - start, -1, *piece[1:])
        return
    parts = np.split(ours.reshape(-1), len(source.names))
    for name, part in zip(source.names, parts, strict=True):
        into[name] = np.ascontiguousarray(part.reshape(piece))
