"""One step of the thresholds (training.search.single_path.thresholds) as one cell, and the runtime
that it also minimises.

    loss, logits = step(images, labels, lam, target, rate)

The network has the gates as a parameter. lam and the target are data, so that all searches of a
space use what was compiled once.
"""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from archspec.compiler.supernet import Supernet
from archspec.training.backends.mindspore.thresholds import Gating
from archspec.training.search.single_path.runtime import Runtime
from archspec.training.search.single_path.shares import shares_of
from archspec.training.search.single_path.thresholds import BETAS, EPSILON, FIRST, LEFT, SECOND


class RuntimeCell(nn.Cell):
    """From gates to the runtime, a scalar in the runtime's unit (single_path.shares)."""

    def __init__(self, supernet: Supernet, runtime: Runtime):
        super().__init__(auto_prefix=False)
        shares = shares_of(supernet, runtime)
        self.reached = tuple(Tensor(places) for places in shares.reached)
        self.nexts = Tensor(shares.nexts)
        self.taken = tuple(Tensor(places) for places in shares.taken)
        self.costs = Tensor(shares.costs)
        self.base = shares.base

    def construct(self, gates):
        one = ops.ones_like(gates[:1])
        known = ops.cat((gates, one))
        reached = ops.gather(known, self.reached[0], 0)
        for places in self.reached[1:]:
            reached = reached * ops.gather(known, places, 0)
        beyond = ops.gather(ops.cat((reached, one * 0)), self.nexts, 0)
        shares = ops.cat((reached - beyond, one))
        counts = ops.gather(shares, self.taken[0], 0)
        for places in self.taken[1:]:
            counts = counts * ops.gather(shares, places, 0)
        return (counts * self.costs).sum() + self.base


class SetGates(nn.Cell):
    """Sets the network's gates to what the thresholds say, times `kept`, and gives them."""

    def __init__(self, gating: Gating, gates: Parameter):
        super().__init__(auto_prefix=False)
        self.gating = gating
        self.gates = gates

    def construct(self, kept):
        gates = self.gating(kept)
        return ops.depend(gates, ops.assign(self.gates, gates))


class Margins(nn.Cell):
    """By how much each gate is open at the thresholds, below 0 where it is closed."""

    def __init__(self, gating: Gating):
        super().__init__(auto_prefix=False)
        self.gating = gating

    def construct(self, kept):
        return self.gating.open_all(kept)[1]


class ThresholdStep(nn.Cell):
    """Moves the thresholds by one step, at gates that were set from them before."""

    def __init__(
        self,
        network: Any,
        gates: Parameter,
        loss: Any,
        gating: Gating,
        runtime: RuntimeCell,
        has_target: bool,
    ):
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = loss
        self.gating = gating
        self.runtime = runtime
        self.has_target = has_target
        self.thresholds = gating.thresholds
        self.open = Tensor(np.ones(gates.shape, np.float32))
        self.first = Parameter(Tensor(np.zeros(gates.shape, np.float32)), FIRST, False)
        self.second = Parameter(Tensor(np.zeros((), np.float32)), SECOND, False)
        self.left = Parameter(Tensor(np.ones(2, np.float32)), LEFT, False)
        self.of_gates = ops.value_and_grad(self.error, None, (gates,), has_aux=True)
        self.of_thresholds = ops.grad(self.cost, None, (self.thresholds,))

    def state(self) -> dict[str, Parameter]:
        """What the steps to come depend on beside the network, by name."""
        own = (self.thresholds, self.first, self.second, self.left)
        return {parameter.name: parameter for parameter in own}

    def construct(self, images, labels, lam, target, rate):
        (error, logits), slopes = self.of_gates(images, labels)
        gradients = self.of_thresholds(slopes[0], lam, target)
        self.move(gradients[0], rate)
        return error, logits

    def error(self, images, labels):
        logits = self.network(images)
        return self.loss(logits, labels), logits

    def cost(self, slopes, lam, target):
        """What has the loss's gradient where the cross entropy has these slopes at the gates."""
        gates = self.gating(self.open)
        distance = ops.log(self.runtime(gates) / target)
        if self.has_target:
            distance = ops.abs(distance)
        return (gates * ops.stop_gradient(slopes)).sum() + lam * distance

    def move(self, gradient, rate):
        first = BETAS[0] * self.first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * self.second + (1 - BETAS[1]) * ops.square(gradient).mean()
        left = self.left * Tensor(BETAS, ms.float32)
        size = ops.sqrt(second / (1 - left[1])) + EPSILON
        ops.assign_sub(self.thresholds, rate * first / (1 - left[0]) / size)
        ops.assign(self.first, first)
        ops.assign(self.second, second)
        ops.assign(self.left, left)
