"""Mixed precision where the device has it."""

from __future__ import annotations

from typing import Any

from archspec.training.recipe import Precision

ON_CPU = "a CPU trains in float32 without a loss scale; the recipe's are for GPU and Ascend"


def fitted(precision: Precision, device: str) -> Precision:
    """What a recipe's precision comes to on a device. (On CPU, float16 runs at a third of the speed
    and bfloat16 has no kernels, and a loss scale would have nothing to keep from vanishing.)"""
    return Precision() if device == "CPU" else precision


def with_precision(network: Any, precision: Precision) -> Any:
    """The network with MindSpore's casts of that level; weights stay float32."""
    if precision.level == "O0":
        return network
    from mindspore import amp

    return amp.auto_mixed_precision(network, precision.level)
