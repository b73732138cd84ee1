"""From a spec to something that runs: pipeline.py shows the stages, targets/ what they end in."""

from __future__ import annotations

import os
from typing import Any

from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment, for_training
from archspec.compiler.targets import TARGETS, find_target
from archspec.errors import UsageError, did_you_mean
from archspec.graph import Graph
from archspec.loading import load

PURPOSES = {"training": for_training, "deployment": for_deployment}
"""What a network is built for, and the passes that make it fit for that."""


def build(
    source: str | os.PathLike[str] | Graph | Model,
    target: str = "mindspore",
    purpose: str = "training",
    **options: Any,
) -> Any:
    """A network in a target's own form: a mindspore.nn.Cell, a torch.nn.Module, or an
    onnx.ModelProto.

    `source` is a spec's path or a shipped one's name, a graph, or a model with weights. "training"
    keeps all that training needs; "deployment" is its inference with less work, with batch norms
    folded. `options` are those of the target's function. Raises SpecError for a spec that is wrong
    and UsageError for a target or purpose that is not there.
    """
    row = find_target(target, [name for name, other in TARGETS.items() if other.make])
    if purpose not in PURPOSES:
        raise UsageError(
            f"{purpose!r} is not a purpose{did_you_mean(purpose, PURPOSES)}"
            f" (known: {', '.join(PURPOSES)})"
        )
    if not isinstance(source, (Graph, Model)):
        source = load(source)
    model = PURPOSES[purpose](source)
    return getattr(row.load(), row.make)(model, **options)


__all__ = ["Model", "build", "for_deployment", "for_training"]
