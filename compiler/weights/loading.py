"""Weights in files of our own: a network's arrays by weight path, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence

from archspec.compiler.model import Weights, node_of, weights_of
from archspec.compiler.node_patterns import fits
from archspec.compiler.weights.arrays import Array, Entry, TensorFile, as_float32
from archspec.compiler.weights.check import Difference, differences, misfit
from archspec.compiler.weights.files import open_tensors, write_tensors
from archspec.compiler.weights.layouts import TORCH_COUNTER
from archspec.errors import Problem, SpecError
from archspec.extras import PACKAGE, version_of
from archspec.graph import Graph
from archspec.identity import (
    FINGERPRINT,
    STRUCTURE,
    fingerprint_without_input,
    is_of_any_input,
)
from archspec.shapes import Shape

SHORT = 12
"""Digits of a fingerprint that people are shown."""


def save_weights(
    path: str | os.PathLike[str],
    graph: Graph,
    weights: Weights,
    notes: Mapping[str, str] | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write a network's weights as .safetensors, .npz or .ckpt, by the path's ending.

    The spec's name, the graph's fingerprint and archspec's version go into the file, and `notes`
    also. `names` are what the file calls the weights, by their paths; by default it uses the paths.
    Raises SpecError where the arrays are not the graph's, UsageError where the path cannot
    be written; what was there then stays.
    """
    found = {name: Entry(array.shape, array.dtype.name) for name, array in weights.items()}
    wrong = differences(shapes_of(graph), found)
    if wrong:
        raise misfit(f"the weights to write are not {graph.name}'s", os.fspath(path), wrong)
    ordered = {
        name if names is None else names[name]: as_float32(weights[name], name, os.fspath(path))
        for name in weights_of(graph)
    }
    write_tensors(path, ordered, {**identity(graph), **(notes or {})})


def load_weights(
    path: str | os.PathLike[str],
    graph: Graph,
    *,
    of_any_network: bool = False,
    but: Sequence[str] = (),
) -> dict[str, Array]:
    """The float32 arrays of a graph, in execution order, from a file of archspec's names, or of
    those that a state_dict of the network in PyTorch has.

    Half precision in a file is widened exactly, float64 rounded; numbers must be finite. Raises
    SpecError with every difference in names, shapes and types, and where the file says that it was
    made for another network, in more than the size of its images; `of_any_network` lets that last
    one pass. Weights of nodes that fit the patterns `but` are left out, whatever the file has of
    them; then it may be another network's, whose other weights fit.
    """
    with open_tensors(path) as file:
        names = _names_in(file, graph)
        found = {ours: file.entries[theirs] for ours, theirs in names.items()} or file.entries
        entries = {name: entry for name, entry in found.items() if not fits(node_of(name), but)}
        wanted = {
            name: shape for name, shape in shapes_of(graph).items() if not fits(node_of(name), but)
        }
        wrong = differences(wanted, entries)
        if wrong:
            hints = [*_hints_of_reset(wrong, wanted)]
            if "fingerprint" not in file.metadata:
                hints.append(f"archspec weights import {file.path} --for SPEC maps other names")
            elif not is_for(file, graph):
                hints.append(f"they were made for {_maker(file)}")
            raise misfit(f"the weights do not fit {graph.name}", file.path, wrong, hints)
        if not (of_any_network or but):
            check_network(file, graph)
        return {
            name: as_float32(file.read(names.get(name, name)), name, file.path) for name in wanted
        }


def _hints_of_reset(wrong: Sequence[Difference], wanted: Collection[str]) -> Iterator[str]:
    """What starts a head of another size anew: where nothing but the shapes of a few nodes' weights
    differs, all of one part of the network."""
    nodes = {node_of(difference.name) for difference in wrong}
    parts = {node.partition(".")[0] for node in nodes}
    kinds = {difference.kind for difference in wrong}
    if kinds == {"shape"} and len(parts) == 1 and len(wrong) < len(wanted) / 2:
        (part,) = parts
        pattern = part if part in nodes else f"{part}.*"
        yield f"archspec train --reset '{pattern}' starts what is of another size anew"


def _names_in(file: TensorFile, graph: Graph) -> dict[str, str]:
    """The file's names by weight path where they are those of the network in PyTorch, else {}."""
    found = {name for name in file.entries if not name.endswith(f".{TORCH_COUNTER}")}
    if found == weights_of(graph).keys():
        return {}
    # here, for few files have them, and what writes ONNX loads no target of a framework
    from archspec.compiler.targets.torch import weight_names

    try:
        names = weight_names(graph)
    except SpecError:  # an op that PyTorch has no spelling for
        return {}
    return names if found == set(names.values()) else {}


def check_network(file: TensorFile, graph: Graph, remedy: str = "") -> None:
    """Raises SpecError where a file whose tensors fit says that it was made for another network;
    `remedy` ends the sentence."""
    if not is_for(file, graph):
        raise SpecError(
            Problem(
                f"the weights were made for {_maker(file)}, not for {graph.name}"
                f" ({graph.fingerprint[:SHORT]}); all {len(shapes_of(graph)):,} tensors agree in"
                " name and shape, so the networks differ in attributes or wiring"
                f" (archspec diff shows what){remedy}",
                file.path,
            )
        )


def is_for(file: TensorFile, graph: Graph) -> bool:
    """Whether the file names this graph's fingerprint, for an input of any size, or none."""
    return is_of_any_input(graph, file.metadata)


def _maker(file: TensorFile) -> str:
    return f"{file.metadata.get('spec', 'a network')} ({file.metadata['fingerprint'][:SHORT]})"


def identity(graph: Graph) -> dict[str, str]:
    """What a file says of the network its weights are for."""
    return {
        "spec": graph.name,
        FINGERPRINT: graph.fingerprint,
        STRUCTURE: fingerprint_without_input(graph),
        "archspec": version_of(PACKAGE, "unknown"),
    }


def shapes_of(graph: Graph) -> dict[str, Shape]:
    """Shapes by weight path, in execution order."""
    return {name: weight.shape for name, weight in weights_of(graph).items()}
