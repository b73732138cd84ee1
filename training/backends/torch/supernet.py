"""A supernet that learns, built once for all searches of a space (training.backend)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from archspec.compiler import Model
from archspec.compiler.supernet import Supernet
from archspec.compiler.targets.torch import weight_names
from archspec.compiler.targets.torch.gates import add_gates
from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.initialize import initialize
from archspec.training.backend import Pending
from archspec.training.backends.torch.device import on_device, taken_device
from archspec.training.backends.torch.failures import explain_failures
from archspec.training.backends.torch.losses import LabelLoss, cross_entropy
from archspec.training.backends.torch.noise import drop_nothing, set_masks, take_over
from archspec.training.backends.torch.optimizers import build_optimizer
from archspec.training.backends.torch.precision import set_products
from archspec.training.backends.torch.step import Together, TrainStep, as_array
from archspec.training.backends.torch.threshold_step import GatedRuntime, ThresholdStep
from archspec.training.backends.torch.thresholds import Gating
from archspec.training.backends.torch.trainer import Images, build_module, read
from archspec.training.recipe import Precision, Recipe
from archspec.training.schedules import Rates
from archspec.training.search.single_path.runtime import Runtime
from archspec.training.search.single_path.thresholds import PREFIX


class GatedModuleTrainer:
    """The supernet's module, whose `gates` are a tensor, and the steps of both that learn."""

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
        self.device = taken_device()
        set_products(Precision(), self.device)
        self._recipe = recipe
        self._start = Model(supernet.graph, initialize(supernet.graph, recipe.init.scheme))
        self.network = build_module(self._start)
        self.masks = take_over(self.network, supernet.graph, recipe.batch)
        tensors = _tensors(self.network)
        names = weight_names(supernet.graph)
        self._weights = {path: tensors[name] for path, name in names.items()}
        self.gates = add_gates(self.network, supernet)
        # a weight with a mask has another name from here on, and is the same tensor
        paths = {weight: path for path, weight in self._weights.items()}
        tensors = _tensors(self.network)
        self._names = {paths[tensor]: name for name, tensor in tensors.items() if tensor in paths}
        trained = {p: w for p, w in self._weights.items() if isinstance(w, nn.Parameter)}
        self.every_gate = torch.ones_like(self.gates)
        gating = Gating(supernet, self._weights, temperature)
        self.weight_step = TrainStep(
            {"": self.network},
            Together([self.network]),
            LabelLoss(recipe.loss.smoothing),
            build_optimizer(recipe.optimizer, trained),
            rates,
            clip_norm=recipe.optimizer.clip_norm,
        )
        self.threshold_step = ThresholdStep(
            self.network,
            self.gates,
            partial(cross_entropy, smoothing=recipe.loss.smoothing),
            gating,
            GatedRuntime(supernet, runtime, self.device),
            has_target,
        )
        self._gating = gating
        self._images = Images(supernet.graph)

    def step(
        self,
        images: np.ndarray | Tensor,
        labels: np.ndarray,
        masks: Mapping[str, np.ndarray],
        kept: np.ndarray,
    ) -> Pending:
        with explain_failures([self._start], self._recipe, self.device):
            set_masks(self.masks, masks)
            self._open(torch.from_numpy(kept.astype(np.float32)))
            return self.weight_step(self._images(images), on_device(labels, self.device))

    def step_thresholds(
        self,
        images: np.ndarray | Tensor,
        labels: np.ndarray,
        masks: Mapping[str, np.ndarray],
        lam: float,
        target: float,
        rate: float,
    ) -> Pending:
        with explain_failures([self._start], self._recipe, self.device):
            set_masks(self.masks, masks)
            self._open(self.every_gate)
            there = self._images(images), on_device(labels, self.device)
            return self.threshold_step(*there, lam, target, rate)

    def read(self, pending: Sequence[Pending]) -> list[tuple[float, np.ndarray]]:
        return read(pending)

    def state(self) -> dict[str, np.ndarray]:
        paths = {name: path for path, name in self._names.items()}
        found = {paths.get(name, name): one for name, one in self.weight_step.state().items()}
        own = self.threshold_step.state()
        return found | {PREFIX + name: as_array(tensor) for name, tensor in own.items()}

    @torch.no_grad()
    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        named = {self._names.get(path, path): array for path, array in arrays.items()}
        self.weight_step.set_state(named)
        for name, tensor in self.threshold_step.state().items():
            tensor.copy_(torch.tensor(arrays[PREFIX + name]))  # a copy, for it may be read-only

    def set_gates(self) -> list[float]:
        self._open(self.every_gate)
        return self.gates.tolist()

    @torch.no_grad()
    def margins(self) -> list[float]:
        return self._gating.open_all(self.every_gate)[1].tolist()

    def take_gates(self, gates: Sequence[float]) -> None:
        self.gates.copy_(torch.tensor(gates))

    @torch.no_grad()
    def gather_statistics(self, batches: Iterable[np.ndarray]) -> None:
        drop_nothing(self.masks)
        for images in batches:
            self.network(self._images(images))

    def weights(self) -> dict[str, Array]:
        return {path: as_array(weight) for path, weight in self._weights.items()}

    @contextmanager
    def serving(self) -> Iterator[None]:
        self.network.eval()
        try:
            yield
        finally:
            self.network.train()

    @torch.inference_mode()
    def logits(self, images: np.ndarray) -> np.ndarray:
        with explain_failures([self._start], self._recipe, self.device, "scoring"):
            return self.network(self._images(images)).cpu().numpy()

    @torch.no_grad()
    def _open(self, kept: Tensor) -> None:
        """Open the gates that are kept and that the thresholds leave open."""
        self.gates.copy_(self._gating(kept.to(self.device)))


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    """A network's parameters and buffers, by the names that a state_dict has for them."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
