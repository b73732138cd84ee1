"""Parts of a supernet's weights: what each size adds, and one network cut out of it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archspec.compiler.model import Weights, node_of, weights_of
from archspec.compiler.supernet.description import Nested, Size, Supernet
from archspec.compiler.weights.arrays import Array
from archspec.graph import Graph
from archspec.shapes import Shape


def derive(
    supernet: Supernet, assignment: Mapping[str, Any], weights: Weights
) -> tuple[Graph, dict[str, Array]]:
    """The network of an assignment, and its weights out of those of the supernet's largest: the
    first of the channels and the centre of each kernel. Inference gives what the supernet gives
    with supernet.gates_of(assignment).

    Raises SpecError where the assignment is not one of the space.
    """
    supernet.levels_of(assignment)
    graph = supernet.space.assign(assignment)
    _check(supernet, assignment, graph)
    return graph, {
        path: np.ascontiguousarray(part_of(weights[path], weight.shape))
        for path, weight in weights_of(graph).items()
    }


def regions_of(nested: Nested, shape: Shape) -> list[Array]:
    """Of a weight of this shape, float32 that is 1 within each size and outside of the one before
    it, else 0, in as many axes: of a kernel in height and width, else in columns."""
    regions: list[Array] = []
    inside = np.zeros([1] * len(shape), np.float32)
    for size in nested.sizes:
        within = _within(size, shape).astype(np.float32)
        regions.append(within - inside)
        inside = within
    return regions


def _within(size: Size, shape: Shape) -> Array:
    if isinstance(size, int):
        return (np.arange(shape[1]) < size).reshape(1, -1, *[1] * len(shape[2:]))
    high, wide = (
        np.abs(2 * np.arange(whole) - whole + 1) < extent
        for whole, extent in zip(shape[2:], size, strict=True)
    )
    return np.outer(high, wide)[None, None]


def part_of(array: Array, shape: Shape) -> Array:
    """The first of the first two axes and the centre of the others."""
    slices = [
        slice(0, extent) if axis < 2 else slice((whole - extent) // 2, (whole + extent) // 2)
        for axis, (whole, extent) in enumerate(zip(array.shape, shape, strict=True))
    ]
    return array[tuple(slices)]


def _check(supernet: Supernet, assignment: Mapping[str, Any], graph: Graph) -> None:
    """Choices were looked at one by one; together they must give what their parts give."""
    whole = weights_of(supernet.graph)
    left_out = {
        name
        for choice in supernet.choices
        if choice.options.index(assignment[choice.key]) == 0
        for name in choice.left_out
    }
    expected = {
        path: supernet.shape_of(path, weight.shape, assignment)
        for path, weight in whole.items()
        if node_of(path) not in left_out
    }
    found = {path: weight.shape for path, weight in weights_of(graph).items()}
    if found != expected:
        path = sorted(set(found.items()) ^ set(expected.items()))[0][0]
        raise supernet.space.program.at.error(
            f"the choices act on {path} together as no superkernels do: it is {found.get(path)} in"
            f" {graph.name} with {dict(assignment)} and {expected.get(path)} in its supernet"
        )
