"""PyTorch as training wants a backend: what training.backend.find_backend("torch") is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.compiler.model import Model
from archspec.errors import UsageError, did_you_mean
from archspec.machine import DEVICES
from archspec.training.backends.torch import ranks
from archspec.training.distributed import Job, Ranks, Team

if TYPE_CHECKING:
    from archspec.compiler.supernet import Supernet
    from archspec.training.backend import Backend, GatedTrainer, Predictor, Trainer
    from archspec.training.build import Learners
    from archspec.training.data.pipeline import Pipeline
    from archspec.training.recipe import Recipe
    from archspec.training.schedules import Rates
    from archspec.training.search.single_path.runtime import Runtime

SWITCHES: Mapping[str, tuple[str, ...]] = {"compile": ("GPU",), "deterministic": ()}
"""What can be turned on and off for a run, and the devices on which it is on by default."""


class Torch:
    """What trains is imported on use: to read a recipe's settings takes none of it."""

    name = "torch"
    devices = DEVICES

    def told_by(self, environment: Mapping[str, str] | None = None) -> str | None:
        return ranks.told_by(environment)

    def join(self, device: str) -> Ranks:
        return ranks.join(device)

    def switches(self, device: str, wanted: Mapping[str, bool]) -> Mapping[str, bool]:
        for name in wanted:
            if name not in SWITCHES:
                raise UsageError(f"PyTorch has no switch {name!r}{did_you_mean(name, SWITCHES)}")
        usual = {name: device in devices for name, devices in SWITCHES.items()}
        return {**usual, **wanted}

    def job(self) -> Job:
        return ranks.job()

    def team(self, workers: int) -> Team:
        return ranks.team_of(workers)

    def pipeline(self, *arguments: Any, **settings: Any) -> Pipeline:
        from archspec.training.backends.torch.data import TrainPipeline

        return TrainPipeline(*arguments, **settings)

    def trainer(self, learners: Learners, rates: Rates, ranks: Ranks) -> Trainer:
        from archspec.training.backends.torch.trainer import ModuleTrainer

        return ModuleTrainer(learners, rates, ranks)

    def predictor(self, model: Model) -> Predictor:
        from archspec.training.backends.torch.trainer import ModulePredictor

        return ModulePredictor(model)

    def gated_trainer(
        self,
        supernet: Supernet,
        recipe: Recipe,
        runtime: Runtime,
        rates: Rates,
        temperature: float,
        has_target: bool,
    ) -> GatedTrainer:
        from archspec.training.backends.torch.device import taken_device
        from archspec.training.backends.torch.failures import explain_failures
        from archspec.training.backends.torch.supernet import GatedModuleTrainer

        models = [Model(supernet.graph, {})]
        with explain_failures(models, recipe, taken_device(), "setting up a search with"):
            return GatedModuleTrainer(supernet, recipe, runtime, rates, temperature, has_target)


BACKEND: Backend = Torch()
