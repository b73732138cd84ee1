"""Optimizers for the recipes: MindSpore's where it is right on every device, else the smallest own.

    sgd    nn.SGD. (nn.Momentum is on its way out, and on CPU its use_nesterov changes nothing.)
    adamw  MindSpore's kernel AdamWeightDecay, with a bias correction that nn.AdamWeightDecay lacks.
    lamb, lars  own: nn.Lamb and nn.LARS have no kernels for CPU, and nn.LARS is deprecated.

All take a list of gradients in the order of their parameters, with a learning rate for each step
and weight decay by a weight's own name, the last part of its path. The loops over parameters below
are unrolled where a graph is compiled.
"""

# ruff: noqa: B905 (a compiled graph knows zip, but not its `strict`)

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import singledispatch
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, nn, ops
from mindspore.ops.operations import AdamWeightDecay

from archspec.training.recipe import AdamW, Lamb, Lars, Optimizer, Sgd
from archspec.training.schedules import Rates


def build_optimizer(settings: Optimizer, parameters: Iterable[Parameter], rates: Rates) -> Any:
    """The optimizer of a recipe as a cell: called with the gradients, it makes one step, the i-th
    with rates[i]. Clipping and accumulation are the step's."""
    return _build(settings, list(parameters), rates.tolist())


@singledispatch
def _build(settings: Optimizer, parameters: list[Parameter], rates: list[float]) -> Any:
    raise TypeError(f"no optimizer for {type(settings).__name__}")


def _groups(settings: Optimizer, parameters: list[Parameter]) -> list[dict[str, Any]]:
    """Parameters and their weight decay as MindSpore's optimizers take them, in their own order."""
    decayed = [p for p in parameters if settings.decays(p.name)]
    others = [p for p in parameters if not settings.decays(p.name)]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [*(group for group in groups if group["params"]), {"order_params": parameters}]


@_build.register
def _(settings: Sgd, parameters: list[Parameter], rates: list[float]) -> Any:
    groups = _groups(settings, parameters)
    return nn.SGD(groups, rates, settings.momentum, nesterov=settings.nesterov)


@_build.register
def _(settings: AdamW, parameters: list[Parameter], rates: list[float]) -> Any:
    return AdamWCell(settings, parameters, rates)


@_build.register
def _(settings: Lamb, parameters: list[Parameter], rates: list[float]) -> Any:
    return LambCell(settings, parameters, rates)


@_build.register
def _(settings: Lars, parameters: list[Parameter], rates: list[float]) -> Any:
    return LarsCell(settings, parameters, rates)


class _Adam(nn.Optimizer):
    """What AdamW and LAMB share: two moments of each gradient, and the correction of their bias.

    The corrections are 1 - beta^t, by expm1 because 1 - 0.999^t in float32 has three right digits;
    and beta is what float32 makes of it, for that is the beta of the moments.
    """

    def __init__(self, settings: AdamW | Lamb, parameters: list[Parameter], rates: list[float]):
        super().__init__(rates, parameters)
        self.first = self.parameters.clone(prefix="first_moment", init="zeros")
        self.second = self.parameters.clone(prefix="second_moment", init="zeros")
        self.betas = tuple(float(np.float32(beta)) for beta in settings.betas)
        # of 0 a logarithm whose power is 0
        self.log_betas = tuple(math.log(beta) if beta else -1e4 for beta in self.betas)
        self.epsilon = settings.epsilon
        self.decay = settings.weight_decay
        self.decayed = tuple(settings.decays(p.name) for p in self.parameters)

    def corrections(self):
        """1 - beta^t for both betas, t counting from 1; counts a step."""
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        step = self.global_step.astype(ms.float32).reshape(())
        return -ops.expm1(step * self.log_betas[0]), -ops.expm1(step * self.log_betas[1])


