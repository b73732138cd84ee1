"""References in place of what stands in many places of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.schema import Schema


def refer(value: Any, shared: Mapping[str, Schema]) -> Any:
    """The value with references in place of what is shared."""
    if isinstance(value, Mapping):
        for name, fragment in shared.items():
            if value == fragment:
                return {"$ref": f"#/$defs/{name}"}
    return refer_inside(value, shared)


def refer_inside(value: Any, shared: Mapping[str, Schema]) -> Any:
    if isinstance(value, Mapping):
        return {key: refer(item, shared) for key, item in value.items()}
    return [refer(item, shared) for item in value] if isinstance(value, list) else value
