"""The "=..." values of a spec: small arithmetic over names, read by a whitelist, never by eval.

Python's own parser makes the tree; every node of it that is not on the list is refused; what is on
it becomes a closure, so an expression is read once and evaluated often. Length, depth, exponents
and sizes are bounded, so evaluation always ends soon.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from archspec.errors import did_you_mean
from archspec.shapes import Shape

LONGEST = 1000
DEEPEST = 50
LARGEST_INTEGER = 2**53
LARGEST_EXPONENT = 64


class Scope(Protocol):
    """What an expression can see: names with their values, and the shapes of earlier nodes."""

    names: Mapping[str, Any]

    def shape_of(self, name: str) -> Shape: ...


Evaluate: TypeAlias = Callable[[Scope], Any]


class ExpressionError(ValueError):
    """An expression cannot be read or evaluated; the message says what was met and what to use."""


@dataclass(frozen=True)
class Expression:
    """A read expression: the names it uses and how to evaluate it."""

    text: str
    names: frozenset[str]
    evaluate: Evaluate


@lru_cache(maxsize=4096)
def read_expression(text: str) -> Expression:
    """Read the text after "=". Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text):,} characters; use at most {LONGEST}")
    if not text.isprintable() or "\\" in text or "#" in text:
        raise ExpressionError("an expression is one line without backslashes or '#'")
    names: set[str] = set()
    try:
        evaluate = _read(ast.parse(text.strip(), mode="eval").body, names, 0)
    except SyntaxError as error:
        is_cut = not error.offset or error.offset > len(text.strip())
        where = "it ends too soon" if is_cut else f"{error.msg} near character {error.offset}"
        raise ExpressionError(f"{_shown(text)} is not an expression ({where})") from None
    except (RecursionError, MemoryError):
        raise ExpressionError(
            f"the expression is nested too deeply; use at most {DEEPEST} levels"
        ) from None
    return Expression(text, frozenset(names), evaluate)


