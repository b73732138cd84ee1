"""Window arithmetic: how kernels, strides and padding turn one extent into another.

A shape is per sample, channels first: (channels, height, width), or (features,) once flattened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = tuple[Shape, ...]
Pair: TypeAlias = tuple[int, int]
Sides: TypeAlias = tuple[int, int, int, int]
Padding: TypeAlias = "str | Sides"


class ShapeError(ValueError):
    """An op cannot take these inputs; the message says what was met and what to use."""


def elements(shape: Shape) -> int:
    """Number of elements of one tensor of this shape."""
    count = 1
    for extent in shape:
        count *= extent
    return count


def written(shape: Shape) -> str:
    """64x56x56, as people write it."""
    return "x".join(map(str, shape))


def effective_kernel(kernel: int, dilation: int) -> int:
    """The extent a dilated kernel spans."""
    return dilation * (kernel - 1) + 1


def resolve_padding(
    padding: Padding, kernel: Pair, stride: Pair, dilation: Pair, extent: Pair
) -> Sides:
    """Padding as explicit (top, bottom, left, right).

    "half" is kernel // 2 on each side (of the dilated kernel); "same" is TensorFlow's and
    MindSpore's rule: as many outputs as ceil(extent / stride), the odd zero after; "valid" is none.
    """
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return (0, 0, 0, 0)
    sides: list[int] = []
    for axis in (0, 1):
        span = effective_kernel(kernel[axis], dilation[axis])
        if padding == "half":
            sides += [span // 2, span // 2]
        else:
            outputs = -(-extent[axis] // stride[axis])
            total = max((outputs - 1) * stride[axis] + span - extent[axis], 0)
            sides += [total // 2, total - total // 2]
    return (sides[0], sides[1], sides[2], sides[3])


def window_extent(
    extent: Pair, kernel: Pair, stride: Pair, dilation: Pair, sides: Sides, ceil: bool = False
) -> Pair:
    """Output (height, width) of a window moved over an extent with explicit padding.

    With `ceil` a last window that starts inside the input or its padding before it counts although
    it reaches past the end (PyTorch's and ONNX's ceil_mode). Raises ShapeError where none fits.
    """
    result: list[int] = []
    for axis, name in ((0, "height"), (1, "width")):
        before, after = sides[2 * axis], sides[2 * axis + 1]
        span = effective_kernel(kernel[axis], dilation[axis])
        room = extent[axis] + before + after - span
        if room < 0:
            raise ShapeError(
                f"a window of {span} does not fit the {name} {extent[axis]} padded by {before} and"
                f" {after}; use a smaller kernel or stride before it, more padding or a larger"
                " input"
            )
        steps = -(-room // stride[axis]) if ceil else room // stride[axis]
        if ceil and steps * stride[axis] >= extent[axis] + before:
            steps -= 1
        result.append(steps + 1)
    return (result[0], result[1])


def settle_padding(
    padding: Padding, kernel: Pair, stride: Pair, dilation: Pair, known: Sequence[Padding]
) -> Padding:
    """Padding in its one form for inputs of any extent: the first of the known ones that means it,
    else explicit sides; "same" stays where it depends on the extent."""
    if _depends_on_extent(padding, kernel, stride, dilation):
        return padding
    sides = resolve_padding(padding, kernel, stride, dilation, (1, 1))
    for other in known:
        if not _depends_on_extent(other, kernel, stride, dilation) and (
            sides == resolve_padding(other, kernel, stride, dilation, (1, 1))
        ):
            return other
    return sides


def _depends_on_extent(padding: Padding, kernel: Pair, stride: Pair, dilation: Pair) -> bool:
    spans = map(effective_kernel, kernel, dilation)
    return padding == "same" and any(
        span > 1 and step > 1 for span, step in zip(spans, stride, strict=True)
    )


def resolve_window(
    extent: Pair,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    sides: Sides,
    outputs: Pair,
    known: Sequence[Padding],
) -> tuple[Pair, Padding]:
    """Stride and padding in the one form of all that move a window over this extent to the same
    places: the first of the known paddings that does, else the explicit sides that are reached.

    A window that moves nowhere along an axis has no stride of its own there: it is the shortest
    with which the padding leaves room for one output alone.
    """
    reached = reached_sides(extent, kernel, stride, dilation, sides, outputs)
    for padding in (*known, reached):
        step = shortest_stride(extent, kernel, stride, dilation, padding, outputs)
        other = resolve_padding(padding, kernel, step, dilation, extent)
        try:
            fits = window_extent(extent, kernel, step, dilation, other) == outputs
        except ShapeError:
            continue
        if fits and reached_sides(extent, kernel, step, dilation, other, outputs) == reached:
            return step, padding
    return stride, sides


def shortest_stride(
    extent: Pair, kernel: Pair, stride: Pair, dilation: Pair, padding: Padding, outputs: Pair
) -> Pair:
    """The stride, but along an axis with one output the shortest that gives no more."""
    result: list[int] = []
    for axis in (0, 1):
        step = stride[axis]
        if outputs[axis] == 1 and padding == "same":
            step = extent[axis]
        elif outputs[axis] == 1:
            sides = resolve_padding(padding, kernel, stride, dilation, extent)
            span = effective_kernel(kernel[axis], dilation[axis])
            step = max(extent[axis] + sides[2 * axis] + sides[2 * axis + 1] - span + 1, 1)
        result.append(step)
    return (result[0], result[1])


def reached_sides(
    extent: Pair, kernel: Pair, stride: Pair, dilation: Pair, sides: Sides, outputs: Pair
) -> Sides:
    """Padding less the rows and columns after the input that none of the windows, of which there
    are `outputs` along each axis, touches; more where the last one reaches past the end of it."""
    result: list[int] = []
    for axis in (0, 1):
        before = sides[2 * axis]
        span = effective_kernel(kernel[axis], dilation[axis])
        end = (outputs[axis] - 1) * stride[axis] + span
        result += [before, max(end - before - extent[axis], 0)]
    return (result[0], result[1], result[2], result[3])
