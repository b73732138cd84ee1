"""Gradients averaged over the processes that train together."""

from __future__ import annotations

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from archspec.training.backends.torch.device import taken_device
from archspec.training.distributed import Ranks


def share_work(network: nn.Module, ranks: Ranks) -> nn.Module:
    """The network, whose gradients are means over all processes.

    Every process keeps batch statistics of its own images. PyTorch rearranges the messages after
    the first step by the order that gradients came in, so that three processes or more would add
    them up in another order after a resume; where unused weights are looked for it does not.
    """
    if ranks.ranks == 1:
        return network
    device = taken_device()
    return DistributedDataParallel(
        network,
        device_ids=None if device.type in ("cpu", "mps") else [device],
        broadcast_buffers=False,
        find_unused_parameters=device.type == "cpu",
    )
