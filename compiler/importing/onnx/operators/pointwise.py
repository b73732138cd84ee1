"""Functions of numbers, sums and products of tensors, normalisation, softmax, reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.compiler.importing.onnx.drafts import Result
from archspec.compiler.importing.onnx.laying import arrange, as_pixels, lay_image
from archspec.compiler.importing.onnx.site import Site, says
from archspec.compiler.importing.onnx.views import (
    Atom,
    Atoms,
    Unsaid,
    View,
    has_batch,
    replace_axis,
    size_of,
    without_batch,
)
from archspec.ops.activation import SOFTMAX_AXES, Act, Scale, Softmax
from archspec.ops.merge import Add, Div, Max, Min, Mul, Sub
from archspec.ops.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RmsNorm
from archspec.ops.pool import REDUCED, GlobalAvgPool, GlobalMaxPool, Reduce
from archspec.ops.regularize import LayerScale

MERGES: dict[str, Any] = {
    "Add": Add, "Sum": Add, "Sub": Sub, "Mul": Mul, "Div": Div, "Max": Max, "Min": Min,
}  # fmt: skip


@says("Function")
def function(at: Site) -> list[View]:
    return [at.x.over(at.add(at.settings["op"], at.x.result))]


@says("PRelu")
def prelu(at: Site) -> list[View]:
    x, slope = at.x, at.weight(1)
    assert slope is not None
    slope = np.broadcast_to(slope, (1,) * (len(x.axes) - slope.ndim) + slope.shape)
    aligned = align(x, slope)
    if any(extent > 1 for extent in aligned.shape[1:]):
        raise Unsaid("has a slope for each pixel")
    channels = np.broadcast_to(aligned.reshape(-1), x.result.shape[:1])
    return [x.over(at.add(Act("prelu"), x.result, slope=np.ascontiguousarray(channels)))]


@says(*MERGES)
def merge(at: Site) -> list[View]:
    kind = at.operator.kind
    if kind in ("Sub", "Div") or len(at.operator.inputs) == 2:
        return [_merge_two(at, kind, 0, 1)]
    if any(at.array(place) is not None for place in range(len(at.operator.inputs))):
        raise Unsaid("takes constants beside more than one tensor")
    first = at.view(0)
    views = [match(at, first, at.view(place)) for place in range(1, len(at.operator.inputs))]
    result = at.add(MERGES[kind](), first.result, *(view.result for view in views))
    return [first.over(result)]


def _merge_two(at: Site, kind: str, left: int, right: int) -> View:
    constant = next((place for place in (left, right) if at.array(place) is not None), None)
    if constant is not None:
        x = at.view(right if constant == left else left)
        array = at.weight(constant)
        assert array is not None
        return _with_constant(at, kind, x, array, constant == left)
    a, b = at.view(left), at.view(right)
    wide = a if _reaches(a, at.shape) else b
    if not _reaches(wide, at.shape):
        return _cross(at, kind, a, b)
    if wide is a:
        return a.over(_check_size(at, at.add(MERGES[kind](), a.result, match(at, a, b).result), a))
    return b.over(_check_size(at, at.add(MERGES[kind](), match(at, b, a).result, b.result), b))


def _check_size(at: Site, result: Result, like: View) -> Result:
    if result.shape != like.result.shape:
        raise Unsaid("joins tensors that do not lie alike")
    return result


def _reaches(view: View, shape: tuple[int, ...]) -> bool:
    return view.shape == shape


def _cross(at: Site, kind: str, a: View, b: View) -> View:
    """Two maps of which neither has all of the result's extents, a column by a row."""
    left, right = lay_image(a, at), lay_image(b, at)
    return at.fresh(at.add(MERGES[kind](), left.result, right.result))


