"""The names stage: every op, template, argument and name in an expression means something."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from archspec.check_values import check_argument, check_attributes
from archspec.document import At
from archspec.errors import MAX_PROBLEMS, Problem, SpecError, did_you_mean, first_problems, listed
from archspec.expressions import CONSTANTS
from archspec.faults import suggest_attribute, suggest_call
from archspec.grammar import WORDS
from archspec.json_values import shown
from archspec.library import Definition, Library
from archspec.ops import OPS
from archspec.syntax import (
    INPUT,
    MODIFIERS,
    Arguments,
    Call,
    Node,
    Parameter,
    Sequence,
    Template,
    Value,
    children,
    is_op,
    values,
)

Beside: TypeAlias = "Mapping[str, Arguments] | None"
"""The spec's defaults, or None where attributes that mean nothing are let pass."""

DEEPEST_CALLS = 50
_LONGEST_CIRCLE = 8

_BESIDE = (*MODIFIERS, "join")
"""What a call may have beside its arguments."""

INPUT_NAMES = ("in_channels", "in_height", "in_width")


def check_names(
    body: Node,
    parameters: Mapping[str, Parameter],
    defaults: Mapping[str, Arguments],
    library: Library,
    at: At,
    is_lenient: bool = False,
) -> list[Problem]:
    """Problems with names anywhere in a spec, in its own templates and in those it reaches. Where
    it `is_lenient`, attributes that mean nothing are none."""
    problems = _check_everything(
        body, parameters, defaults, library, at, None if is_lenient else defaults
    )
    return first_problems(problems)


def _check_everything(
    body: Node,
    parameters: Mapping[str, Parameter],
    defaults: Mapping[str, Arguments],
    library: Library,
    at: At,
    beside: Beside,
) -> Iterator[Problem]:
    yield from _check_scope(body, parameters, INPUT_NAMES, library, beside)
    for target, arguments in defaults.items():
        yield from _check_default(target, arguments, parameters, library, at / "defaults")
    reached, wrong = _reachable(body, library)
    yield from wrong
    for definition in reached:
        template = definition.template
        names = INPUT_NAMES if template.inputs == (INPUT,) else ()
        yield from _check_scope(
            template.body, template.parameters, names, definition.library, beside
        )
    if not wrong:
        yield from _recursion(reached)


def _reachable(body: Node, library: Library) -> tuple[list[Definition], list[Problem]]:
    """The library's own templates and all that the body reaches, and those whose text is wrong."""
    found: dict[int, Definition] = {}
    problems: list[Problem] = []
    spec = Definition(Template("", At(library.document), "", {}, (INPUT,), body, {}), library)
    waiting: list[Definition] = [spec]
    for name in library.own_names:
        try:
            definition = library.own(name)
        except SpecError as error:
            problems += error.problems
            if len(problems) > MAX_PROBLEMS:
                return [], problems
        else:
            assert definition is not None
            waiting.append(definition)
    for definition in waiting:
        if id(definition) in found:
            continue
        found[id(definition)] = definition
        try:
            waiting += definition.callees()
        except SpecError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    del found[id(spec)]
    return list(found.values()), problems


def _check_scope(
    body: Node,
    parameters: Mapping[str, Parameter],
    input_names: tuple[str, ...],
    library: Library,
    beside: Beside,
) -> Iterator[Problem]:
    known = dict.fromkeys(input_names)
    for parameter in parameters.values():
        if parameter.default is not None:
            yield from _check_value(parameter.default, known)
        known[parameter.name] = None
    yield from _check_node(body, known, library, beside)


def _check_node(
    node: Node, known: Mapping[str, None], library: Library, beside: Beside
) -> Iterator[Problem]:
    if not isinstance(node, Sequence) and node.copies is not None:
        known = {**known, node.copies.counter: None}
    for value in values(node):
        yield from _check_value(value, known)
    if isinstance(node, Call):
        yield from _check_call(node, library)
        if node.is_op and beside is not None:
            yield from _check_effects(node, beside.get(node.target, {}))
    for child in children(node):
        yield from _check_node(child, known, library, beside)


def _check_value(value: Value, known: Mapping[str, None]) -> Iterator[Problem]:
    for name in sorted(name for name in value.names if name not in known):
        hint = did_you_mean(name, [*known, *CONSTANTS])
        if not hint and known:
            hint = f"; {', '.join(known)} are known"
        yield value.at.problem(f"{name!r} is not known here{hint}")


def check_passed(node: Node, library: Library) -> list[Problem]:
    """Problems with names in a node that a call passed on."""
    return first_problems(_check_scope(node, {}, INPUT_NAMES, library, {}))


def _check_call(call: Call, library: Library) -> Iterator[Problem]:
    if call.computed is not None:
        yield from _check_options(call.computed, partial(_check_target, library=library))
        return
    if call.is_op:
        op = OPS[call.target]
        for name, value in _list_values(call):
            yield from _check_options(
                value, lambda option, name=name: check_attributes(op, {name: option}).get(name)
            )
        return
    try:
        definition = library.find(call.target)
    except SpecError:
        return
    if definition is None:
        yield call.target_at.problem(library.unknown(call.target))
        return
    parameters = definition.template.parameters
    for name, value in _list_values(call):
        if name not in parameters:
            yield value.at.problem(
                f"{call.target} has no argument {name!r}"
                f"{_advice(name, [*parameters, *_BESIDE]) or _listed(parameters)}"
            )
        else:
            yield from _check_options(value, partial(check_argument, parameters[name]))


