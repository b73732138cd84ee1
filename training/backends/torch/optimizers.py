"""Optimizers for the recipes: PyTorch's where it has them, else the smallest own.

    sgd, adam, adamw, rmsprop
                torch.optim's, in one kernel for all weights where it has one (fused)
    lamb, lars  own, for PyTorch has neither

Weight decay goes by a weight's own name, the last part of its path, and both it and the rate by
the weight's pace. The rate is set before each step. All that a step depends on is there before the
first one, so that a state always has the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from archspec.training.recipe import Adam, AdamW, Lamb, Lars, RmsProp, Sgd
from archspec.training.recipe import Optimizer as Settings
from archspec.training.tuning import USUAL, Paces

FUSED = ("cpu", "cuda")
"""Where PyTorch's own optimizers have one kernel for everything."""


def build_optimizer(
    settings: Settings, weights: Mapping[str, nn.Parameter], paces: Paces | None = None
) -> Optimizer:
    """The optimizer of a recipe for weights by path. Its state is complete from the start."""
    optimizer = _build(settings, _group(settings, weights, paces or {}))
    for _, parameter in _parameters(optimizer):
        for name in _moments(settings):
            optimizer.state[parameter][name] = torch.zeros_like(parameter)
        if isinstance(settings, (Adam, AdamW, Lamb)):
            optimizer.state[parameter]["step"] = torch.zeros((), device=parameter.device)
        elif isinstance(settings, RmsProp):
            optimizer.state[parameter]["step"] = torch.zeros(())
    return optimizer


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of the steps to come, to which each group has its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["pace"]


def state_of(optimizer: Optimizer, names: Mapping[nn.Parameter, str]) -> dict[str, Tensor]:
    """All that the steps to come depend on, by name: "exp_avg.conv.weight"."""
    return {
        f"{key}.{names[parameter]}": value
        for _, parameter in _parameters(optimizer)
        for key, value in optimizer.state[parameter].items()
    }


def _moments(settings: Settings) -> tuple[str, ...]:
    """What an optimizer remembers of each weight, as PyTorch names it."""
    if isinstance(settings, RmsProp):
        return ("square_avg", "momentum_buffer") if settings.momentum else ("square_avg",)
    if isinstance(settings, (Adam, AdamW, Lamb)):
        return ("exp_avg", "exp_avg_sq")
    return ("momentum_buffer",)


def _parameters(optimizer: Optimizer) -> Iterator[tuple[Mapping[str, Any], nn.Parameter]]:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            yield group, parameter


def _group(
    settings: Settings, weights: Mapping[str, nn.Parameter], paces: Paces
) -> list[dict[str, Any]]:
    """Weights of one decay and one factor on the rate each, as torch.optim takes them; those that
    decay first."""
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for path, weight in weights.items():
        pace = paces.get(path, USUAL)
        decay = settings.weight_decay * pace.decay if settings.decays(path) else 0.0
        members.setdefault((decay, pace.lr), []).append(weight)
    return [
        {"params": found, "weight_decay": decay, "decays": decay > 0, "pace": factor}
        for (decay, factor), found in sorted(members.items(), key=lambda item: item[0][0] == 0)
    ]


def _is_fused(groups: list[dict[str, Any]]) -> bool:
    return groups[0]["params"][0].device.type in FUSED


@singledispatch
def _build(settings: Settings, groups: list[dict[str, Any]]) -> Optimizer:
    raise TypeError(f"no optimizer for {type(settings).__name__}")


@_build.register
def _(settings: Sgd, groups: list[dict[str, Any]]) -> Optimizer:
    return SGD(
        groups, settings.lr, settings.momentum, nesterov=settings.nesterov, fused=_is_fused(groups)
    )


@_build.register
def _(settings: Adam, groups: list[dict[str, Any]]) -> Optimizer:
    return torch.optim.Adam(
        groups, settings.lr, settings.betas, settings.epsilon, fused=_is_fused(groups)
    )


@_build.register
def _(settings: RmsProp, groups: list[dict[str, Any]]) -> Optimizer:
    return torch.optim.RMSprop(
        groups, settings.lr, settings.alpha, settings.epsilon, momentum=settings.momentum
    )


@_build.register
def _(settings: AdamW, groups: list[dict[str, Any]]) -> Optimizer:
    return torch.optim.AdamW(
        groups, settings.lr, settings.betas, settings.epsilon, fused=_is_fused(groups)
    )


@_build.register
def _(settings: Lamb, groups: list[dict[str, Any]]) -> Optimizer:
    return LambOptimizer(groups, settings)


@_build.register
def _(settings: Lars, groups: list[dict[str, Any]]) -> Optimizer:
    return LarsOptimizer(groups, settings)


class LambOptimizer(Optimizer):
    """p -= lr r u, with u = m / c1 / (sqrt(v / c2) + epsilon) + decay p and the trust ratio
    r = |p| / |u|, which is 1 where either is 0; c1 and c2 correct the bias of both moments.

    Weights that do not decay have no trust ratio either, as in the authors' code and in timm's.
    """

    def __init__(self, groups: list[dict[str, Any]], settings: Lamb):
        super().__init__(groups, {"lr": settings.lr})
        self.betas = settings.betas
        self.epsilon = settings.epsilon

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group, parameter in _parameters(self):
            if parameter.grad is None:
                continue
            gradient, state = parameter.grad, self.state[parameter]
            first, second, step = state["exp_avg"], state["exp_avg_sq"], state["step"]
            step += 1
            first.lerp_(gradient, 1 - self.betas[0])
            second.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
            first_correction, second_correction = (1 - beta ** step.double() for beta in self.betas)
            root = (second / second_correction).sqrt_().add_(self.epsilon)
            update = (first / first_correction).div_(root)
            if group["decays"]:
                update.add_(parameter, alpha=group["weight_decay"])
                update.mul_(_ratio(parameter.norm(), update.norm()))
            parameter.sub_(update, alpha=group["lr"])


class LarsOptimizer(Optimizer):
    """Momentum on g' = r (g + decay p), with the trust ratio
    r = trust |p| / (|g| + decay |p|), which is 1 where |p| or |g| is 0.

    The rate comes after the momentum, as in NVIDIA's LARC and MindSpore's LARS, and not before it,
    as in the paper. Weights that do not decay have no trust ratio either.
    """

    def __init__(self, groups: list[dict[str, Any]], settings: Lars):
        super().__init__(groups, {"lr": settings.lr})
        self.momentum = settings.momentum
        self.trust = settings.trust

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group, parameter in _parameters(self):
            if parameter.grad is None:
                continue
            gradient, momentum = parameter.grad, self.state[parameter]["momentum_buffer"]
            if group["decays"]:
                decay = group["weight_decay"]
                length, slope = parameter.norm(), gradient.norm()
                share = _ratio(self.trust * length, slope + decay * length)
                share = torch.where(slope > 0, share, torch.ones_like(share))
                gradient = gradient.add(parameter, alpha=decay).mul_(share)
            momentum.mul_(self.momentum).add_(gradient)
            parameter.sub_(momentum, alpha=group["lr"])


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """above / below, and 1 where either is 0."""
    is_usual = (above > 0) & (below > 0)
    return torch.where(is_usual, above / below, torch.ones_like(above))