def match(at: Site, like: View, view: View, free: tuple[int, int] | None = None) -> View:
    """The view over a result that lies as another's does, but for axes of 1, and for the one axis
    of the value, and of the result, that are free."""
    rank = len(like.axes)
    view = View(view.result, view.base, ((),) * (rank - len(view.axes)) + view.axes)
    for place in range(rank):
        if without_batch(view.axes[place]) and (free is None or place != free[0]):
            view = refine(view, place, like)
    target: list[Atoms] = []
    for number, base in enumerate(like.base):
        if free is not None and number == free[1]:
            target.append(view.axes[free[0]])
            continue
        atoms: list[Atom] = []
        for atom in base:
            place = _find(like, atom)
            mine, theirs = without_batch(view.axes[place]), without_batch(like.axes[place])
            atoms += _those_of(atom, mine, theirs)
        if atoms and size_of(atoms) != size_of(base):
            raise Unsaid("joins tensors of which one stays for a part of an axis")
        target.append(tuple(atoms))
    return arrange(view, tuple(target), at)


def _those_of(atom: Atom, mine: Atoms, theirs: Atoms) -> Atoms:
    """Of an axis' atoms those that lie where the other's atom does."""
    before = size_of(theirs[: theirs.index(atom)])
    found: list[Atom] = []
    reached = 1
    for one in mine:
        if before <= reached < before * atom.size:
            found.append(one)
        reached *= one.size
    return tuple(found)


def _find(view: View, atom: Atom) -> int:
    for place, axis in enumerate(view.axes):
        if atom in axis:
            return place
    raise Unsaid("joins a tensor of which a part was taken")


def refine(view: View, place: int, like: View) -> View:
    """The view with the atoms of an axis cut wherever the other's are."""
    wanted = [atom.size for atom in without_batch(like.axes[place])]
    mine = without_batch(view.axes[place])
    if [atom.size for atom in mine] == wanted:
        return view
    alone = View(view.result, view.base, (mine,))
    cut = alone.regroup(tuple(wanted))
    pieces = tuple(atom for axis in cut.axes for atom in axis)
    kept = [atom for atom in view.axes[place] if atom.is_batch]
    found: dict[Atom, Atoms] = {}
    # the atoms of the cut view, in the place of those that were cut
    flat_old = [atom for axis in view.base for atom in axis]
    flat_new = [atom for axis in cut.base for atom in axis]
    index = 0
    for atom in flat_old:
        size, taken = 1, []
        while size < atom.size:
            taken.append(flat_new[index])
            size *= flat_new[index].size
            index += 1
        found[atom] = tuple(taken)
    axes = tuple(
        tuple(piece for atom in axis for piece in found.get(atom, (atom,))) for axis in view.axes
    )
    axes = (*axes[:place], (*kept, *pieces), *axes[place + 1 :])
    return View(view.result, cut.base, axes)


def align(x: View, array: np.ndarray) -> np.ndarray:
    """A constant of as many axes as the value has (each 1, or the value's own), as a tensor that
    meets the result: with 1 for each axis along which it does not change."""
    sizes: list[int] = []
    atoms: list[Atom] = []
    for axis, extent in zip(x.axes, array.shape, strict=True):
        for atom in without_batch(axis):
            atoms.append(atom)
            sizes.append(atom.size if extent > 1 else 1)
        if has_batch(axis) and extent > 1 and not without_batch(axis):
            raise Unsaid("takes another constant for each image of the batch")
    pieces = array.reshape(sizes)
    order = [atoms.index(atom) for base in x.base for atom in base]
    pieces = pieces.transpose(order)
    shape: list[int] = []
    full: list[int] = []
    place = 0
    for base in x.base:
        met = pieces.shape[place : place + len(base)]
        varies = any(extent > 1 for extent in met)
        full += [atom.size if varies else 1 for atom in base]
        shape.append(size_of(base) if varies else 1)
        place += len(base)
    return np.broadcast_to(pieces, full).reshape(shape)


