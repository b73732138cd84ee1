"""From a run to the one cell that is trained: networks with weights, masks, loss, optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from archspec.compiler import Model, build
from archspec.compiler.model import weights_of
from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import load_weights
from archspec.graph import Graph
from archspec.training.backends.mindspore.ema import Ema
from archspec.training.backends.mindspore.losses import build_loss
from archspec.training.backends.mindspore.optimizers import build_optimizer
from archspec.training.backends.mindspore.reducer import build_reducer
from archspec.training.backends.mindspore.step import TrainStep, together
from archspec.training.distributed import Ranks
from archspec.training.noise import PREFIX, Place, take_over
from archspec.training.precision import fitted, with_precision
from archspec.training.run import Run
from archspec.training.schedules import Rates


@dataclass(frozen=True)
class Trained:
    """What is trained: `networks` are cells of `graphs`, and the first is what it is all for."""

    graphs: tuple[Graph, ...]
    networks: tuple[Any, ...]
    step: TrainStep
    noise: tuple[Place, ...]
    ema: Ema | None
    skips_steps: bool

    @contextmanager
    def averaged(self, ranks: Ranks) -> Iterator[None]:
        """Within it the first network is as it will be served: with the moving average of its
        weights where the recipe has one, and the first process's batch statistics in all."""
        with nullcontext() if self.ema is None else self.ema.in_place():
            self.share_statistics(ranks)
            yield

    def weights(self) -> dict[str, Array]:
        """The first network's, by weight path."""
        found = {p.name: p for p in self.networks[0].get_parameters()}
        return {path: found[path].asnumpy().copy() for path in weights_of(self.graphs[0])}

    def share_statistics(self, ranks: Ranks) -> None:
        """Every process gathers batch statistics of its own images. Training never looks at them;
        those of the first are saved, so those are what is scored."""
        if ranks.ranks == 1:
            return
        statistics = [
            p for p in self.networks[0].get_parameters()
            if p.name.endswith((".moving_mean", ".moving_variance"))
        ]  # fmt: skip
        if not statistics:
            return
        flat = np.concatenate([p.asnumpy().reshape(-1) for p in statistics])
        shared = ranks.sum(flat * ranks.is_first).astype(np.float32)
        for parameter in statistics:
            own, shared = np.split(shared, [parameter.size])
            ops.assign(parameter, Tensor(own.reshape(parameter.shape)))  # see ema


def build_trained(run: Run, rates: Rates, ranks: Ranks) -> Trained:
    """Build all that is trained, as it is before the first step. Raises SpecError where weights to
    start from do not fit."""
    recipe, graphs = run.recipe, run.networks
    ms.set_seed(recipe.seed)  # nothing draws from it, and what might some day is not left to chance
    networks = [_network(run, index, graph) for index, graph in enumerate(graphs)]
    # The peers get names of their own first, for a new parent renames what masks are called.
    whole = networks[0] if len(networks) == 1 else together(networks)
    noise: list[Place] = []
    for index, (network, graph) in enumerate(zip(networks, graphs, strict=True)):
        noise += take_over(network, graph, recipe.batch, f"peer{index}." if index else "")
    precision = fitted(recipe.precision, run.facts["device"])
    whole = with_precision(whole, precision)

    settings = recipe.optimizer
    optimizer = build_optimizer(settings, whole.trainable_params(), rates)
    own = [p for p in networks[0].get_parameters() if not p.name.startswith(PREFIX)]
    ema = recipe.ema and Ema(own, recipe.ema.decay, recipe.ema.warmup)
    step = TrainStep(
        whole,
        build_loss(recipe.loss),
        optimizer,
        teacher=_teacher(run),
        loss_scale=precision.loss_scale,
        clip_norm=settings.clip_norm,
        accumulate=settings.accumulate,
        ema=ema,
        reducer=build_reducer(optimizer.parameters, ranks, run.facts["device"]),
    )
    step.set_train()  # the masks' cells too, which came after the networks were built
    skips_steps = precision.loss_scale.is_dynamic
    return Trained(graphs, tuple(networks), step, tuple(noise), ema, skips_steps)


def _network(run: Run, index: int, graph: Graph) -> Any:
    recipe = run.recipe
    if index == 0 and run.facts["weights"] is not None:
        weights = load_weights(run.facts["weights"], graph)
    else:
        # networks of one spec that learn from each other must not start as one
        weights = initialize(graph, recipe.init.scheme, recipe.seed + index)
    return build(Model(graph, weights))


def _teacher(run: Run) -> Any:
    graph, distill = run.teacher, run.recipe.loss.distill
    if graph is None or distill is None:
        return None
    return build(Model(graph, load_weights(distill.weights, graph)))
