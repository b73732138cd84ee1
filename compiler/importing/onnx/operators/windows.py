"""Convolutions, pools, resizing and borders."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from archspec.compiler.importing.onnx.laying import lay_image
from archspec.compiler.importing.onnx.operators.moves import join
from archspec.compiler.importing.onnx.site import Site, says
from archspec.compiler.importing.onnx.views import Unsaid, View
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.norm import LocalResponseNorm
from archspec.ops.pool import AdaptiveAvgPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from archspec.ops.reshape import Pad, Slice
from archspec.ops.resize import TAPS, Upsample, weigh
from archspec.ops.window import Sampling
from archspec.shapes import Padding, Pair, Sides, resolve_padding


def window_of(at: Site, kernel: Pair, extent: Pair) -> dict[str, Any]:
    """kernel, stride, dilation and padding of a window in two dimensions."""
    said = at.settings
    stride = _pair(said.get("strides", (1, 1)))
    dilation = _pair(said.get("dilations", (1, 1)))
    auto = said.get("auto_pad", "NOTSET")
    pads = said.get("pads", [0, 0, 0, 0])
    sides: Sides = (pads[0], pads[2], pads[1], pads[3])
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        sides = resolve_padding("same", kernel, stride, dilation, extent)
        if auto == "SAME_LOWER":
            sides = (sides[1], sides[0], sides[3], sides[2])
    elif auto == "VALID":
        sides = (0, 0, 0, 0)
    if min(sides) < 0:
        raise Unsaid("has padding below 0")
    padding = name_padding(sides, kernel, stride, dilation, extent)
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding}


def name_padding(sides: Sides, kernel: Pair, stride: Pair, dilation: Pair, extent: Pair) -> Padding:
    """ "same" where it comes to these sides and they are not equal, which reads best."""
    uneven = sides[0] != sides[1] or sides[2] != sides[3]
    if uneven and resolve_padding("same", kernel, stride, dilation, extent) == sides:
        return "same"
    return sides


def _pair(values: Any) -> Pair:
    first, second = (int(value) for value in values)
    return (first, second)


@says("Conv")
def conv(at: Site) -> list[View]:
    weight = at.weight(1)
    assert weight is not None
    if weight.ndim == 3:
        return _conv_of_rows(at, weight)
    if weight.ndim != 4:
        raise Unsaid(f"is a convolution in {weight.ndim - 2} dimensions")
    x = at.image()
    kernel = _pair(weight.shape[2:])
    window = window_of(at, kernel, x.result.shape[1:])  # type: ignore[arg-type]
    bias = at.weight(2)
    op = Conv(
        channels=weight.shape[0],
        groups=at.settings.get("group", 1),
        bias=bias is not None,
        **window,
    )
    return [at.fresh(at.add(op, x.result, weight=weight, bias=bias))]


def _conv_of_rows(at: Site, weight: np.ndarray) -> list[View]:
    """In one dimension, as a map of one column."""
    x, said = at.x, at.settings
    x = lay_image(View(x.result, x.base, (*x.axes, ())), at)
    for name, beside in (("strides", 1), ("dilations", 1)):
        said[name] = (*said.get(name, (1,)), beside)
    before, after = said.get("pads", (0, 0))
    said["pads"] = (before, 0, after, 0)
    window = window_of(at, (weight.shape[2], 1), x.result.shape[1:])  # type: ignore[arg-type]
    bias, groups = at.weight(2), said.get("group", 1)
    op = Conv(channels=weight.shape[0], groups=groups, bias=bias is not None, **window)
    result = at.fresh(at.add(op, x.result, weight=weight[..., None], bias=bias))
    return [View(result.result, result.base, result.axes[:3])]


@says("ConvTranspose")
def conv_transpose(at: Site) -> list[View]:
    x, weight, bias = at.image(), at.weight(1), at.weight(2)
    assert weight is not None
    if weight.ndim != 4 or "output_shape" in at.settings:
        raise Unsaid("is a transposed convolution by its output_shape, or not in two dimensions")
    kernel, groups = _pair(weight.shape[2:]), at.settings.get("group", 1)
    window = window_of(at, kernel, (1, 1))
    if at.settings.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Unsaid("is a transposed convolution with auto_pad")
    pads = at.settings.get("pads", [0, 0, 0, 0])
    window["padding"] = (pads[0], pads[2], pads[1], pads[3])
    op = ConvTranspose(
        channels=weight.shape[1] * groups, groups=groups, bias=bias is not None,
        output_padding=_pair(at.settings.get("output_padding", (0, 0))), **window,
    )  # fmt: skip
    return [at.fresh(at.add(op, x.result, weight=weight, bias=bias))]


@says("MaxPool", "AveragePool")
def pool(at: Site) -> list[View]:
    if len(at.operator.outputs) > 1 and at.net.readers().get(at.operator.outputs[1]):
        raise Unsaid("gives the places of the largest values")
    x = at.image()
    kernel = _pair(at.settings["kernel_shape"])
    extent: Pair = x.result.shape[1:]  # type: ignore[assignment]
    window = window_of(at, kernel, extent)
    if window.pop("dilation") != (1, 1):
        raise Unsaid("is a dilated pool")
    is_max = at.operator.kind == "MaxPool"
    sides = resolve_padding(window["padding"], kernel, window["stride"], (1, 1), extent)
    if kernel == extent and not any(sides):
        op: Any = GlobalMaxPool() if is_max else GlobalAvgPool()
        return [at.fresh(at.add(op, x.result))]
    window["ceil"] = bool(at.settings.get("ceil_mode", 0))
    if not is_max:
        window["count_padding"] = bool(at.settings.get("count_include_pad", 0)) and any(sides)
    op = (MaxPool if is_max else AvgPool)(**window)
    if op.infer((x.result.shape,))[0][1:] != at.shape[2:]:
        raise Unsaid("rounds its last window by a rule that is not ours")
    return [at.fresh(at.add(op, x.result))]


@says("GlobalAveragePool", "GlobalMaxPool")
def global_pool(at: Site) -> list[View]:
    op = GlobalAvgPool() if at.operator.kind == "GlobalAveragePool" else GlobalMaxPool()
    return [at.fresh(at.add(op, at.image().result))]


@says("LRN")
def local_response_norm(at: Site) -> list[View]:
    said = at.settings
    if said["size"] % 2 == 0 and "is_ours" not in said:
        raise Unsaid("normalises over an even number of channels, which lie otherwise here")
    op = LocalResponseNorm(
        size=said["size"], alpha=_digits(said.get("alpha", 1e-4)),
        beta=_digits(said.get("beta", 0.75)), k=_digits(said.get("bias", 1.0)),
    )  # fmt: skip
    return [at.fresh(at.add(op, at.image().result))]


def _digits(number: float) -> float:
    return float(f"{number:.7g}")


@says("Stretch")
def stretch(at: Site) -> list[View]:
    """By matrices: another size, or means of windows by PyTorch's rule."""
    x = at.image()
    given = x.result.shape[1:]
    ways = (at.settings["rows"], at.settings["columns"])
    if any(way.shape[1] != extent for way, extent in zip(ways, given, strict=True)):
        raise Unsaid("multiplies by constants that are not matrices of rows and columns")
    size = (len(ways[0]), len(ways[1]))
    if all(_is_near(way, mean_matrix(way.shape[1], len(way))) for way in ways):
        return [at.fresh(at.add(AdaptiveAvgPool(size), x.result))]
    for mode, is_aligned in itertools.product(TAPS, (False, True)):
        op = _resize_to(given, size, mode, is_aligned)
        wanted = map(_matrix_of, op.samplings((x.result.shape,)), given, size)
        if all(_is_near(way, matrix) for way, matrix in zip(ways, wanted, strict=True)):
            return [at.fresh(at.add(op, x.result))]
    raise Unsaid("multiplies by matrices that neither resize nor take means")


