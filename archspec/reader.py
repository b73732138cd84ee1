"""Reading a document's nodes and values, as archspec.syntax has them.

Text that reached here has passed the schema, so this module only resolves what the words mean:
expressions become closures, names of ops and templates become what they stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archspec.document import DEEPEST_NESTING, At
from archspec.errors import MAX_PROBLEMS, Problem, SpecError
from archspec.expressions import Expression, ExpressionError, Scope, read_expression
from archspec.ops import FUNCTIONS, OPS
from archspec.syntax import (
    INPUT,
    MAX_VALUE_PARTS,
    MODIFIERS,
    NOTHING,
    Arguments,
    Branches,
    Call,
    Choice,
    Copies,
    Decision,
    Evaluate,
    Group,
    Node,
    Parameter,
    Residual,
    Sequence,
    Template,
    Value,
    constant,
    count_parts,
    is_declaration,
    snake_case,
)


class Reader:
    """Reads nodes and values of one document, gathering problems as it goes."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def value(self, raw: Any, at: At, layer: str = "node", key: str = "") -> Value:
        """Read a literal, an "=expression", a {"choice": [...]} or a list or object of those."""
        if isinstance(raw, str):
            return self._string(raw, at, layer)
        if isinstance(raw, dict):
            if "choice" in raw:
                return self._choice(raw, at, layer, key)
            parts = {
                name: self.value(v, at / name, layer, _join(key, name)) for name, v in raw.items()
            }
            return _compound(raw, at, layer, list(parts.values()), lambda scope: {
                name: part.evaluate(scope) for name, part in parts.items()
            })  # fmt: skip
        if isinstance(raw, list):
            items = [self.value(v, at / i, layer, _join(key, i)) for i, v in enumerate(raw)]
            return _compound(
                raw, at, layer, items, lambda scope: [item.evaluate(scope) for item in items]
            )
        return constant(raw, at, layer)

    def _string(self, raw: str, at: At, layer: str) -> Value:
        if not raw.startswith("=") or len(self.problems) > MAX_PROBLEMS:
            return constant(raw, at, layer)
        try:
            expression = read_expression(raw[1:])
        except ExpressionError as error:
            self.problems.append(at.problem(str(error)))
            return constant(None, at, layer)
        evaluate = _locate(expression, at)
        if expression.text in expression.names:
            evaluate = _look_up(expression.text, evaluate)
        return Value(raw, at, layer, evaluate, names=expression.names)

    def _choice(self, raw: dict[str, Any], at: At, layer: str, key: str) -> Value:
        options = [
            self.value(option, at / "choice" / index, layer, key)
            for index, option in enumerate(raw["choice"])
        ]
        decision = Decision(
            at, key, raw.get("name"), raw.get("share", "paths"), tuple(raw["choice"])
        )
        return Value(
            raw,
            at,
            layer,
            lambda scope: options[scope.decide(decision)].evaluate(scope),
            has_choice=True,
            names=frozenset().union(*(option.names for option in options)),
        )

    def arguments(self, raw: Mapping[str, Any], at: At, layer: str) -> Arguments:
        return {name: self.value(value, at / name, layer, name) for name, value in raw.items()}

    def node(self, raw: Any, at: At) -> Node:
        """Read a Node of the grammar."""
        if isinstance(raw, list):
            return Sequence(at, tuple(self.node(child, at / i) for i, child in enumerate(raw)))
        if isinstance(raw, str):
            return self._short(raw, at)
        if "op" in raw:
            return self._call(raw, at)
        modifiers = self._modifiers(raw, at)
        if "residual" in raw:
            shortcut = raw.get("shortcut")
            return Residual(
                **modifiers("residual"),
                body=self.node(raw["residual"], at / "residual"),
                shortcut=None if shortcut is None else self.node(shortcut, at / "shortcut"),
                join=self.value(raw.get("join", "add"), at / "join", key="join"),
            )
        if "branches" in raw:
            return self._branches(raw, at, modifiers)
        if "choice" in raw:
            options = raw["choice"]
            return Choice(
                **modifiers("choice"),
                decision=Decision(
                    at,
                    "",
                    None,
                    raw.get("share", "paths"),
                    tuple(f"option{number + 1}" for number in range(len(options))),
                ),
                options=tuple(self.node(o, at / "choice" / i) for i, o in enumerate(options)),
            )
        return Group(**modifiers("group"), body=self.node(raw["body"], at / "body"))

    def _short(self, word: str, at: At) -> Node:
        if word == NOTHING:
            return Sequence(at, ())
        arguments: Arguments = {}
        if word in FUNCTIONS and word not in OPS:
            arguments = {"function": constant(word, at, "node")}
            word = "act"
        return Call(at, None, snake_case(word), None, None, None, word, at, arguments)

    def _call(self, raw: Mapping[str, Any], at: At) -> Call:
        own = {
            name: value
            for name, value in raw.items()
            if name not in MODIFIERS and name not in ("op", "doc")
        }
        return Call(
            **self._modifiers(raw, at)(snake_case(raw["op"])),
            target=raw["op"],
            target_at=at / "op",
            arguments=self.arguments(own, at, "node"),
        )

    def _branches(
        self, raw: Mapping[str, Any], at: At, modifiers: Callable[[str], dict[str, Any]]
    ) -> Branches:
        written = raw["branches"]
        pairs = (
            list(written.items())
            if isinstance(written, dict)
            else [(i, child) for i, child in enumerate(written)]
        )
        return Branches(
            **modifiers("branches"),
            branches=tuple(
                (
                    key if isinstance(key, str) else f"branch{key + 1}",
                    self.node(child, at / "branches" / key),
                )
                for key, child in pairs
            ),
            join=self.value(raw["join"], at / "join", key="join"),
        )

    def _modifiers(self, raw: Mapping[str, Any], at: At) -> Callable[[str], dict[str, Any]]:
        sources = raw.get("from")
        if isinstance(sources, str):
            sources = (sources,)
        elif isinstance(sources, list):
            sources = tuple(sources)
        result: dict[str, Any] = {
            "at": at,
            "name": raw.get("name"),
            "sources": sources,
            "when": self.value(raw["when"], at / "when", key="when") if "when" in raw else None,
            "copies": self._copies(raw, at),
        }
        return lambda default_name: {**result, "default_name": default_name}

    def _copies(self, raw: Mapping[str, Any], at: At) -> Copies | None:
        if "repeat" not in raw and "each" not in raw:
            return None
        each = raw.get("each")
        rows = None
        if isinstance(each, list):
            rows = tuple(
                self.arguments(row, at / "each" / index, f"row {index + 1} of each")
                for index, row in enumerate(each)
            )
        return Copies(
            at,
            repeat=self.value(raw["repeat"], at / "repeat", key="repeat")
            if "repeat" in raw
            else None,
            rows=rows,
            computed_rows=self.value(each, at / "each", key="each")
            if isinstance(each, str)
            else None,
            first=self.arguments(raw.get("first", {}), at / "first", "first"),
            last=self.arguments(raw.get("last", {}), at / "last", "last"),
        )

    def parameters(self, raw: Mapping[str, Any], at: At) -> dict[str, Parameter]:
        """Read Args: a bare value is a default, an object with a type a declaration."""
        result: dict[str, Parameter] = {}
        for name, written in raw.items():
            place = at / name
            schema: dict[str, Any] = {}
            default: Any = written
            doc = ""
            has_default = True
            if is_declaration(written):
                schema = {k: v for k, v in written.items() if k not in ("doc", "default")}
                doc = written.get("doc", "")
                has_default = "default" in written
                default = written.get("default")
                place = place / "default" if has_default else place
            value = self.value(default, place, "default", name) if has_default else None
            result[name] = Parameter(name, at / name, schema, value, doc)
        return result

    def template(self, name: str, raw: Mapping[str, Any], at: At) -> Template:
        return Template(
            name,
            at,
            raw.get("doc", ""),
            self.parameters(raw.get("args", {}), at / "args"),
            tuple(raw.get("inputs", (INPUT,))),
            self.node(raw["body"], at / "body"),
            raw.get("outputs", {}),
        )


_MISSING = object()


def _look_up(name: str, located: Evaluate) -> Evaluate:
    """The value of one name, as most expressions are: quicker than the general way, which is left
    to say what is wrong."""

    def evaluate(scope: Scope) -> Any:
        value = scope.names.get(name, _MISSING)
        return located(scope) if value is _MISSING else value

    return evaluate


def _locate(expression: Expression, at: At) -> Evaluate:
    evaluate = expression.evaluate

    def located(scope: Scope) -> Any:
        try:
            return evaluate(scope)
        except ExpressionError as error:
            raise SpecError(at.problem(f"{error} (in '={expression.text}')")) from None

    return located


def _compound(raw: Any, at: At, layer: str, parts: list[Value], evaluate: Evaluate) -> Value:
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


def _join(key: str, step: str | int) -> str:
    return f"{key}.{step}" if key else str(step)
