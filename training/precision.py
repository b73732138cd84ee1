"""What a recipe's mixed precision comes to on a device."""

from __future__ import annotations

from archspec.errors import UsageError
from archspec.training.recipe import Precision, Recipe

ON_CPU = "a CPU trains in float32 without a loss scale; the recipe's are for GPU and Ascend"


def fit_precision(precision: Precision, device: str) -> Precision:
    """What a recipe's precision comes to on a device. (On CPU, float16 runs at a third of the speed
    and bfloat16 has no kernels, and a loss scale would have nothing to keep from vanishing.)"""
    return Precision() if device == "CPU" else precision


def check_int8(recipe: Recipe, backend: str) -> None:
    """Raises UsageError where a recipe's networks are to learn for int8 and a backend cannot."""
    if recipe.quantize and backend != "torch":
        raise UsageError(
            f"{backend} has no training for {recipe.quantize}; use --backend torch, or --set"
            " quantize=null"
        )
