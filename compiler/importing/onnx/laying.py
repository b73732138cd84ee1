"""Views written out: the ops that bring a result's numbers into the order that a reader needs."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise, permutations
from typing import Protocol

from archspec.compiler.importing.onnx.drafts import Result
from archspec.compiler.importing.onnx.views import (
    Atom,
    Atoms,
    Unsaid,
    View,
    has_batch,
    size_of,
    without_batch,
)
from archspec.ops import Op
from archspec.ops.axes import AXES, Permute, Reshape
from archspec.ops.rearrange import PixelShuffle, SpaceToDepth
from archspec.ops.reshape import ChannelShuffle, Flatten


class Writer(Protocol):
    arranged: dict[Hashable, Result]
    """What was brought into another order already, so that a second reader reads that."""

    def add(self, op: Op, *inputs: Result) -> Result: ...


def lay_image(view: View, write: Writer) -> View:
    """The view as a map: (batch)(channels)(height)(width), each an axis of the result."""
    if len(view.axes) != 4:
        raise Unsaid(f"reads a tensor of {len(view.axes)} axes where a map has 4")
    check_batch(view)
    channels, height, width = map(without_batch, view.axes[1:])
    return arrange(view, (channels, height, width), write)


def lay_vector(view: View, write: Writer) -> View:
    """(batch)(features): a vector."""
    check_batch(view)
    rest = tuple(atom for axis in view.axes[1:] for atom in axis)
    laid = arrange(view, (rest,), write)
    return View(laid.result, laid.base, (view.axes[0], rest))


def check_batch(view: View) -> None:
    """Raises Unsaid unless the first axis is the batch alone."""
    first = view.axes[0] if view.axes else ()
    if without_batch(first) or any(has_batch(axis) for axis in view.axes[1:]):
        raise Unsaid("reads a tensor whose first axis is not the batch alone")


def arrange(view: View, target: tuple[Atoms, ...], write: Writer) -> View:
    """The view over a result that has the target's atoms as its axes."""
    if view.base == target:
        return view
    key = (view.result[:2], view.base, target)
    result = write.arranged.get(key)
    if result is None:
        result = _name(view, target, write) or _permute(view, target, write)
        write.arranged[key] = result
    return View(result, target, view.axes)


def as_pixels(view: View, channels: Atoms, places: Atoms, write: Writer) -> View:
    """The view over a map whose channels are these atoms, and whose pixels the others."""
    if len(view.base) == 3 and view.base[0] == channels:
        return view
    rows: list[Atom] = []
    columns: list[Atom] = []
    if len(view.base) == 3:
        rows = [atom for atom in view.base[1] if atom in places]
        columns = [atom for atom in view.base[2] if atom in places]
    if len(rows) + len(columns) != len(places):
        rows, columns = list(places), []
    return arrange(view, (channels, tuple(rows), tuple(columns)), write)


def _flat(axes: tuple[Atoms, ...]) -> list[Atom]:
    return [atom for axis in axes for atom in axis]


def _extents(axes: tuple[Atoms, ...]) -> tuple[int, ...]:
    return tuple(size_of(axis) for axis in axes)


def _regroup(result: Result, axes: tuple[Atoms, ...], write: Writer) -> Result:
    """The same numbers in the same order, in other axes."""
    extents = _extents(axes)
    if extents == result.shape:
        return result
    if len(extents) == 1:
        return write.add(Flatten(), result)
    return write.add(reshape_to(extents, result.shape), result)


def reshape_to(extents: tuple[int, ...], given: tuple[int, ...]) -> Reshape:
    """The reshape that says least: what is left and what stays are not written."""
    channels, height, width = extents
    if len(given) == 3 and given[0] == channels:
        if width == 1:
            return Reshape(width=1)
        return Reshape(height=height) if height != given[1] else Reshape(width=width)
    return (
        Reshape(channels=channels, height=height)
        if width != 1
        else Reshape(channels=channels, width=1)
    )


def _name(view: View, target: tuple[Atoms, ...], write: Writer) -> Result | None:
    """Shuffles of channels and blocks of pixels, which have names."""
    if len(view.base) != 3 or len(target) != 3:
        return None
    channels, height, width = view.base
    c, h, w = target
    if len(channels) == 2 and c == channels[::-1] and (h, w) == (height, width):
        return write.add(ChannelShuffle(channels[0].size), view.result)
    pixels = _block(height, width, c, channels)
    if pixels and (h, w) == (height[:1], width[:1]):
        return write.add(SpaceToDepth(height[1].size, pixels), view.result)
    pixels = _block(h, w, channels, c)
    if pixels and (h[:1], w[:1]) == (height, width):
        return write.add(PixelShuffle(h[1].size, pixels), view.result)
    return None


def _block(rows: Atoms, columns: Atoms, deep: Atoms, flat: Atoms) -> str | None:
    """The order in which channels hold the pixels of blocks of (rows, columns), if they do."""
    if len(rows) != 2 or len(columns) != 2 or rows[1].size != columns[1].size:
        return None
    down, right = rows[1], columns[1]
    orders = {
        (*flat, down, right): "channels",
        (down, right, *flat): "rows",
        (right, down, *flat): "columns",
    }
    return orders.get(deep)


def _permute(view: View, target: tuple[Atoms, ...], write: Writer) -> Result:
    """By reshapes and transposes, as few as are found: each moves three groups of atoms."""
    wanted = _flat(target)
    atoms = _flat(view.base)
    if set(map(id, wanted)) != set(map(id, atoms)) or len(wanted) != len(atoms):
        raise Unsaid("reads a part of a tensor where all of it is needed")
    result, axes = view.result, view.base
    while atoms != wanted:
        groups, order = _move(atoms, wanted)
        result = _regroup(result, groups, write)
        result = write.add(Permute(tuple(AXES[i] for i in order)), result)
        axes = tuple(groups[i] for i in order)
        atoms = _flat(axes)
    return _regroup(result, target, write) if axes != target else result


def _move(
    atoms: list[Atom], wanted: list[Atom]
) -> tuple[tuple[Atoms, Atoms, Atoms], tuple[int, ...]]:
    """Three groups, and the order in which most neighbours are as they shall be."""
    pairs = set(pairwise(map(id, wanted)))
    best: tuple[int, tuple[Atoms, Atoms, Atoms], tuple[int, ...]] | None = None
    for first in range(len(atoms) + 1):
        for second in range(first, len(atoms) + 1):
            groups = (tuple(atoms[:first]), tuple(atoms[first:second]), tuple(atoms[second:]))
            for order in permutations(range(3)):
                moved = [atom for i in order for atom in groups[i]]
                if moved == atoms:
                    continue
                joined = sum(pair in pairs for pair in pairwise(map(id, moved)))
                joined = joined * 4 + 2 * (moved[0] is wanted[0]) + (moved[-1] is wanted[-1])
                if best is None or joined > best[0]:
                    best = (joined, groups, order)
    assert best is not None
    now = sum(pair in pairs for pair in pairwise(map(id, atoms)))
    now = now * 4 + 2 * (atoms[0] is wanted[0]) + (atoms[-1] is wanted[-1])
    if best[0] <= now:
        raise Unsaid("moves axes in a way that takes too many steps")
    return best[1], best[2]
