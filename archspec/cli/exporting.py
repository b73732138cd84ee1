"""What compile and export share: a graph with its weights as a file, checked before it takes its
place."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.compiler.model import Model
    from archspec.deploy.checking import Comparison
    from archspec.graph import Graph

SCHEME, SEED = "he", 0


def model_of(graph: Graph, weights: str | None) -> Model:
    """The graph with the weights in a file, or with random ones, which is said."""
    from archspec.compiler.model import Model

    if weights is not None:
        from archspec.compiler.weights.loading import load_weights

        return Model(graph, load_weights(weights, graph))
    from archspec.compiler.weights.initialize import initialize

    print(
        f"note: without --weights they are random, scheme {SCHEME}, seed {SEED}",
        file=sys.stderr,
    )
    return Model(graph, initialize(graph, SCHEME, SEED))


def classes_of(weights: str | None, graph: Graph) -> dict[str, str]:
    """The names that a training wrote into its weights, as an ONNX keeps them. Raises SpecError
    where the graph gives another number of them."""
    if weights is None:
        return {}
    from archspec.compiler.images.classes import CLASSES, class_names

    names = class_names(weights, graph)
    return {} if names is None else {CLASSES: json.dumps(names, ensure_ascii=False)}


def check_lines(comparison: Comparison | None) -> list[str]:
    """What is said of a file that was run."""
    return [] if comparison is None else [f"checked: {comparison}"]
