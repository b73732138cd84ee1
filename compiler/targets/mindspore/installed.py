"""MindSpore where it is installed, with a sentence where it is not."""

from __future__ import annotations

from typing import Any

from archspec.errors import LackingError
from archspec.extras import lacking


def mindspore() -> Any:
    """The mindspore package, untyped as it is. Raises UsageError where it is missing."""
    try:
        import mindspore as package
    except ImportError as error:
        raise LackingError(lacking("this", "mindspore", error)) from error
    return package
