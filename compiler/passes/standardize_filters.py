"""Standardise the filters of weight_standardization once, instead of in every inference.

w --> standardise --> conv                 w' = standardise(w) --> conv
              x --/               ==>                     x --/
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft
from archspec.ops.conv import Conv

if TYPE_CHECKING:
    import numpy as np

FLOOR = 5e-4
"""Added to a filter's deviation, as archspec.ops.conv.Conv defines weight_standardization."""


def standardize_filters(model: Model) -> Model:
    draft = Draft(model)
    for name, node in model.graph.nodes.items():
        if isinstance(node.op, Conv) and node.op.weight_standardization:
            if draft.has_weights and not node.borrows:
                draft.put(name, {"weight": standardize(draft.arrays(node)["weight"])})
            draft.change(name, replace(node.op, weight_standardization=False))
    return draft.model()


def standardize(weight: np.ndarray) -> np.ndarray:
    """Each filter (the last three axes) less its mean, over its unbiased deviation."""
    exact = weight.astype("float64")
    centred = exact - exact.mean(axis=(1, 2, 3), keepdims=True)
    deviation = exact.std(axis=(1, 2, 3), keepdims=True, ddof=1)
    return (centred / (deviation + FLOOR)).astype("float32")
