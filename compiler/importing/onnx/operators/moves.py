"""What moves, cuts or joins tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archspec.compiler.importing.onnx.drafts import Result
from archspec.compiler.importing.onnx.laying import arrange
from archspec.compiler.importing.onnx.operators.pointwise import align, match
from archspec.compiler.importing.onnx.site import Site, says
from archspec.compiler.importing.onnx.views import (
    Atom,
    Unsaid,
    View,
    has_batch,
    replace_axis,
    size_of,
)
from archspec.ops.axes import AXES, Reshape
from archspec.ops.merge import Concat
from archspec.ops.pool import MaxPool
from archspec.ops.rearrange import PixelShuffle, Roll, SpaceToDepth
from archspec.ops.reshape import Slice, Split


@says("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(at: Site) -> list[View]:
    x = at.x
    if at.operator.kind == "Squeeze" and len(at.shape) < len(x.axes):
        gone = at.setting("axes", 1)
        rank = len(x.axes)
        places = (
            {a % rank for a in gone}
            if gone
            else {p for p, a in enumerate(x.axes) if size_of(a) == 1}
        )
        if not any(has_batch(x.axes[place]) for place in places):
            return [
                View(x.result, x.base, tuple(a for p, a in enumerate(x.axes) if p not in places))
            ]
    try:
        return [x.regroup(at.shape)]
    except Unsaid:
        if not len(x.shape) == len(at.shape) == 4 or x.shape[0] != at.shape[0]:
            raise
        # the numbers of a map in their order, as another map
        return [at.fresh(at.add(Reshape(*at.shape[1:]), at.image().result))]


@says("Transpose")
def transpose(at: Site) -> list[View]:
    rank = len(at.x.axes)
    return [at.x.permute(at.settings.get("perm", range(rank)[::-1]))]


@says("Expand", "Tile")
def expand(at: Site) -> list[View]:
    if at.shape != at.x.shape:
        raise Unsaid("repeats what it reads")
    return [at.x]


@says("DepthToSpace", "SpaceToDepth")
def blocks(at: Site) -> list[View]:
    x, factor = at.image(), at.settings["blocksize"]
    if at.operator.kind == "SpaceToDepth":
        return [at.fresh(at.add(SpaceToDepth(factor, "rows"), x.result))]
    order = {"DCR": "rows", "CRD": "channels"}[at.settings.get("mode", "DCR")]
    return [at.fresh(at.add(PixelShuffle(factor, order), x.result))]


def cut(at: Site, x: View, axis: int, start: int, stop: int) -> View:
    """The part from start to stop of one axis of a value."""
    atoms = x.axes[axis]
    extent = size_of(atoms)
    if (start, stop) == (0, extent):
        return x
    if has_batch(atoms):
        raise Unsaid("takes a part of the batch")
    x, place, each = _lead(at, x, axis)
    atoms = x.axes[axis]
    whole = x.result.shape[place]
    last = stop * each
    op = Slice(start * each, None if last == whole else last, AXES[place])
    result = at.add(op, x.result)
    new = (Atom(stop - start),) if stop - start > 1 else ()
    rest = x.base[place][len(atoms) :]
    base = (*x.base[:place], (*new, *rest), *x.base[place + 1 :])
    axes = (*x.axes[:axis], new, *x.axes[axis + 1 :])
    return View(result, base, axes)


def _lead(at: Site, x: View, axis: int) -> tuple[View, int, int]:
    """The view with an axis' atoms as the first of one axis of the result; which that is, and how
    many numbers there are behind each."""
    atoms = x.axes[axis]
    for place, base in enumerate(x.base):
        if base[: len(atoms)] == atoms:
            return x, place, size_of(base[len(atoms) :])
    target = _isolate(x, axis)
    x = arrange(x, target, at)
    return x, target.index(atoms), 1


def _isolate(x: View, axis: int) -> tuple[Any, ...]:
    """Axes for a result of which one is an axis of the value alone."""
    atoms = x.axes[axis]
    if len(x.base) == 3:
        others = [tuple(a for a in base if a not in atoms) for base in x.base]
        if not any(a in x.base[0] for a in atoms):
            return (others[0], atoms, (*others[1], *others[2]))
        inner = tuple(a for a in x.base[0] if a not in atoms)
        if inner:
            spare = next((p for p in (1, 2) if not others[p]), None)
            if spare is None:
                return (atoms, inner, (*others[1], *others[2]))
            return (atoms, inner, others[3 - spare]) if spare == 1 else (atoms, others[1], inner)
        return (atoms, others[1], others[2])
    rest = tuple(a for base in x.base for a in base if a not in atoms)
    return (atoms, rest, ())


def _thin(at: Site, x: View, axis: int, step: int) -> View:
    """Every so many rows or columns, as a pool of one pixel takes them."""
    atoms = x.axes[axis]
    if has_batch(atoms):
        raise Unsaid("takes a part of the batch")
    if len(x.base) != 3 or atoms not in x.base[1:]:
        x = arrange(x, _isolate(x, axis), at)
    place = x.base.index(atoms)
    if place == 0:
        raise Unsaid(f"takes every {step}th of the channels")
    result = at.add(MaxPool((1, 1), (step, 1) if place == 1 else (1, step)), x.result)
    return replace_axis(x, result, place)


@says("Slice")
def slice_(at: Site) -> list[View]:
    x, rank = at.x, len(at.x.axes)
    starts, ends = at.setting("starts", 1), at.setting("ends", 2)
    axes = at.setting("axes", 3) or list(range(len(starts)))
    steps = at.setting("steps", 4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis %= rank
        if step < 1:
            raise Unsaid("turns an axis round")
        first, last, _ = slice(int(start), int(end)).indices(size_of(x.axes[axis]))
        x = cut(at, x, axis, first, last)
        if step > 1:
            x = _thin(at, x, axis, int(step))
    return [x]


@says("Split")
def split(at: Site) -> list[View]:
    x = at.x
    axis = at.axis(len(x.axes))
    extent = size_of(x.axes[axis])
    count = len(at.operator.outputs)
    sizes = at.setting("split", 1) or [extent // count] * count
    if sum(sizes) != extent:
        raise Unsaid("splits into unequal parts that it does not say")
    if has_batch(x.axes[axis]):
        raise Unsaid("splits the batch")
    atoms = x.axes[axis]
    inner = x.base[0][: len(x.base[0]) - len(atoms)]
    if atoms and len(x.base) == 3 and (*inner, *atoms) == x.base[0]:  # of each group, a head say
        place, groups, rest = 0, size_of(inner), ()
    else:
        x, place, each = _lead(at, x, axis)
        atoms = x.axes[axis]
        inner, groups, rest = (), 1, x.base[place][len(atoms) :]
        sizes = [size * each for size in sizes]
    equal = len(set(sizes)) == 1
    op = Split(
        parts=count if equal else None, sizes=None if equal else tuple(sizes),
        axis=AXES[place], groups=groups,
    )  # fmt: skip
    if count == 1:
        return [x]
    views: list[View] = []
    for result in at.several(op, x.result):
        extent = result.shape[place] // groups // size_of(rest)
        new = (Atom(extent),) if extent > 1 else ()
        base = (*x.base[:place], (*inner, *new, *rest), *x.base[place + 1 :])
        views.append(View(result, base, (*x.axes[:axis], new, *x.axes[axis + 1 :])))
    return views


@says("Gather")
def gather(at: Site) -> list[View]:
    x = at.x
    axis = at.axis(len(x.axes))
    indices = at.array(1)
    if indices is None:
        raise Unsaid("takes places that the image says")
    extent = size_of(x.axes[axis])
    flat = [int(index) % extent for index in indices.reshape(-1)]
    if flat == list(range(extent)) and indices.ndim:
        return [x.regroup(at.shape)]  # all of it, in other axes: what torch says of a stride
    if indices.ndim == 0:
        part = cut(at, x, axis, flat[0], flat[0] + 1)
        return [
            View(part.result, part.base, tuple(a for p, a in enumerate(part.axes) if p != axis))
        ]
    if indices.ndim != 1:
        raise Unsaid("takes places of more than one axis")
    if flat == list(range(flat[0], flat[0] + len(flat))):
        return [cut(at, x, axis, flat[0], flat[0] + len(flat))]
    for groups in range(2, len(flat)):
        if len(flat) == extent and len(flat) % groups == 0:
            order = np.arange(extent).reshape(groups, -1).T.reshape(-1).tolist()
            if order == flat:
                apart = x.axes[:axis], x.axes[axis + 1 :]
                shape = x.shape
                opened = x.regroup((*shape[:axis], groups, extent // groups, *shape[axis + 1 :]))
                order_ = [*range(axis), axis + 1, axis, *range(axis + 2, len(opened.axes))]
                del apart
                return [opened.permute(order_).regroup(shape)]
    raise Unsaid("takes channels in an order that is not a shuffle of groups")


@says("Roll")
def roll(at: Site) -> list[View]:
    x, axis, step = at.x, at.settings["axis"], at.settings["shift"]
    atoms = x.axes[axis]
    if len(x.base) != 3 or atoms not in x.base[1:] or not atoms:
        first = -step % size_of(atoms)
        parts = [cut(at, x, axis, first, size_of(atoms)), cut(at, x, axis, 0, first)]
        return [join(at, parts, axis)]
    extent = size_of(atoms)
    step %= extent
    step -= extent if 2 * step > extent else 0
    shift = (step, 0) if x.base[1] == atoms else (0, step)
    return [x.over(at.add(Roll(shift), x.result))]


@says("Concat")
def concat(at: Site) -> list[View]:
    parts = [
        at.views[name] if name in at.views else at.weight(place)
        for place, name in enumerate(at.operator.inputs)
    ]
    return [join(at, parts, at.axis(len(at.shape)))]


def join(at: Site, views: Sequence[View | np.ndarray | None], axis: int) -> View:
    """Views and constants one behind another along an axis."""
    lead = next(view for view in views if isinstance(view, View))
    if has_batch(lead.axes[axis]):
        raise Unsaid("joins images along the batch")
    lead, place = _laid_for_concat(at, lead, axis, [v for v in views if isinstance(v, View)])
    parts: list[Result] = []
    for view in views:
        if isinstance(view, View):
            parts.append(match(at, lead, view, (axis, place)).result)
        elif view is not None:
            parts.append(at.param(_spread(lead, axis, place, view)))
    result = at.add(Concat(AXES[place]), *parts)
    atoms = (Atom(result.shape[place]),) if result.shape[place] > 1 else ()
    base = (*lead.base[:place], atoms, *lead.base[place + 1 :])
    return View(result, base, (*lead.axes[:axis], atoms, *lead.axes[axis + 1 :]))


def _laid_for_concat(at: Site, lead: View, axis: int, views: list[View]) -> tuple[View, int]:
    """The first view so that the axis is one of its result's, and which."""
    atoms = lead.axes[axis]
    if atoms in lead.base and (atoms or lead.base.count(()) == 1):
        return lead, lead.base.index(atoms)
    if not atoms:
        for view in views:
            other = view.axes[axis]
            if other and other in view.base and len(view.base) == len(lead.base):
                place = view.base.index(other)
                if not lead.base[place]:
                    return lead, place
        spare = [place for place, base in enumerate(lead.base) if not base]
        if spare and len(lead.base) == 3:
            wanted = {1: 0, 2: 1, 3: 2}.get(axis, spare[0]) if len(lead.axes) == 4 else spare[0]
            return lead, wanted if wanted in spare else spare[0]
    target = _isolate(lead, axis)
    return arrange(lead, target, at), target.index(atoms)


