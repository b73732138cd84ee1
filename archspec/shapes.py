"""Window arithmetic: how kernels, strides and padding turn one extent into another.

A shape is per sample, channels first: (channels, height, width), or (features,) once flattened.
"""

from __future__ import annotations

from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = tuple[Shape, ...]
Pair: TypeAlias = tuple[int, int]
Sides: TypeAlias = tuple[int, int, int, int]
Padding: TypeAlias = "str | Sides"


class ShapeError(ValueError):
    """An op cannot take these inputs; the message says what was met and what would do."""


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
                f"a window of {span} does not fit the {name} {extent[axis]} padded by"
                f" {before} and {after}; a smaller kernel or stride before it, more padding or a"
                " larger input would do"
            )
        steps = -(-room // stride[axis]) if ceil else room // stride[axis]
        if ceil and steps * stride[axis] >= extent[axis] + before:
            steps -= 1
        result.append(steps + 1)
    return (result[0], result[1])
