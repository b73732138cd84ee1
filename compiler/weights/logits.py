"""What names and shapes cannot prove, by numbers: the logits that the trained network gave."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from archspec.compiler.targets.reference import run
from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.files import open_tensors
from archspec.errors import Problem, SpecError
from archspec.graph import Graph
from archspec.shapes import written

TOLERANCE = 1e-3
"""Of the largest logit; two frameworks differ by a hundredth of it, another epsilon by more."""


def check_logits(path: str | os.PathLike[str], graph: Graph, weights: Mapping[str, Array]) -> str:
    """Hold a network against `image` and `logits` of a file, as another framework had them: images
    as the network takes them, with or without the axis of the batch. Returns how near they are, in
    words. Raises SpecError where they differ by more than TOLERANCE, or do not fit the network."""
    shown = os.fspath(path)
    with open_tensors(path) as file:
        missing = {"image", "logits"} - file.entries.keys()
        if missing:
            lacks = f"the file must have 'image' and 'logits', and lacks {min(missing)!r}"
            raise SpecError(Problem(lacks, shown))
        image = np.asarray(file.read("image"), np.float32)
        expected = np.asarray(file.read("logits"), np.float64)
    image = image.reshape(-1, *image.shape[-3:])
    if image.shape[1:] != graph.input_shape:
        raise SpecError(
            Problem(
                f"'image' is {written(image.shape[1:])} and {graph.name} takes"
                f" {written(graph.input_shape)}",
                shown,
            )
        )
    (found, *others) = run(graph, weights, image).values()
    if others or found.size != expected.size:
        raise SpecError(
            Problem(
                f"'logits' has {expected.size:,} numbers and {graph.name} gives"
                f" {sum(one.size for one in (found, *others)):,}; use those of one output",
                shown,
            )
        )
    largest = float(np.abs(expected).max()) or 1.0
    difference = float(np.abs(found.reshape(-1) - expected.reshape(-1)).max()) / largest
    if not difference <= TOLERANCE:
        raise SpecError(
            Problem(
                f"the logits differ by {difference:.2%} of the largest, so the network computes"
                " something else than the one that was trained: compare epsilon, padding, strides,"
                " activations and how pixels are scaled",
                shown,
            )
        )
    return f"the logits are those of {shown}, within {difference:.1e} of the largest"
