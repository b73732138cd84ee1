"""The arguments of a template or a spec: which it has, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.check_values import check_argument
from archspec.document import At
from archspec.errors import MAX_PROBLEMS, Problem, SpecError, did_you_mean, listed
from archspec.passing import pass_on
from archspec.scope import Body
from archspec.syntax import Arguments, Call, Parameter, Template


def bind_arguments(
    body: Body,
    parameters: Mapping[str, Parameter],
    arguments: Mapping[str, Any],
    given: Arguments,
    what: str,
) -> None:
    """Put the arguments into scope, each default evaluated after the arguments before it. `given`
    are the arguments as written, which errors point at. Raises SpecError."""
    problems: list[Problem] = []
    for name, parameter in parameters.items():
        if name in arguments:
            value = arguments[name]
        elif parameter.default is not None:
            value = parameter.default.evaluate(body)
        else:
            problems.append(
                parameter.at.problem(
                    f"{what} is not given its {name}; use a default, or --set {name}=VALUE"
                )
            )
            continue
        if parameter.passes is not None:
            source = given.get(name) or parameter.default
            place = parameter.at if source is None else source.at
            value = pass_on(parameter, value, body.library, place)
        if parameter.schema:
            message = check_argument(parameter, value)
            if message is not None:
                source = given.get(name) if name in arguments else parameter.default
                place = parameter.at if source is None else source.at
                problems.append(place.problem(message))
        if len(problems) > MAX_PROBLEMS:
            break
        body.names[name] = value
    if problems:
        raise SpecError(problems)


def refuse_unknown_args(
    given: Mapping[str, Any], parameters: Mapping[str, Parameter], at: At, what: str
) -> None:
    """Raises SpecError where a spec is given an argument that it does not have."""
    for name in given:
        if name not in parameters:
            raise at.error(f"{what} has no arg {name!r}{did_you_mean(name, parameters)}")


def check_call(
    node: Call, called: str, template: Template, values: Arguments, arguments: Mapping[str, Any]
) -> None:
    """Raises SpecError where a call gives what the template does not have, or lacks what it
    needs."""
    unknown = [name for name in arguments if name not in template.parameters]
    if unknown:
        raise SpecError(
            values[name].at.problem(
                f"{called} has no argument {name!r}{did_you_mean(name, template.parameters)}"
            )
            for name in unknown
        )
    missing = [
        name
        for name, parameter in template.parameters.items()
        if parameter.default is None and name not in arguments
    ]
    if missing:
        raise node.at.error(f"{called} lacks its argument {listed(missing, 'and')}")
