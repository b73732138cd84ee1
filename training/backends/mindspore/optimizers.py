"""Optimizers for the recipes: MindSpore's where it is right on every device, else the smallest own.

    sgd    nn.SGD. (nn.Momentum is on its way out, and on CPU its use_nesterov changes nothing.)
    adam, adamw  MindSpore's kernel AdamWeightDecay, with a bias correction that nn.AdamWeightDecay
           lacks.
    rmsprop  own: nn.RMSProp adds epsilon beneath the root, and has one for all of a step's weights.
    lamb, lars  own: nn.Lamb and nn.LARS have no kernels for CPU, and nn.LARS is deprecated.

All take a list of gradients in the order of their parameters, with a learning rate for each step
and weight decay by a weight's own name, the last part of its path, and both by the weight's pace.
HyperMap walks over parameters: a graph that is compiled unrolls a loop, each turn called by the one
before it, and 300 turns exceed the depth of calls that MindSpore allows.
"""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, nn, ops
from mindspore.ops.functional import partial
from mindspore.ops.operations import AdamWeightDecay

from archspec.training.recipe import Adam, AdamW, Lamb, Lars, Optimizer, RmsProp, Sgd
from archspec.training.schedules import Rates
from archspec.training.tuning import USUAL, Pace, Paces

each = ops.HyperMap()
"""each(function, tuple, ...) to the tuple of results. The function may have no free variables."""


@dataclass(frozen=True)
class Weights:
    """What an optimizer moves, at which rates and paces; the decay of a pace is 0 for weights that
    do not decay."""

    parameters: list[Parameter]
    rates: list[float]
    paces: list[Pace]

    @property
    def factors(self) -> tuple[float, ...]:
        """On the rate, of each."""
        return tuple(pace.lr for pace in self.paces)

    @property
    def decays(self) -> tuple[float, ...]:
        """Factors on the weight decay, of each."""
        return tuple(pace.decay for pace in self.paces)


def build_optimizer(
    settings: Optimizer,
    parameters: Iterable[Parameter],
    rates: Rates,
    paces: Paces | None = None,
) -> Any:
    """The optimizer of a recipe as a cell: called with the gradients, it makes one step, the i-th
    with rates[i]. Clipping and accumulation are the step's."""
    moved = list(parameters)
    found = [(paces or {}).get(p.name, USUAL) for p in moved]
    kept = [
        pace if settings.decays(p.name) else replace(pace, decay=0.0)
        for p, pace in zip(moved, found, strict=True)
    ]
    return _build(settings, Weights(moved, rates.tolist(), kept))


@singledispatch
def _build(settings: Optimizer, weights: Weights) -> Any:
    raise TypeError(f"no optimizer for {type(settings).__name__}")


def _groups(settings: Optimizer, weights: Weights) -> list[dict[str, Any]]:
    """Parameters, their weight decay and their rates as MindSpore's optimizers take them, in their
    own order; those that decay first."""
    groups: dict[Pace, dict[str, Any]] = {}
    has_factors = any(factor != 1 for factor in weights.factors)
    for parameter, pace in zip(weights.parameters, weights.paces, strict=True):
        if pace not in groups:
            groups[pace] = {"params": [], "weight_decay": settings.weight_decay * pace.decay}
            if has_factors:
                groups[pace]["lr"] = [rate * pace.lr for rate in weights.rates]
        groups[pace]["params"].append(parameter)
    ordered = sorted(groups.values(), key=lambda group: group["weight_decay"] == 0)
    return [*ordered, {"order_params": weights.parameters}]


@_build.register
def _(settings: Sgd, weights: Weights) -> Any:
    groups = _groups(settings, weights)
    return nn.SGD(groups, weights.rates, settings.momentum, nesterov=settings.nesterov)


@_build.register
def _(settings: Adam | AdamW, weights: Weights) -> Any:
    return AdamCell(settings, weights)


@_build.register
def _(settings: RmsProp, weights: Weights) -> Any:
    return RmsPropCell(settings, weights)


