"""What is wrong with a recipe: with its form, and between values that are right each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from archspec.check_values import check_object
from archspec.document import At
from archspec.errors import Problem, listed
from archspec.json_values import shown
from archspec.schema import Schema, closed_object
from archspec.training.augmentations import AUGMENTATIONS
from archspec.training.recipe import KEYS, VERSION, Cosine, Recipe, Sgd, Step
from archspec.training.recipe_schema import make_section, problems_of
from archspec.training.yaml_document import YamlDocument


def problems_of_recipe(document: YamlDocument) -> Iterator[Problem]:
    """All that is wrong with a recipe's text, `extends` and settings put in."""
    at = At(document)  # type: ignore[arg-type]
    data = document.data
    form = list(_problems_of_form(at))
    yield from form
    if not form:
        yield from _problems_of_sense(at, make_section(Recipe, data))


def _problems_of_form(at: At) -> Iterator[Problem]:
    data = at.document.data
    if "recipe" not in data:
        yield at.problem(f"a recipe lacks 'recipe', its version; use recipe: {VERSION}")
    yield from problems_of(Recipe, at, "a recipe", KEYS)
    entries = data.get("augment")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield from _problems_of_entry(at / "augment" / number, entry)


def _problems_of_entry(at: At, entry: Mapping[str, Any]) -> Iterator[Problem]:
    if len(entry) != 1:
        met = listed(list(entry), "and") or "none"
        yield at.problem(f"an augmentation is one key with its settings and this has {met}")
        return
    yield from check_object(_entry_schema(), at, "an augmentation")


@cache
def _entry_schema() -> Schema:
    return closed_object({name: fragment for name, (fragment, _) in AUGMENTATIONS.items()})


def _problems_of_sense(at: At, recipe: Recipe) -> Iterator[Problem]:
    """What is wrong between values that are right each by itself."""
    schedule, optimizer, loss = recipe.schedule, recipe.optimizer, recipe.loss
    if schedule.warmup_epochs >= recipe.epochs:
        yield (at / "schedule" / "warmup_epochs").problem(
            f"warmup_epochs is {schedule.warmup_epochs:g} and epochs is {recipe.epochs};"
            " use fewer than there are epochs"
        )
    if schedule.warmup_from > optimizer.lr:
        yield (at / "schedule" / "warmup_from").problem(
            f"warmup_from is {schedule.warmup_from:g} and the learning rate {optimizer.lr:g};"
            " use a lower one"
        )
    if isinstance(schedule, Cosine) and schedule.final > optimizer.lr:
        yield (at / "schedule" / "final").problem(
            f"final is {schedule.final:g} and the learning rate {optimizer.lr:g}; use a lower one"
        )
    if isinstance(schedule, Step) and list(schedule.milestones) != sorted(set(schedule.milestones)):
        yield (at / "schedule" / "milestones").problem(
            f"milestones are {list(schedule.milestones)}; use each later than the one before"
        )
    if isinstance(optimizer, Sgd) and optimizer.nesterov and not optimizer.momentum:
        yield (at / "optimizer" / "nesterov").problem(
            "nesterov looks ahead by the momentum, which is 0; use more than 0"
        )
    if recipe.data.balanced and not recipe.data.shuffle:
        yield (at / "data" / "balanced").problem(
            "balanced draws other images each epoch, and shuffle is false; use shuffle: true"
        )
    if loss.mutual and loss.distill:
        yield (at / "loss" / "distill").problem("distill stands beside mutual; use one of the two")
    if recipe.mix and not (recipe.mix.mixup or recipe.mix.cutmix):
        yield (at / "mix").problem("mix has neither mixup nor cutmix; use an alpha for one")
    for number, entry in enumerate(recipe.augment):
        yield from _problems_of_ranges(at / "augment" / number, entry)


def _problems_of_ranges(at: At, entry: Mapping[str, Any]) -> Iterator[Problem]:
    ((name, value),) = entry.items()
    if name == "random_resized_crop":
        for key in ("scale", "ratio"):
            if value[key][0] > value[key][1]:
                yield (at / name / key).problem(
                    f"{key} is {shown(value[key])}; use the smaller first"
                )
        if value["scale"][1] > 1:
            yield (at / name / "scale").problem(
                f"scale is {shown(value['scale'])}; use shares of the image's area, at most 1"
            )
    if name == "rand_augment" and value["magnitude"] >= value["bins"]:
        yield (at / name / "magnitude").problem(
            f"magnitude is {value['magnitude']} of {value['bins']} bins, which count from 0;"
            f" use at most {value['bins'] - 1}"
        )
