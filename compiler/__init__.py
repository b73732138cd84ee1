"""From a spec to something that runs: pipeline.py shows the stages, targets/ what they end in."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment, for_training
from archspec.errors import UsageError, did_you_mean
from archspec.graph import Graph
from archspec.loading import load

BUILDERS = {
    "mindspore": ("archspec.compiler.targets.mindspore", "to_cell"),
    "onnx": ("archspec.compiler.targets.onnx", "to_onnx"),
}
"""For each target the module, imported on use, and the function that makes it of a model."""

PURPOSES = {"training": for_training, "deployment": for_deployment}
"""What a network is built for, and the passes that make it fit for that."""


def build(
    source: str | os.PathLike[str] | Graph | Model,
    target: str = "mindspore",
    purpose: str = "training",
    **options: Any,
) -> Any:
    """A network in a target's own form: a mindspore.nn.Cell, or an onnx.ModelProto.

    `source` is a spec's path or a shipped one's name, a graph, or a model with weights. "training"
    keeps all that training needs; "deployment" is its inference with less work, with batch norms
    folded. `options` are those of the target's function. Raises SpecError for a spec that is wrong
    and UsageError for a target or purpose that is not there.
    """
    if target not in BUILDERS:
        raise UsageError(
            f"there is no target {target!r}{did_you_mean(target, BUILDERS)}"
            f" (known: {', '.join(BUILDERS)})"
        )
    if purpose not in PURPOSES:
        raise UsageError(
            f"{purpose!r} is no purpose{did_you_mean(purpose, PURPOSES)}"
            f" (known: {', '.join(PURPOSES)})"
        )
    if not isinstance(source, (Graph, Model)):
        source = load(source)
    model = PURPOSES[purpose](source)
    module, function = BUILDERS[target]
    return getattr(import_module(module), function)(model, **options)


__all__ = ["Model", "build", "for_deployment", "for_training"]
