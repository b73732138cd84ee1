"""The parts of a training by PyTorch, as tests/training/test_training_parts.py asks for them: numpy
arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from archspec.compiler.model import Model
from archspec.compiler.targets.torch import weight_names
from archspec.training.backends.torch.ema import Ema
from archspec.training.backends.torch.losses import build_loss
from archspec.training.backends.torch.optimizers import build_optimizer, set_rate
from archspec.training.backends.torch.step import Together, TrainStep, as_array
from archspec.training.backends.torch.trainer import build_module
from archspec.training.build import peer_prefix
from archspec.training.recipe import Loss, LossScale, Optimizer, Precision
from archspec.training.tuning import Paces

NAMES = {
    "steps": "steps", "scale": "loss_scale", "skipped": "skipped_steps",
    "mean": "running_mean", "variance": "running_var", "scaled by": "weight",
}  # fmt: skip
"""What a state calls them."""


class Regression(nn.Module):
    """Logits of 5 numbers, without a bias."""

    def __init__(self, weight: np.ndarray):
        super().__init__()
        self.layer = nn.Linear(5, 3, bias=False)
        fill(self.layer.weight, weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Small(nn.Module):
    """Logits of pictures 2x5x5, by a convolution and a batch norm."""

    def __init__(self, kernel: np.ndarray, dense: np.ndarray):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.dense = nn.Linear(4, 3)
        fill(self.conv.weight, kernel)
        fill(self.dense.weight, dense)
        fill(self.dense.bias, np.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


@torch.no_grad()
def fill(weight: Tensor, array: np.ndarray) -> None:
    weight.copy_(torch.from_numpy(array))


def network_of(model: Model) -> nn.Module:
    module = build_module(model)
    names = weight_names(model.graph)
    parameters = dict(module.named_parameters())
    module.paths = {p: parameters[name] for p, name in names.items() if name in parameters}
    return module


def weights_of(network: nn.Module) -> dict[str, np.ndarray]:
    """All of a network's arrays, by name, as copies."""
    return {
        name: as_array(tensor)
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()
    }


def loss(
    settings: Loss,
    logits: Sequence[np.ndarray],
    labels: np.ndarray,
    teacher: np.ndarray | None = None,
) -> tuple[float, list[np.ndarray]]:
    """A loss and its gradients by all logits."""
    given = tuple(torch.tensor(one, requires_grad=True) for one in logits)
    taught = None if teacher is None else torch.from_numpy(teacher)
    value = build_loss(settings)(given, torch.from_numpy(labels), taught)
    return value.item(), [g.numpy() for g in torch.autograd.grad(value, given)]


def optimize(
    settings: Optimizer,
    starts: Mapping[str, np.ndarray],
    rates: np.ndarray,
    gradients: Sequence[Sequence[np.ndarray]],
    paces: Paces | None = None,
) -> dict[str, np.ndarray]:
    """What becomes of weights, by path, that have these gradients in turn."""
    weights = {name: nn.Parameter(torch.tensor(start)) for name, start in starts.items()}
    optimizer = build_optimizer(settings, weights, paces)
    for of_step, rate in zip(gradients, rates, strict=False):
        for weight, gradient in zip(weights.values(), of_step, strict=True):
            weight.grad = torch.tensor(gradient)
        set_rate(optimizer, float(rate))
        optimizer.step()
    return {name: as_array(weight) for name, weight in weights.items()}


def clip_together(gradients: Sequence[np.ndarray], largest: float) -> list[np.ndarray]:
    """PyTorch adds 1e-6 to the norm that it divides by."""
    weights = [nn.Parameter(torch.zeros(gradient.shape)) for gradient in gradients]
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = torch.tensor(gradient)
    clip_grad_norm_(weights, largest)
    return [as_array(weight.grad) for weight in weights if weight.grad is not None]


class Average:
    """A moving average of one array."""

    def __init__(self, start: np.ndarray, decay: float, warms_up: bool):
        self.network = nn.ParameterList([nn.Parameter(torch.tensor(start))])
        self.ema = Ema(self.network, decay, warms_up)

    def take(self, value: np.ndarray) -> np.ndarray:
        """The average once the array has become this."""
        fill(self.network[0], value)
        self.ema.update()
        return as_array(self.ema.network[0])


class Step:
    """The step of a training."""

    def __init__(
        self,
        networks: Sequence[nn.Module],
        optimizer: Optimizer,
        rates: np.ndarray,
        loss: Loss | None = None,
        ema: float | None = None,
        teacher: nn.Module | None = None,
        loss_scale: LossScale | None = None,
        **options: Any,
    ):
        by_prefix = {peer_prefix(index): network for index, network in enumerate(networks)}
        weights = {
            prefix + path: weight
            for prefix, network in by_prefix.items()
            for path, weight in getattr(network, "paths", dict(network.named_parameters())).items()
        }
        self.step = TrainStep(
            by_prefix,
            Together(networks),
            build_loss(loss or Loss()),
            build_optimizer(optimizer, weights),
            rates,
            ema=None if ema is None else Ema(networks[0], ema),
            teacher=None if teacher is None else teacher.eval(),
            precision=Precision(loss_scale=loss_scale or LossScale()),
            **options,
        )

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        loss, logits = self.step(torch.from_numpy(images), torch.from_numpy(labels))
        return loss.item(), as_array(logits)

    def state(self) -> dict[str, np.ndarray]:
        return self.step.state()

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.step.set_state(arrays)

    def served(self) -> dict[str, np.ndarray]:
        """The arrays that the first network is served with."""
        return weights_of(self.step.ema.network)