def _with_constant(at: Site, kind: str, x: View, array: np.ndarray, is_first: bool) -> View:
    if array.ndim > len(x.axes):
        if any(extent > 1 for extent in array.shape[: array.ndim - len(x.axes)]):
            raise Unsaid("spreads the image over a constant")
        array = array.reshape(array.shape[array.ndim - len(x.axes) :])
    array = array.reshape((1,) * (len(x.axes) - array.ndim) + array.shape)
    if np.broadcast_shapes(array.shape, x.shape) != x.shape:
        raise Unsaid("spreads the image over a constant")
    aligned = align(x, array)
    if array.size == 1 and kind in ("Add", "Sub", "Mul", "Div"):  # more are weights, though equal
        found = _as_scale(kind, float(aligned.flat[0]), is_first)
        if found:
            return x.over(at.add(found, x.result))
    if kind == "Div" and not is_first:
        kind, aligned = "Mul", (1 / aligned.astype(np.float64)).astype(np.float32)
    if kind == "Sub" and not is_first:
        kind, aligned = "Add", -aligned
    is_per_channel = aligned.shape[0] == x.result.shape[0] and all(
        e == 1 for e in aligned.shape[1:]
    )
    if kind in ("Mul",) and is_per_channel:
        gamma = np.ascontiguousarray(aligned.reshape(-1))
        return x.over(at.add(LayerScale(initial=1.0), x.result, gamma=gamma))
    param = at.param(aligned)
    pair = (param, x.result) if is_first and kind in ("Sub", "Div") else (x.result, param)
    return x.over(_check_size(at, at.add(MERGES[kind](), *pair), x))


def _as_scale(kind: str, number: float, is_first: bool) -> Scale | None:
    ways = {
        ("Add", False): (1, number), ("Add", True): (1, number), ("Sub", False): (1, -number),
        ("Sub", True): (-1, number), ("Mul", False): (number, 0), ("Mul", True): (number, 0),
    }  # fmt: skip
    if (kind, is_first) == ("Div", False) and number:
        return Scale(1 / number, 0)
    return Scale(*ways[kind, is_first]) if (kind, is_first) in ways else None


@says("BatchNormalization")
def batch_norm(at: Site) -> list[View]:
    x = at.x
    if x.axes[1:2] != x.base[:1]:
        x = at.image() if len(x.axes) == 4 else at.vector()
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    arrays = {name: at.weight(1 + place) for place, name in enumerate(names)}
    op = BatchNorm(epsilon=short(at.settings.get("epsilon", 1e-5)))
    return [x.over(at.add(op, x.result, **arrays))]


def short(number: float) -> float:
    return float(f"{number:.7g}")


@says("LayerNormalization", "Normalize", "RMSNormalization", "Rms")
def normalize(at: Site) -> list[View]:
    """Over the last axes, or those that a pattern said."""
    x, rank = at.x, len(at.x.axes)
    if at.operator.kind in ("LayerNormalization", "RMSNormalization"):
        axes = list(range(at.axis(rank, -1), rank))
        scale, offset = at.weight(1), at.weight(2)
    else:
        axes, scale, offset = [axis % rank for axis in at.settings["axes"]], None, None
    epsilon = short(at.settings.get("epsilon", 1e-5))
    is_rms = at.operator.kind in ("RMSNormalization", "Rms")
    x = _normalize(at, x, axes, epsilon, is_rms)
    for kind, array in (("Mul", scale), ("Add", offset)):
        if array is not None:
            x = _with_constant(at, kind, x, array, False)
    return [x]


def _normalize(at: Site, x: View, axes: list[int], epsilon: float, is_rms: bool) -> View:
    atoms = tuple(atom for axis in axes for atom in x.axes[axis])
    if any(atom.is_batch for atom in atoms):
        raise Unsaid("normalises over the batch")
    channels = x.base[0] if len(x.base) in (1, 3) else ()
    ones, zeros = np.ones(x.result.shape[0], np.float32), np.zeros(x.result.shape[0], np.float32)
    if atoms == channels:
        if is_rms:
            return x.over(at.add(RmsNorm(epsilon), x.result, gamma=ones))
        return x.over(at.add(LayerNorm(epsilon), x.result, gamma=ones, beta=zeros))
    if is_rms:
        raise Unsaid("takes a root mean square over other axes than the channels")
    pixels = [atom for base in x.base[1:] for atom in base]
    if len(x.base) == 3 and set(pixels) <= set(atoms):
        inner = [atom for atom in atoms if atom not in pixels]
        if not inner and pixels:
            return x.over(at.add(InstanceNorm(epsilon), x.result, gamma=ones, beta=zeros))
        if tuple(inner) == channels[len(channels) - len(inner) :]:
            groups = size_of(channels[: len(channels) - len(inner)])
            op = GroupNorm(groups, epsilon)
            return x.over(at.add(op, x.result, gamma=ones, beta=zeros))
    places = tuple(a for axis in x.axes for a in axis if not a.is_batch and a not in atoms)
    laid = as_pixels(x, atoms, places, at)
    return _normalize(at, laid, axes, epsilon, is_rms)


