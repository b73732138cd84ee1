"""PyTorch where it is installed, with a sentence where it is not."""

from __future__ import annotations

from typing import Any

from archspec.errors import UsageError
from archspec.extras import lacking


def torch() -> Any:
    """The torch package, untyped as it is. Raises UsageError where it is missing."""
    try:
        import torch as package  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UsageError(lacking("this", "torch", error)) from error
    return package
