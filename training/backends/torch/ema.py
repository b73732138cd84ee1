"""An exponential moving average of a network's weights, kept on the device."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Ema:
    """After each step: average = decay average + (1 - decay) weight.

    It averages weights and batch norms' running statistics, starting from what they are. With
    `warms_up` the decay of step t, counted from 0, is min(decay, (1 + t) / (10 + t)), as
    TensorFlow's ExponentialMovingAverage has it with num_updates: without, the weights that were
    drawn at the start make up decay^t of the average, most of it in a short training. `network` is
    the one that has the averages, in inference.
    """

    def __init__(self, network: nn.Module, decay: float, warms_up: bool = False):
        self.decay = decay
        self.warms_up = warms_up
        self.updates = 0
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._averages = _floats(self.network)
        self._weights = _floats(network)

    @torch.no_grad()
    def update(self) -> None:
        """Take in what the network has become by a step."""
        moves = 1 - self.decay
        if self.warms_up:
            moves = max(9 / (10 + self.updates), moves)
        self.updates += 1
        get_ema_multi_avg_fn(1 - moves)(self._averages, self._weights, self.updates)


def _floats(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
