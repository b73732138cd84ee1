"""Activation functions and softmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.ops.base import (
    BOOLEAN,
    FACTOR,
    FLOAT32,
    Fans,
    Folding,
    Op,
    Weight,
    Weightless,
    Window,
    Work,
    as_real,
    attribute,
    image,
    nullable,
)
from archspec.ops.page import Page
from archspec.shapes import Shapes, elements

FUNCTIONS = {
    "relu": "max(x, 0)",
    "relu6": "min(max(x, 0), 6)",
    "leaky_relu": "x where x > 0, else alpha x (alpha 0.01)",
    "prelu": "x where x > 0, else a learnt slope per channel times x",
    "elu": "x where x > 0, else alpha (exp(x) - 1) (alpha 1)",
    "gelu": "x Phi(x) with the error function, or its tanh form with approximate",
    "silu": "x sigmoid(x), also called swish",
    "hswish": "x min(max(x + 3, 0), 6) / 6",
    "hsigmoid": "min(max(x + 3, 0), 6) / 6",
    "sigmoid": "1 / (1 + exp(-x))",
    "tanh": "tanh(x)",
    "mish": "x tanh(log(1 + exp(x)))",
    "softplus": "log(1 + exp(x))",
    "square": "x x",
    "abs": "x where x > 0, else -x",
    "neg": "-x",
    "exp": "e to the power x",
    "sqrt": "the square root of x, where x >= 0",
    "reciprocal": "1 / x",
}
"""Every activation function with its formula."""

_FIRST_SLOPE = 0.25
"""Of prelu, arXiv 1502.01852."""
_DEFAULT_ALPHA = {"leaky_relu": 0.01, "elu": 1.0}


@dataclass(frozen=True)
class Act(Op):
    name = "act"
    doc = 'an activation function; "relu" alone is short for it'
    category = "act"
    page = Page(
        "the input's",
        '{"op": "act", "function": "leaky_relu", "alpha": 0.1}',
    )

    function: str = attribute({"enum": list(FUNCTIONS)}, "which function")
    alpha: float | None = attribute(
        nullable(FACTOR),
        "slope of leaky_relu, scale of elu; null is the function's own",
        None,
        as_real,
        only_for={"function": tuple(_DEFAULT_ALPHA)},
    )
    approximate: bool = attribute(
        BOOLEAN, "gelu by its tanh form", False, only_for={"function": ("gelu",)}
    )

    def simplify(self) -> Mapping[str, Any]:
        return {"alpha": None} if self.alpha == _DEFAULT_ALPHA.get(self.function) else {}

    def resolve(self, inputs: Shapes) -> Op:
        """Without a slope, or a scale, nothing is left of values below zero."""
        return Act("relu") if self.alpha == 0 else self

    @property
    def slope(self) -> float:
        """alpha, or the function's own default."""
        return _DEFAULT_ALPHA.get(self.function, 0.0) if self.alpha is None else self.alpha

    def infer(self, inputs: Shapes) -> Shapes:
        return (inputs[0],)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        if self.function != "prelu":
            return ()
        return (Weight("slope", inputs[0][:1], start=_FIRST_SLOPE),)

    def fans(self, inputs: Shapes) -> Fans | None:
        return None

    def work(self) -> Work:
        return Work("function")

    def folding(self) -> Folding:
        return "nothing"

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0])


@dataclass(frozen=True)
class Scale(Weightless):
    name = "scale"
    doc = "x factor + offset, two constants; layer_scale has learnt factors, one a channel"
    category = "act"
    page = Page("the input's", '{"op": "scale", "factor": 2, "offset": -1}')

    factor: float = attribute(FLOAT32, "what x is multiplied by", 1)
    offset: float = attribute(FLOAT32, "what is added to that", 0)

    def infer(self, inputs: Shapes) -> Shapes:
        return (inputs[0],)

    def work(self) -> Work:
        return Work("function")

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0])

    def gives_its_input(self, inputs: Shapes) -> bool:
        return (self.factor, self.offset) == (1, 0)


SOFTMAX_AXES = {"channels": (0,), "height": (1,), "width": (2,), "space": (1, 2)}
"""By name, axes of (channels, height, width)."""


@dataclass(frozen=True)
class Softmax(Weightless):
    name = "softmax"
    doc = "softmax over the channels (or features), rows, columns or all pixels"
    category = "act"
    page = Page(
        "the input's",
        '{"op": "softmax", "axis": "space"}',
    )

    axis: str = attribute({"enum": list(SOFTMAX_AXES)}, "what comes to 1 together", "channels")

    def infer(self, inputs: Shapes) -> Shapes:
        if self.axis != "channels":
            image(inputs[0], f"softmax over {self.axis}")
        return (inputs[0],)

    def resolve(self, inputs: Shapes) -> Op:
        """Axes of one element count for nothing."""
        if len(inputs[0]) == 1:
            return self
        axes = {axis for axis in SOFTMAX_AXES[self.axis] if inputs[0][axis] > 1}
        for name, others in SOFTMAX_AXES.items():
            if {axis for axis in others if inputs[0][axis] > 1} == axes:
                return Softmax(name)
        return self

    def sees(self, inputs: Shapes) -> Window:
        axes = SOFTMAX_AXES[self.axis]
        return Window(everything=any(axis > 0 and inputs[0][axis] > 1 for axis in axes))

    def work(self) -> Work:
        return Work("stream")

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0])
