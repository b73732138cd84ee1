"""How networks lie in memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

FEWEST_CHANNELS = 8
"""From so many input channels on, a strided 1x1 convolution is computed channels last."""


def lay_out(module: nn.Module) -> nn.Module:
    """A module laid out as CPUs and GPUs compute convolutions fastest: channels last, but for what
    PyTorch then computes beyond its memory."""
    # an overload that PyTorch's own types leave out
    module = module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and _overruns(part):
            part.weight.data = _channels_first(part.weight.data)
            part.register_forward_pre_hook(_take_channels_first)
    return module


def _overruns(conv: nn.Conv2d) -> bool:
    """Channels last on one thread of a CPU, the gradient of a 1x1 convolution's weights is read
    from beyond its input where its stride leaves out the last pixels (PyTorch 2.13 ends with a
    segmentation fault; up to six input channels were seen to)."""
    return (
        conv.kernel_size == (1, 1)
        and max(conv.stride) > 1
        and conv.in_channels // conv.groups < FEWEST_CHANNELS
        and conv.weight.device.type == "cpu"
    )


def _take_channels_first(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(_channels_first, inputs))


def _channels_first(values: Tensor) -> Tensor:
    # contiguous() leaves the strides of channels last where there is one channel
    return values.clone(memory_format=torch.contiguous_format)
