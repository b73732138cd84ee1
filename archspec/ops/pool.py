"""Pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from archspec.ops.base import (
    BOOLEAN,
    PADDING,
    PADDING_DOC,
    PAIR,
    PAIR_DOC,
    Op,
    Weightless,
    Window,
    Work,
    as_pair,
    as_sides,
    attribute,
    image,
)
from archspec.ops.page import Page
from archspec.shapes import (
    Padding,
    Pair,
    ShapeError,
    Shapes,
    Sides,
    elements,
    reached_sides,
    resolve_padding,
    resolve_window,
    settle_padding,
    window_extent,
)


@dataclass(frozen=True)
class _Pool(Weightless):
    category = "pool"

    kernel: Pair = attribute(PAIR, PAIR_DOC, convert=as_pair)
    stride: Pair = attribute(PAIR, PAIR_DOC, 1, as_pair)
    padding: Padding = attribute(PADDING, PADDING_DOC, "valid", as_sides)
    ceil: bool = attribute(BOOLEAN, "count a last window that reaches past the end", False)

    def simplify(self) -> Mapping[str, Any]:
        known = self._paddings()
        padding = settle_padding(self.padding, self.kernel, self.stride, (1, 1), known)
        return {"padding": padding}

    def resolve(self, inputs: Shapes) -> Op:
        """What a last window covers past the end is as if it were padded there."""
        _, height, width = inputs[0]
        _, down, right = self.infer(inputs)[0]
        stride, padding = resolve_window(
            (height, width), self.kernel, self.stride, (1, 1), self.sides(inputs),
            (down, right), self._paddings(),
        )  # fmt: skip
        return replace(self, stride=stride, padding=padding, ceil=False)

    def _paddings(self) -> tuple[Padding, ...]:
        """Those that others are written as, where they mean the same; "half" by its sides."""
        half = resolve_padding("half", self.kernel, self.stride, (1, 1), (1, 1))
        return ("valid", half, "same")

    def sides(self, inputs: Shapes) -> Sides:
        """Padding as explicit (top, bottom, left, right) for this input."""
        _, *extent = inputs[0]
        return resolve_padding(
            self.padding, self.kernel, self.stride, (1, 1), (extent[0], extent[1])
        )

    def infer(self, inputs: Shapes) -> Shapes:
        channels, height, width = image(inputs[0], self.name)
        sides = self.sides(inputs)
        for axis in (0, 1):
            most = max(sides[2 * axis : 2 * axis + 2])
            if most >= self.kernel[axis]:
                raise ShapeError(
                    f"{self.name} pads by {most}, so a window of {self.kernel[axis]} could"
                    " hold padding alone; use less padding than the kernel"
                )
        extent = window_extent((height, width), self.kernel, self.stride, (1, 1), sides, self.ceil)
        return ((channels, *extent),)

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(inputs[0])

    def sees(self, inputs: Shapes) -> Window:
        top, _, left, _ = self.sides(inputs)
        return Window(self.kernel, self.stride, (top, left))

    def work(self) -> Work:
        return Work("window", elements(self.kernel))

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.kernel == self.stride == (1, 1)


@dataclass(frozen=True)
class MaxPool(_Pool):
    name = "max_pool"
    doc = "the largest value of each window; padding never wins"
    page = Page(
        "the input's channels; (height + top + bottom - kernel) // stride + 1, width "
        "alike; with ceil rounded up",
        '{"op": "max_pool", "kernel": 3, "stride": 2, "padding": "half"}',
    )


@dataclass(frozen=True)
class AvgPool(_Pool):
    name = "avg_pool"
    doc = "the mean of each window"
    page = Page(
        "the input's channels; (height + top + bottom - kernel) // stride + 1, width "
        "alike; with ceil rounded up",
        '{"op": "avg_pool", "kernel": 2, "stride": 2}',
    )

    count_padding: bool = attribute(
        BOOLEAN,
        "padded zeros count in the mean (PyTorch's default); false: only what the window covers",
        False,
    )

    def resolve(self, inputs: Shapes) -> Op:
        """Padding counts as far as a window reaches it; past the padding nothing does."""
        _, height, width = inputs[0]
        _, down, right = self.infer(inputs)[0]
        declared = self.sides(inputs)
        reached = reached_sides(
            (height, width), self.kernel, self.stride, (1, 1), declared, (down, right)
        )
        top, bottom, left, right = map(min, declared, reached)
        if not self.count_padding or not any((top, bottom, left, right)):
            return replace(super().resolve(inputs), count_padding=False)
        if (top, bottom, left, right) == reached:
            return super().resolve(inputs)
        return replace(self, padding=(top, bottom, left, right))


@dataclass(frozen=True)
class _GlobalPool(Weightless):
    category = "pool"
    reduces_to: ClassVar[Pair] = (1, 1)

    def infer(self, inputs: Shapes) -> Shapes:
        channels, _, _ = image(inputs[0], self.name)
        return ((channels, *self.reduces_to),)

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(inputs[0])

    def sees(self, inputs: Shapes) -> Window:
        return Window(everything=elements(inputs[0][1:]) > 1)

    def work(self) -> Work:
        return Work("stream")


@dataclass(frozen=True)
class GlobalAvgPool(_GlobalPool):
    name = "global_avg_pool"
    doc = "the mean over height and width, kept as channels x 1 x 1"
    page = Page(
        "the input's channels x 1 x 1",
        '"global_avg_pool"',
    )


@dataclass(frozen=True)
class GlobalMaxPool(_GlobalPool):
    name = "global_max_pool"
    doc = "the largest value over height and width, kept as channels x 1 x 1"
    page = Page(
        "the input's channels x 1 x 1",
        '"global_max_pool"',
    )


@dataclass(frozen=True)
class _AdaptivePool(Weightless):
    """Result i of n along an axis of m pixels is of those from i m / n, rounded down, up to
    (i + 1) m / n, rounded up: windows may overlap, and be of two sizes."""

    category = "pool"

    size: Pair = attribute(PAIR, "height and width of the result: " + PAIR_DOC, convert=as_pair)

    def infer(self, inputs: Shapes) -> Shapes:
        channels, _, _ = image(inputs[0], self.name)
        return ((channels, *self.size),)

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(inputs[0])

    def sees(self, inputs: Shapes) -> Window:
        """Windows of unequal size or step are said to see everything."""
        _, height, width = inputs[0]
        if height % self.size[0] or width % self.size[1]:
            return Window(everything=True)
        each = (height // self.size[0], width // self.size[1])
        return Window(each, each)

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.infer(inputs) == inputs


@dataclass(frozen=True)
class AdaptiveAvgPool(_AdaptivePool):
    name = "adaptive_avg_pool"
    doc = "the means of as many windows as the result is high and wide, by PyTorch's rule"
    page = Page(
        "the input's channels x size",
        '{"op": "adaptive_avg_pool", "size": [7, 5]}',
    )


@dataclass(frozen=True)
class AdaptiveMaxPool(_AdaptivePool):
    name = "adaptive_max_pool"
    doc = "the largest values of as many windows as the result is high and wide, by PyTorch's rule"
    page = Page(
        "the input's channels x size",
        '{"op": "adaptive_max_pool", "size": [7, 5]}',
    )


REDUCED = {"space": (1, 2), "height": (1,), "width": (2,), "channels": (0,)}
"""By what `over` says, axes of (channels, height, width)."""
REDUCTIONS = ("mean", "sum", "max", "norm2")


@dataclass(frozen=True)
class Reduce(Weightless):
    """norm2 is the square root of the sum of the squares; its gradient where that is 0 is 0."""

    name = "reduce"
    doc = "the mean, sum, largest value or norm over axes, each of which stays as one of 1"
    category = "pool"
    page = Page(
        "the input's, with 1 along each axis of over",
        '{"op": "reduce", "function": "norm2", "over": "space"}',
    )

    function: str = attribute(
        {"enum": list(REDUCTIONS)}, '"norm2" is the square root of the sum of the squares'
    )
    over: str = attribute(
        {"enum": list(REDUCED)}, 'the axes that become 1; "space" is height and width', "space"
    )

    def infer(self, inputs: Shapes) -> Shapes:
        if self.over != "channels":
            image(inputs[0], f"reduce over {self.over}")
        axes = REDUCED[self.over]
        return (tuple(1 if axis in axes else n for axis, n in enumerate(inputs[0])),)

    def resolve(self, inputs: Shapes) -> Op:
        """Axes of one element count for nothing; where there is no other, only norm2 does
        anything."""
        if len(inputs[0]) == 1:
            return self
        axes = self.counting_axes(inputs)
        same = next(name for name in REDUCED if Reduce("sum", name).counting_axes(inputs) == axes)
        function = self.function if axes or self.function == "norm2" else "mean"
        if same == "space" and function in GLOBAL_POOLS:
            return GLOBAL_POOLS[function]()
        return Reduce(function, same)

    def counting_axes(self, inputs: Shapes) -> list[int]:
        """The axes that are reduced and have more than one element."""
        return [axis for axis in REDUCED[self.over] if inputs[0][axis] > 1]

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(inputs[0])

    def sees(self, inputs: Shapes) -> Window:
        if self.over == "channels":
            return Window()
        _, height, width = inputs[0]
        rows, columns = (axis in REDUCED[self.over] for axis in (1, 2))
        return Window((height if rows else 1, width if columns else 1))

    def work(self) -> Work:
        return Work("stream")

    def gives_its_input(self, inputs: Shapes) -> bool:
        return self.function != "norm2" and not self.counting_axes(inputs)


GLOBAL_POOLS = {"mean": GlobalAvgPool, "max": GlobalMaxPool}
"""What a reduction over space has been called ever since."""
