"""MindSpore as training wants a backend: what training.backend.find_backend("mindspore") is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.compiler.model import Model
from archspec.compiler.supernet import Supernet
from archspec.compiler.targets.mindspore.device import DEVICES
from archspec.errors import UsageError
from archspec.training.backend import Backend, GatedTrainer, Predictor, Trainer
from archspec.training.backends.mindspore import ranks
from archspec.training.build import Learners
from archspec.training.data.pipeline import Pipeline
from archspec.training.distributed import Job, Ranks, Team
from archspec.training.recipe import Recipe
from archspec.training.schedules import Rates
from archspec.training.search.single_path.runtime import Runtime


class MindSpore:
    """What of MindSpore is imported is imported on use: a launcher and a reader of settings need
    none of it."""

    name = "mindspore"
    devices = tuple(DEVICES)

    def told_by(self, environment: Mapping[str, str] | None = None) -> str | None:
        return ranks.told_by(environment)

    def join(self, device: str) -> Ranks:
        return ranks.join(device)

    def switches(self, device: str, wanted: Mapping[str, bool]) -> Mapping[str, bool]:
        for name in wanted:
            raise UsageError(
                f"MindSpore has no switch {name!r}; use --backend torch, or leave it out"
            )
        return {}

    def job(self) -> Job:
        return Job()

    def team(self, workers: int) -> Team:
        return ranks.team_of(workers)

    def pipeline(self, *arguments: Any, **settings: Any) -> Pipeline:
        from archspec.training.backends.mindspore.data import TrainPipeline

        return TrainPipeline(*arguments, **settings)

    def trainer(self, learners: Learners, rates: Rates, ranks: Ranks) -> Trainer:
        from archspec.training.backends.mindspore.trainer import CellTrainer

        return CellTrainer(learners, rates, ranks)

    def predictor(self, model: Model) -> Predictor:
        from archspec.compiler import build
        from archspec.training.backends.mindspore.trainer import CellPredictor

        return CellPredictor(build(model))

    def gated_trainer(
        self,
        supernet: Supernet,
        recipe: Recipe,
        runtime: Runtime,
        rates: Rates,
        temperature: float,
        has_target: bool,
    ) -> GatedTrainer:
        from archspec.training.backends.mindspore.supernet import GatedCellTrainer

        return GatedCellTrainer(supernet, recipe, runtime, rates, temperature, has_target)


BACKEND: Backend = MindSpore()
