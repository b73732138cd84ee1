r"""Make one convolution of parallel linear branches that are added (RepVGG, arXiv 2101.03697).

    x --> conv 3x3 ----\                                x --> conv 3x3 --> relu
      --> conv 1x1 ----- add --> relu          ==>
      --> batch_norm --/
      ----------------/

Branches are convolutions of one tensor with one stride and one number of groups, and, where the
stride is 1, its batch norm, its layer_scale and the tensor itself. A kernel is laid into the merged
one by where its taps look: whatever the paddings, every tap keeps the row and column it reads, so
borders stay right. Branches join only while the merged kernel multiplies no more than they did
apart: a 1x5 and a 5x1 stay two. An add keeps the inputs that do not fit. Of sums of sums, the inner
ones that serve the outer alone count as its own.

The merged convolution keeps the name of the one with the largest kernel (the first of equals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archspec.compiler.affine import affine_of, has_shift, is_affine
from archspec.compiler.model import Model
from archspec.compiler.rewrite import Draft
from archspec.node import Node, Tensor
from archspec.ops.conv import Conv
from archspec.ops.merge import Add
from archspec.shapes import Sides

Taps = tuple[range, range]
"""The rows and the columns a kernel reads, relative to the stride times the output's place."""

CENTRE = (range(1), range(1))


@dataclass(frozen=True)
class Branch:
    """One addend of a sum, as `node` makes it of the common source; None where it is the source."""

    addend: Tensor
    node: Node | None = None
    taps: Taps = CENTRE

    @property
    def conv(self) -> Conv | None:
        return self.node.op if self.node and isinstance(self.node.op, Conv) else None

    @property
    def multiplies(self) -> int:
        """Multiplications of one input and one output channel for a pixel."""
        return _area(self.taps) if self.conv else 0

    @property
    def has_bias(self) -> bool:
        if self.conv:
            return self.conv.bias
        return self.node is not None and has_shift(self.node.op)


def merge_branches(model: Model) -> Model:
    draft = Draft(model)
    for name in model.graph.nodes:
        node = draft.nodes.get(name)  # gone where it was a branch or an inner sum
        if node is not None and isinstance(node.op, Add):
            _merge_addends(draft, node)
    return draft.model()


def _merge_addends(draft: Draft, add: Node) -> None:
    inner: list[Node] = []
    addends = _addends(draft, add, inner)
    absorbed: list[Branch] = []
    for widest in _convolutions(draft, addends):
        if widest.addend not in addends:
            continue  # another took it in
        others = [addend for addend in addends if addend != widest.addend]
        branches, taps = _joinable(widest, _branches_beside(draft, widest, others))
        if len(branches) > 1:
            _become_one(draft, branches, taps)
        for branch in branches[1:]:
            addends.remove(branch.addend)
            absorbed.append(branch)
    if not absorbed:
        return
    if len(addends) == 1:
        draft.bypass(add.name, addends[0])
    else:
        draft.change(add.name, inputs=addends)
    for node in (*inner, *(branch.node for branch in absorbed if branch.node)):
        draft.remove(node.name)


def _addends(draft: Draft, add: Node, inner: list[Node]) -> list[Tensor]:
    """What a sum adds up, through the sums that serve it alone; those are put into `inner`."""
    result: list[Tensor] = []
    for tensor in add.inputs:
        node = draft.own_producer(tensor)
        if node is not None and isinstance(node.op, Add):
            inner.append(node)
            result += _addends(draft, node, inner)
        else:
            result.append(tensor)
    return result


def _convolutions(draft: Draft, addends: Sequence[Tensor]) -> list[Branch]:
    """The addends that are convolutions of their own, largest kernels first."""
    found: list[Branch] = []
    for addend in addends:
        node = draft.own_producer(addend)
        if node is None or not isinstance(node.op, Conv) or draft.shares(node):
            continue
        if node.op.folding() == "affine":
            found.append(Branch(addend, node, _taps(node)))
    return sorted(found, key=lambda branch: -branch.multiplies)


def _branches_beside(draft: Draft, widest: Branch, others: Sequence[Tensor]) -> list[Branch]:
    """The other addends that are made of the same source in a way one convolution could."""
    assert widest.node is not None and widest.conv is not None
    source, shape = widest.node.inputs[0], draft.shape(widest.addend)
    branches = [
        branch
        for branch in _convolutions(draft, others)
        if branch.node is not None
        and branch.conv is not None
        and branch.node.inputs[0] == source
        and (branch.conv.stride, branch.conv.groups) == (widest.conv.stride, widest.conv.groups)
        and draft.shape(branch.addend) == shape  # a sum repeats an axis of 1, a kernel does not
    ]
    if widest.conv.stride != (1, 1) or draft.shape(source) != shape:
        return branches
    for addend in others:
        node = draft.own_producer(addend)
        if addend == source:
            branches.append(Branch(addend))
        elif node is not None and is_affine(node.op) and node.inputs[0] == source:
            branches.append(Branch(addend, node))
    return branches