@_build.register
def _(settings: Lamb, weights: Weights) -> Any:
    return LambCell(settings, weights)


@_build.register
def _(settings: Lars, weights: Weights) -> Any:
    return LarsCell(settings, weights)


class _Adam(nn.Optimizer):
    """What Adam and LAMB share: two moments of each gradient, and the correction of their bias.

    The corrections are 1 - beta^t, by expm1 because 1 - 0.999^t in float32 has three right digits;
    and beta is what float32 makes of it, for that is the beta of the moments.
    """

    def __init__(self, settings: Adam | AdamW | Lamb, weights: Weights):
        super().__init__(weights.rates, weights.parameters)
        self.first = self.parameters.clone(prefix="first_moment", init="zeros")
        self.second = self.parameters.clone(prefix="second_moment", init="zeros")
        self.betas = tuple(float(np.float32(beta)) for beta in settings.betas)
        # of 0 a logarithm whose power is 0
        self.log_betas = tuple(math.log(beta) if beta else -1e4 for beta in self.betas)
        self.epsilon = settings.epsilon
        self.decay = settings.weight_decay
        self.decays = weights.decays
        self.factors = weights.factors

    def corrections(self):
        """1 - beta^t for both betas, t counting from 1; counts a step."""
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        step = self.global_step.astype(ms.float32).reshape(())
        return -ops.expm1(step * self.log_betas[0]), -ops.expm1(step * self.log_betas[1])


class AdamCell(_Adam):
    """AdamW: p -= lr (m / c1 / (sqrt(v / c2) + epsilon) + decay p), with c1 and c2 the corrections.
    Adam itself has decay p in the gradient instead, of which m and v are the moments.

    The kernel does p -= lr' (m / (sqrt(v) + epsilon') + decay' p), which is the same with
    lr' = lr sqrt(c2) / c1, epsilon' = epsilon sqrt(c2) and decay' = decay c1 / sqrt(c2).
    """

    def __init__(self, settings: Adam | AdamW, weights: Weights):
        super().__init__(settings, weights)
        self.update = AdamWeightDecay()
        self.is_decoupled = isinstance(settings, AdamW)

    def construct(self, gradients):
        rate = self.get_lr()
        first_correction, second_correction = self.corrections()
        root = ops.sqrt(second_correction)
        rate = rate * root / first_correction
        epsilon = self.epsilon * root
        decay = self.decay * first_correction / root
        return self.hyper_map(
            partial(self.move, rate, epsilon, decay),
            self.parameters,
            self.first,
            self.second,
            gradients,
            self.decays,
            self.factors,
        )

    def move(self, rate, epsilon, decay, parameter, first, second, gradient, share, factor):
        own = decay if share == 1.0 else decay * share
        if not self.is_decoupled:
            own = decay * 0.0
            if share > 0 and self.decay > 0:
                gradient = gradient + self.decay * share * parameter
        return self.update(
            parameter,
            first,
            second,
            rate if factor == 1.0 else rate * factor,
            self.betas[0],
            self.betas[1],
            epsilon,
            own,
            gradient,
        )


class RmsPropCell(nn.Optimizer):
    """p -= lr m, with m = momentum m + g / (sqrt(v) + epsilon), v = alpha v + (1 - alpha) g^2 and g
    the gradient + decay p."""

    def __init__(self, settings: RmsProp, weights: Weights):
        super().__init__(weights.rates, weights.parameters)
        self.squares = self.parameters.clone(prefix="mean_square", init="zeros")
        self.momentum = settings.momentum
        # without momentum there is nothing to remember, and no name for it in a state
        self.moments = self.squares
        if settings.momentum > 0:
            self.moments = self.parameters.clone(prefix="momentum", init="zeros")
        self.alpha = settings.alpha
        self.epsilon = settings.epsilon
        self.decay = settings.weight_decay
        self.decays = weights.decays
        self.factors = weights.factors

    def construct(self, gradients):
        rate = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        return self.hyper_map(
            partial(self.move, rate),
            self.parameters,
            self.squares,
            self.moments,
            gradients,
            self.decays,
            self.factors,
        )

    def move(self, rate, parameter, square, moment, gradient, share, factor):
        if share > 0 and self.decay > 0:
            gradient = gradient + self.decay * share * parameter
        mean = self.alpha * square + (1 - self.alpha) * ops.square(gradient)
        update = gradient / (ops.sqrt(mean) + self.epsilon)
        ops.assign(square, mean)
        if self.momentum > 0:
            update = self.momentum * moment + update
            ops.assign(moment, update)
        return ops.assign_sub(parameter, rate * factor * update)