def _resize_to(given: Sequence[int], size: Pair, mode: str, is_aligned: bool) -> Upsample:
    """By a factor where that is whole."""
    if any(after % before for before, after in zip(given, size, strict=True)):
        return Upsample(mode=mode, size=size, align_corners=is_aligned)
    scale = (size[0] // given[0], size[1] // given[1])
    return Upsample(scale, mode, align_corners=is_aligned)


def _matrix_of(sampling: Sampling, extent: int, size: int) -> np.ndarray:
    """(size, extent): what each new pixel is of the old ones."""
    pixels, shares = map(np.array, weigh(sampling, extent, size))
    matrix = np.zeros((size, extent))
    np.add.at(matrix, (np.arange(size)[:, None], pixels), shares)
    return matrix


def _is_near(array: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.all(np.abs(array - other) < 1e-6))


def mean_matrix(extent: int, count: int) -> np.ndarray:
    """(count, extent): what each pixel is of the means of an adaptive pool."""
    matrix = np.zeros((count, extent))
    for place in range(count):
        start, end = place * extent // count, -(-(place + 1) * extent // count)
        matrix[place, start:end] = 1 / (end - start)
    return matrix


@says("Pad")
def pad(at: Site) -> list[View]:
    if at.settings.get("mode", "constant") != "constant":
        raise Unsaid(f"pads by {at.settings['mode']}")
    amounts = [int(n) for n in at.setting("pads", 1)]
    axes = at.setting("axes", 3)
    rank = len(at.net.shapes[at.name(0)])
    if axes is not None:
        count, full = len(axes), [0] * (2 * rank)
        for place, axis in enumerate(axes):
            full[axis % rank], full[rank + axis % rank] = amounts[place], amounts[count + place]
        amounts = full
    value = at.setting("value", 2, 0.0)
    value = float(value[0] if isinstance(value, list) else value)
    if not any(amounts):
        return [at.x]
    if rank != 4:
        raise Unsaid("pads what is not a map")
    x = at.x
    place = _axes_of_map(x)
    before, after = amounts[:rank], amounts[rank:]
    if before[0] or after[0]:
        raise Unsaid("pads the batch")
    if any(before[axis] or after[axis] for axis in range(rank) if axis not in place[1:]):
        return [_pad_by_concat(at, before, after, value)]
    down, right = place[1:]
    sides = (before[down], after[down], before[right], after[right])
    x = _orient(at, x, place)
    result = x.result
    if any(side < 0 for side in sides):
        result = _cut(at, result, sides)
        sides = (max(sides[0], 0), max(sides[1], 0), max(sides[2], 0), max(sides[3], 0))
    if any(sides):
        result = at.add(Pad(padding=sides, value=max(value, -3.4e38)), result)
    laid = at.fresh(result)
    axes_of = {place[0]: laid.axes[1], place[1]: laid.axes[2], place[2]: laid.axes[3]}
    return [View(result, laid.base, (laid.axes[0], *(axes_of[axis] for axis in (1, 2, 3))))]


def _pad_by_concat(at: Site, before: list[int], after: list[int], value: float) -> View:
    """Constants before and behind along one axis."""
    x = at.x
    axes = [axis for axis in range(len(before)) if before[axis] or after[axis]]
    if len(axes) > 1 or min(*before, *after) < 0:
        raise Unsaid("pads channels beside other axes, or by less than 0")
    shape = list(x.shape)
    parts: list[View | np.ndarray] = [x]
    for count, place in ((before[axes[0]], 0), (after[axes[0]], 2)):
        if count:
            shape[axes[0]] = count
            parts.insert(place, np.full((1, *shape[1:]), value, np.float32))
    return join(at, parts, axes[0])


def _cut(at: Site, result: Any, sides: Sides) -> Any:
    for axis, (before, after) in enumerate((sides[:2], sides[2:])):
        cut = max(-before, 0), max(-after, 0)
        if any(cut):
            stop = result.shape[1 + axis] - cut[1] if cut[1] else None
            result = at.add(Slice(cut[0], stop, ("height", "width")[axis]), result)
    return result


def _axes_of_map(x: View) -> tuple[int, int, int]:
    """Which axes of the value are channels, height and width: NHWC is known by its atoms."""
    if len(x.base) == 3 and x.base[0] and x.axes[3] == x.base[0] and x.axes[1:3] == x.base[1:]:
        return (3, 1, 2)
    return (1, 2, 3)


def _orient(at: Site, x: View, place: tuple[int, int, int]) -> View:
    return x if place == (3, 1, 2) else at.image()


@says("Resize", "Upsample")
def resize(at: Site) -> list[View]:
    given, wanted = at.net.shapes[at.name(0)], at.shape
    if len(given) != 4:
        raise Unsaid("resizes what is not a map")
    x = at.x
    place = _axes_of_map(x)
    if given[0] != wanted[0] or given[place[0]] != wanted[place[0]]:
        raise Unsaid("resizes channels or the batch")
    before, after = ((shape[place[1]], shape[place[2]]) for shape in (given, wanted))
    is_whole = not any(w % g for g, w in zip(before, after, strict=True))
    scales = at.setting("scales", 2 if at.settings["opset"] > 10 else 1) or ()
    exact = all(g * s == w for g, s, w in zip(given, scales, wanted, strict=False))
    if not (is_whole or exact):
        raise Unsaid("resizes by a factor that does not come to whole pixels")
    mode, is_aligned = _mode(at, is_whole)
    size: dict[str, Any] = {"scale": (after[0] // before[0], after[1] // before[1])}
    op = Upsample(mode=mode, align_corners=is_aligned, **(size if is_whole else {"size": after}))
    laid = at.fresh(at.add(op, _orient(at, x, place).result))
    axes_of = {place[0]: laid.axes[1], place[1]: laid.axes[2], place[2]: laid.axes[3]}
    return [View(laid.result, laid.base, (laid.axes[0], *(axes_of[axis] for axis in (1, 2, 3))))]


HALF_PIXEL = ("half_pixel", "pytorch_half_pixel")


def _mode(at: Site, is_whole: bool) -> tuple[str, bool]:
    """Our mode, and whether corners are aligned."""
    said = at.settings
    mode = said.get("mode", "nearest")
    usual = "asymmetric" if at.operator.kind == "Upsample" or said["opset"] < 11 else "half_pixel"
    rule = said.get("coordinate_transformation_mode", usual)
    if said.get("antialias", 0) or said.get("exclude_outside", 0):
        raise Unsaid("resizes with smoothing, or leaves out what is outside")
    if mode == "nearest":
        rounding = said.get("nearest_mode", "round_prefer_floor")
        if rule == "asymmetric" and (rounding == "floor" or said["opset"] < 11):
            return "nearest", False
        if is_whole and rule in HALF_PIXEL and rounding.startswith("round_prefer_"):
            return "nearest", False  # of a whole factor these give the same pixels
    ours = {"linear": "bilinear", "cubic": "bicubic"}.get(mode)
    is_usual = mode != "cubic" or abs(said.get("cubic_coeff_a", -0.75) + 0.75) < 1e-6
    if ours and is_usual and rule in (*HALF_PIXEL, "align_corners"):
        return ours, rule == "align_corners"
    raise Unsaid(
        f"resizes by {mode} {rule}; ours are nearest, and linear and cubic by half pixels or with"
        " aligned corners"
    )
