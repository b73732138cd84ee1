"""Drafts made fewer: what the exporter took apart is put together again.

conv ── add a constant per channel      becomes    conv with bias
norm ── scale ── add                               the norm with its own factors and constants
pad ── conv                                        conv with that padding
slice, slice, slice of all channels                split
roll ── ... attention in windows ... ── roll back  attention with a shift
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from archspec.compiler.importing.onnx.drafts import Draft, Plan, Result
from archspec.errors import SpecError
from archspec.ops.activation import Scale
from archspec.ops.attention import Attention
from archspec.ops.base import AXES
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.learnt import Param
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Concat
from archspec.ops.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RmsNorm
from archspec.ops.pool import AvgPool, MaxPool
from archspec.ops.rearrange import Roll
from archspec.ops.regularize import LayerScale
from archspec.ops.reshape import Pad, Slice, Split
from archspec.shapes import resolve_padding

NORMS = (LayerNorm, GroupNorm, InstanceNorm, BatchNorm)
LOWEST = -3e38


def tidy(plan: Plan) -> None:
    for step in (
        _drop_idle,
        _merge_pads,
        _merge_constants,
        _join_slices,
        _shift_windows,
        _merge_rolls,
        _merge_thinning,
        _nest_concats,
        _drop_unread,
    ):
        step(plan)


def _drop_idle(plan: Plan) -> None:
    for draft in list(plan.drafts):
        if len(draft.inputs) == 1 and draft.op.gives_its_input(draft.shapes):
            plan.redirect(Result(draft, 0, draft.shapes[0]), draft.inputs[0])
            plan.drop(draft)


def _nest_concats(plan: Plan) -> None:
    """A concat that begins with all that another joins reads that one: what dense blocks are."""
    known: dict[Any, Draft] = {}
    for draft in plan.drafts:
        if not isinstance(draft.op, Concat):
            continue
        key = tuple(result[:2] for result in draft.inputs)
        for count in range(len(key) - 1, 1, -1):
            inner = known.get((draft.op.axis, key[:count]))
            if inner is not None:
                shape = inner.op.infer(inner.shapes)[0]
                draft.inputs = [Result(inner, 0, shape), *draft.inputs[count:]]
                break
        known.setdefault((draft.op.axis, key), draft)


def join_sums(plan: Plan) -> None:
    """a + b + c, which exporters write as two sums, as one, added in the same order; those of
    different modules stay apart."""
    readers = plan.readers()  # how many each result has stays as it is
    for draft in list(plan.drafts):
        if not isinstance(draft.op, Add):
            continue
        for result in draft.inputs:
            inner = result.draft
            if inner is None or not isinstance(inner.op, Add) or inner.scope != draft.scope:
                continue
            if len(readers[result[:2]]) != 1:
                continue
            others = [other for other in draft.inputs if other is not result]
            draft.inputs = [*inner.inputs, *others]
            draft.covers = [*inner.covers, *draft.covers]
            plan.drop(inner)
            break


def _merge_rolls(plan: Plan) -> None:
    for draft in list(plan.drafts):
        before = draft.inputs[0].draft if draft.inputs else None
        if not isinstance(draft.op, Roll) or before is None or not isinstance(before.op, Roll):
            continue
        if len(plan.readers()[before, 0]) == 1:
            draft.op = Roll(_total([before, draft]))
            draft.inputs, draft.covers = before.inputs, before.covers + draft.covers
            plan.drop(before)


def _merge_thinning(plan: Plan) -> None:
    """Every second row, and of those every second column, are one pool."""
    for draft in list(plan.drafts):
        before = draft.inputs[0].draft if draft.inputs else None
        if not (_thins(draft) and before is not None and _thins(before)):
            continue
        if len(plan.readers()[before, 0]) == 1:
            (a, b), (c, d) = before.op.stride, draft.op.stride  # type: ignore[attr-defined]
            draft.op = MaxPool((1, 1), (a * c, b * d))
            draft.inputs, draft.covers = before.inputs, before.covers + draft.covers
            plan.drop(before)


def _thins(draft: Draft) -> bool:
    return isinstance(draft.op, MaxPool) and draft.op == MaxPool((1, 1), draft.op.stride)


def _drop_unread(plan: Plan) -> None:
    read = {result.draft for result in plan.outputs}
    kept: list[Draft] = []
    for draft in reversed(plan.drafts):
        if draft in read:
            read.update(result.draft for result in draft.inputs)
            kept.append(draft)
    plan.drafts[:] = kept[::-1]


def _merge_constants(plan: Plan) -> None:
    for draft in list(plan.drafts):
        found = _constant_of(draft)
        if found is None:
            continue
        source, kind, array = found
        before = source.draft
        if before is None or len(plan.readers()[source[:2]]) != 1:
            continue
        if _absorb(before, kind, array):
            before.covers += draft.covers
            plan.redirect(Result(draft, 0, source.shape), source)
            plan.drop(draft)
    _drop_unread(plan)


def _constant_of(draft: Draft) -> tuple[Result, str, np.ndarray] | None:
    """What a draft reads, and the factor or the constant per channel that it brings."""
    if isinstance(draft.op, LayerScale):
        return draft.inputs[0], "factor", draft.weights["gamma"]
    if isinstance(draft.op, Add) and len(draft.inputs) == 2:
        for x, other in (draft.inputs, draft.inputs[::-1]):
            is_param = other.draft is not None and isinstance(other.draft.op, Param)
            if is_param and other.shape[0] == x.shape[0] and set(other.shape[1:]) <= {1}:
                assert other.draft is not None
                return x, "constant", other.draft.weights["value"].reshape(-1)
    if isinstance(draft.op, Scale):
        channels = draft.inputs[0].shape[0]
        if draft.op.factor == 1:
            return draft.inputs[0], "constant", np.full(channels, draft.op.offset, np.float32)
        if draft.op.offset == 0:
            return draft.inputs[0], "factor", np.full(channels, draft.op.factor, np.float32)
    return None


def _absorb(draft: Draft, kind: str, array: np.ndarray) -> bool:
    op: Any = draft.op
    if isinstance(op, (Conv, ConvTranspose, Dense)) and kind == "constant":
        bias = draft.weights.get("bias", np.float32(0))
        draft.op = replace(op, bias=True)
        draft.weights["bias"] = np.ascontiguousarray(bias + array, np.float32)
        return True
    if isinstance(op, NORMS) and kind == "factor":
        for name in ("gamma", "beta"):
            draft.weights[name] = draft.weights[name] * array
        return True
    if isinstance(op, RmsNorm) and kind == "factor":
        draft.weights["gamma"] = draft.weights["gamma"] * array
        return True
    if isinstance(op, NORMS) and kind == "constant":
        draft.weights["beta"] = draft.weights["beta"] + array
        return True
    return False


def unfold_norms(plan: Plan) -> None:
    """Batch norms of mean 0 and variance 1 behind the convolutions that an exporter has folded
    theirs into, or so it seems: those with a bias on more than one pixel. What was the bias is the
    norm's, so that the numbers are as they were."""
    for draft in list(plan.drafts):
        if not isinstance(draft.op, Conv) or not draft.op.bias:
            continue
        shape = draft.op.infer(draft.shapes)[0]
        if shape[1:] == (1, 1):
            continue
        draft.op = replace(draft.op, bias=False)
        ones = np.ones(shape[0], np.float32)
        arrays = {
            "gamma": ones * np.float32((1 + BatchNorm().epsilon) ** 0.5),
            "beta": draft.weights.pop("bias"), "moving_mean": 0 * ones, "moving_variance": ones,
        }  # fmt: skip
        norm = Draft(BatchNorm(), [], arrays, f"{draft.scope}.norm" if draft.scope else "")
        plan.redirect(Result(draft, 0, shape), Result(norm, 0, shape))
        norm.inputs.append(Result(draft, 0, shape))
        plan.drafts.insert(plan.drafts.index(draft) + 1, norm)


