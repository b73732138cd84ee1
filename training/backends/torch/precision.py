"""Mixed precision by PyTorch: autocast, a gradient scaler, TF32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from archspec.errors import UsageError
from archspec.training.recipe import LossScale, Precision

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def set_products(precision: Precision, device: torch.device) -> None:
    """Say what float32 products are computed in, which is one setting for the whole process."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = precision.tf32
        torch.backends.cudnn.allow_tf32 = precision.tf32


def cast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Within it convolutions and dense layers compute in the recipe's lower precision. PyTorch
    leaves weights and what needs the range in float32, batch norms' statistics among it, at every
    level over O0."""
    if precision.level == "O0":
        return nullcontext()
    return torch.autocast(device.type, DTYPES[precision.dtype])


def build_scaler(scale: LossScale, device: torch.device) -> torch.amp.GradScaler:
    """PyTorch's scaler, which leaves a step out where gradients are not finite. Raises UsageError
    for a factor that it does not take."""
    if scale.factor == 1:
        raise UsageError(
            "precision.loss_scale.factor is 1, by which no scale falls or rises; it must be at"
            " least 2"
        )
    return torch.amp.GradScaler(
        device.type,
        init_scale=scale.initial,
        growth_factor=float(scale.factor),
        backoff_factor=1 / scale.factor,
        growth_interval=scale.window,
    )
