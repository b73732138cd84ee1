"""Inference as a chip in float16 does it, roughly: what its rounding may cost, before there is one.

Weights and every result are float16. Products are added up in float32, as the cube of an Ascend
does it; activations, exponentials and softmax compute in float16, as the vector unit of an Ascend
310 has no other. It is an estimate: kernels that are fused round less often, and the order of sums
and the chip's own exponential are not known here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.compiler.model import Model
from archspec.compiler.targets.reference import Array, forward
from archspec.compiler.targets.reference.walking import arrays_of, outputs_of
from archspec.node import Node

IN_HALF = ("function", "scale", "sum")
"""Kinds of work that the vector unit does in float16 throughout."""


def run_half(model: Model, image: Array) -> dict[str, Array]:
    """The outputs by name, float32; what passes 65,504 is infinite, as there."""
    weights = model.weights
    assert weights is not None, "a model with weights"

    def compute(node: Node, inputs: Sequence[Array]) -> list[Array]:
        kind = np.float16 if node.op.work().kind in IN_HALF else np.float32
        used = {
            name: array.astype(np.float16).astype(kind)
            for name, array in arrays_of(node, weights).items()
        }
        results = forward(node.op, [array.astype(kind) for array in inputs], used)
        return [np.asarray(result).astype(np.float16) for result in results]

    with np.errstate(all="ignore"):
        outputs = outputs_of(model.graph, image.astype(np.float16), compute)
    return {name: array.astype(np.float32) for name, array in outputs.items()}