def _merge_pads(plan: Plan) -> None:
    for draft in list(plan.drafts):
        if not isinstance(draft.op, Pad):
            continue
        readers = plan.readers()[draft, 0]
        if readers and all(reader is not None and _takes(reader, draft) for reader in readers):
            source = draft.inputs[0]
            for reader in readers:
                assert reader is not None
                reader.op = _pad(reader, draft)
                reader.covers += draft.covers
            inner = draft.op.infer(draft.shapes)[0]
            plan.redirect(Result(draft, 0, inner), source)
            plan.drop(draft)


def _takes(reader: Draft, pad: Draft) -> bool:
    op, value = reader.op, pad.op.value  # type: ignore[attr-defined]
    if isinstance(op, Conv):
        return value == 0
    if not isinstance(op, (MaxPool, AvgPool)) or op.ceil:
        return False
    sides = op.sides(reader.shapes)
    most = max(a + b for a, b in zip(sides, pad.op.padding, strict=True))  # type: ignore[attr-defined]
    if most >= min(op.kernel):
        return False
    return value <= LOWEST if isinstance(op, MaxPool) else value == 0 and not any(sides)


def _pad(reader: Draft, pad: Draft) -> Any:
    op: Any = reader.op
    sides = op.sides(reader.shapes)
    whole = tuple(a + b for a, b in zip(sides, pad.op.padding, strict=True))  # type: ignore[attr-defined]
    dilation = getattr(op, "dilation", (1, 1))
    _, height, width = pad.shapes[0]
    uneven = whole[0] != whole[1] or whole[2] != whole[3]
    if uneven and resolve_padding("same", op.kernel, op.stride, dilation, (height, width)) == whole:
        whole = "same"
    more = {"count_padding": True} if isinstance(op, AvgPool) else {}
    return replace(op, padding=whole, **more)


