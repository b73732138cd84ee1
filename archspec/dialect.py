"""Validators of JSON values by JSON Schema as archspec reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archspec.errors import LackingError
from archspec.judging import judge

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


class Validator:
    """Of values by one schema. What `judge` finds right is right; all else is jsonschema's to
    judge and to explain, which is imported for that."""

    def __init__(self, schema: Mapping[str, Any]):
        self.schema = schema

    def is_valid(self, value: Any) -> bool:
        return judge(self.schema, value) is True or self._strict().is_valid(value)

    def iter_errors(self, value: Any) -> Iterator[ValidationError]:
        if judge(self.schema, value) is not True:
            yield from self._strict().iter_errors(value)

    def _strict(self) -> Any:
        try:
            from archspec.strict_dialect import StrictValidator
        except ModuleNotFoundError as error:
            raise LackingError(
                f"something here is not right, and {error.name} is needed to say what, which is not"
                " installed; run pip install jsonschema"
            ) from None
        return StrictValidator(self.schema)