class LambCell(_Adam):
    """p -= lr r u, with u = m / c1 / (sqrt(v / c2) + epsilon) + decay p and the trust ratio
    r = |p| / |u|, which is 1 where either is 0.

    Weights that do not decay have no trust ratio either, as in the authors' code and in timm's.
    """

    def construct(self, gradients):
        rate = self.get_lr()
        return self.hyper_map(
            partial(self.move, rate, self.corrections()),
            self.parameters,
            self.first,
            self.second,
            gradients,
            self.decays,
            self.factors,
        )

    def move(self, rate, corrections, parameter, first, second, gradient, share, factor):
        new_first = self.betas[0] * first + (1 - self.betas[0]) * gradient
        new_second = self.betas[1] * second + (1 - self.betas[1]) * ops.square(gradient)
        root = ops.sqrt(new_second / corrections[1]) + self.epsilon
        update = new_first / corrections[0] / root
        if share > 0:
            update = update + self.decay * share * parameter
            update = update * ratio(norm(parameter), norm(update))
        ops.assign(first, new_first)
        ops.assign(second, new_second)
        return ops.assign_sub(parameter, rate * factor * update)


class LarsCell(nn.Cell):
    """Momentum on g' = r (g + decay p), with the trust ratio
    r = trust |p| / (|g| + decay |p|), which is 1 where |p| or |g| is 0.

    The rate comes after the momentum, as in NVIDIA's LARC and MindSpore's LARS, and not before it,
    as in the paper. Weights that do not decay have no trust ratio either.
    """

    def __init__(self, settings: Lars, weights: Weights):
        super().__init__(auto_prefix=False)
        self.decays = tuple(pace.decay * settings.weight_decay for pace in weights.paces)
        # decay is in the gradients that it is given
        undecayed = [replace(pace, decay=0.0) for pace in weights.paces]
        groups = _groups(settings, replace(weights, paces=undecayed))
        self.sgd = nn.SGD(groups, weights.rates, settings.momentum)
        self.parameters = self.sgd.parameters
        self.trust = settings.trust

    def construct(self, gradients):
        return self.sgd(each(self.scale, self.parameters, gradients, self.decays))

    def scale(self, parameter, gradient, decay):
        if decay == 0:
            return gradient
        length, slope = norm(parameter), norm(gradient)
        share = ratio(self.trust * length, slope + decay * length)
        share = ops.select(slope > 0, share, ops.ones_like(share))
        return (gradient + decay * parameter) * share


def clip(gradients, largest):
    """Gradients scaled down together where their L2 norm, over all of them, exceeds `largest`."""
    total = ops.stack(each(sum_of_squares, gradients)).sum()
    share = largest / ops.maximum(ops.sqrt(total), largest)
    return each(partial(multiply, share), gradients)


def sum_of_squares(x):
    return ops.square(x.astype(ms.float32)).sum()


def multiply(share, x):
    return x * share.astype(x.dtype)


def norm(x):
    """The L2 norm of a tensor, as a scalar in float32."""
    return ops.sqrt(sum_of_squares(x))


def ratio(above, below):
    """above / below, and 1 where either is 0."""
    is_usual = ops.logical_and(above > 0, below > 0)
    one = ops.ones_like(above)
    return ops.select(is_usual, above / ops.select(is_usual, below, one), one)
