"""The parts of a training by MindSpore, as tests/training/test_training_parts.py asks for them:
numpy arrays in, numpy arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mindspore as ms
import numpy as np

from archspec.compiler import build
from archspec.compiler.model import Model
from archspec.compiler.targets.mindspore import device
from archspec.training.backends.mindspore.ema import Ema
from archspec.training.backends.mindspore.losses import build_loss
from archspec.training.backends.mindspore.optimizers import build_optimizer, clip
from archspec.training.backends.mindspore.step import TrainStep, join_networks
from archspec.training.recipe import Loss, LossScale, Optimizer
from archspec.training.tuning import Paces

NAMES = {
    "steps": "global_step", "scale": "scale_value", "skipped": "skipped_steps",
    "mean": "moving_mean", "variance": "moving_variance", "scaled by": "gamma",
}  # fmt: skip
"""What a state calls them."""


device.prepare()


class Regression(ms.nn.Cell):
    """Logits of 5 numbers, without a bias."""

    def __init__(self, weight: np.ndarray):
        super().__init__()
        self.layer = ms.nn.Dense(5, 3, weight_init=ms.Tensor(weight), has_bias=False)

    def construct(self, x):
        return self.layer(x)


class Small(ms.nn.Cell):
    """Logits of pictures 2x5x5, by a convolution and a batch norm."""

    def __init__(self, kernel: np.ndarray, dense: np.ndarray):
        super().__init__()
        self.conv = ms.nn.Conv2d(2, 4, 3, weight_init=ms.Tensor(kernel))
        self.norm = ms.nn.BatchNorm2d(4)
        self.dense = ms.nn.Dense(4, 3, weight_init=ms.Tensor(dense), bias_init="zeros")

    def construct(self, x):
        return self.dense(ms.ops.relu(self.norm(self.conv(x))).mean((2, 3)))


def network_of(model: Model) -> Any:
    return build(model)


def weights_of(network: Any) -> dict[str, np.ndarray]:
    """All of a network's arrays, by name, as copies."""
    return {p.name: p.asnumpy().copy() for p in network.get_parameters()}


def loss(
    settings: Loss,
    logits: Sequence[np.ndarray],
    labels: np.ndarray,
    teacher: np.ndarray | None = None,
) -> tuple[float, list[np.ndarray]]:
    """A loss and its gradients by all logits."""
    calculate = build_loss(settings)
    rest = [] if teacher is None else [ms.Tensor(teacher)]

    def call(*given):
        return calculate(given if settings.mutual else given[0], ms.Tensor(labels), *rest)

    value, gradients = ms.value_and_grad(call, tuple(range(len(logits))))(*map(ms.Tensor, logits))
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return float(value), [gradient.asnumpy() for gradient in gradients]


def optimize(
    settings: Optimizer,
    starts: Mapping[str, np.ndarray],
    rates: np.ndarray,
    gradients: Sequence[Sequence[np.ndarray]],
    paces: Paces | None = None,
) -> dict[str, np.ndarray]:
    """What becomes of weights, by path, that have these gradients in turn."""

    class Apply(ms.nn.Cell):
        def __init__(self, optimizer):
            super().__init__(auto_prefix=False)
            self.optimizer = optimizer

        def construct(self, *given):
            return ms.ops.depend(given[0].sum(), self.optimizer(given))

    parameters = [ms.Parameter(ms.Tensor(start), name=name) for name, start in starts.items()]
    step = Apply(build_optimizer(settings, parameters, rates, paces))
    for of_step in gradients:
        step(*map(ms.Tensor, of_step))
    return {parameter.name: parameter.asnumpy() for parameter in parameters}


def clip_together(gradients: Sequence[np.ndarray], largest: float) -> list[np.ndarray]:
    return [clipped.asnumpy() for clipped in clip(tuple(map(ms.Tensor, gradients)), largest)]


class Average:
    """A moving average of one array."""

    def __init__(self, start: np.ndarray, decay: float, warms_up: bool):
        self.weight = ms.Parameter(ms.Tensor(start), name="weight")
        self.ema = Ema([self.weight], decay, warms_up)

    def take(self, value: np.ndarray) -> np.ndarray:
        """The average once the array has become this."""
        ms.ops.assign(self.weight, ms.Tensor(value))
        self.ema()
        return self.ema.averages[0].asnumpy()


class Step:
    """The step of a training."""

    def __init__(
        self,
        networks: Sequence[Any],
        optimizer: Optimizer,
        rates: np.ndarray,
        loss: Loss | None = None,
        ema: float | None = None,
        teacher: Any = None,
        loss_scale: LossScale | None = None,
        **options: Any,
    ):
        whole = networks[0] if len(networks) == 1 else join_networks([*networks])
        own = [*networks[0].get_parameters()]
        self.step = TrainStep(
            whole,
            build_loss(loss or Loss()),
            build_optimizer(optimizer, whole.trainable_params(), rates),
            ema=None if ema is None else Ema(own, ema),
            teacher=teacher,
            loss_scale=loss_scale,
            **options,
        )
        self.step.set_train()

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        loss, logits = self.step(ms.Tensor(images), ms.Tensor(labels))
        first = logits[0] if isinstance(logits, tuple) else logits
        return float(loss), first.asnumpy()

    def state(self) -> dict[str, np.ndarray]:
        return {name: p.asnumpy().copy() for name, p in self.step.state().items()}

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, parameter in self.step.state().items():
            parameter.set_data(ms.Tensor(arrays[name]))

    def served(self) -> dict[str, np.ndarray]:
        """The arrays that the first network is served with."""
        with self.step.ema.in_place():
            return weights_of(self.step.network)
