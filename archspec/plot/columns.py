"""Panels measured one by one, and the ways to break their sequence into columns."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from archspec.node import Tensor
from archspec.plot.boxes import Box
from archspec.plot.level import Level, Placer
from archspec.plot.outline import Block, Item
from archspec.plot.panels import RESULTS

ABOUT_GAP = 30.0
"""What stands between two panels of a column, about."""


@dataclass(eq=False)
class Panel:
    box: Box
    inside: Level | None
    column: int = 0
    row: int = 0


def measure(items: Sequence[Item], placer: Placer) -> list[Panel]:
    """A panel for each item, with its size and where its wires meet it."""
    panels: list[Panel] = []
    for item in items:
        if isinstance(item, Block) and item.name == RESULTS:
            item.items.sort(key=lambda pill: _place_of(pill.inputs, panels))
            item.inputs = tuple(sorted(item.inputs, key=lambda t: _place_of((t,), panels)))
        if isinstance(item, Block):
            panels.append(Panel(*placer.block(item)))
        else:
            panels.append(Panel(placer.level([_alone(item)]).boxes[0], None))
            panels[-1].box.item = item
            panels[-1].box.inputs = dict.fromkeys(item.inputs, 0.0)
    return panels


def _place_of(tensors: tuple[Tensor, ...], panels: list[Panel]) -> tuple[int, float]:
    """Where a pill's tensor comes from: pills stand in that order, so that wires do not cross."""
    for index, panel in enumerate(panels):
        for tensor in tensors:
            if tensor in panel.box.outputs:
                return index, panel.box.outputs[tensor]
    return len(panels), 0.0


def _alone(item: Item) -> Item:
    """The item for measuring by itself, without the inputs that nobody there gives."""
    alone = copy(item)
    alone.inputs = ()
    return alone


def ways_to_break(panels: Sequence[Panel], counts: Sequence[int]) -> list[tuple[int, ...]]:
    """Starts of columns after the first, for these numbers of columns: of each one way whose
    tallest column is lowest, and one whose columns are most even."""
    heights = [panel.box.height + ABOUT_GAP for panel in panels]
    ways: dict[tuple[int, ...], None] = {}
    for count in dict.fromkeys(min(count, len(panels)) for count in counts):
        ways[tuple(_lowest(heights, count))] = None
        ways[tuple(_evenest(heights, count))] = None
    return list(ways)


def _lowest(heights: list[float], count: int) -> list[int]:
    """Starts of columns after the first, such that the tallest of `count` columns is lowest."""
    low, high = max(heights), sum(heights)
    for _ in range(40):
        limit = (low + high) / 2
        if len(_fill(heights, limit)) < count:
            high = limit
        else:
            low = limit
    return _fill(heights, high)


def _evenest(heights: list[float], count: int) -> list[int]:
    """The same, such that the squares of the columns' heights add up to the least."""
    sums = [0.0]
    for height in heights:
        sums.append(sums[-1] + height)
    size = len(heights)
    costs = [total * total for total in sums]
    choices: list[list[int]] = []
    for _ in range(count - 1):
        best = [0] * (size + 1)
        better = list(costs)
        for end in range(1, size + 1):
            options = [costs[k] + (sums[end] - sums[k]) ** 2 for k in range(end)]
            best[end] = min(range(end), key=options.__getitem__)
            better[end] = options[best[end]]
        choices.append(best)
        costs = better
    breaks: list[int] = []
    end = size
    for best in reversed(choices):
        end = best[end]
        breaks.append(end)
    return sorted(set(breaks) - {0})


def _fill(heights: list[float], limit: float) -> list[int]:
    breaks: list[int] = []
    total = 0.0
    for index, height in enumerate(heights):
        if total + height > limit and total:
            breaks.append(index)
            total = 0.0
        total += height
    return breaks