def _joinable(widest: Branch, others: Sequence[Branch]) -> tuple[list[Branch], Taps]:
    """The branches that fit one kernel without more multiplications than they have apart."""
    joined, taps = [widest], widest.taps
    for branch in others:
        rows = _span_taps(taps[0], branch.taps[0])
        columns = _span_taps(taps[1], branch.taps[1])
        if rows is None or columns is None:
            continue
        if _area((rows, columns)) <= branch.multiplies + sum(one.multiplies for one in joined):
            joined.append(branch)
            taps = (rows, columns)
    return joined, taps


def _become_one(draft: Draft, branches: Sequence[Branch], taps: Taps) -> None:
    """Make the first branch's convolution do what all of them do."""
    widest = branches[0]
    assert widest.node is not None and widest.conv is not None
    op = replace(widest.conv, bias=any(branch.has_bias for branch in branches))
    if taps != widest.taps:
        op = replace(
            op,
            kernel=(len(taps[0]), len(taps[1])),
            dilation=(taps[0].step, taps[1].step),
            padding=_sides(widest.node, taps),
        )
    if draft.has_weights:
        _add_up(draft, branches, taps, op.bias)
    draft.change(widest.node.name, op)


def _add_up(draft: Draft, branches: Sequence[Branch], taps: Taps, bias: bool) -> None:
    import numpy as np

    widest = branches[0].node
    assert widest is not None
    channels, group_inputs = draft.arrays(widest)["weight"].shape[:2]
    kernel = np.zeros((channels, group_inputs, len(taps[0]), len(taps[1])))
    constant = np.zeros(channels)
    own = np.arange(channels)  # an output channel's own input channel, counted in its group
    for branch in branches:
        rows, columns = map(_place, taps, branch.taps)
        arrays = draft.arrays(branch.node) if branch.node else {}
        if branch.conv:
            kernel[:, :, rows, columns] += arrays["weight"]
            constant += arrays.get("bias", 0)
        elif branch.node:
            affine = affine_of(branch.node.op, arrays)
            kernel[own, own % group_inputs, rows.start, columns.start] += affine.scale
            constant += affine.shift
        else:
            kernel[own, own % group_inputs, rows.start, columns.start] += 1
    merged = {"weight": kernel, "bias": constant} if bias else {"weight": kernel}
    draft.put(widest.name, {name: array.astype(np.float32) for name, array in merged.items()})


# Taps along one axis are a range: where a kernel of 3 padded by 1 reads, say, is range(-1, 2).


def _taps(node: Node) -> Taps:
    op = node.op
    assert isinstance(op, Conv)
    top, _, left, _ = op.sides(node.layer.input_shapes)
    rows, columns = (
        range(-before, dilation * (kernel - 1) - before + 1, dilation)
        for kernel, dilation, before in zip(op.kernel, op.dilation, (top, left), strict=True)
    )
    return _tidy(rows), _tidy(columns)


def _span_taps(one: range, other: range) -> range | None:
    """The evenly spaced taps that hold both; None where there are none."""
    if len(one) > 1 and len(other) > 1 and one.step != other.step:
        return None
    step = max(one.step, other.step)  # a single tap has step 1 and fits any
    if (one[0] - other[0]) % step:
        return None
    return _tidy(range(min(one[0], other[0]), max(one[-1], other[-1]) + 1, step))


def _place(outer: range, inner: range) -> slice:
    """Where the inner taps stand among the outer ones."""
    start = outer.index(inner[0])
    return slice(start, start + len(inner))


def _tidy(taps: range) -> range:
    """A single tap has no spacing, so it counts as 1."""
    return taps if len(taps) > 1 else range(taps[0], taps[0] + 1)


def _area(taps: Taps) -> int:
    return len(taps[0]) * len(taps[1])


def _sides(node: Node, taps: Taps) -> Sides:
    """The least padding under which the taps give the node's own output extent."""
    (_, *extent), (_, *outputs) = node.layer.input_shapes[0], node.layer.output_shapes[0]
    assert isinstance(node.op, Conv)
    sides: list[int] = []
    for axis, along in enumerate(taps):
        last_read = (outputs[axis] - 1) * node.op.stride[axis] + along[-1]
        sides += [-along[0], max(last_read - (extent[axis] - 1), 0)]
    return (sides[0], sides[1], sides[2], sides[3])
