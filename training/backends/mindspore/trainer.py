"""Networks that learn, as training.backend wants them, and a network that only answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from archspec.compiler import build
from archspec.compiler.model import node_of, weights_of
from archspec.compiler.weights.arrays import Array
from archspec.training.backend import Pending
from archspec.training.backends.mindspore.ema import Ema
from archspec.training.backends.mindspore.failures import explain_memory
from archspec.training.backends.mindspore.losses import build_loss
from archspec.training.backends.mindspore.noise import PREFIX, HostNoise, set_masks, take_over
from archspec.training.backends.mindspore.optimizers import build_optimizer
from archspec.training.backends.mindspore.precision import with_precision
from archspec.training.backends.mindspore.reducer import build_reducer
from archspec.training.backends.mindspore.step import TrainStep, join_networks
from archspec.training.build import Learners, peer_prefix
from archspec.training.distributed import Ranks
from archspec.training.precision import fit_precision
from archspec.training.schedules import Rates


class CellPredictor:
    """A cell in inference."""

    def __init__(self, cell: Any):
        self.cell = cell
        cell.set_train(False)

    def logits(self, images: np.ndarray) -> np.ndarray:
        return self.cell(Tensor(images)).asnumpy()


class CellTrainer:
    """The cells of a run and the one step that they are trained by.

    `cell` is that step, `networks` are the cells in it, of which the first is what it is all for.
    """

    def __init__(self, learners: Learners, rates: Rates, ranks: Ranks):
        recipe = learners.recipe
        # nothing draws from it, and what might some day is not left to chance
        ms.set_seed(recipe.seed)
        self._graph = learners.models[0].graph
        self._batch, self._device = recipe.batch, learners.device
        self._ranks = ranks
        self.networks = [build(model) for model in learners.models]
        # The peers get names of their own first, for a new parent renames what masks are called.
        whole = self.networks[0] if len(self.networks) == 1 else join_networks(self.networks)
        self.masks: dict[str, HostNoise] = {}
        for index, (network, model) in enumerate(zip(self.networks, learners.models, strict=True)):
            self.masks |= take_over(network, model.graph, recipe.batch, peer_prefix(index))
        self._frozen = freeze(self.networks[0], self.masks, learners.frozen)
        precision = fit_precision(recipe.precision, learners.device)
        whole = with_precision(whole, precision)

        settings = recipe.optimizer
        optimizer = build_optimizer(settings, whole.trainable_params(), rates, learners.paces)
        own = [p for p in self.networks[0].get_parameters() if not p.name.startswith(PREFIX)]
        self.ema = recipe.ema and Ema(own, recipe.ema.decay, recipe.ema.warmup)
        self.skips_steps = precision.loss_scale.is_dynamic
        self.cell = TrainStep(
            whole,
            build_loss(recipe.loss),
            optimizer,
            teacher=None if learners.teacher is None else build(learners.teacher),
            loss_scale=precision.loss_scale,
            clip_norm=settings.clip_norm,
            accumulate=settings.accumulate,
            ema=self.ema,
            reducer=build_reducer(optimizer.parameters, ranks, learners.device),
        )
        self._set_train()  # the masks' cells too, which came after the networks were built

    def _set_train(self) -> None:
        self.cell.set_train()
        for cell in self._frozen:
            cell.set_train(False)

    def step(
        self, images: np.ndarray, labels: np.ndarray, masks: Mapping[str, np.ndarray]
    ) -> Pending:
        with self._explaining():
            set_masks(self.masks, masks)
            return self.cell(Tensor(images), Tensor(labels))

    def read(self, pending: Sequence[Pending]) -> list[tuple[float, np.ndarray]]:
        with self._explaining():  # a step may have been waited for by no one before
            return read(pending)

    def _explaining(self, task: str = "a step on") -> AbstractContextManager[None]:
        return explain_memory(self._graph, self._batch, self._device, task)

    def state(self) -> dict[str, np.ndarray]:
        return {name: parameter.asnumpy() for name, parameter in self.cell.state().items()}

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, parameter in self.cell.state().items():
            parameter.set_data(Tensor(arrays[name]))

    def weights(self) -> dict[str, Array]:
        found = {p.name: p for p in self.networks[0].get_parameters()}
        return {path: found[path].asnumpy().copy() for path in weights_of(self._graph)}

    def notes(self) -> dict[str, str]:
        return {}

    @contextmanager
    def serving(self, averaged: bool = True) -> Iterator[None]:
        network = self.networks[0]
        with self.ema.in_place() if self.ema is not None and averaged else nullcontext():
            self._share_statistics()
            network.set_train(False)
            try:
                yield
            finally:
                self._set_train()

    def logits(self, images: np.ndarray) -> np.ndarray:
        with self._explaining("scoring"):
            return self.networks[0](Tensor(images)).asnumpy()

    def _share_statistics(self) -> None:
        """Every process gathers batch statistics of its own images. Training never looks at them;
        those of the first are saved, so those are what is scored."""
        if self._ranks.ranks == 1:
            return
        statistics = [
            p for p in self.networks[0].get_parameters()
            if p.name.endswith((".moving_mean", ".moving_variance"))
        ]  # fmt: skip
        shared = self._ranks.take_first([p.asnumpy() for p in statistics])
        for parameter, first in zip(statistics, shared, strict=True):
            ops.assign(parameter, Tensor(first))  # see ema


def freeze(network: Any, masks: Mapping[str, HostNoise], nodes: Collection[str]) -> list[Any]:
    """Let the weights of nodes have no gradients; the nodes' cells, which are to stay in
    evaluation."""
    cells = [masks[node] for node in nodes if node in masks]
    for _, cell in network.cells_and_names():
        own = [p for _, p in cell.parameters_and_names(expand=False) if node_of(p.name) in nodes]
        for parameter in own:
            parameter.requires_grad = False
        if own and not [*cell.cells()]:
            cells.append(cell)
    return cells


def read(pending: Sequence[Pending]) -> list[tuple[float, np.ndarray]]:
    """Losses and logits of steps. Of several networks' logits the first's."""
    return [
        (float(loss.asnumpy()), (logits[0] if isinstance(logits, tuple) else logits).asnumpy())
        for loss, logits in pending
    ]
