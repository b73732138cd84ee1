"""What a call is to search, with all that can be wrong with it found before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from archspec.compiler.images.steps import Preprocessing, preprocessing_of
from archspec.compiler.supernet import Supernet, supernet_of
from archspec.errors import UsageError
from archspec.space import Space
from archspec.training.backend import Backend, find_lone_backend
from archspec.training.data import EvalPipeline, Pipeline, Source, check_fits
from archspec.training.plan import check_classifier, data_fingerprint, read_splits, scan_splits
from archspec.training.recipe import Recipe
from archspec.training.recipe_files import read_recipe
from archspec.training.schedules import learning_rates
from archspec.training.search.single_path.runtime import Runtime, runtime_of
from archspec.training.search.single_path.searcher import Searcher
from archspec.training.search.single_path.settings import SinglePathSettings
from archspec.training.search.single_path.split import split
from archspec.training.search.single_path.targets import Possible, possible

WARMUP_SHARE = 5 / 8
"""Of the epochs, as in the paper's code."""


@dataclass(frozen=True)
class Search:
    """One search: with this seed, for a target runtime or without."""

    seed: int
    lam: float
    target: float | None

    @property
    def name(self) -> str:
        if self.target is None:
            return f"seed{self.seed}-lam{self.lam:.12g}"
        return f"seed{self.seed}-target{self.target:.12g}"


@dataclass(frozen=True)
class SearchPlan:
    """What all searches of a call share. In the first `warmup` epochs weights alone learn."""

    settings: SinglePathSettings
    backend: Backend
    recipe: Recipe
    warmup: int
    supernet: Supernet
    runtime: Runtime
    possible: Possible | None
    """Runtimes that networks have, where there are targets."""
    train: Source
    val: Source

    @property
    def searches(self) -> Iterator[Search]:
        settings, first = self.settings, self.recipe.seed
        for seed in range(first, first + settings.seeds):
            if settings.target:
                yield from (Search(seed, settings.lam[0], target) for target in settings.target)
            else:
                yield from (Search(seed, lam, None) for lam in settings.lam)

    @property
    def data_fingerprint(self) -> str:
        return data_fingerprint(self.train, self.val)

    def pipelines(self, seed: int) -> tuple[Pipeline, Pipeline]:
        """Images for the weights and for the thresholds. Raises UsageError where one of the two has
        fewer than a batch."""
        recipe, preprocessing = self.recipe, self._preprocessing
        rest, held = split(self.train, self.settings.held_out, seed)
        workers = recipe.data.workers
        return (
            self.backend.pipeline(
                rest, preprocessing, recipe.augment, recipe.mix,
                batch=recipe.batch, seed=seed, workers=workers,
            ),
            self.backend.pipeline(
                held, preprocessing, recipe.augment, batch=recipe.batch, seed=seed, workers=workers
            ),
        )  # fmt: skip

    def validation(self) -> EvalPipeline:
        recipe = self.recipe
        return EvalPipeline(
            self.val, self._preprocessing, batch=recipe.batch, workers=recipe.data.workers
        )

    def searcher(self) -> Searcher:
        recipe = self.recipe
        steps = self.pipelines(recipe.seed)[0].steps_per_epoch
        trainer = self.backend.gated_trainer(
            self.supernet,
            recipe,
            self.runtime,
            learning_rates(recipe.schedule, recipe.optimizer.lr, recipe.epochs, steps),
            self.settings.temperature,
            bool(self.settings.target),
        )
        return Searcher(trainer, self.supernet, recipe)

    @property
    def _preprocessing(self) -> Preprocessing:
        return preprocessing_of(self.supernet.graph.preprocessing, self.supernet.graph.input_shape)


def plan_search(
    space: Space, settings: SinglePathSettings, say: Callable[[str], None]
) -> SearchPlan:
    """Settle what is searched. Raises SpecError for a space that no supernet holds, SpecError or
    UsageError for a recipe, a runtime or data that will not do."""
    backend = find_lone_backend(settings.backend, settings.device, "a single-path search")
    settings = replace(settings, backend=backend.name)
    supernet = supernet_of(space)
    check_classifier(supernet.graph)
    recipe = _recipe(settings)
    warmup = _warmup(settings, recipe)
    runtime = runtime_of(settings.runtime, supernet)
    near = possible(supernet, runtime) if settings.target else None
    for target in settings.target:
        assert near is not None
        near.check(target)
    splits = scan_splits(Path(settings.data))
    check_fits(splits[0], supernet.graph)
    train, val = read_splits(splits, recipe.data.workers)
    for note in (*runtime.notes, *_find_unused(recipe)):
        say(f"note: {note}")
    plan = SearchPlan(settings, backend, recipe, warmup, supernet, runtime, near, train, val)
    plan.pipelines(recipe.seed)  # which raises where there are too few images
    return plan


def _recipe(settings: SinglePathSettings) -> Recipe:
    """The recipe with what the settings say otherwise."""
    given = list(settings.recipe_settings)
    for name in ("epochs", "batch", "seed"):
        value = getattr(settings, name)
        if value is not None:
            given.append(f"{name}={value}")
    recipe = read_recipe(settings.recipe, given)
    for key, is_set in (
        ("loss.mutual", recipe.loss.mutual is not None),
        ("loss.distill", recipe.loss.distill is not None),
        ("optimizer.accumulate", recipe.optimizer.accumulate > 1),
        ("loss.class_weights", recipe.loss.class_weights is not None),
        ("data.balanced", recipe.data.balanced),
        ("early_stop", recipe.early_stop is not None),
        ("freeze", bool(recipe.freeze)),
        ("groups", bool(recipe.groups)),
    ):
        if is_set:
            raise UsageError(
                f"{recipe.name} sets {key}, with which no supernet learns; use a recipe without it"
            )
    return recipe


def _find_unused(recipe: Recipe) -> Iterator[str]:
    if recipe.ema is not None:
        yield f"the moving average of {recipe.name} is left out, because gates follow the weights"
    if recipe.precision.level != "O0":
        yield f"the supernet learns in float32, whatever the precision of {recipe.name}"


def _warmup(settings: SinglePathSettings, recipe: Recipe) -> int:
    if settings.warmup_epochs is None:
        return min(round(WARMUP_SHARE * recipe.epochs), recipe.epochs - 1)
    if settings.warmup_epochs >= recipe.epochs:
        raise UsageError(
            f"warmup_epochs is {settings.warmup_epochs} and epochs is {recipe.epochs}, which leaves"
            " none for the thresholds; use fewer"
        )
    return settings.warmup_epochs
