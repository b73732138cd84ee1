"""How a value of the file lies over a result of ours.

Ours are (channels, height, width) or (features,), a batch aside. A file reshapes and transposes
them: tokens (batch, height * width, channels), heads, windows, NHWC. None of it computes
anything, so it is kept as a view: each axis of the value is a sequence of atoms, parts of ours.

    Reshape, Transpose of a map:   (b)(h w)(c)        atoms h, w, c, and the batch b
    Reshape to heads:              (b)(h w)(c1 c2)    c = c1 c2
    Transpose:                     (b)(c1)(h w)(c2)

Only where an op of ours reads a view that does not lie as it needs is anything written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from archspec.compiler.importing.onnx.drafts import Result

Extents = tuple[int, ...]


class Unsaid(Exception):  # nothing went wrong: there is no word for it
    """What a node does and no op of ours does; the text says what, after the node's name."""


class Atom:
    """A piece of an axis; equal to itself alone."""

    __slots__ = ("is_batch", "size")

    def __init__(self, size: int, is_batch: bool = False):
        self.size = size
        self.is_batch = is_batch


Atoms = tuple[Atom, ...]


@dataclass(frozen=True)
class View:
    """`base` are the atoms of each axis of the result, which are never of size 1; `axes` those of
    each axis of the value, one of them the batch (unless no image takes part)."""

    result: Result
    base: tuple[Atoms, ...]
    axes: tuple[Atoms, ...]

    @property
    def shape(self) -> Extents:
        return tuple(size_of(axis) for axis in self.axes)

    def over(self, result: Result) -> View:
        """The same view of another result of the same shape."""
        return replace(self, result=result)

    def split(self, atom: Atom, sizes: Sequence[int]) -> View:
        """The view with an atom in pieces, the first of which moves slowest."""
        pieces = tuple(Atom(size) for size in sizes if size > 1)

        def cut(axes: tuple[Atoms, ...]) -> tuple[Atoms, ...]:
            return tuple(
                tuple(p for one in axis for p in (pieces if one is atom else (one,)))
                for axis in axes
            )

        return View(self.result, cut(self.base), cut(self.axes))

    def regroup(self, shape: Extents) -> View:
        """Reshape. Raises Unsaid where an axis would be cut askew."""
        view, place = self, 0
        while True:
            cut = _first_cut(view, shape)
            if cut is None:
                break
            view = view.split(*cut)
        flat = [atom for axis in view.axes for atom in axis]
        axes: list[Atoms] = []
        for extent in shape:
            axis: list[Atom] = []
            if extent == 1:
                if place < len(flat) and flat[place].size == 1:
                    axis, place = [flat[place]], place + 1
            else:
                while size_of(axis) < extent:
                    axis.append(flat[place])
                    place += 1
            axes.append(tuple(axis))
        rest = flat[place:]
        if rest:  # a batch of 1 that stands last
            axes[-1] = (*axes[-1], *rest)
        return replace(view, axes=tuple(axes))

    def merge_atoms(self) -> View:
        """The view with atoms that always stand one behind another as one."""
        follows = {a: b for base in self.base for a, b in pairwise(base)}
        for axis in self.axes:
            for a, b in pairwise(axis):
                if follows.get(a) is b:
                    return _join(self, a, b).merge_atoms()
        return self

    def permute(self, order: Sequence[int]) -> View:
        return replace(self, axes=tuple(self.axes[axis] for axis in order))


def size_of(axis: Sequence[Atom]) -> int:
    return math.prod(atom.size for atom in axis)


def without_batch(axis: Sequence[Atom]) -> Atoms:
    return tuple(atom for atom in axis if not atom.is_batch)


def has_batch(axis: Sequence[Atom]) -> bool:
    return any(atom.is_batch for atom in axis)


def fresh(result: Result, batch: Atom | None) -> View:
    """A result as it is: (batch)(channels)(height)(width), or (batch)(features)."""
    base = tuple((Atom(extent),) if extent > 1 else () for extent in result.shape)
    return View(result, base, ((batch,) if batch else (), *base))


def replace_axis(view: View, result: Result, place: int, kept: Atoms | None = None) -> View:
    """The view of a result which differs from the view's by the extent of the base's axis `place`
    alone: the value's axis of those atoms, which must be an axis alone, has the new ones."""
    old = view.base[place]
    extent = result.shape[place]
    new = kept if kept is not None else ((Atom(extent),) if extent > 1 else ())
    base = (*view.base[:place], new, *view.base[place + 1 :])
    return View(result, base, tuple(new if old and axis == old else axis for axis in view.axes))


def _first_cut(view: View, shape: Extents) -> tuple[Atom, tuple[int, int]] | None:
    """The first atom across which an axis of the shape ends, and the sizes of its parts."""
    flat = [atom for axis in view.axes for atom in axis if atom.size > 1]
    place, left = 0, 0
    for extent in shape:
        wanted = extent
        while wanted > 1:
            if not left:
                if place == len(flat):
                    raise Unsaid("has a shape of another number of elements")
                left, place = flat[place].size, place + 1
            if wanted % left == 0:
                wanted, left = wanted // left, 0
            elif left % wanted == 0:
                whole = flat[place - 1]
                if whole.is_batch:
                    raise Unsaid("cuts the batch into parts")
                return whole, (whole.size // left * wanted, left // wanted)
            else:
                raise Unsaid("mixes axes that do not divide each other")
    if left or place < len(flat):
        raise Unsaid("has a shape of another number of elements")
    return None


def _join(view: View, first: Atom, second: Atom) -> View:
    whole = Atom(first.size * second.size)

    def join(axes: tuple[Atoms, ...]) -> tuple[Atoms, ...]:
        return tuple(
            tuple(whole if atom is first else atom for atom in axis if atom is not second)
            for axis in axes
        )

    return View(view.result, join(view.base), join(view.axes))
