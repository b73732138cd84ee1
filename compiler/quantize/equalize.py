"""Cross-layer equalisation: what one layer's channel is divided by, the next multiplies with, so
that the channels of both have weights of like size (Nagel et al., arXiv 1906.04721, section 4.1).

    conv (w1, b1) --> relu --> conv (w2)    ==>    conv (w1 / s, b1 / s) --> relu --> conv (w2 s)

    s = sqrt(range of w1 * range of w2) / range of w2, for each channel between the two

It holds for what a factor passes through: nothing, relu, leaky relu. A relu6 lets it pass as far as
no channel is cut at another height: those that reach 6 keep their scale, and the others are not
brought above it, so that the network stays the same on all images it was calibrated with. The paper
makes relu of relu6 instead, and another network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from archspec.compiler.affine import factors_of
from archspec.compiler.model import Model
from archspec.compiler.quantize.factors import Array
from archspec.compiler.quantize.layers import has_int8_weights
from archspec.compiler.quantize.quantization import BIAS, WEIGHT
from archspec.compiler.quantize.walking import walk
from archspec.compiler.rewrite import Draft
from archspec.node import Node, Tensor
from archspec.ops.activation import Act
from archspec.ops.conv import Conv

LETS_PASS = frozenset({"relu", "leaky_relu"})
CUT, CUT_AT = "relu6", 6.0
ROUNDS = 20
ENOUGH = 1e-3
"""Scales that all differ by less from 1 end the rounds."""
WIDEST = 1e4
"""A channel of which next to nothing comes is not blown up without end."""


class Pair(NamedTuple):
    """Two layers with nothing but an activation between; `cut` is a relu6 there."""

    first: Node
    second: Node
    cut: Node | None


def find_pairs(model: Model) -> list[Pair]:
    """All pairs of layers between which scales can move, in order."""
    draft = Draft(model)
    found: list[Pair] = []
    for second in model.graph.nodes.values():
        if not _has_output_first(second):
            continue
        before, cut = draft.own_producer(second.inputs[0]), None
        if before is not None and isinstance(before.op, Act):
            function = before.op.function
            if function not in LETS_PASS and function != CUT:
                continue
            cut = before if function == CUT else None
            before = draft.own_producer(before.inputs[0])
        if before is not None and _has_output_first(before):
            found.append(Pair(before, second, cut))
    return found


def _has_output_first(node: Node) -> bool:
    """A transposed convolution's weight has its channels elsewhere, and is left alone."""
    return has_int8_weights(node) and node.op.name in ("conv", "dense")


def highest_inputs(
    model: Model, pairs: Iterable[Pair], batches: Iterable[Array]
) -> dict[str, Array]:
    """Of each relu6 between a pair the largest number that each of its channels was given."""
    wanted: dict[Tensor, str] = {p.cut.inputs[0]: p.cut.name for p in pairs if p.cut is not None}
    found: dict[str, Array] = {}
    for images in batches if wanted else ():
        for step in walk(model, images):
            name = wanted.get(step.node.results[0])
            if name is not None:
                array = step.results[0]
                highest = array.max(axis=(0, *range(2, array.ndim)))
                found[name] = np.maximum(found.get(name, -np.inf), highest)
    return found


def equalize(model: Model, pairs: Iterable[Pair], highest: Mapping[str, Array]) -> Model:
    """The model with its scales moved; `highest` is of `highest_inputs`."""
    pairs, draft = list(pairs), Draft(model)
    left = {name: array.astype(np.float64) for name, array in highest.items()}
    for _ in range(ROUNDS):
        widest = 0.0
        for pair in pairs:
            scale = _scale(draft, pair, left)
            _move(draft, pair, scale)
            if pair.cut is not None:
                left[pair.cut.name] /= scale
            widest = max(widest, float(np.abs(np.log(scale)).max()))
        if widest < ENOUGH:
            break
    return draft.model()


def _scale(draft: Draft, pair: Pair, highest: Mapping[str, Array]) -> Array:
    """What each channel between the two is divided by."""
    one = _range(draft.arrays(pair.first)[WEIGHT], 0)
    other = _range(_by_input(pair.second, draft.arrays(pair.second)[WEIGHT]), 1)
    has_both = (one > 0) & (other > 0)
    scale = np.sqrt(np.where(has_both, one, 1) / np.where(has_both, other, 1))
    scale = np.clip(scale, 1 / WIDEST, WIDEST)
    if pair.cut is None:
        return scale
    reached = highest[pair.cut.name]
    is_cut = reached > CUT_AT
    return np.where(is_cut, 1.0, np.maximum(scale, np.maximum(reached, 0) / CUT_AT))


def _range(weight: Array, axis: int) -> Array:
    others = tuple(k for k in range(weight.ndim) if k != axis)
    return np.abs(weight).max(axis=others).astype(np.float64)


def _by_input(node: Node, weight: Array) -> Array:
    """A weight with all input channels along its second axis, whatever groups they are in."""
    groups = node.op.groups if isinstance(node.op, Conv) else 1
    if groups == 1:
        return weight
    channels, per_group, *kernel = weight.shape
    grouped = weight.reshape(groups, channels // groups, per_group, *kernel)
    return np.moveaxis(grouped, 1, 0).reshape(channels // groups, groups * per_group, *kernel)


def _move(draft: Draft, pair: Pair, scale: Array) -> None:
    first, second = draft.arrays(pair.first), draft.arrays(pair.second)
    shape = factors_of(pair.first.op, scale, first[WEIGHT])
    changed = {WEIGHT: (first[WEIGHT] / shape).astype(np.float32)}
    if BIAS in first:
        changed[BIAS] = (first[BIAS] / scale).astype(np.float32)
    draft.put(pair.first.name, changed)
    weight = second[WEIGHT]
    groups = pair.second.op.groups if isinstance(pair.second.op, Conv) else 1
    # the input channels of each group, for each output channel
    per_output = np.repeat(scale.reshape(groups, -1), weight.shape[0] // groups, axis=0)
    per_output = per_output.reshape(*weight.shape[:2], *[1] * (weight.ndim - 2))
    draft.put(pair.second.name, {WEIGHT: (weight * per_output).astype(np.float32)})
