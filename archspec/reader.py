"""Reading a document's nodes and values, as archspec.syntax has them.

Text that reached here has passed the schema, so this module only resolves what the words mean:
expressions become closures, names of ops and templates become what they stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from archspec.document import At
from archspec.errors import MAX_PROBLEMS, Problem
from archspec.evaluation import compound, locate, look_up
from archspec.expressions import ExpressionError, read_expression
from archspec.json_values import freeze, shown
from archspec.ops import FUNCTIONS, OPS
from archspec.syntax import (
    COPYING,
    INPUT,
    LIST,
    MODIFIERS,
    NOTHING,
    PASSED_TYPES,
    Arguments,
    Branches,
    Call,
    Choice,
    Copies,
    Decision,
    Group,
    Node,
    Parameter,
    Pick,
    Residual,
    Sequence,
    Template,
    Value,
    constant,
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
            return compound(raw, at, layer, list(parts.values()), lambda scope: {
                name: part.evaluate(scope) for name, part in parts.items()
            })  # fmt: skip
        if isinstance(raw, list):
            items = [self.value(v, at / i, layer, _join(key, i)) for i, v in enumerate(raw)]
            return compound(
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
        evaluate = locate(expression, at)
        if expression.text in expression.names:
            evaluate = look_up(expression.text, evaluate)
        return Value(raw, at, layer, evaluate, names=expression.names)

    def _choice(self, raw: dict[str, Any], at: At, layer: str, key: str) -> Value:
        if isinstance(raw["choice"], str):
            return self._choice_from_expression(raw, at, layer, key)
        options = [
            self.value(option, at / "choice" / index, layer, key)
            for index, option in enumerate(raw["choice"])
        ]
        return self._choice_of(raw, at, layer, key, options)

    def _choice_of(
        self, raw: dict[str, Any], at: At, layer: str, key: str, options: list[Value]
    ) -> Value:
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

    def _choice_from_expression(self, raw: dict[str, Any], at: At, layer: str, key: str) -> Value:
        """A choice whose options an expression lists, as {"choice": "=edges"}."""
        place = at / "choice"
        options = self._string(raw["choice"], place, layer)
        decisions: dict[Any, Decision] = {}

        def evaluate(scope: Any) -> Any:
            listed = options.evaluate(scope)
            if not isinstance(listed, list) or not listed:
                raise place.error(
                    f"the options of a choice must be a list with one or more, not {shown(listed)}"
                )
            known = freeze(listed)
            if known not in decisions:
                decisions[known] = Decision(
                    at, key, raw.get("name"), raw.get("share", "paths"), tuple(listed)
                )
            return listed[scope.decide(decisions[known])]

        return Value(raw, at, layer, evaluate, has_choice=True, names=options.names)

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
        if word.startswith("="):
            computed = self.value(word, at, key="op")
            return Call(at, None, _default_name(word), None, None, None, word, at, {}, computed)
        arguments: Arguments = {}
        if word in FUNCTIONS and word not in OPS:
            arguments = {"function": constant(word, at, "node")}
            word = "act"
        return Call(at, None, snake_case(word), None, None, None, word, at, arguments)

    def _call(self, raw: Mapping[str, Any], at: At) -> Call:
        own = {
            name: value
            for name, value in raw.items()
            if name not in MODIFIERS and name not in ("op", "doc", "join")
        }
        word = raw["op"]
        is_word = isinstance(word, str)
        is_computed = not is_word or word.startswith("=")
        return Call(
            **self._modifiers(raw, at)(_default_name(word)),
            target=word if is_word else "the chosen op",
            target_at=at / "op",
            arguments=self.arguments(own, at, "node"),
            computed=self.value(word, at / "op", key="op") if is_computed else None,
            owner=raw.get("weights"),
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
        result: dict[str, Any] = {
            "at": at,
            "name": raw.get("name"),
            "sources": self._sources(raw["from"], at / "from") if "from" in raw else None,
            "when": self.value(raw["when"], at / "when", key="when") if "when" in raw else None,
            "copies": self._copies(raw, at),
        }
        return lambda default_name: {**result, "default_name": default_name}

    def _sources(self, raw: Any, at: At) -> dict[str, tuple[Value, ...]] | tuple[Value, ...]:
        """What a `from` names: by input where it is an object of several."""
        if isinstance(raw, dict) and "choice" not in raw:
            return {
                name: self.results(each, at / name, f"from.{name}") for name, each in raw.items()
            }
        return self.results(raw, at, "from")

    def results(self, raw: Any, at: At, key: str = "") -> tuple[Value, ...]:
        """Earlier results: one, or a list of them."""
        if isinstance(raw, list):
            return tuple(self._result(each, at / i, _join(key, i)) for i, each in enumerate(raw))
        return (self._result(raw, at, key),)

    def _result(self, raw: Any, at: At, key: str) -> Value:
        """One earlier result, as "stem" or "levels[0]" or "levels[=lane]" name it, or a choice of
        those."""
        if isinstance(raw, dict) and "choice" in raw:
            options = raw["choice"]
            if isinstance(options, list):
                read = [
                    self._result(each, at / "choice" / i, key) for i, each in enumerate(options)
                ]
                return self._choice_of(raw, at, "node", key, read)
            return self._choice(raw, at, "node", key)
        if not isinstance(raw, str):
            self.problems.append(at.problem(f"from must name a result, not {shown(raw)}"))
            return constant("", at, "node")
        name, bracket, index = raw.partition("[")
        if not bracket:
            return constant(raw, at, "node")
        index = index.removesuffix("]")
        if raw[-1:] != "]" or not (index.isdecimal() or index[:1] == "="):
            self.problems.append(
                at.problem(
                    f"{shown(raw)} is not the name of a result; use a name alone, or"
                    f' "{name}[0]" or "{name}[=lane]" for one of a list'
                )
            )
            return constant(name, at, "node")
        if index.isdecimal():
            pick = Pick(name, int(index))
            return Value(raw, at, "node", lambda scope: pick)
        position = self._string(index, at, "node")
        return Value(
            raw, at, "node", lambda scope: Pick(name, position.evaluate(scope)),
            names=position.names,
        )  # fmt: skip

    def _copies(self, raw: Mapping[str, Any], at: At) -> Copies | None:
        key = next((key for key in COPYING if key in raw), None)
        if key is None:
            return None
        written, place = raw[key], at / key
        rows = None
        if isinstance(written, list):
            rows = tuple(
                self.arguments(row, place / index, f"row {index + 1} of {key}")
                for index, row in enumerate(written)
            )
        value = None if rows is not None else self.value(written, place, key=key)
        has_join = (
            key == "parallel" and "join" in raw and not ("residual" in raw or "branches" in raw)
        )
        return Copies(
            at,
            repeat=None if key == "each" else value,
            rows=rows,
            computed_rows=value if key == "each" else None,
            first=self.arguments(raw.get("first", {}), at / "first", "first"),
            last=self.arguments(raw.get("last", {}), at / "last", "last"),
            are_lanes=key == "parallel",
            join=self.value(raw["join"], at / "join", key="join") if has_join else None,
        )

    def parameters(self, raw: Mapping[str, Any], at: At) -> dict[str, Parameter]:
        """Read Args: a bare value is a default, an object with a type a declaration."""
        result: dict[str, Parameter] = {}
        for name, written in raw.items():
            place = at / name
            schema: dict[str, Any] = {}
            default: Any = written
            doc = ""
            passes = None
            has_default = True
            if is_declaration(written):
                schema = {k: v for k, v in written.items() if k not in ("doc", "default")}
                if schema.get("type") in PASSED_TYPES:
                    passes = schema.pop("type")
                doc = written.get("doc", "")
                has_default = "default" in written
                default = written.get("default")
                place = place / "default" if has_default else place
            value = self.value(default, place, "default", name) if has_default else None
            result[name] = Parameter(name, at / name, schema, value, doc, passes)
        return result

    def template(self, name: str, raw: Mapping[str, Any], at: At) -> Template:
        inputs = raw.get("inputs", (INPUT,))
        outputs = raw.get("outputs", {})
        return Template(
            name,
            at,
            raw.get("doc", ""),
            self.parameters(raw.get("args", {}), at / "args"),
            tuple(each.removesuffix(LIST) for each in inputs),
            self.node(raw["body"], at / "body"),
            self.outputs(outputs, at / "outputs"),
            lists_in(inputs),
            lists_in(outputs),
        )

    def defaults(self, raw: Mapping[str, Any], at: At) -> dict[str, Arguments]:
        """A spec's defaults, by op or template."""
        return {
            target: self.arguments(arguments, at / target, "defaults")
            for target, arguments in raw.items()
        }

    def outputs(self, raw: Mapping[str, Any], at: At) -> dict[str, tuple[Value, ...]]:
        """The nodes of each result, by its name without the mark of a list."""
        return {
            name.removesuffix(LIST): self.results(each, at / name) for name, each in raw.items()
        }


def lists_in(names: Iterable[str]) -> frozenset[str]:
    """Those of the names that are marked as lists, without the mark."""
    return frozenset(name.removesuffix(LIST) for name in names if name.endswith(LIST))


def _default_name(word: Any) -> str:
    """What an unnamed call is called: by its target, or by the name that stands for it."""
    if not isinstance(word, str):
        return "op"
    name = word.removeprefix("=").strip()
    is_plain = not word.startswith("=") or name.isidentifier()
    return snake_case(name) if is_plain else "op"


def _join(key: str, step: str | int) -> str:
    return f"{key}.{step}" if key else str(step)
