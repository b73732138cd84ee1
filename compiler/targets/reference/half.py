"""Inference as a chip in float16 does it, roughly: what its rounding may cost, before there is one.

Weights and every result are float16. Products are added up in float32, as the cube of an Ascend
does it; activations, exponentials and softmax compute in float16, as the vector unit of an Ascend
310 has no other. It is an estimate: kernels that are fused round less often, and the order of sums
and the chip's own exponential are not known here.
"""

from __future__ import annotations

import numpy as np

from archspec.compiler.model import Model
from archspec.compiler.targets.reference import Array, forward

IN_HALF = ("function", "scale", "sum")
"""Kinds of work that the vector unit does in float16 throughout."""


def run_half(model: Model, image: Array) -> dict[str, Array]:
    """The outputs by name, float32; what passes 65,504 is infinite, as there."""
    graph, weights = model.graph, model.weights
    assert weights is not None, "a model with weights"
    values: dict[tuple[str, int], Array] = {("in", 0): image.astype(np.float16)}
    with np.errstate(all="ignore"):
        for name, node in graph.nodes.items():
            kind = np.float16 if node.op.work().kind in IN_HALF else np.float32
            own = {
                w.name: weights[f"{name}.{w.name}"].astype(np.float16).astype(kind)
                for w in node.layer.weights
            }
            inputs = [values[tensor].astype(kind) for tensor in node.inputs]
            for index, result in enumerate(forward(node.op, inputs, own)):
                values[name, index] = np.asarray(result).astype(np.float16)
    return {key: values[tensor].astype(np.float32) for key, tensor in graph.outputs.items()}
