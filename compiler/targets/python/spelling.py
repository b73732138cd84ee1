"""What a framework's spelling of an op is made of: a cell made once in __init__, or an expression.

A cell is what a framework makes networks of: an nn.Cell of MindSpore, an nn.Module of PyTorch.
Numbers are arguments, so that blocks which differ in nothing else can share a class; whatever an
expression holds is part of the class's text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from archspec.node import Layer
from archspec.ops.norm import LocalResponseNorm
from archspec.ops.pool import AvgPool, MaxPool
from archspec.shapes import Pair, Shape, Sides, window_extent

NO_SIDES = (0, 0, 0, 0)


@dataclass(frozen=True)
class Symbol:
    """A value that is written as a name of the generated module, such as nn.ReLU."""

    name: str


class Argument(NamedTuple):
    """One argument of a cell. `role` is what a class that passes it on calls it; an argument whose
    value is always the cell's own `default` is not written; `keyword` is "" where the position
    says it."""

    keyword: str
    role: str
    value: Any
    default: Any = None


@dataclass(frozen=True)
class Spelling:
    """A cell with its arguments, or an expression (a piece of layout.py) over the names of its
    inputs.

    `is_bare` is a cell without arguments, which a class may take as an argument itself. A result
    that `is_input` is its input under another name.
    """

    cell: str = ""
    arguments: tuple[Argument, ...] = ()
    expression: Callable[[Sequence[str]], Any] | None = None
    wording: str = ""
    """What tells one expression from another; one that joins its inputs starts with "cat"."""
    is_input: bool = False
    expanded: tuple[bool, ...] = ()
    """Of each input, whether the expression makes it as large as the batch; () is of none."""

    @property
    def is_bare(self) -> bool:
        return bool(self.cell) and not self.arguments


def cell(name: str, *arguments: Argument) -> Spelling:
    return Spelling(name, arguments)


def expression(pattern: str) -> Spelling:
    """An expression of one input, which stands for {x}."""
    return Spelling(expression=lambda names: pattern.replace("{x}", names[0]), wording=pattern)


def of_two(function: str) -> Spelling:
    """A function of two over all inputs, from the first to the last."""

    def written(names: Sequence[str]) -> str:
        return reduce(lambda one, other: f"{function}({one}, {other})", names)

    return Spelling(expression=written, wording=function)


def channels(layer: Layer) -> Argument:
    return Argument("", "channels", layer.input_shapes[0][0])


def scalar(values: Pair | Sides | Shape) -> Any:
    """(3, 3) as people write it: 3."""
    return values[0] if len(set(values)) == 1 else values


def window(op: MaxPool | AvgPool) -> tuple[Argument, Argument]:
    """Kernel and stride of a pool, by position."""
    return (
        Argument("", "kernel", scalar(op.kernel)),
        Argument("", "stride", scalar(op.stride)),
    )


def response(op: LocalResponseNorm) -> tuple[Argument, ...]:
    """Size by position, the rest by name."""
    return (
        Argument("", "size", op.size),
        Argument("alpha", "alpha", op.alpha, 1e-4),
        Argument("beta", "beta", op.beta, 0.75),
        Argument("k", "k", op.k, 1.0),
    )


def add_sides(one: Sides, other: Sides) -> Sides:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def reach(op: MaxPool | AvgPool, layer: Layer) -> tuple[Sides, Sides]:
    """The padding, and how far a last ceil window reaches past it."""
    _, height, width = layer.input_shapes[0]
    sides = op.sides(layer.input_shapes)
    outputs = window_extent((height, width), op.kernel, op.stride, (1, 1), sides, op.ceil)
    past: list[int] = []
    for axis, extent in ((0, height), (1, width)):
        span = (outputs[axis] - 1) * op.stride[axis] + op.kernel[axis]
        past += [0, max(span - extent - sides[2 * axis] - sides[2 * axis + 1], 0)]
    return sides, (past[0], past[1], past[2], past[3])
