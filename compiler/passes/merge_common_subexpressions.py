r"""Let one node do what several do alike: the same op on the same tensors, with equal weights.

    x --> relu --> conv a --> add               x --> relu --> conv a --> add
     \--> relu --> conv b --/          ==>                \--> conv b --/

Without weights at hand no two nodes that own some are taken for equal. Noise never is: two
dropouts draw apart.
"""

from __future__ import annotations

from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft
from archspec.node import Node, Tensor
from archspec.ops import Op
from archspec.ops.regularize import Dropout, DropPath


def merge_common_subexpressions(model: Model) -> Model:
    draft = Draft(model)
    seen: dict[tuple[Op, tuple[Tensor, ...]], list[Node]] = {}
    for name in model.graph.nodes:
        node = draft.nodes[name]
        if isinstance(node.op, (Dropout, DropPath)):
            continue
        alike = seen.setdefault((node.op, node.inputs), [])
        twin = next((one for one in alike if _same_weights(draft, one, node)), None)
        if twin is None:
            alike.append(node)
        else:
            draft.bypass(name, *twin.results)
    return draft.model()


def _same_weights(draft: Draft, one: Node, other: Node) -> bool:
    if not one.layer.weights:
        return True
    if not draft.has_weights:
        return False
    arrays = draft.arrays(other)
    return all((array == arrays[name]).all() for name, array in draft.arrays(one).items())
