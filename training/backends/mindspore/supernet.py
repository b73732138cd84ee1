"""A supernet that learns, compiled once for all searches of a space (training.backend)."""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from archspec.training.backend import Pending
from archspec.training.backends.mindspore.losses import SmoothedCrossEntropy
from archspec.training.backends.mindspore.noise import drop_nothing, set_masks, take_over
from archspec.training.backends.mindspore.optimizers import build_optimizer
from archspec.training.backends.mindspore.step import TrainStep
from archspec.training.backends.mindspore.threshold_step import (
    Margins,
    RuntimeCell,
    SetGates,
    ThresholdStep,
)
from archspec.training.backends.mindspore.thresholds import Gating
from archspec.training.backends.mindspore.trainer import read
from archspec.training.recipe import Recipe
from archspec.training.schedules import Rates
from archspec.training.search.single_path.runtime import Runtime
from archspec.training.search.single_path.thresholds import PREFIX


class GatedCellTrainer:
    """The supernet's cell, whose `gates` are a parameter, and the steps of both that learn."""

    skips_steps = False

    def __init__(
        self,
        supernet: Supernet,
        recipe: Recipe,
        runtime: Runtime,
        rates: Rates,
        temperature: float,
        has_target: bool,
    ):
        start = Model(supernet.graph, initialize(supernet.graph, recipe.init.scheme))
        self.network = build(start)
        self.gates = add_gates(self.network, supernet)
        self.masks = take_over(self.network, supernet.graph, recipe.batch)
        parameters = {parameter.name: parameter for parameter in self.network.get_parameters()}
        self._weights = {path: parameters[path] for path in weights_of(supernet.graph)}
        gating = Gating(supernet, self._weights, temperature)
        self._set_gates = SetGates(gating, self.gates)
        self._margins = Margins(gating)
        loss = SmoothedCrossEntropy(recipe.loss.smoothing)
        trained = [weight for weight in self._weights.values() if weight.requires_grad]
        self.weight_step = TrainStep(
            self.network,
            loss,
            build_optimizer(recipe.optimizer, trained, rates),
            clip_norm=recipe.optimizer.clip_norm,
        )
        runtime_cell = RuntimeCell(supernet, runtime)
        self.threshold_step = ThresholdStep(
            self.network, self.gates, loss, gating, runtime_cell, has_target
        )
        self.weight_step.set_train()
        self.threshold_step.set_train()
        own = {PREFIX + name: p for name, p in self.threshold_step.state().items()}
        self._state: dict[str, Parameter] = {**self.weight_step.state(), **own}

    def step(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        masks: Mapping[str, np.ndarray],
        kept: np.ndarray,
    ) -> Pending:
        set_masks(self.masks, masks)
        self._open(kept)
        return self.weight_step(Tensor(images), Tensor(labels))

    def step_thresholds(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        masks: Mapping[str, np.ndarray],
        lam: float,
        target: float,
        rate: float,
    ) -> Pending:
        set_masks(self.masks, masks)
        self._open(self._every_gate())
        scalars = (Tensor(number, ms.float32) for number in (lam, target, rate))
        return self.threshold_step(Tensor(images), Tensor(labels), *scalars)

    def read(self, pending: Sequence[Pending]) -> list[tuple[float, np.ndarray]]:
        return read(pending)

    def state(self) -> dict[str, np.ndarray]:
        return {name: parameter.asnumpy() for name, parameter in self._state.items()}

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, parameter in self._state.items():
            # in place, for what was compiled before may hold on to the memory (see ema)
            ops.assign(parameter, Tensor(arrays[name]))

    def set_gates(self) -> list[float]:
        return self._open(self._every_gate()).asnumpy().tolist()

    def margins(self) -> list[float]:
        every = Tensor(self._every_gate().astype(np.float32))
        return self._margins(every).asnumpy().tolist()

    def take_gates(self, gates: Sequence[float]) -> None:
        ops.assign(self.gates, Tensor(gates, ms.float32))

    def gather_statistics(self, batches: Iterable[np.ndarray]) -> None:
        drop_nothing(self.masks)
        self.network.set_train(True)
        for images in batches:
            self.network(Tensor(images))

    def weights(self) -> dict[str, Array]:
        return {path: weight.asnumpy().copy() for path, weight in self._weights.items()}

    @contextmanager
    def serving(self) -> Iterator[None]:
        self.network.set_train(False)
        try:
            yield
        finally:
            self.network.set_train(True)

    def logits(self, images: np.ndarray) -> np.ndarray:
        return self.network(Tensor(images)).asnumpy()

    def _every_gate(self) -> np.ndarray:
        return np.ones(self.gates.shape, bool)

    def _open(self, kept: np.ndarray) -> Any:
        """Open the gates that are kept and that the thresholds leave open."""
        return self._set_gates(Tensor(kept.astype(np.float32)))
