"""How much of the input an element of a result sees, exactly, whatever is enlarged on the way.

Along one axis, on a grid without borders: element i of a tensor sees the input pixels from low(i)
to high(i). After convolutions and pools alone both grow by one step from element to element. After
an upsample neighbours can see the same pixels, so the step repeats with a period: there are `lows`
and `highs` for the elements of one period, and each period after sees `step` pixels further.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd, lcm
from operator import sub
from typing import TypeAlias

from archspec.node import INPUT, Node
from archspec.ops import Window
from archspec.ops.window import Sampling

FARTHEST = 10**15
"""Pixels that a step has at most: strides over an extent of 1 could double it for ever."""
LONGEST_PERIOD = 1024
"""Elements of a period that are told apart; beyond, a field is said larger than it is, never
smaller."""


class Axis:
    """What elements 0 to len(lows) - 1 see, and how much further the next as many."""

    __slots__ = ("extent", "highs", "lows", "step")

    def __init__(self, lows: tuple[int, ...], highs: tuple[int, ...], step: int):
        self.lows = lows
        self.highs = highs
        self.step = step
        self.extent = max(map(sub, highs, lows)) + 1
        """The most input pixels from the first to the last that one element sees."""

    def low(self, element: int) -> int:
        periods, place = divmod(element, len(self.lows))
        return self.lows[place] + periods * self.step

    def high(self, element: int) -> int:
        periods, place = divmod(element, len(self.highs))
        return self.highs[place] + periods * self.step


Field: TypeAlias = "tuple[Axis, Axis] | None"
"""Of a tensor, its height and width; None sees everything."""

_NOTHING = (Axis((0,), (-1,), 1), Axis((0,), (-1,), 1))
"""Of what no image takes part in."""
_PIXEL = Axis((0,), (0,), 1)
_ONE_TO_ONE = Window()


def receptive_fields(nodes: Iterable[Node]) -> dict[str, Field]:
    """What the elements of each node's results see, by name, of nodes in execution order."""
    fields: dict[str, Field] = {INPUT: (_PIXEL, _PIXEL)}
    for node in nodes:
        window, inputs = node.layer.window, node.inputs
        field: Field = _NOTHING
        for tensor in inputs:
            other = fields[tensor.node]
            if field is _NOTHING or other is _NOTHING:
                field = other if field is _NOTHING else field
            elif field is None or other is None:
                field = None
            elif field is not other:
                field = (_union(field[0], other[0]), _union(field[1], other[1]))
        if field is not None and field is not _NOTHING and window != _ONE_TO_ONE:
            field = (
                None if window.everything else (_slide(window, 0, field), _slide(window, 1, field))
            )
        fields[node.name] = field
    return fields


def _slide(window: Window, number: int, field: tuple[Axis, Axis]) -> Axis:
    """An axis of what is made of a tensor by windows of it, or by enlarging it."""
    axis = field[number]
    kernel, stride, scale = window.kernel[number], window.stride[number], window.scale[number]
    before = window.before[number]
    if window.sampling is not None:
        return _sample(axis, window.sampling[number])
    if window.spreads:
        return _spread(axis, scale, kernel, before)
    if scale > 1:
        return _enlarge(axis, scale, window.blends)
    if len(axis.lows) == 1:
        # what nearly all of a network is: one step after another
        first = axis.lows[0] - before * axis.step
        last = axis.highs[0] + (kernel - 1 - before) * axis.step
        return Axis((first,), (last,), min(axis.step * stride, FARTHEST))
    shared = gcd(len(axis.lows), stride)
    places = [place * stride - before for place in range(len(axis.lows) // shared)]
    return Axis(
        tuple(axis.low(place) for place in places),
        tuple(axis.high(place + kernel - 1) for place in places),
        min(axis.step * (stride // shared), FARTHEST),
    )


def _enlarge(axis: Axis, scale: int, blends: bool) -> Axis:
    """Each element `scale` times, or between two elements where it blends: by the half-pixel rule
    element i stands at (i + 1/2) / scale - 1/2 of those before."""
    period = len(axis.lows) * scale
    if period > LONGEST_PERIOD:
        places = range(len(axis.lows))
        jump = max(axis.high(place + 1) - axis.high(place) for place in places)
        return Axis((0,), (axis.extent - 1 + jump * (1 + blends),), -(-axis.step // period))
    if not blends:
        left = right = [place // scale for place in range(period)]
    else:
        halves = [2 * place + 1 - scale for place in range(period)]
        left = [half // (2 * scale) for half in halves]
        right = [-(-half // (2 * scale)) for half in halves]
    return Axis(tuple(map(axis.low, left)), tuple(map(axis.high, right)), axis.step)


def _sample(axis: Axis, sampling: Sampling) -> Axis:
    """Elements that stand elsewhere. They stand alike between the elements before after so many of
    them, and see alike after so many more."""
    count, moved = sampling.per // gcd(sampling.step, sampling.per), sampling.step
    moved = moved * count // sampling.per
    rounds = len(axis.lows) // gcd(len(axis.lows), moved)
    period = rounds * count
    step = axis.step * (rounds * moved // len(axis.lows))
    if period > LONGEST_PERIOD:
        places = range(len(axis.lows))
        jump = max(axis.high(place + 1) - axis.high(place) for place in places)
        return Axis((0,), (axis.extent - 1 + jump * sampling.taps,), -(-step // period))
    reached = [sampling.reach(place) for place in range(period)]
    return Axis(
        tuple(axis.low(first) for first, _ in reached),
        tuple(axis.high(last) for _, last in reached),
        min(step, FARTHEST),
    )


def _spread(axis: Axis, scale: int, kernel: int, before: int) -> Axis:
    """Each element spread over `kernel` new ones, `scale` apart, of which `before` are cut off: new
    element i is made of those from (i + before - kernel + 1) / scale to (i + before) / scale. Where
    kernels leave gaps, in them or between them, a gap is said to see what is beside it."""
    period = len(axis.lows) * scale
    if period > LONGEST_PERIOD:
        places = range(len(axis.lows))
        jump = max(axis.high(place + 1) - axis.high(place) for place in places)
        most = axis.extent - 1 + jump * ((kernel - 1) // scale)
        return Axis((0,), (most,), -(-axis.step // period))
    right = [(place + before) // scale for place in range(period)]
    left = [-((kernel - 1 - before - place) // scale) for place in range(period)]
    return Axis(
        tuple(axis.low(min(pair)) for pair in zip(left, right, strict=True)),
        tuple(map(axis.high, right)),
        axis.step,
    )


def _union(one: Axis, other: Axis) -> Axis:
    """What is seen by elements that come from both. Where their grids drift apart, the wider step
    is taken for both."""
    if len(one.lows) == len(other.lows) == 1:
        return Axis(
            (min(one.lows[0], other.lows[0]),), (max(one.highs[0], other.highs[0]),),
            max(one.step, other.step),
        )  # fmt: skip
    period = lcm(len(one.lows), len(other.lows))
    if period > LONGEST_PERIOD:
        return one if one.extent >= other.extent else other
    places = range(period)
    steps = (axis.step * (period // len(axis.lows)) for axis in (one, other))
    return Axis(
        tuple(min(one.low(place), other.low(place)) for place in places),
        tuple(max(one.high(place), other.high(place)) for place in places),
        max(steps),
    )
