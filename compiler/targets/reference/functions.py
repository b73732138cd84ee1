"""Activations and softmax."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archspec.compiler.targets.reference.dispatch import Array, Arrays, forward, per_channel
from archspec.ops import activation


@forward.register
def _(op: activation.Softmax, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    axes = {"channels": (1,), "height": (2,), "width": (3,), "space": (2, 3)}[op.axis]
    return [softmax(inputs[0], axes)]


def softmax(x: Array, axes: tuple[int, ...]) -> Array:
    powers = np.exp(x - x.max(axes, keepdims=True))
    return powers / powers.sum(axes, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(x / 2)


def hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


def gelu(x: Array, alpha: float) -> Array:
    error_function = np.frompyfunc(math.erf, 1, 1)
    return x * (0.5 + 0.5 * error_function(x / math.sqrt(2)).astype(x.dtype))


def gelu_tanh(x: Array) -> Array:
    return x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


FUNCTIONS = {
    "relu": lambda x, alpha: np.maximum(x, 0),
    "relu6": lambda x, alpha: np.clip(x, 0, 6),
    "leaky_relu": lambda x, alpha: np.where(x > 0, x, (0.01 if alpha is None else alpha) * x),
    "elu": lambda x, alpha: np.where(
        x > 0, x, (1 if alpha is None else alpha) * np.expm1(np.minimum(x, 0))
    ),
    "gelu": gelu,
    "silu": lambda x, alpha: x * sigmoid(x),
    "hswish": lambda x, alpha: x * hard_sigmoid(x),
    "hsigmoid": lambda x, alpha: hard_sigmoid(x),
    "sigmoid": lambda x, alpha: sigmoid(x),
    "tanh": lambda x, alpha: np.tanh(x),
    "mish": lambda x, alpha: x * np.tanh(np.logaddexp(0, x)),
    "softplus": lambda x, alpha: np.logaddexp(0, x),
    "square": lambda x, alpha: np.square(x),
    "abs": lambda x, alpha: np.abs(x),
    "neg": lambda x, alpha: -x,
    "exp": lambda x, alpha: np.exp(x),
    "sqrt": lambda x, alpha: np.sqrt(x),
    "reciprocal": lambda x, alpha: 1 / x,
}


@forward.register
def _(op: activation.Act, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    (x,) = inputs
    if op.function == "prelu":
        return [np.where(x > 0, x, x * per_channel(weights["slope"], x))]
    if op.approximate:
        return [gelu_tanh(x)]
    return [FUNCTIONS[op.function](x, op.alpha)]


@forward.register
def _(op: activation.Scale, inputs: Sequence[Array], weights: Arrays) -> list[Array]:
    return [inputs[0] * op.factor + op.offset]
