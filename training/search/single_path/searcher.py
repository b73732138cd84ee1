"""What is compiled once for a space and serves all its searches: the supernet and its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, ops

from archspec.compiler import Model, build
from archspec.compiler.model import weights_of
from archspec.compiler.supernet import Supernet
from archspec.compiler.targets.mindspore.gates import add_gates
from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.initialize import initialize
from archspec.training.backends.mindspore.losses import SmoothedCrossEntropy
from archspec.training.backends.mindspore.optimizers import build_optimizer
from archspec.training.backends.mindspore.step import TrainStep
from archspec.training.backends.mindspore.threshold_step import (
    Margins,
    RuntimeCell,
    SetGates,
    ThresholdStep,
)
from archspec.training.backends.mindspore.thresholds import Gating
from archspec.training.noise import draw_masks, mask, take_over
from archspec.training.recipe import Recipe
from archspec.training.schedules import Rates
from archspec.training.search.single_path.runtime import Runtime

OF_THRESHOLDS = 2**40
"""Added to the number of a step that masks are drawn for, where it is one of the thresholds."""


class Searcher:
    """A supernet that learns weights by the recipe, and thresholds.

    `rates` are those of the weights' steps. Everything that the steps to come depend on is in
    `state`, by name.
    """

    def __init__(
        self,
        supernet: Supernet,
        recipe: Recipe,
        runtime: Runtime,
        rates: Rates,
        temperature: float,
        has_target: bool,
    ):
        self.supernet = supernet
        self.recipe = recipe
        self.network = build(Model(supernet.graph, initialize(supernet.graph, recipe.init.scheme)))
        self.gates = add_gates(self.network, supernet)
        self.noise = take_over(self.network, supernet.graph, recipe.batch)
        parameters = {parameter.name: parameter for parameter in self.network.get_parameters()}
        self.weights = {path: parameters[path] for path in weights_of(supernet.graph)}
        gating = Gating(supernet, self.weights, temperature)
        self._set_gates = SetGates(gating, self.gates)
        self._margins = Margins(gating)
        loss = SmoothedCrossEntropy(recipe.loss.smoothing)
        trained = [weight for weight in self.weights.values() if weight.requires_grad]
        self.step = TrainStep(
            self.network,
            loss,
            build_optimizer(recipe.optimizer, trained, rates),
            clip_norm=recipe.optimizer.clip_norm,
        )
        runtime_cell = RuntimeCell(supernet, runtime)
        self.threshold_step = ThresholdStep(
            self.network, self.gates, loss, gating, runtime_cell, has_target
        )
        self.step.set_train()
        self.threshold_step.set_train()
        own = {f"search.{name}": p for name, p in self.threshold_step.state().items()}
        self.state: dict[str, Parameter] = {**self.step.state(), **own}
        self._at_start = {name: p.asnumpy().copy() for name, p in self.state.items()}

    def restart(self, seed: int) -> None:
        """Everything as before the first step of a search with this seed."""
        weights = initialize(self.supernet.graph, self.recipe.init.scheme, seed)
        self.set({**self._at_start, **weights})

    def set(self, arrays: Mapping[str, Array]) -> None:
        """Set the state."""
        for name, parameter in self.state.items():
            # in place, for what was compiled before may hold on to the memory (see ema)
            ops.assign(parameter, Tensor(arrays[name]))

    def learn_weights(
        self, images: Array, labels: Array, seed: int, step: int, keep: float
    ) -> tuple[Any, Any]:
        """One step of the weights, with gates left open by their thresholds closed but for a share
        of `keep`; loss and logits."""
        draw_masks(self.noise, seed, step)
        self._open(mask(1 - keep, (self.supernet.gates,), seed, step, "gates") > 0)
        return self.step(Tensor(images), Tensor(labels))

    def learn_thresholds(
        self, images: Array, labels: Array, seed: int, step: int, numbers: tuple[float, ...]
    ) -> tuple[Any, Any]:
        """One step of the thresholds. `numbers` are lam, the target (1 without) and the rate. Loss
        and logits before the step."""
        draw_masks(self.noise, seed, OF_THRESHOLDS + step)
        self._open(np.ones(self.supernet.gates))
        scalars = (Tensor(number, ms.float32) for number in numbers)
        return self.threshold_step(Tensor(images), Tensor(labels), *scalars)

    def gather_statistics(self, batches: Iterable[tuple[Array, Array]]) -> None:
        """Let batch norms see these images with the gates as they are: what they remember is of
        whatever gates were open in the last steps."""
        self.network.set_train(True)
        for images, _ in batches:
            self.network(Tensor(images))

    def set_gates(self) -> list[float]:
        """Open and close gates as the thresholds say; what they then are."""
        return self._open(np.ones(self.supernet.gates)).asnumpy().tolist()

    def margins(self) -> list[float]:
        """By how much the thresholds have each gate open, below 0 where it is closed."""
        every = Tensor(np.ones(self.supernet.gates, np.float32))
        return self._margins(every).asnumpy().tolist()

    def take(self, assignment: Mapping[str, Any]) -> None:
        """Open and close gates as an assignment says, whatever the thresholds do."""
        ops.assign(self.gates, Tensor(self.supernet.gates_of(assignment), ms.float32))

    def arrays(self) -> dict[str, Array]:
        """The network's weights by path."""
        return {path: weight.asnumpy().copy() for path, weight in self.weights.items()}

    def _open(self, kept: Array) -> Any:
        """Open the gates that are kept and that the thresholds leave open."""
        return self._set_gates(Tensor(kept.astype(np.float32)))
