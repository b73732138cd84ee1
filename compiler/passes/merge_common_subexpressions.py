r"""Let one node do what several do alike: the same op on the same tensors.

    x --> relu --> conv a --> add               x --> relu --> conv a --> add
     \--> relu --> conv b --/          ==>                \--> conv b --/

Nodes with weights of their own stay, however equal those are: a graph is the same whatever was
trained. Those that share one set of weights are alike. Noise stays too: two dropouts draw apart.
"""

from __future__ import annotations

from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft
from archspec.node import Node, Tensor
from archspec.ops import Op


def merge_common_subexpressions(model: Model) -> Model:
    draft = Draft(model)
    seen: dict[tuple[Op, tuple[Tensor, ...], str | None], Node] = {}
    for name in model.graph.nodes:
        node = draft.nodes[name]
        if node.op.is_noise:
            continue
        weights = node.owner if node.layer.uses else None
        twin = seen.setdefault((node.op, node.inputs, weights), node)
        if twin is not node:
            draft.bypass(name, *twin.results)
    return draft.model()