def divisible(value: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `value`, at least `divisor`, never below 0.9 `value`
    (MobileNet's make_divisible, github.com/tensorflow/models slim/nets/mobilenet)."""
    _number("divisible", value, divisor)
    if not isinstance(divisor, int) or divisor < 1:
        raise ExpressionError(f"divisible needs a divisor of at least 1, not {divisor!r}")
    result = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return result + divisor if result < 0.9 * value else result


def _number(what: str, *values: Any) -> None:
    for value in values:
        if type(value) not in (int, float):
            raise ExpressionError(f"{what} needs numbers, not {_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _check_bound(value: Any) -> Any:
    if isinstance(value, int):
        if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            return value
    elif isinstance(value, float) and math.isfinite(value):
        return value
    raise ExpressionError("the result is too large; it must be at most 2**53")


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > LARGEST_EXPONENT:
        raise ExpressionError(
            f"the exponent {_shown(exponent)} is too large; it must be at most {LARGEST_EXPONENT}"
        )
    result = base**exponent
    if isinstance(result, complex):
        raise ExpressionError("a root of a negative number is not a number here")
    return result


_ARITHMETIC: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", _power),
}

_COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}


def _length(value: Any) -> int:
    if not isinstance(value, (list, str)):
        raise ExpressionError(f"len needs a list or a string, not {_shown(value)}")
    return len(value)


def _numeric(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        _number(name, *values)
        return _check_bound(function(*values))

    return call


def _extreme(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        if len(values) == 1 and isinstance(values[0], list) and values[0]:
            values = tuple(values[0])
        elif len(values) < 2:
            raise ExpressionError(f"{name} needs two or more numbers, or one list of them")
        _number(name, *values)
        return function(values)

    return call


FUNCTIONS: dict[str, tuple[int | None, Callable[..., Any]]] = {
    "min": (None, _extreme("min", min)),
    "max": (None, _extreme("max", max)),
    "floor": (1, _numeric("floor", math.floor)),
    "ceil": (1, _numeric("ceil", math.ceil)),
    "round": (1, _numeric("round", lambda value: math.floor(value + 0.5))),
    "len": (1, _length),
    "divisible": (2, divisible),
}
"""The functions of the language, each with its number of arguments (None: any).

round takes halves up.
"""

SHAPE_FUNCTIONS = {"channels": 0, "height": 1, "width": 2}
"""Functions of an earlier node's name, and the axis each reads."""

CONSTANTS = {"true": True, "false": False}


def _read(node: ast.AST, names: set[str], depth: int) -> Evaluate:
    if depth > DEEPEST:
        raise ExpressionError(f"the expression is nested too deeply; use at most {DEEPEST} levels")
    reader = _READERS.get(type(node))
    if reader is None:
        raise ExpressionError(
            f"{ast.unparse(node)[:60]!r} is not in the language of expressions; use"
            " numbers, 'strings', names, a[i], + - * / // % **, comparisons, and, or, not,"
            f" x if c else y, and {', '.join(FUNCTIONS)}, {', '.join(SHAPE_FUNCTIONS)}"
        )
    return reader(node, names, depth + 1)


def _read_constant(node: ast.Constant, names: set[str], depth: int) -> Evaluate:
    value = node.value
    if isinstance(value, bool) or value is None:
        raise ExpressionError(
            f"{value} is Python; use {'the string ' * (value is None)}{str(value).lower()}"
        )
    if isinstance(value, (int, float)):
        _check_bound(value)
    elif not isinstance(value, str):
        raise ExpressionError(f"{_shown(value)} is not a number or a string of the language")
    return lambda scope: value


def _read_name(node: ast.Name, names: set[str], depth: int) -> Evaluate:
    name = node.id
    if name in CONSTANTS:
        value = CONSTANTS[name]
        return lambda scope: value
    names.add(name)

    def evaluate(scope: Scope) -> Any:
        try:
            return scope.names[name]
        except KeyError:
            known = [*scope.names, *CONSTANTS]
            raise ExpressionError(
                f"{name!r} is not known here{did_you_mean(name, known)}"
            ) from None

    return evaluate


def _read_arithmetic(node: ast.BinOp, names: set[str], depth: int) -> Evaluate:
    if type(node.op) not in _ARITHMETIC:
        raise ExpressionError(
            f"{ast.unparse(node)[:60]!r} uses an operator that is not in the language;"
            " use + - * / // % or **"
        )
    sign, function = _ARITHMETIC[type(node.op)]
    left, right = _read(node.left, names, depth), _read(node.right, names, depth)

    def evaluate(scope: Scope) -> Any:
        a, b = left(scope), right(scope)
        _number(sign, a, b)
        try:
            return _check_bound(function(a, b))
        except (ZeroDivisionError, OverflowError):
            raise ExpressionError(f"{_shown(a)} {sign} {_shown(b)} has no result") from None

    return evaluate


def _read_unary(node: ast.UnaryOp, names: set[str], depth: int) -> Evaluate:
    operand = _read(node.operand, names, depth)
    if isinstance(node.op, ast.Not):
        return lambda scope: not _truth("not", operand(scope))
    if not isinstance(node.op, (ast.USub, ast.UAdd)):
        raise ExpressionError("'~' is not in the language of expressions; use + - or not")
    factor = -1 if isinstance(node.op, ast.USub) else 1

    def evaluate(scope: Scope) -> Any:
        value = operand(scope)
        _number("a sign", value)
        return factor * value

    return evaluate


def _truth(what: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"{what} needs true or false, not {_shown(value)}; use a comparison")
    return value


def _read_boolean(node: ast.BoolOp, names: set[str], depth: int) -> Evaluate:
    operands = [_read(value, names, depth) for value in node.values]
    if isinstance(node.op, ast.And):
        return lambda scope: all(_truth("and", operand(scope)) for operand in operands)
    return lambda scope: any(_truth("or", operand(scope)) for operand in operands)


def _read_comparison(node: ast.Compare, names: set[str], depth: int) -> Evaluate:
    """a < b < c is a < b and b < c; values have no effects, so b may be read twice."""
    for sign in node.ops:
        if type(sign) not in _COMPARISONS:
            raise ExpressionError(
                f"{ast.unparse(node)[:60]!r} uses a comparison that is not in the language;"
                " use == != < <= > or >="
            )
    operands = [_read(operand, names, depth) for operand in (node.left, *node.comparators)]
    pairs = [
        _comparison(*_COMPARISONS[type(sign)], left, right)
        for sign, left, right in zip(node.ops, operands, operands[1:], strict=False)
    ]
    return pairs[0] if len(pairs) == 1 else lambda scope: all(pair(scope) for pair in pairs)


def _comparison(
    sign: str, function: Callable[[Any, Any], bool], left: Evaluate, right: Evaluate
) -> Evaluate:
    if sign in ("==", "!="):
        return lambda scope: function(left(scope), right(scope))

    def evaluate(scope: Scope) -> bool:
        a, b = left(scope), right(scope)
        if type(a) is not int or type(b) is not int:
            _number(sign, a, b)
        return function(a, b)

    return evaluate


def _read_condition(node: ast.IfExp, names: set[str], depth: int) -> Evaluate:
    test = _read(node.test, names, depth)
    body, orelse = _read(node.body, names, depth), _read(node.orelse, names, depth)
    return lambda scope: body(scope) if _truth("if", test(scope)) else orelse(scope)


def _read_subscript(node: ast.Subscript, names: set[str], depth: int) -> Evaluate:
    value, index = _read(node.value, names, depth), _read(node.slice, names, depth)
    if isinstance(node.slice, ast.Constant) and type(node.slice.value) is int:
        position = node.slice.value
        return lambda scope: _item(value(scope), position)
    return lambda scope: _item(value(scope), index(scope))


def _item(sequence: Any, position: Any) -> Any:
    if type(sequence) is not list or type(position) is not int:
        raise ExpressionError(
            f"a[i] needs a list and a whole number, not {_shown(sequence)} and {_shown(position)}"
        )
    try:
        return sequence[position]
    except IndexError:
        raise ExpressionError(f"there is no item {position} in a list of {len(sequence)}") from None


def _read_call(node: ast.Call, names: set[str], depth: int) -> Evaluate:
    if not isinstance(node.func, ast.Name) or node.keywords:
        raise ExpressionError(
            f"{ast.unparse(node)[:60]!r} is not a call of the language; use"
            f" {', '.join((*FUNCTIONS, *SHAPE_FUNCTIONS))}"
        )
    name = node.func.id
    operands = [_read(operand, names, depth) for operand in node.args]
    if name in SHAPE_FUNCTIONS:
        return _shape_call(name, operands)
    if name not in FUNCTIONS:
        known = (*FUNCTIONS, *SHAPE_FUNCTIONS)
        raise ExpressionError(
            f"{name!r} is not a function of the language{did_you_mean(name, known)}"
            f" (known: {', '.join(known)})"
        )
    count, function = FUNCTIONS[name]
    if count is not None and len(operands) != count:
        raise ExpressionError(f"{name} takes {count} argument(s), not {len(operands)}")
    return lambda scope: function(*(operand(scope) for operand in operands))


def _shape_call(name: str, operands: list[Evaluate]) -> Evaluate:
    if len(operands) != 1:
        raise ExpressionError(f"{name} takes the name of an earlier node, as in {name}('stem')")
    axis = SHAPE_FUNCTIONS[name]

    def evaluate(scope: Scope) -> int:
        node = operands[0](scope)
        if not isinstance(node, str):
            raise ExpressionError(f"{name} needs the name of a node, not {_shown(node)}")
        shape = scope.shape_of(node)
        if axis >= len(shape):
            raise ExpressionError(f"{node!r} is flat, so it has no {name}")
        return shape[axis]

    return evaluate


_READERS: dict[type[ast.AST], Callable[[Any, set[str], int], Evaluate]] = {
    ast.Constant: _read_constant,
    ast.Name: _read_name,
    ast.BinOp: _read_arithmetic,
    ast.UnaryOp: _read_unary,
    ast.BoolOp: _read_boolean,
    ast.Compare: _read_comparison,
    ast.IfExp: _read_condition,
    ast.Subscript: _read_subscript,
    ast.Call: _read_call,
}
