"""Mixed precision by MindSpore's casts."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import amp

from archspec.training.recipe import Precision


def with_precision(network: Any, precision: Precision) -> Any:
    """The network with MindSpore's casts of that level; weights stay float32."""
    if precision.level == "O0":
        return network
    dtype = ms.bfloat16 if precision.dtype == "bfloat16" else ms.float16
    return amp.auto_mixed_precision(network, precision.level, dtype)
