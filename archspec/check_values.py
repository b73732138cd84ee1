"""Checking single values: those of ops and templates once they are evaluated, and other objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.dialect import Validator
from archspec.document import At
from archspec.errors import Problem
from archspec.faults import MAX_REMEMBERED, faults_by_property, find_faults, value_sentence
from archspec.json_values import freeze
from archspec.ops import Op
from archspec.shallow import attributes_validator
from archspec.syntax import Parameter


def check_object(fragment: Mapping[str, Any], at: At, what: str) -> list[Problem]:
    """What is wrong with the value at a place that a fragment of JSON Schema describes."""
    value = at.document.data
    for step in at.pointer:
        value = value[step]
    return list(find_faults(Validator(fragment), at, value, what))


def check_attributes(op: type[Op], attributes: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with an op's evaluated attributes: attribute ("" for the op) -> sentence."""
    return faults_by_property(attributes_validator(op), attributes, op.name)


def check_argument(parameter: Parameter, value: Any) -> str | None:
    """What is wrong with an evaluated argument of a template or a spec, as a sentence, or None."""
    if type(value) is parameter.plain_type:
        return None
    # Values repeat a thousandfold between related networks, so what passed once passes.
    key = (parameter.schema_key, freeze(value))
    if key in _passed:
        return None
    if Validator(parameter.schema).is_valid(value):
        if len(_passed) >= MAX_REMEMBERED:
            _passed.clear()
        _passed.add(key)
        return None
    return value_sentence(parameter.name, value, parameter.schema)


_passed: set[tuple[str, Any]] = set()
