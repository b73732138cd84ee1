"""One step of the thresholds (training.search.single_path.thresholds), and the runtime that it
minimises besides.

    loss, logits = step(images, labels, lam, target, rate)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from archspec.compiler.supernet import Supernet
from archspec.training.backends.torch.thresholds import Gating
from archspec.training.search.single_path.runtime import Runtime
from archspec.training.search.single_path.shares import shares_of
from archspec.training.search.single_path.thresholds import (
    BETAS,
    EPSILON,
    FIRST,
    LEFT,
    SECOND,
    THRESHOLDS,
)


class GatedRuntime:
    """From gates to the runtime, a scalar in the runtime's unit (single_path.shares)."""

    def __init__(self, supernet: Supernet, runtime: Runtime, device: torch.device | str = "cpu"):
        def place(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(device)

        shares = shares_of(supernet, runtime)
        self.reached = [place(places).long() for places in shares.reached]
        self.nexts = place(shares.nexts).long()
        self.taken = [place(places).long() for places in shares.taken]
        self.costs = place(shares.costs)
        self.base = shares.base

    def __call__(self, gates: Tensor) -> Tensor:
        one = torch.ones_like(gates[:1])
        reached = _product(torch.cat((gates, one)), self.reached)
        beyond = torch.cat((reached, one * 0))[self.nexts]
        counts = _product(torch.cat((reached - beyond, one)), self.taken)
        return (counts * self.costs).sum() + self.base


def _product(numbers: Tensor, places: list[Tensor]) -> Tensor:
    """The product of the numbers at the first places, those at the second and so on."""
    result = numbers[places[0]]
    for further in places[1:]:
        result = result * numbers[further]
    return result


class ThresholdStep:
    """Moves the thresholds by one step, at gates that were set from them before."""

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        gates: Tensor,
        loss: Callable[[Tensor, Tensor], Tensor],
        gating: Gating,
        runtime: GatedRuntime,
        has_target: bool,
    ):
        self.network = network
        self.gates = gates
        self.loss = loss
        self.gating = gating
        self.runtime = runtime
        self.has_target = has_target
        self.thresholds = gating.thresholds
        self.open = torch.ones_like(gates)
        self.betas = torch.tensor(BETAS, device=gates.device)
        self.first = torch.zeros_like(gates)
        self.second = torch.zeros((), device=gates.device)
        self.left = torch.ones(len(BETAS), device=gates.device)

    def state(self) -> dict[str, Tensor]:
        """What the steps to come depend on beside the network, by name."""
        own = {THRESHOLDS: self.thresholds, FIRST: self.first}
        return {**own, SECOND: self.second, LEFT: self.left}

    def __call__(
        self, images: Tensor, labels: Tensor, lam: float, target: float, rate: float
    ) -> tuple[Tensor, Tensor]:
        """The loss and the logits before the step. Nothing waits for the device."""
        self.gates.requires_grad_(True)
        try:
            logits = self.network(images)
            error = self.loss(logits, labels)
            (slopes,) = torch.autograd.grad(error, self.gates)
        finally:
            self.gates.requires_grad_(False)  # weights learn without
        (gradient,) = torch.autograd.grad(self.cost(slopes, lam, target), self.thresholds)
        self.move(gradient, rate)
        return error.detach(), logits.detach()

    def cost(self, slopes: Tensor, lam: float, target: float) -> Tensor:
        """What has the loss's gradient where the cross entropy has these slopes at the gates."""
        gates = self.gating(self.open)
        distance = torch.log(self.runtime(gates) / target)
        if self.has_target:
            distance = distance.abs()
        return (gates * slopes).sum() + lam * distance

    @torch.no_grad()
    def move(self, gradient: Tensor, rate: float) -> None:
        """Adam's step, but with one second moment for all thresholds."""
        self.first.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
        self.second.mul_(BETAS[1]).add_(gradient.square().mean(), alpha=1 - BETAS[1])
        self.left.mul_(self.betas)
        size = torch.sqrt(self.second / (1 - self.left[1])) + EPSILON
        self.thresholds.sub_(rate * self.first / (1 - self.left[0]) / size)
