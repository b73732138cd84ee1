"""What becomes of a graph, on one screen.

    spec --archspec.load--> Graph --Model(graph, weights)--> passes --> a target

                 +-- TRAINING ----> for_training(...)    --> compiler.targets.mindspore
        Model ---+
                 +-- DEPLOYMENT --> for_deployment(...)  --> compiler.targets.onnx, .mindspore

A pass takes a well-formed model and leaves a well-formed model that computes the same in inference.
It never changes its input, works without weights too (structure alone, no numpy imported), and says
what it does in one drawing. The graph it leaves is the same whatever the weights: no pass decides
on their values. After each pass the model is checked and a bad one blamed on the pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from archspec.compiler.model import Model
from archspec.compiler.passes.drop_dead import drop_dead
from archspec.compiler.passes.drop_identity import drop_identity
from archspec.compiler.passes.drop_noise import drop_noise
from archspec.compiler.passes.fold_batch_norm import fold_batch_norm
from archspec.compiler.passes.fold_layer_scale import fold_layer_scale
from archspec.compiler.passes.merge_branches import merge_branches
from archspec.compiler.passes.merge_common_subexpressions import merge_common_subexpressions
from archspec.compiler.passes.standardize_filters import standardize_filters
from archspec.compiler.wellformed import ModelError, check_model
from archspec.graph import Graph

Pass: TypeAlias = Callable[[Model], Model]

TRAINING: tuple[Pass, ...] = (
    # Nothing that owns weights goes: checkpoints of the spec fit, and what is equal now (two fresh
    # gammas, two draws of a dropout) will not stay so.
    drop_identity,
)

FOLDING: tuple[Pass, ...] = (
    # Into the batch norm before it as well, so none is left between that and its convolution.
    fold_layer_scale,
    fold_batch_norm,
)

DEPLOYMENT: tuple[Pass, ...] = (
    # A reader whose work nobody needs would keep a convolution from taking in its batch norm,
    drop_dead,
    # and so would a dropout or an identity between the two.
    drop_noise,
    drop_identity,
    # Before branches: what two of them do alike is one source that both can be merged over.
    merge_common_subexpressions,
    # What is folded below must be the filter that is really used.
    standardize_filters,
    *FOLDING,
    # Branches are one node each only once their batch norms are gone. What came after their sum can
    # be folded then: for_deployment goes back to FOLDING until nothing merges.
    merge_branches,
)


def for_training(source: Graph | Model) -> Model:
    """The model that is trained: the spec's own weights, dropout and batch statistics kept."""
    return run(source, TRAINING)


def for_deployment(source: Graph | Model) -> Model:
    """The model that is served: the same results in inference, with less work."""
    model = run(source, DEPLOYMENT[:-1])
    while True:
        merged = _apply(merge_branches, model)
        if len(merged.graph.nodes) == len(model.graph.nodes):
            return merged
        for step in FOLDING:
            merged = _apply(step, merged)
        model = merged


def run(source: Graph | Model, passes: Iterable[Pass]) -> Model:
    """The model after these passes. Raises ModelError naming the pass that left it ill-formed, or
    saying so of the model as given."""
    model = source if isinstance(source, Model) else Model(source)
    check_model(model, f"{model.graph.name} as given")
    for step in passes:
        model = _apply(step, model)
    return model


def _apply(step: Pass, model: Model) -> Model:
    result = step(model)
    _check_promises(model, result, f"{model.graph.name} after {_name(step)}")
    return result


def _check_promises(before: Model, after: Model, said_of: str) -> None:
    check_model(after, said_of, before.graph)
    one, other = before.graph, after.graph
    if one.output_shapes != other.output_shapes or [*one.outputs] != [*other.outputs]:
        raise ModelError(
            f"{said_of}: the outputs were {one.output_shapes} and are {other.output_shapes}"
        )
    if one.input_shape != other.input_shape:
        raise ModelError(f"{said_of}: the input was {one.input_shape} and is {other.input_shape}")
    if (before.weights is None) != (after.weights is None):
        raise ModelError(f"{said_of}: weights came or went")
    if before.spec_graph is not after.spec_graph:
        raise ModelError(f"{said_of}: it is no longer known which spec this is")


def _name(step: Pass) -> str:
    return getattr(step, "__name__", repr(step))
