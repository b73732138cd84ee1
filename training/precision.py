"""What a recipe's mixed precision comes to on a device."""

from __future__ import annotations

from archspec.training.recipe import Precision

ON_CPU = "a CPU trains in float32 without a loss scale; the recipe's are for GPU and Ascend"


def fit_precision(precision: Precision, device: str) -> Precision:
    """What a recipe's precision comes to on a device. (On CPU, float16 runs at a third of the speed
    and bfloat16 has no kernels, and a loss scale would have nothing to keep from vanishing.)"""
    return Precision() if device == "CPU" else precision