def _join_slices(plan: Plan) -> None:
    """Parts that together are all of an axis, one behind another."""
    groups: dict[Any, list[Draft]] = defaultdict(list)
    for draft in plan.drafts:
        if isinstance(draft.op, Slice):
            groups[draft.inputs[0][:2], draft.op.axis].append(draft)
    for (_, axis), drafts in groups.items():
        source = drafts[0].inputs[0]
        extent = source.shape[AXES[axis]]
        spans = [(d.op.start, d.op.stop or extent) for d in drafts]  # type: ignore[attr-defined]
        wanted = sorted(set(spans))
        ends = [0, *(stop for _, stop in wanted)]
        if len(wanted) < 2 or [start for start, _ in wanted] != ends[:-1] or ends[-1] != extent:
            continue
        sizes = tuple(stop - start for start, stop in wanted)
        equal = len(set(sizes)) == 1
        op = Split(len(sizes), axis) if equal else Split(None, axis, sizes)
        whole = Draft(op, [source], {}, drafts[0].scope, drafts[0].covers)
        shapes = op.infer((source.shape,))
        plan.drafts[plan.drafts.index(drafts[0])] = whole
        for draft, span in zip(drafts, spans, strict=True):
            index = wanted.index(span)
            plan.redirect(Result(draft, 0, shapes[index]), Result(whole, index, shapes[index]))
            if draft in plan.drafts:
                plan.drop(draft)


def _shift_windows(plan: Plan) -> None:
    """Rolls around what works on each pixel alone move into the attention masked by them."""
    for draft in list(plan.drafts):
        is_shifted = isinstance(draft.op, Attention) and any(draft.op.shift)
        if is_shifted and not _take_rolls(plan, draft):
            raise SpecError(
                f"{draft.covers[-1]} is attention masked for shifted windows, and the rolls that"
                " shift them are not around it"
            )


def _take_rolls(plan: Plan, attention: Draft) -> bool:
    op: Any = attention.op
    before: list[Draft] = []
    for source in attention.inputs:
        while source.draft is not None and not isinstance(source.draft.op, Roll):
            if len(source.draft.inputs) != 1 or not _is_pointwise(source.draft):
                return False
            source = source.draft.inputs[0]
        passed: list[Draft] = []
        while source.draft is not None and isinstance(source.draft.op, Roll):
            passed.append(source.draft)
            source = source.draft.inputs[0]
        if _total(passed) != tuple(-n for n in op.shift):
            return False
        before += [roll for roll in passed if roll not in before]
    after: list[Draft] = []
    result: Any = attention
    while True:
        readers = plan.readers()[result, 0]
        if len(readers) != 1 or readers[0] is None:
            break
        result = readers[0]
        if isinstance(result.op, Roll):
            after.append(result)
        elif after or not _is_pointwise(result) or len(result.inputs) != 1:
            break
    if _total(after) != op.shift:
        return False
    for draft in (*before, *after):
        plan.redirect(Result(draft, 0, draft.shapes[0]), draft.inputs[0])
        plan.drop(draft)
    return True


def _total(rolls: list[Draft]) -> tuple[int, int]:
    shifts = [roll.op.shift for roll in rolls]  # type: ignore[attr-defined]
    return (sum(shift[0] for shift in shifts), sum(shift[1] for shift in shifts))


def _is_pointwise(draft: Draft) -> bool:
    op = draft.op
    if isinstance(op, Conv):
        return op.kernel == (1, 1) and op.stride == (1, 1) and not any(op.sides(draft.shapes))
    return isinstance(op, Split) and op.axis == "channels"
