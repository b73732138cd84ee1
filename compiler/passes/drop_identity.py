"""Remove nodes that give their input back: identity, and others whose attributes leave nothing to
do, such as a pad by 0 or a concat of one. An output that was such a node keeps its key.

    conv --> identity --> relu --> pad 0 --> logits      ==>      conv --> relu --> logits
"""

from __future__ import annotations

from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft
from archspec.node import Node
from archspec.ops.merge import Concat
from archspec.ops.pool import AvgPool, MaxPool
from archspec.ops.reshape import ChannelShuffle, Flatten, Identity, Pad, Slice, Upsample


def drop_identity(model: Model) -> Model:
    draft = Draft(model)
    for name in model.graph.nodes:
        node = draft.nodes[name]
        if gives_its_input(node):
            draft.bypass(name, node.inputs[0])
    return draft.model()


def gives_its_input(node: Node) -> bool:
    """Whether the one result is the one input, value for value and in the same shape."""
    shapes = node.layer.input_shapes
    match node.op:
        case Identity():
            return True
        case Concat():
            return len(shapes) == 1
        case ChannelShuffle(groups=groups):
            return groups in (1, shapes[0][0])
        # These can only leave every value in its place if they leave the shape.
        case Flatten() | Slice() | Pad() | Upsample():
            return node.layer.output_shapes == shapes
        case MaxPool(kernel=kernel, stride=stride) | AvgPool(kernel=kernel, stride=stride):
            return kernel == stride == (1, 1)
        case _:
            return False
