"""Validators for one object each: what is nested in it is left to the walk of archspec.check."""

from __future__ import annotations

from dataclasses import MISSING
from functools import cache
from typing import Any

from archspec import document_schema, schema
from archspec.dialect import Validator
from archspec.ops import OPS, Op


@cache
def shallow_document(kind: str) -> Any:
    """Of a whole spec, extension or library."""
    return Validator(_without_nodes(document_schema.DOCUMENTS[kind]))


@cache
def shallow_choice() -> Any:
    """Of a choice between values."""
    return Validator(_without_nodes(schema.CHOICE_VALUE))


@cache
def shallow_declaration() -> Any:
    """Of a declared argument."""
    return Validator(_without_nodes(schema.ARGUMENT_DECLARATION))


@cache
def shallow_node(kind: str) -> Any:
    """Of a node of one kind, or of a call of some "Template"."""
    if kind == "Template":
        call = {**schema.MODIFIER_PROPERTIES, **schema.COPY_PROPERTIES}
        return Validator(_without_nodes({"type": "object", "properties": call}))
    return Validator(
        _without_nodes(
            schema.closed_object({**schema.KIND_PROPERTIES[kind], **schema.MODIFIER_PROPERTIES})
        )
    )


@cache
def shallow_op(name: str) -> Any:
    """Of a call of an op."""
    attributes = schema.attribute_properties(OPS[name])
    return Validator(
        _without_nodes(
            schema.closed_object(
                {
                    "op": {},
                    **attributes,
                    **schema.MODIFIER_PROPERTIES,
                    **schema.COPY_PROPERTIES,
                }
            )
        )
    )


@cache
def shallow_row(name: str) -> Any:
    """Of the arguments that one copy of an op is given."""
    return Validator(_without_nodes(schema.closed_object(schema.attribute_properties(OPS[name]))))


@cache
def attributes_validator(op: type[Op]) -> Any:
    """Of an op's evaluated attributes."""
    return Validator(
        schema.closed_object(
            {item.name: item.metadata["schema"] for item in op.attributes()},
            tuple(item.name for item in op.attributes() if item.default is MISSING),
        )
    )


def _without_nodes(fragment: Any) -> Any:
    """The fragment with every nested node and value allowed: the walk visits those itself."""
    if fragment == schema.NODE or (isinstance(fragment, dict) and "$ref" in fragment):
        return {}
    if isinstance(fragment, dict):
        return {key: _without_nodes(value) for key, value in fragment.items()}
    if isinstance(fragment, list):
        return [_without_nodes(value) for value in fragment]
    return fragment
