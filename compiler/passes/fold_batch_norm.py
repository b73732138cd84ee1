"""Fold a batch norm into the convolution or dense layer before it, if that works for it alone.

    conv (w, b) --> batch_norm --> relu        ==>      conv (s w, s b + t) --> relu

    s = gamma / sqrt(moving_variance + epsilon),  t = beta - s moving_mean

A convolution that others read too, or that is an output, keeps its batch norm; so does one whose
filters are still to be standardised (see standardize_filters), or whose weights others use too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.compiler.affine import absorb, affine_of
from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft
from archspec.ops.norm import BatchNorm


def fold_batch_norm(model: Model) -> Model:
    draft = Draft(model)
    for name in model.graph.nodes:
        norm = draft.nodes[name]
        if not isinstance(norm.op, BatchNorm):
            continue
        layer = draft.own_producer(norm.inputs[0])
        if layer is None or layer.op.folding() != "affine" or draft.shares(layer):
            continue
        if draft.has_weights:
            affine = affine_of(norm.op, draft.arrays(norm))
            draft.put(layer.name, absorb(layer.op, draft.arrays(layer), affine))
        has_bias: Any = {"bias": True}
        draft.change(layer.name, replace(layer.op, **has_bias))
        draft.bypass(name, *layer.results)
    return draft.model()