@says("InstanceNormalization")
def instance_norm(at: Site) -> list[View]:
    x, epsilon = at.x, short(at.settings.get("epsilon", 1e-5))
    x = _normalize(at, x, list(range(2, len(x.axes))), epsilon, False)
    for place, kind in ((1, "Mul"), (2, "Add")):
        array = at.weight(place)
        assert array is not None
        plain = float(array.flat[0]) == (1.0 if kind == "Mul" else 0.0)
        if not (plain and np.all(array == array.flat[0])):
            array = array.reshape(1, -1, *[1] * (len(x.axes) - 2))
            x = _with_constant(at, kind, x, array, False)
    return [x]


@says("GroupNormalization")
def group_norm(at: Site) -> list[View]:
    x, groups = at.image(), at.settings["num_groups"]
    gamma, beta = at.weight(1), at.weight(2)
    assert gamma is not None and beta is not None
    if len(gamma) != x.result.shape[0]:
        each = x.result.shape[0] // groups
        gamma, beta = np.repeat(gamma, each), np.repeat(beta, each)
    op = GroupNorm(groups, short(at.settings.get("epsilon", 1e-5)))
    return [x.over(at.add(op, x.result, gamma=gamma, beta=beta))]


@says("Softmax")
def softmax(at: Site) -> list[View]:
    x = at.x
    rank = len(x.axes)
    old = at.settings["opset"] < 13
    first = at.axis(rank, 1 if old else -1)
    axes = range(first, rank) if old else [first]
    atoms = tuple(atom for axis in axes for atom in x.axes[axis])
    for name, places in SOFTMAX_AXES.items():
        if max(places) < len(x.base) and atoms == tuple(a for p in places for a in x.base[p]):
            return [x.over(at.add(Softmax(name), x.result))]
    if any(atom.is_batch for atom in atoms):
        raise Unsaid("takes a softmax over the batch")
    places = tuple(a for axis in x.axes for a in axis if not a.is_batch and a not in atoms)
    x = as_pixels(x, atoms, places, at)
    return [x.over(at.add(Softmax("channels"), x.result))]


@says("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2")
def reduce(at: Site) -> list[View]:
    x, rank = at.x, len(at.x.axes)
    axes = at.setting("axes", 1)
    axes = sorted(axis % rank for axis in (range(rank) if axes is None or axes == [] else axes))
    function = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceL2": "norm2"}
    atoms = {atom for axis in axes for atom in x.axes[axis]}
    if any(atom.is_batch for atom in atoms):
        raise Unsaid("reduces the batch")
    keep = bool(at.settings.get("keepdims", 1))
    if not atoms:
        laid = x
        if at.operator.kind == "ReduceL2":  # of one number each
            laid = x.over(at.add(Act("abs"), x.result))
    else:
        over = _over(x, atoms)
        if over is None:
            order = tuple(a for axis in axes for a in x.axes[axis])
            places = tuple(a for axis in x.axes for a in axis if not a.is_batch and a not in atoms)
            x = as_pixels(x, order, places, at)
            over = "channels"
        op = _reduction(function[at.operator.kind], over)
        result = at.add(op, x.result)
        laid = x
        for place in REDUCED[over]:
            laid = replace_axis(laid, result, place, ())
        axes_left = tuple(tuple(a for a in axis if a not in atoms) for axis in x.axes)
        laid = View(result, laid.base, axes_left)
    kept = tuple(axis for place, axis in enumerate(laid.axes) if keep or place not in axes)
    return [View(laid.result, laid.base, kept)]


def _over(x: View, atoms: set[Atom]) -> str | None:
    for name in ("space", "height", "width", "channels"):
        places = REDUCED[name]
        if max(places) < len(x.base) and atoms == {a for p in places for a in x.base[p]}:
            return name
    return None


def _reduction(function: str, over: str) -> Any:
    if over == "space" and function in ("mean", "max"):
        return GlobalAvgPool() if function == "mean" else GlobalMaxPool()
    return Reduce(function, over)
