"""Multiply a layer_scale into the weights of what comes before it: a convolution, a dense layer, a
normalisation or another layer_scale that works for it alone, with weights that are its alone.

    conv (w, b) --> layer_scale g --> add      ==>      conv (g w, g b) --> add
    norm (gamma, beta) --> layer_scale g       ==>      norm (g gamma, g beta)
"""

from __future__ import annotations

from archspec.compiler.affine import factors_of
from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft
from archspec.ops.regularize import LayerScale


def fold_layer_scale(model: Model) -> Model:
    draft = Draft(model)
    for name in model.graph.nodes:
        scale = draft.nodes[name]
        if not isinstance(scale.op, LayerScale):
            continue
        layer = draft.own_producer(scale.inputs[0])
        if layer is None or layer.op.folding() == "nothing" or draft.shares(layer):
            continue
        if draft.has_weights:
            factors = draft.arrays(scale)["gamma"].astype("float64")
            arrays = draft.arrays(layer)
            trained = {weight.name for weight in layer.layer.weights if weight.trainable}
            scaled = {
                weight: array * factors_of(layer.op, factors, array)
                for weight, array in arrays.items()
                if weight in trained
            }
            draft.put(
                layer.name, {weight: array.astype("float32") for weight, array in scaled.items()}
            )
        draft.bypass(name, *layer.results)
    return draft.model()
