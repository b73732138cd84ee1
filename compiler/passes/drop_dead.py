r"""Remove nodes that no output depends on.

in --> conv --> relu --> logits            in --> conv --> relu --> logits
          \--> pool --> dense       ==>
"""

from __future__ import annotations

from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft


def drop_dead(model: Model) -> Model:
    nodes = model.graph.nodes
    alive = {tensor.node for tensor in model.graph.outputs.values()}
    draft = Draft(model)
    for name in reversed(tuple(nodes)):
        if name in alive:
            alive.update(tensor.node for tensor in nodes[name].inputs)
        else:
            draft.remove(name)
    return draft.model()
