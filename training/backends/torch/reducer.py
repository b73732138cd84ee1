"""Gradients averaged over the processes that train together."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from archspec.training.backends.torch.device import taken_device
from archspec.training.backends.torch.failures import explain_loss
from archspec.training.distributed import Ranks


def share_work(network: nn.Module, ranks: Ranks) -> nn.Module:
    """The network, whose gradients are means over all processes.

    Every process keeps batch statistics of its own images. PyTorch rearranges the messages after
    the first step by the order that gradients came in, so that three processes or more would add
    them up in another order after a resume; where unused weights are looked for it does not, and
    it complains where it finds none, so there is one.
    """
    if ranks.ranks == 1:
        return network
    device = taken_device()
    keeps_order = device.type == "cpu" or torch.are_deterministic_algorithms_enabled()
    if keeps_order:
        network.register_parameter("unused", nn.Parameter(torch.zeros(1, device=device)))
    # what PyTorch calls whether statistics are shared at each step, which newer ones renamed
    names = signature(DistributedDataParallel).parameters
    word = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    settings: dict[str, Any] = {word: False, "find_unused_parameters": keeps_order}
    if device.type not in ("cpu", "mps"):
        settings["device_ids"] = [device]
    with explain_loss():
        return DistributedDataParallel(network, **settings)
