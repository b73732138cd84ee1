"""Remove dropout and drop_path, which do nothing in inference.

conv --> drop_path --> add --> dropout --> dense      ==>      conv --> add --> dense
"""

from __future__ import annotations

from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft


def drop_noise(model: Model) -> Model:
    draft = Draft(model)
    for name in model.graph.nodes:
        node = draft.nodes[name]
        if node.op.is_noise:
            draft.bypass(name, node.inputs[0])
    return draft.model()