def _check_target(name: Any, library: Library) -> str | None:
    """What is wrong with an option of what a node calls, as a sentence, or None."""
    known = [*WORDS, *library.names()]
    if isinstance(name, str) and (name in WORDS or library.find(name) is not None):
        return None
    hint = suggest_call(name, known) if isinstance(name, str) else ""
    return f"{shown(name)} is not an op or a template{hint}"


def _list_values(call: Call) -> Iterator[tuple[str, Value]]:
    """All that a call gives its target, for every copy."""
    yield from call.arguments.items()
    if call.copies is not None:
        for layer in (call.copies.first, call.copies.last, *(call.copies.rows or ())):
            yield from layer.items()


def _check_options(value: Value, check: Callable[[Any], str | None]) -> Iterator[Problem]:
    """What is wrong with the literal options of a choice; the others are known when they are
    chosen, and only one of them is in any network."""
    options = value.raw.get("choice") if isinstance(value.raw, dict) else None
    for number, option in enumerate(options if isinstance(options, list) else ()):
        message = check(option) if _is_literal(option) else None
        if message is not None:
            yield (value.at / "choice" / number).problem(message)


def _is_literal(value: Any) -> bool:
    """Whether a value is written out: no expression and no choice is in it."""
    if isinstance(value, dict):
        return "choice" not in value and all(map(_is_literal, value.values()))
    if isinstance(value, list):
        return all(map(_is_literal, value))
    return not (isinstance(value, str) and value.startswith("="))


def _check_effects(call: Call, defaults: Arguments) -> Iterator[Problem]:
    """Attributes that a call writes and that mean nothing, whatever its other values come to.

    What comes by `defaults` is for those of the op that have it, and where the attribute on which
    it hangs is computed or chosen, or is another's in another copy, it may mean something yet.
    """
    copies = call.copies
    rows = copies.rows or () if copies is not None else ()
    layers = [call.arguments, *rows, *((copies.first, copies.last) if copies is not None else ())]
    for item in OPS[call.target].attributes():
        for (other, known), layer in itertools.product(item.metadata["only_for"].items(), layers):
            value = layer.get(item.name)
            if value is None or (value.is_constant and value.raw == item.default):
                continue
            deciding = [given[other] for given in layers if other in given]
            if layer is not call.arguments and other in layer:
                deciding = [layer[other]]
            elif not deciding and other in defaults:
                deciding = [defaults[other]]
            computed = copies is not None and copies.computed_rows is not None
            meant = (not each.is_constant or each.raw in known for each in deciding)
            if computed or not deciding or any(meant):
                continue
            met = listed(list(dict.fromkeys(each.raw for each in deciding)))
            yield value.at.problem(
                f"{item.name} means nothing for the {other} {met}, only for"
                f" {listed(known)}; leave it out"
            )


def _check_default(
    target: str,
    arguments: Arguments,
    parameters: Mapping[str, Parameter],
    library: Library,
    at: At,
) -> Iterator[Problem]:
    if is_op(target) and target in OPS:
        known = [item.name for item in OPS[target].attributes()]
    else:
        try:
            definition = None if is_op(target) else library.find(target)
        except SpecError:
            return
        if definition is None:
            hint = suggest_call(target, [*OPS, *library.names()])
            yield (at / target).problem(f"{target!r} is not an op or a template{hint}")
            return
        known = list(definition.template.parameters)
    scope = dict.fromkeys((*INPUT_NAMES, *parameters))
    for name, value in arguments.items():
        if name not in known:
            yield value.at.problem(f"{target} has no argument {name!r}{_advice(name, known)}")
        yield from _check_value(value, scope)


def _recursion(definitions: list[Definition]) -> Iterator[Problem]:
    """The first template that calls itself, through others or directly, or calls too deeply."""
    heights: dict[int, int] = {}
    for start in definitions:
        path: dict[int, tuple[Definition, Iterator[Definition]]] = {}
        if id(start) not in heights:
            path[id(start)] = (start, start.callees())
        while path:
            key, (definition, callees) = next(reversed(path.items()))
            callee = next(callees, None)
            if callee is None:
                inner = (heights[id(other)] for other in definition.callees())
                heights[key] = 1 + max(inner, default=0)
                del path[key]
                if heights[key] > DEEPEST_CALLS:
                    yield definition.template.at.problem(
                        f"templates call each other deeper than {DEEPEST_CALLS} levels from here;"
                        " use fewer"
                    )
                    return
            elif id(callee) in path:
                names = [other.template.name for other, _ in path.values()]
                circle = [*names[list(path).index(id(callee)) :], callee.template.name]
                if len(circle) > _LONGEST_CIRCLE:
                    circle[_LONGEST_CIRCLE - 2 : -1] = ["..."]
                yield callee.template.at.problem(
                    f"templates call each other in a circle ({' -> '.join(circle)}),"
                    " which would never end; repeat makes copies"
                )
                return
            elif id(callee) not in heights:
                path[id(callee)] = (callee, callee.callees())


def _advice(name: str, known: Iterable[str]) -> str:
    words = list(known)
    return suggest_attribute(name, words) or did_you_mean(name, words)


def _listed(parameters: Mapping[str, Parameter]) -> str:
    return f"; it has {', '.join(parameters)}" if parameters else "; it has none"
