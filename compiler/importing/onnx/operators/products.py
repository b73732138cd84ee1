"""Products with weights, and of tensors with each other."""

from __future__ import annotations

import numpy as np

from archspec.compiler.importing.onnx.attending import attend
from archspec.compiler.importing.onnx.laying import arrange, as_pixels, check_batch
from archspec.compiler.importing.onnx.site import Site, says
from archspec.compiler.importing.onnx.views import (
    Atom,
    Unsaid,
    View,
    has_batch,
    without_batch,
)
from archspec.ops.axes import Matmul
from archspec.ops.conv import Conv
from archspec.ops.linear import Dense


@says("Gemm")
def gemm(at: Site) -> list[View]:
    said = at.settings
    if said.get("transA", 0):
        raise Unsaid("transposes its first factor")
    weight, bias = at.weight(1), at.weight(2)
    assert weight is not None
    weight = (weight if said.get("transB", 0) else weight.T) * np.float32(said.get("alpha", 1.0))
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1), weight.shape[:1]) * np.float32(
            said.get("beta", 1.0)
        )
    return [product(at, at.x, weight, bias)]


@says("MatMul")
def matmul(at: Site) -> list[View]:
    if at.array(0) is not None:
        raise Unsaid("multiplies a constant by the image")
    if at.array(1) is None:
        return [contract(at)]
    weight = at.weight(1)
    assert weight is not None
    if weight.ndim > 2 and all(extent == 1 for extent in weight.shape[:-2]):
        weight = weight.reshape(weight.shape[-2:])
    if weight.ndim != 2:
        raise Unsaid("multiplies by a constant that is not one matrix")
    return [product(at, at.x, weight.T, None)]


def product(at: Site, x: View, weight: np.ndarray, bias: np.ndarray | None) -> View:
    """Of the last axis with a matrix (out, in): a dense layer where there is nothing beside it, and
    a 1x1 convolution where there are pixels."""
    last, others = x.axes[-1], [without_batch(axis) for axis in x.axes[:-1]]
    if has_batch(last):
        raise Unsaid("multiplies along the batch")
    places = tuple(atom for axis in others for atom in axis)
    if not places and len(x.axes) == 2:
        flat = at.vector()
        op = Dense(weight.shape[0], bias is not None)
        return at.fresh(at.add(op, flat.result, weight=_plain(weight), bias=_plain(bias)))
    x = as_pixels(x, last, places, at)
    op = Conv(channels=weight.shape[0], kernel=(1, 1), bias=bias is not None)
    filters = np.ascontiguousarray(weight, np.float32)[:, :, None, None]
    result = at.add(op, x.result, weight=filters, bias=_plain(bias))
    made = (Atom(weight.shape[0]),) if weight.shape[0] > 1 else ()
    return View(result, (made, *x.base[1:]), (*x.axes[:-1], made))


def _plain(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else np.ascontiguousarray(array, np.float32)


def contract(at: Site) -> View:
    """Two tensors: (channels, rows, n) by (channels, n, columns)."""
    a, b = at.view(0), at.view(1)
    if len(a.axes) != len(b.axes) or len(a.axes) not in (3, 4):
        raise Unsaid("multiplies tensors of different ranks, or of more axes than 4")
    for view in (a, b):
        check_batch(view)
    maps = []
    for view in (a, b):
        channels = without_batch(view.axes[1]) if len(view.axes) == 4 else ()
        maps.append(arrange(view, (channels, view.axes[-2], view.axes[-1]), at))
    result = at.fresh(at.add(Matmul(), maps[0].result, maps[1].result))
    if len(a.axes) == 4:
        return result
    return View(result.result, result.base, (result.axes[0], *result.axes[2:]))


@says("Attention")
def attention(at: Site) -> list[View]:
    """What a softmax of products gathers, whatever heads and windows the axes in front are."""
    q, k, v = at.view(0), at.view(1), at.view(2)
    if not len(q.axes) == len(k.axes) == len(v.axes):
        raise Unsaid("is attention of tensors of different ranks")
    rank = len(q.axes)
    turned = (*range(rank - 2), rank - 1, rank - 2)
    k = k.permute(turned)
    if not at.settings["is_turned"]:
        return [attend(at, q, k, v)]
    return [attend(at, q, k, v.permute(turned)).permute(turned)]
