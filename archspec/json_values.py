"""JSON values as something to look up by, and as a sentence has them."""

from __future__ import annotations

from typing import Any

_MAX_SHOWN = 60
_FROZEN_BOOLS = {True: (bool, True), False: (bool, False)}


def freeze(value: Any) -> Any:
    """A hashable stand-in for a JSON value; unlike Python's ==, it tells 1, 1.0 and true apart."""
    kind = type(value)
    if kind is int or kind is str:
        return value
    # Searches freeze millions of these, so items are told apart here and not by a call for each.
    if kind is dict or kind is list:
        parts: list[Any] = [] if kind is dict else [list]
        if kind is dict:
            parts += value
            value = value.values()
        for item in value:
            kind = type(item)
            if kind is int or kind is str:
                parts.append(item)
            else:
                parts.append(_FROZEN_BOOLS[item] if kind is bool else freeze(item))
        return tuple(parts)
    return _FROZEN_BOOLS[value] if kind is bool else (kind, value)


def shown(value: Any) -> str:
    """A JSON value as a sentence has it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
