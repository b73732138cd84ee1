"""How a value comes of an expression, or of a list or an object of values, with errors located."""

from __future__ import annotations

from typing import Any

from archspec.document import DEEPEST_NESTING, At
from archspec.errors import SpecError
from archspec.expressions import Expression, ExpressionError, Scope
from archspec.syntax import MAX_VALUE_PARTS, Evaluate, Value, constant, count_parts

_MISSING = object()


def look_up(name: str, located: Evaluate) -> Evaluate:
    """The value of one name, as most expressions are: quicker than the general way, which is left
    to say what is wrong."""

    def evaluate(scope: Scope) -> Any:
        value = scope.names.get(name, _MISSING)
        return located(scope) if value is _MISSING else value

    return evaluate


def locate(expression: Expression, at: At) -> Evaluate:
    evaluate = expression.evaluate

    def located(scope: Scope) -> Any:
        try:
            return evaluate(scope)
        except ExpressionError as error:
            raise SpecError(at.problem(f"{error} (in '={expression.text}')")) from None

    return located


def compound(raw: Any, at: At, layer: str, parts: list[Value], evaluate: Evaluate) -> Value:
    if all(part.is_constant for part in parts):
        return constant(raw, at, layer)

    def bounded(scope: Scope) -> Any:
        value = evaluate(scope)
        if count_parts(value) > MAX_VALUE_PARTS:
            raise at.error(
                f"this value has more than {MAX_VALUE_PARTS:,} parts or {DEEPEST_NESTING} levels;"
                " use a smaller one"
            )
        return value

    return Value(
        raw,
        at,
        layer,
        bounded,
        has_choice=any(part.has_choice for part in parts),
        names=frozenset().union(*(part.names for part in parts)),
    )