class AdamWCell(_Adam):
    """p -= lr (m / c1 / (sqrt(v / c2) + epsilon) + decay p), with c1 and c2 the corrections.

    The kernel does p -= lr' (m / (sqrt(v) + epsilon') + decay' p), which is the same with
    lr' = lr sqrt(c2) / c1, epsilon' = epsilon sqrt(c2) and decay' = decay c1 / sqrt(c2).
    """

    def __init__(self, settings: AdamW, parameters: list[Parameter], rates: list[float]):
        super().__init__(settings, parameters, rates)
        self.update = AdamWeightDecay()

    def construct(self, gradients):
        rate = self.get_lr()
        first_correction, second_correction = self.corrections()
        root = ops.sqrt(second_correction)
        rate = rate * root / first_correction
        epsilon = self.epsilon * root
        decay = self.decay * first_correction / root
        for parameter, first, second, gradient, is_decayed in zip(
            self.parameters, self.first, self.second, gradients, self.decayed
        ):
            self.update(
                parameter,
                first,
                second,
                rate,
                self.betas[0],
                self.betas[1],
                epsilon,
                decay if is_decayed else decay * 0.0,
                gradient,
            )
        return True


class LambCell(_Adam):
    """p -= lr r u, with u = m / c1 / (sqrt(v / c2) + epsilon) + decay p and the trust ratio
    r = |p| / |u|, which is 1 where either is 0.

    Weights that do not decay have no trust ratio either, as in the authors' code and in timm's.
    """

    def construct(self, gradients):
        rate = self.get_lr()
        first_correction, second_correction = self.corrections()
        for parameter, first, second, gradient, is_decayed in zip(
            self.parameters, self.first, self.second, gradients, self.decayed
        ):
            new_first = self.betas[0] * first + (1 - self.betas[0]) * gradient
            new_second = self.betas[1] * second + (1 - self.betas[1]) * ops.square(gradient)
            root = ops.sqrt(new_second / second_correction) + self.epsilon
            update = new_first / first_correction / root
            if is_decayed:
                update = update + self.decay * parameter
                update = update * ratio(norm(parameter), norm(update))
            ops.assign(first, new_first)
            ops.assign(second, new_second)
            ops.assign_sub(parameter, rate * update)
        return True


class LarsCell(nn.Cell):
    """Momentum on g' = r (g + decay p), with the trust ratio
    r = trust |p| / (|g| + decay |p|), which is 1 where |p| or |g| is 0.

    The rate comes after the momentum, as in NVIDIA's LARC and MindSpore's LARS, and not before it,
    as in the paper. Weights that do not decay have no trust ratio either.
    """

    def __init__(self, settings: Lars, parameters: list[Parameter], rates: list[float]):
        super().__init__(auto_prefix=False)
        self.sgd = nn.SGD(parameters, rates, settings.momentum)
        self.parameters = self.sgd.parameters
        self.decay = settings.weight_decay
        self.trust = settings.trust
        self.decayed = tuple(settings.decays(p.name) for p in self.parameters)

    def construct(self, gradients):
        scaled = ()
        for parameter, gradient, is_decayed in zip(self.parameters, gradients, self.decayed):
            if is_decayed:
                length, slope = norm(parameter), norm(gradient)
                share = ratio(self.trust * length, slope + self.decay * length)
                share = ops.select(slope > 0, share, ops.ones_like(share))
                gradient = (gradient + self.decay * parameter) * share
            scaled += (gradient,)
        return self.sgd(scaled)


def clip(gradients, largest):
    """Gradients scaled down together where their L2 norm, over all of them, exceeds `largest`."""
    total = 0.0
    for gradient in gradients:
        total = total + ops.square(gradient.astype(ms.float32)).sum()
    share = largest / ops.maximum(ops.sqrt(total), largest)
    result = ()
    for gradient in gradients:
        result += (gradient * share.astype(gradient.dtype),)
    return result


def norm(x):
    """The L2 norm of a tensor, as a scalar in float32."""
    return ops.sqrt(ops.square(x.astype(ms.float32)).sum())


def ratio(above, below):
    """above / below, and 1 where either is 0."""
    is_usual = ops.logical_and(above > 0, below > 0)
    one = ops.ones_like(above)
    return ops.select(is_usual, above / ops.select(is_usual, below, one), one)
