"""What an "=..." value can do with numbers and lists: operators and functions, each bounded."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

LARGEST_INTEGER = 2**53
LARGEST_EXPONENT = 64
LONGEST_LIST = 10_000


class ExpressionError(ValueError):
    """An expression cannot be read or evaluated; the message says what was met and what to use."""


def divisible(value: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `value`, at least `divisor`, never below 0.9 `value`
    (MobileNet's make_divisible, github.com/tensorflow/models slim/nets/mobilenet)."""
    need_numbers("divisible", value, divisor)
    if not isinstance(divisor, int) or divisor < 1:
        raise ExpressionError(f"divisible needs a divisor of at least 1, not {divisor!r}")
    result = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return result + divisor if result < 0.9 * value else result


def need_numbers(what: str, *values: Any) -> None:
    for value in values:
        if type(value) not in (int, float):
            raise ExpressionError(f"{what} needs numbers, not {show(value)}")


def show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def check_bound(value: Any) -> Any:
    if isinstance(value, int):
        if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            return value
    elif isinstance(value, float) and math.isfinite(value):
        return value
    raise ExpressionError("the result is too large; it must be at most 2**53")


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > LARGEST_EXPONENT:
        raise ExpressionError(
            f"the exponent {show(exponent)} is too large; it must be at most {LARGEST_EXPONENT}"
        )
    result = base**exponent
    if isinstance(result, complex):
        raise ExpressionError("a root of a negative number is not a number here")
    return result


ARITHMETIC: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", _power),
}

COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


def _length(value: Any) -> int:
    if not isinstance(value, (list, str)):
        raise ExpressionError(f"len needs a list or a string, not {show(value)}")
    return len(value)


def item_of(sequence: Any, position: Any) -> Any:
    if type(sequence) is not list or type(position) is not int:
        raise ExpressionError(
            f"a[i] needs a list and a whole number, not {show(sequence)} and {show(position)}"
        )
    try:
        return sequence[position]
    except IndexError:
        raise ExpressionError(f"there is no item {position} in a list of {len(sequence)}") from None


def _numeric(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        need_numbers(name, *values)
        return check_bound(function(*values))

    return call


def _sum(values: Any) -> Any:
    if not isinstance(values, list):
        raise ExpressionError(f"sum needs a list of numbers, not {show(values)}")
    need_numbers("sum", *values)
    return check_bound(sum(values))


def _root(value: Any) -> float:
    need_numbers("sqrt", value)
    if value < 0:
        raise ExpressionError(f"sqrt needs a number of at least 0, not {show(value)}")
    return math.sqrt(value)


def _logarithm(value: Any) -> float:
    need_numbers("log", value)
    if value <= 0:
        raise ExpressionError(f"log needs a number over 0, not {show(value)}")
    return math.log(value)


def _range(*bounds: Any) -> list[int]:
    if not 1 <= len(bounds) <= 3 or any(type(bound) is not int for bound in bounds):
        raise ExpressionError("range takes one to three whole numbers: stop, or start, stop, step")
    if len(bounds) == 3 and bounds[2] == 0:
        raise ExpressionError("the step of a range must not be 0")
    numbers = range(*bounds)
    if len(numbers) > LONGEST_LIST:
        raise ExpressionError(f"a range of {len(numbers):,} numbers; use at most {LONGEST_LIST:,}")
    return list(numbers)


def _extreme(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        if len(values) == 1 and isinstance(values[0], list) and values[0]:
            values = tuple(values[0])
        elif len(values) < 2:
            raise ExpressionError(f"{name} needs two or more numbers, or one list of them")
        need_numbers(name, *values)
        return function(values)

    return call


FUNCTIONS: dict[str, tuple[int | None, Callable[..., Any]]] = {
    "min": (None, _extreme("min", min)),
    "max": (None, _extreme("max", max)),
    "floor": (1, _numeric("floor", math.floor)),
    "ceil": (1, _numeric("ceil", math.ceil)),
    "round": (1, _numeric("round", lambda value: math.floor(value + 0.5))),
    "abs": (1, _numeric("abs", abs)),
    "sqrt": (1, _root),
    "log": (1, _logarithm),
    "sum": (1, _sum),
    "len": (1, _length),
    "range": (None, _range),
    "divisible": (2, divisible),
}
"""The functions of the language, each with its number of arguments (None: any).

round takes halves up, log is the natural logarithm.
"""

SHAPE_FUNCTIONS = {"channels": 0, "height": 1, "width": 2}
"""Functions of an earlier node's name, and the axis each reads."""
COUNT = "count"
"""The function of a list of results that says how many there are."""
NODE_FUNCTIONS = (*SHAPE_FUNCTIONS, COUNT)
"""All functions of an earlier node's name."""
