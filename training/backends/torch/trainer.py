"""Networks that learn, as training.backend wants them, and a network that only answers."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from archspec.compiler.images.preprocess import factors_of
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.model import Model, node_of
from archspec.compiler.pipeline import for_training
from archspec.compiler.quantize.ranges import RANGES
from archspec.compiler.targets.torch import to_module, weight_names
from archspec.compiler.targets.torch.source import module_names
from archspec.compiler.weights.arrays import Array
from archspec.graph import Graph
from archspec.training.backend import Pending
from archspec.training.backends.torch.device import on_device, taken_device
from archspec.training.backends.torch.ema import Ema
from archspec.training.backends.torch.failures import explain_failures, explain_scoring
from archspec.training.backends.torch.int8 import RANGE, ranges_in, round_layers
from archspec.training.backends.torch.layout import lay_out
from archspec.training.backends.torch.losses import build_loss
from archspec.training.backends.torch.noise import HostNoise, set_masks, take_over
from archspec.training.backends.torch.optimizers import build_optimizer
from archspec.training.backends.torch.precision import cast, set_products
from archspec.training.backends.torch.reducer import share_work
from archspec.training.backends.torch.step import Together, TrainStep, as_array
from archspec.training.build import Learners, peer_prefix
from archspec.training.distributed import Ranks
from archspec.training.precision import fit_precision
from archspec.training.schedules import Rates

STATISTICS = ("running_mean", "running_var", RANGE)


def build_module(model: Model) -> nn.Module:
    """A network on the device that this process has taken, in training mode, laid out as CPUs and
    GPUs compute convolutions fastest (channels last)."""
    return lay_out(to_module(for_training(model)).to(taken_device()))


class Images:
    """From what pipelines give to what a network takes, on the device."""

    def __init__(self, graph: Graph):
        normalize = preprocessing_of(graph.preprocessing, graph.input_shape).normalize
        self.device = taken_device()
        shape = (1, -1, 1, 1)
        scale, shift = (torch.from_numpy(one).reshape(shape) for one in factors_of(normalize))
        self.scale, self.shift = scale.to(self.device), shift.to(self.device)

    def __call__(self, images: np.ndarray | Tensor) -> Tensor:
        """float32 NCHW, channels last, of uint8 NHWC or float32 NCHW."""
        there = on_device(images, self.device)
        if there.dtype == torch.uint8:
            there = there.permute(0, 3, 1, 2) * self.scale - self.shift
        return there.contiguous(memory_format=torch.channels_last)


class ModulePredictor:
    """A module in inference."""

    def __init__(self, model: Model):
        self._model = model
        with explain_scoring(model, taken_device()):
            self.module = build_module(model).eval()

    @torch.inference_mode()
    def logits(self, images: np.ndarray) -> np.ndarray:
        with explain_scoring(self._model, taken_device(), len(images)):
            there = on_device(images, taken_device()).contiguous(memory_format=torch.channels_last)
            return self.module(there).float().cpu().numpy()


class ModuleTrainer:
    """The modules of a run and the one step that they are trained by.

    `networks` are those that learn, of which the first is what it is all for.
    """

    def __init__(self, learners: Learners, rates: Rates, ranks: Ranks):
        self.device = taken_device()
        task = "setting up a training on"
        with explain_failures(learners.models, learners.recipe, self.device, task):
            self._set_up(learners, rates, ranks)

    def _set_up(self, learners: Learners, rates: Rates, ranks: Ranks) -> None:
        recipe = learners.recipe
        # nothing draws from it, and what might some day is not left to chance
        torch.manual_seed(recipe.seed)
        self._learners = learners
        self._ranks = ranks
        self.precision = fit_precision(recipe.precision, learners.device)
        set_products(self.precision, self.device)
        if learners.switches.get("deterministic"):
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which cuBLAS asks for
            torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = not learners.switches.get("deterministic", True)
        self.networks = [build_module(model) for model in learners.models]
        if recipe.quantize:
            for network, model in zip(self.networks, learners.models, strict=True):
                round_layers(network, model.graph)
        self._served = self.networks[0]
        settings = recipe.optimizer
        self.ema = recipe.ema and Ema(self.networks[0], recipe.ema.decay, recipe.ema.warmup)
        self.masks: dict[str, HostNoise] = {}
        optimized: dict[str, nn.Parameter] = {}
        for index, (network, model) in enumerate(zip(self.networks, learners.models, strict=True)):
            prefix = peer_prefix(index)
            self.masks |= take_over(network, model.graph, recipe.batch, prefix)
            if index == 0:
                self._frozen = freeze(network, model.graph, learners.frozen)
            parameters = {n: p for n, p in network.named_parameters() if p.requires_grad}
            names = weight_names(model.graph)
            optimized |= {prefix + p: parameters[n] for p, n in names.items() if n in parameters}
            if learners.switches.get("compile") and not recipe.quantize:
                network.compile(fullgraph=True)
        self.skips_steps = self.precision.loss_scale.is_dynamic
        self._images = Images(learners.models[0].graph)
        self._step = TrainStep(
            {peer_prefix(index): network for index, network in enumerate(self.networks)},
            share_work(Together(self.networks), ranks),
            build_loss(recipe.loss),
            build_optimizer(settings, optimized, learners.paces),
            rates,
            teacher=None if learners.teacher is None else build_module(learners.teacher).eval(),
            precision=self.precision,
            clip_norm=settings.clip_norm,
            accumulate=settings.accumulate,
            ema=self.ema,
        )
        self._set_train()

    def _set_train(self) -> None:
        for network in self.networks:
            network.train()
        for module in self._frozen:
            module.eval()

    def step(
        self, images: np.ndarray | Tensor, labels: np.ndarray, masks: Mapping[str, np.ndarray]
    ) -> Pending:
        with self._explaining():
            set_masks(self.masks, masks)
            return self._step(self._images(images), on_device(labels, self.device))

    def read(self, pending: Sequence[Pending]) -> list[tuple[float, np.ndarray]]:
        with self._explaining():
            return read(pending)

    def state(self) -> dict[str, np.ndarray]:
        with self._explaining("saving a training on"):
            return self._step.state()

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        with self._explaining("resuming a training on"):
            self._step.set_state(arrays)

    def weights(self) -> dict[str, Array]:
        return weights_in(self._served, self._learners.models[0].graph)

    def notes(self) -> dict[str, str]:
        graph = self._learners.models[0].graph
        ranges = ranges_in(self._served, graph) if self._learners.recipe.quantize else {}
        return {RANGES: json.dumps(ranges)} if ranges else {}

    @contextmanager
    def serving(self, averaged: bool = True) -> Iterator[None]:
        network = self.networks[0] if self.ema is None or not averaged else self.ema.network
        self._share_statistics(network)
        self._served = network.eval()
        try:
            yield
        finally:
            self._served = self.networks[0]
            self._set_train()

    @torch.inference_mode()
    def logits(self, images: np.ndarray) -> np.ndarray:
        with self._explaining("scoring"), cast(self.precision, self.device):
            return self._served(self._images(images)).float().cpu().numpy()

    def _explaining(self, task: str = "a step on") -> AbstractContextManager[None]:
        return explain_failures(self._learners.models, self._learners.recipe, self.device, task)

    def _share_statistics(self, network: nn.Module) -> None:
        """Every process gathers batch statistics of its own images. Training never looks at them;
        those of the first are saved, so those are what is scored."""
        if self._ranks.ranks == 1:
            return
        statistics = [
            tensor for name, tensor in network.named_buffers()
            if name.rpartition(".")[2] in STATISTICS
        ]  # fmt: skip
        shared = self._ranks.take_first([as_array(tensor) for tensor in statistics])
        for tensor, first in zip(statistics, shared, strict=True):
            tensor.copy_(torch.from_numpy(first))


def freeze(network: nn.Module, graph: Graph, nodes: Collection[str]) -> list[nn.Module]:
    """Let the weights of nodes have no gradients; the nodes' modules, which are to stay in
    evaluation."""
    parameters = dict(network.named_parameters())
    for path, name in weight_names(graph).items():
        if node_of(path) in nodes and name in parameters:
            parameters[name].requires_grad_(False)
    # an addition, say, is not a module
    modules, names = dict(network.named_modules()), module_names(graph)
    return [modules[names[node]] for node in nodes if names.get(node) in modules]


def weights_in(network: nn.Module, graph: Graph) -> dict[str, Array]:
    """A module's weights by the graph's weight paths, as copies."""
    found = network.state_dict()
    return {path: as_array(found[name]) for path, name in weight_names(graph).items()}


def read(pending: Sequence[Pending]) -> list[tuple[float, np.ndarray]]:
    """Losses and logits of steps."""
    return [(float(loss), logits.float().cpu().numpy()) for loss, logits in pending]
