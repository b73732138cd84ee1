"""The "=..." values of a spec: small arithmetic over names, read by a whitelist, never by eval.

Python's own parser makes the tree; every node of it that is not on the list is refused; what is on
it becomes a closure, so an expression is read once and evaluated often. Length, depth, exponents
and sizes are bounded, so evaluation always ends soon.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from archspec.errors import did_you_mean
from archspec.functions import (
    ARITHMETIC,
    COMPARISONS,
    COUNT,
    FUNCTIONS,
    NODE_FUNCTIONS,
    SHAPE_FUNCTIONS,
    ExpressionError,
    check_bound,
    item_of,
    need_numbers,
    show,
)
from archspec.shapes import Shape

LONGEST = 1000
DEEPEST = 50
MAX_ROUNDS = 100_000
"""Of a list made item by item, those of lists made within it included."""


class Scope(Protocol):
    """What an expression can see: names with their values, and the shapes of earlier nodes."""

    names: Mapping[str, Any]

    def shapes_of(self, name: str) -> list[Shape] | Shape:
        """The shape of a node's one result, or those of its list of results. Raises
        ExpressionError."""
        ...


Evaluate: TypeAlias = Callable[[Scope], Any]


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
        raise ExpressionError(f"{show(text)} is not an expression ({where})") from None
    except (RecursionError, MemoryError):
        raise ExpressionError(
            f"the expression is nested too deeply; use at most {DEEPEST} levels"
        ) from None
    return Expression(text, frozenset(names), evaluate)


CONSTANTS = {"true": True, "false": False}


def _read(node: ast.AST, names: set[str], depth: int) -> Evaluate:
    if depth > DEEPEST:
        raise ExpressionError(f"the expression is nested too deeply; use at most {DEEPEST} levels")
    reader = _READERS.get(type(node))
    if reader is None:
        raise ExpressionError(
            f"{ast.unparse(node)[:60]!r} is not in the language of expressions; use"
            " numbers, 'strings', names, a[i], + - * / // % **, comparisons, and, or, not,"
            " x if c else y, [x for i in range(n)], and"
            f" {', '.join(FUNCTIONS)}, {', '.join(NODE_FUNCTIONS)}"
        )
    return reader(node, names, depth + 1)


def _read_constant(node: ast.Constant, names: set[str], depth: int) -> Evaluate:
    value = node.value
    if isinstance(value, bool) or value is None:
        raise ExpressionError(
            f"{value} is Python; use {'the string ' * (value is None)}{str(value).lower()}"
        )
    if isinstance(value, (int, float)):
        check_bound(value)
    elif not isinstance(value, str):
        raise ExpressionError(f"{show(value)} is not a number or a string of the language")
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
    if type(node.op) not in ARITHMETIC:
        raise ExpressionError(
            f"{ast.unparse(node)[:60]!r} uses an operator that is not in the language;"
            " use + - * / // % or **"
        )
    sign, function = ARITHMETIC[type(node.op)]
    left, right = _read(node.left, names, depth), _read(node.right, names, depth)

    def evaluate(scope: Scope) -> Any:
        a, b = left(scope), right(scope)
        need_numbers(sign, a, b)
        try:
            return check_bound(function(a, b))
        except (ZeroDivisionError, OverflowError):
            raise ExpressionError(f"{show(a)} {sign} {show(b)} has no result") from None

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
        need_numbers("a sign", value)
        return factor * value

    return evaluate


def _truth(what: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"{what} needs true or false, not {show(value)}; use a comparison")
    return value


def _read_boolean(node: ast.BoolOp, names: set[str], depth: int) -> Evaluate:
    operands = [_read(value, names, depth) for value in node.values]
    if isinstance(node.op, ast.And):
        return lambda scope: all(_truth("and", operand(scope)) for operand in operands)
    return lambda scope: any(_truth("or", operand(scope)) for operand in operands)


def _read_comparison(node: ast.Compare, names: set[str], depth: int) -> Evaluate:
    """a < b < c is a < b and b < c; values have no effects, so b may be read twice."""
    for sign in node.ops:
        if type(sign) not in COMPARISONS:
            raise ExpressionError(
                f"{ast.unparse(node)[:60]!r} uses a comparison that is not in the language;"
                " use == != < <= > or >="
            )
    operands = [_read(operand, names, depth) for operand in (node.left, *node.comparators)]
    pairs = [
        _comparison(*COMPARISONS[type(sign)], left, right)
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
            need_numbers(sign, a, b)
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
        return lambda scope: item_of(value(scope), position)
    return lambda scope: item_of(value(scope), index(scope))


def _read_call(node: ast.Call, names: set[str], depth: int) -> Evaluate:
    if not isinstance(node.func, ast.Name) or node.keywords:
        raise ExpressionError(
            f"{ast.unparse(node)[:60]!r} is not a call of the language; use"
            f" {', '.join((*FUNCTIONS, *NODE_FUNCTIONS))}"
        )
    name = node.func.id
    operands = [_read(operand, names, depth) for operand in node.args]
    if name in SHAPE_FUNCTIONS:
        return _shape_call(name, operands)
    if name == COUNT:
        return _count_call(operands)
    if name not in FUNCTIONS:
        known = (*FUNCTIONS, *NODE_FUNCTIONS)
        raise ExpressionError(
            f"{name!r} is not a function of the language{did_you_mean(name, known)}"
            f" (known: {', '.join(known)})"
        )
    count, function = FUNCTIONS[name]
    if count is not None and len(operands) != count:
        raise ExpressionError(f"{name} takes {count} argument(s), not {len(operands)}")
    return lambda scope: function(*(operand(scope) for operand in operands))


def _shape_call(name: str, operands: list[Evaluate]) -> Evaluate:
    if len(operands) not in (1, 2):
        raise ExpressionError(
            f"{name} takes the name of an earlier node, as in {name}('stem'), and of a list of"
            f" results which one, as in {name}('levels', 0)"
        )
    axis = SHAPE_FUNCTIONS[name]
    node, *position = operands

    def evaluate(scope: Scope) -> int:
        word = node(scope)
        shape = _shapes_of(scope, name, word)
        if position:
            if not isinstance(shape, list):
                raise ExpressionError(f"{word!r} is one result; use {name}({word!r})")
            shape = item_of(shape, position[0](scope))
        elif isinstance(shape, list):
            raise ExpressionError(
                f"{word!r} is a list of {len(shape)}; use {name}({word!r}, 0) and so on"
            )
        if axis >= len(shape):
            raise ExpressionError(f"{word!r} is flat, so it has no {name}")
        return shape[axis]

    return evaluate


def _count_call(operands: list[Evaluate]) -> Evaluate:
    if len(operands) != 1:
        raise ExpressionError(f"{COUNT} takes the name of a list of results, as in count('levels')")

    def evaluate(scope: Scope) -> int:
        word = operands[0](scope)
        shapes = _shapes_of(scope, COUNT, word)
        if not isinstance(shapes, list):
            raise ExpressionError(f"count needs a list of results, and {word!r} is one result")
        return len(shapes)

    return evaluate


def _shapes_of(scope: Scope, function: str, node: Any) -> list[Shape] | Shape:
    if not isinstance(node, str):
        raise ExpressionError(f"{function} needs the name of a node, not {show(node)}")
    return scope.shapes_of(node)


class _Round:
    """The scope of a list's items while it is made; `left` counts the rounds that may still
    come, shared with the lists around it."""

    __slots__ = ("left", "names", "outer")

    def __init__(self, outer: Scope, names: Mapping[str, Any]):
        self.outer = outer
        self.names: Mapping[str, Any] = names
        self.left: list[int] = outer.left if isinstance(outer, _Round) else [MAX_ROUNDS]

    def shapes_of(self, name: str) -> list[Shape] | Shape:
        return self.outer.shapes_of(name)


def _read_comprehension(node: ast.ListComp, names: set[str], depth: int) -> Evaluate:
    """[item for name in list if condition], with one `for`."""
    loop = node.generators[0]
    if len(node.generators) > 1 or loop.is_async or not isinstance(loop.target, ast.Name):
        raise ExpressionError(
            f"{ast.unparse(node)[:60]!r} has more than one for; use [x for i in range(n)], a list"
            " of lists by one inside another"
        )
    name = loop.target.id
    items = _read(loop.iter, names, depth)
    inner: set[str] = set()
    tests = [_read(test, inner, depth) for test in loop.ifs]
    item = _read(node.elt, inner, depth)
    names |= inner - {name}

    def evaluate(scope: Scope) -> list[Any]:
        values = items(scope)
        if not isinstance(values, list):
            raise ExpressionError(f"for needs a list or a range, not {show(values)}")
        known = dict(scope.names)
        inside = _Round(scope, known)
        result: list[Any] = []
        for value in values:
            inside.left[0] -= 1
            if inside.left[0] < 0:
                raise ExpressionError(
                    f"a list is made in more than {MAX_ROUNDS:,} rounds; use a shorter one"
                )
            known[name] = value
            if all(_truth("if", test(inside)) for test in tests):
                result.append(item(inside))
        return result

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
    ast.ListComp: _read_comprehension,
}
