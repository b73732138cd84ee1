"""JSON Schema as archspec reads it: stricter than jsonschema where a slip would pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from archspec.judging import matches


def _is_integer(_checker: Any, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# JSON Schema takes 2.0 for an integer; a kernel of 2.0 is a slip, and 2 is what was meant.
_TYPES = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, fragment: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """One error for each unknown key, in the order written; jsonschema's own order is a set's."""
    if isinstance(instance, dict) and allowed is not True:
        known = fragment.get("properties", {})
        for key, value in instance.items():
            if key not in known and allowed is False:
                yield ValidationError("unknown key", path=[key])
            elif key not in known:
                yield from validator.descend(value, allowed, path=key)


def _check_required(
    _validator: Any, required: Iterable[str], instance: Any, _fragment: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """One error for all missing keys together."""
    if isinstance(instance, dict) and not all(key in instance for key in required):
        yield ValidationError("missing keys")


def _pattern(
    _validator: Any, pattern: str, instance: Any, _fragment: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError("no match")


StrictValidator: Any = extend(
    Draft202012Validator,
    {
        "additionalProperties": _additional_properties,
        "required": _check_required,
        "pattern": _pattern,
    },
    type_checker=_TYPES,
)
