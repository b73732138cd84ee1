"""Chains of functions of one number, known by their values.

    x ─┬─ Add 3 ── Clip 0..6 ── Div 6 ─┐
       └────────────────────────────── Mul          is hswish, as any other spelling of it

Exporters write gelu, hswish or mish in five to eight nodes, each in its own way. A region that
reads one value, gives one and holds nothing but functions of numbers is computed at thousands of
points in double precision and held against ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from archspec.compiler.importing.onnx.net import Net, Operator
from archspec.ops import Op
from archspec.ops.activation import FUNCTIONS, Act, Scale
from archspec.ops.reshape import Zero

MAX_REGION = 14
POINTS = np.concatenate(
    [np.linspace(-12, 12, 2001), np.linspace(-60, 60, 121), [1e3, -1e3], [0.0, 1.0, -1.0]]
)
ALIKE = 2e-6
"""Of what a function gives: constants in a file have the seven digits of float32."""

Compute = Callable[..., np.ndarray]


def _erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf, otypes=[float])(x)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _hard(x: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    return np.clip(alpha * x + beta, 0, 1)


def _gelu(x: np.ndarray, approximate: bool) -> np.ndarray:
    if approximate:
        return 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / 2**0.5))


SIMPLE: dict[str, Compute] = {
    "Relu": lambda x: np.maximum(x, 0), "Sigmoid": _sigmoid, "Tanh": np.tanh, "Erf": _erf,
    "Softplus": _softplus, "Neg": np.negative, "Abs": np.abs, "Exp": np.exp, "Sqrt": np.sqrt,
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power,
    "Max": np.maximum, "Min": np.minimum, "Reciprocal": np.reciprocal, "Log": np.log,
    "HardSwish": lambda x: x * _hard(x, 1 / 6, 0.5), "Mish": lambda x: x * np.tanh(_softplus(x)),
    "Softsign": lambda x: x / (1 + np.abs(x)),
}  # fmt: skip
"""What operators without attributes compute."""
LINEAR = ("Add", "Sub", "Mul", "Div", "Neg")
SET = (
    "Clip",
    "LeakyRelu",
    "Elu",
    "HardSigmoid",
    "Gelu",
    "Selu",
    "Celu",
    "ThresholdedRelu",
    "Swish",
)

OURS: dict[str, Compute] = {
    "relu": SIMPLE["Relu"], "relu6": lambda x: np.clip(x, 0, 6), "silu": lambda x: x * _sigmoid(x),
    "hswish": SIMPLE["HardSwish"], "hsigmoid": lambda x: _hard(x, 1 / 6, 0.5), "sigmoid": _sigmoid,
    "tanh": np.tanh, "mish": SIMPLE["Mish"], "softplus": _softplus, "square": np.square,
    "abs": np.abs, "neg": np.negative, "exp": np.exp, "sqrt": np.sqrt, "reciprocal": np.reciprocal,
}  # fmt: skip


def name_functions(net: Net) -> None:
    """Let one operator "Function" stand for each region that an op of ours does (`op`)."""
    readers, makers = net.readers(), net.makers()
    gone: set[Operator] = set()
    order = {operator: place for place, operator in enumerate(net.operators)}
    for sink in reversed(list(net.operators)):
        if sink in gone or not _is_pointwise(net, sink):
            continue
        found: tuple[Op, str, set[Operator]] | None = None
        for source, region in _regions(net, sink, makers, readers, order):
            if op := _name(net, source, region, sink.output):
                found = (op, source, set(region))
        if found:
            op, source, region = found
            net.put(sink, "Function", [source], region, op=op)
            gone |= region - {sink}


def _is_pointwise(net: Net, operator: Operator) -> bool:
    if (operator.kind not in SIMPLE and operator.kind not in SET) or len(operator.outputs) != 1:
        return False
    free = [name for name in operator.inputs if name and name not in net.constants]
    fixed = [name for name in operator.inputs if name in net.constants]
    same = all(net.shapes[name] == net.shapes[operator.output] for name in free)
    return bool(free) and same and all(net.scalar(name) is not None for name in fixed)


def _regions(net, sink, makers, readers, order):
    """(source, operators) of each region that ends in the sink, from the smallest on."""
    region = [sink]
    inside = {sink}
    frontier = {name for name in sink.inputs if name and name not in net.constants}
    while len(region) <= MAX_REGION:
        if len(frontier) == 1:
            yield next(iter(frontier)), list(region)
        ready = [
            makers[name]
            for name in frontier
            if name in makers
            and _is_pointwise(net, makers[name])
            and all(reader in inside for reader in readers[name])
        ]
        if not ready:
            return
        last = max(ready, key=order.__getitem__)
        region.append(last)
        inside.add(last)
        frontier.discard(last.output)
        frontier |= {name for name in last.inputs if name and name not in net.constants}


def _name(net: Net, source: str, region: list[Operator], result: str) -> Op | None:
    """The op that does what a region does, or None."""
    values: dict[str, np.ndarray] = {source: POINTS}
    with np.errstate(all="ignore"):
        for operator in reversed(_sort(region)):
            given = [
                values[n] if n in values else np.float64(net.scalar(n)) if n else None
                for n in operator.inputs
            ]
            values[operator.output] = _evaluate(operator, given)
        return identify(values[result], all(o.kind in LINEAR for o in region))


def _sort(region: list[Operator]) -> list[Operator]:
    """As they were met: each behind those that read it."""
    order: list[Operator] = []
    waiting = list(region)
    while waiting:
        needed = {name for operator in waiting for name in operator.inputs}
        last = next(operator for operator in waiting if operator.output not in needed)
        order.append(last)
        waiting.remove(last)
    return order


def _evaluate(operator: Operator, given: list) -> np.ndarray:
    said, x = operator.settings, given[0]
    match operator.kind:
        case "Clip":
            low = given[1] if len(given) > 1 and given[1] is not None else said.get("min", -np.inf)
            high = given[2] if len(given) > 2 and given[2] is not None else said.get("max", np.inf)
            return np.minimum(np.maximum(x, low), high)
        case "LeakyRelu":
            return np.where(x > 0, x, said.get("alpha", 0.01) * x)
        case "Elu" | "Celu":
            alpha = said.get("alpha", 1.0)
            inner = x / alpha if operator.kind == "Celu" else x
            return np.where(x > 0, x, alpha * np.expm1(np.minimum(inner, 0)))
        case "Selu":
            alpha, gamma = (
                said.get("alpha", 1.67326319217681884765625),
                said.get("gamma", 1.05070102214813232421875),
            )
            return gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
        case "HardSigmoid":
            return _hard(x, said.get("alpha", 0.2), said.get("beta", 0.5))
        case "ThresholdedRelu":
            return np.where(x > said.get("alpha", 1.0), x, 0.0)
        case "Gelu":
            return _gelu(x, said.get("approximate", "none") == "tanh")
        case "Swish":
            return x * _sigmoid(said.get("alpha", 1.0) * x)
    if operator.kind in ("Max", "Min", "Sum") and len(given) != 2:
        result = given[0]
        for other in given[1:]:
            result = SIMPLE[operator.kind](result, other)
        return result
    return SIMPLE[operator.kind](*given)


def identify(values: np.ndarray, is_linear: bool) -> Op | None:
    """The op whose values at POINTS these are. A line is one by its operators alone, for much that
    is curved is straight within seven digits."""
    for name in FUNCTIONS:
        if name in OURS and _is_alike(values, OURS[name](POINTS)):
            return Act(name)
    if not np.all(np.isfinite(values)):
        return None
    for approximate in (False, True):
        if _is_alike(values, _gelu(POINTS, approximate)):
            return Act("gelu", approximate=approximate)
    at_zero, unit, at_minus = (float(value) for value in values[-3:])
    factor = unit - at_zero
    if not np.any(values) and not is_linear:
        return Zero()
    if is_linear and _is_alike(values, factor * POINTS + at_zero):
        return Scale(_short(factor), _short(at_zero))
    slope = -at_minus
    if abs(slope) <= 1000 and _is_alike(values, np.where(POINTS > 0, POINTS, slope * POINTS)):
        return Act("leaky_relu", alpha=_short(slope))
    scale = at_minus / math.expm1(-1)
    if abs(scale) <= 1000 and _is_alike(
        values, np.where(POINTS > 0, POINTS, scale * np.expm1(np.minimum(POINTS, 0)))
    ):
        return Act("elu", alpha=_short(scale))
    return None


def _is_alike(values: np.ndarray, ours: np.ndarray) -> bool:
    """Whether both are numbers at the same points, and there the same numbers."""
    known = np.isfinite(ours)
    if not np.array_equal(np.isfinite(values), known):
        return False
    values, ours = values[known], ours[known]
    return bool(np.all(np.abs(values - ours) <= ALIKE * (1 + np.abs(ours))))


def _short(number: float) -> float:
    """The number as a person wrote it: the shortest that is the same in float32."""
    if number == 0:
        return 0.0
    single = np.float32(number)
    for digits in range(1, 10):
        text = float(f"{number:.{digits}g}")
        if abs(text - number) <= 2e-7 * abs(number) or np.float32(text) == single:
            return text
    return number
