"""Activations and softmax."""

from __future__ import annotations

import math

import numpy as np

from archspec.compiler.targets.onnx.net import Site
from archspec.compiler.targets.onnx.operators.dispatch import spell
from archspec.errors import SpecError
from archspec.ops import activation


@spell.register
def _(op: activation.Act, at: Site) -> None:
    x, number = at.x, at.net.floats
    match op.function:
        case "relu":
            at.result("Relu", x)
        case "relu6":
            at.result("Clip", x, number(0), number(6))
        case "leaky_relu":
            at.result("LeakyRelu", x, alpha=op.slope)
        case "prelu":
            at.result("PRelu", x, at.per_channel("slope"))
        case "elu":
            at.result("Elu", x, alpha=op.slope)
        case "gelu":
            half = at.step("Mul", x, number(0.5))
            phi = at.step("Tanh", tanh_argument(at)) if op.approximate else error_function(at)
            at.result("Mul", half, at.step("Add", phi, number(1)))
        case "silu":
            at.result("Mul", x, at.step("Sigmoid", x))
        case "hswish":
            at.result("Mul", x, at.step("HardSigmoid", x, alpha=1 / 6, beta=0.5))
        case "hsigmoid":
            # beta unsaid is 0.5; said, OpenCV takes this with any Mul that reads it for a hswish
            # of x, whatever else is multiplied (a gate of squeeze-and-excite, say).
            at.result("HardSigmoid", x, alpha=1 / 6)
        case "sigmoid":
            at.result("Sigmoid", x)
        case "tanh":
            at.result("Tanh", x)
        case "mish":
            at.result("Mul", x, at.step("Tanh", at.step("Softplus", x)))
        case "softplus":
            at.result("Softplus", x)
        case "square":
            at.result("Mul", x, x)
        case "abs":
            at.result("Max", x, at.step("Mul", x, number(-1)))
        case "neg":
            at.result("Mul", x, number(-1))
        case "exp":
            # Exp is not among the operators that atc is known to take
            at.result("Pow", number(math.e), x)
        case "sqrt":
            at.result("Sqrt", x)
        case "reciprocal":
            at.result("Div", number(1), x)
        case unknown:
            raise SpecError(f"the target onnx has no activation {unknown}")


def error_function(at: Site) -> str:
    return at.step("Erf", at.step("Mul", at.x, at.net.floats(2**-0.5)))


def tanh_argument(at: Site) -> str:
    """sqrt(2 / pi) (x + 0.044715 x^3), as x (c + d x^2)."""
    root = (2 / np.pi) ** 0.5
    square = at.step("Mul", at.x, at.x)
    scaled = at.step("Mul", square, at.net.floats(0.044715 * root))
    return at.step("Mul", at.x, at.step("Add", scaled, at.net.floats(root)))


@spell.register
def _(op: activation.Softmax, at: Site) -> None:
    if len(at.shapes[0]) == 1:
        at.result("Softmax", at.x, axis=1)
        return
    if op.axis == "width":
        at.result("Softmax", at.x, axis=3)
        return
    if op.axis == "space":
        channels, height, width = at.shapes[0]
        rows = at.step("Reshape", at.x, at.net.integers((0, channels, height * width)))
        rows = at.step("Softmax", rows, axis=2)
        at.result("Reshape", rows, at.net.integers((0, channels, height, width)))
        return
    if op.axis == "height":
        last = at.step("Transpose", at.x, perm=[0, 1, 3, 2])
        at.result("Transpose", at.step("Softmax", last, axis=3), perm=[0, 1, 3, 2])
        return
    # Before opset 13 softmax takes all axes from its own on as one, so channels go last.
    last = at.step("Transpose", at.x, perm=[0, 2, 3, 1])
    at.result("Transpose", at.step("Softmax", last, axis=3), perm=[0, 3, 1, 2])


@spell.register
def _(op: activation.Scale, at: Site) -> None:
    factor, offset = at.net.floats(op.factor), at.net.floats(op.offset)
    if op.offset == 0:
        at.result("Mul", at.x, factor)
    else:
        at.result("Add", at.x if op.factor == 1 else at.step("Mul", at.x, factor), offset)