def _spread(lead: View, axis: int, place: int, array: np.ndarray) -> np.ndarray:
    """A constant that stands beside a view in a concat, as a tensor of the result's axes."""
    like = View(
        lead.result,
        (*lead.base[:place], (), *lead.base[place + 1 :]),
        (*lead.axes[:axis], (), *lead.axes[axis + 1 :]),
    )
    parts = [align(like, part) for part in np.split(array, array.shape[axis], axis)]
    extents = tuple(size_of(base) for base in like.base)
    return np.concatenate([np.broadcast_to(part, extents) for part in parts], place)


@says("Blocks")
def pixel_blocks(at: Site) -> list[View]:
    """The pixels of blocks along two axes, before what lies along a third."""
    x, said = at.x, at.settings
    apart: list[int] = []
    for axis, extent in enumerate(x.shape):
        factor = said["factors"].get(axis)
        apart += [extent // factor, factor] if factor else [extent]
    opened = x.regroup(tuple(apart))
    place: dict[int, int] = {}
    for axis in range(len(x.shape)):
        place[axis] = axis + sum(other < axis for other in said["factors"])
    order: list[int] = []
    for axis in range(len(x.shape)):
        order += [place[cut] + 1 for cut in said["order"]] if axis == said["axis"] else []
        order.append(place[axis])
    return [opened.permute(order).regroup(at.shape)]
