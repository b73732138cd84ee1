"""Remove nodes that give their input back: identity, and others whose attributes leave nothing to
do, such as a pad by 0 or a concat of one. An output that was such a node keeps its key.

    conv --> identity --> relu --> pad 0 --> logits      ==>      conv --> relu --> logits
"""

from __future__ import annotations

from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft


def drop_identity(model: Model) -> Model:
    draft = Draft(model)
    for name in model.graph.nodes:
        node = draft.nodes[name]
        if node.op.gives_its_input(node.layer.input_shapes):
            draft.bypass(name, node.inputs[0])
    return draft.model()
