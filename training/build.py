"""From a run to what a backend trains: networks, the weights they start from, places of masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archspec.compiler.model import Model
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import load_weights
from archspec.training.noise import Place, places_of
from archspec.training.recipe import Recipe
from archspec.training.run import Run
from archspec.training.tuning import Paces, find_frozen, find_paces


@dataclass(frozen=True)
class Learners:
    """What learns, as it is before the first step: `models`, the first being what it is all for,
    from the labels, from each other and from the `teacher`, as the recipe says. The steps are
    given masks for `places`, those of further networks prefixed as the networks are. `switches` are
    the backend's own. Of the first network the nodes `frozen` stay as they are and compute as in
    evaluation, and weights by path have the `paces`."""

    models: tuple[Model, ...]
    teacher: Model | None
    recipe: Recipe
    device: str
    places: tuple[Place, ...]
    switches: Mapping[str, bool]
    frozen: frozenset[str] = frozenset()
    paces: Paces = field(default_factory=dict)


def peer_prefix(index: int) -> str:
    """What the names of the i-th network's parameters and places begin with in a state."""
    return f"peer{index}." if index else ""


def learners_of(run: Run) -> Learners:
    """All that a run trains. Raises SpecError where weights to start from do not fit."""
    recipe = run.recipe
    teacher, distill = run.teacher, recipe.loss.distill
    frozen = find_frozen(run.networks[0], recipe)
    return Learners(
        tuple(_start(run, index) for index in range(len(run.networks))),
        None
        if teacher is None or distill is None
        else Model(teacher, load_weights(distill.weights, teacher)),
        recipe,
        run.facts["device"],
        tuple(
            place
            for index, graph in enumerate(run.networks)
            for place in places_of(graph, recipe.batch, peer_prefix(index))
        ),
        run.facts.get("switches", {}),
        frozen,
        find_paces(run.networks[0], recipe, frozen),
    )


def _start(run: Run, index: int) -> Model:
    recipe, graph = run.recipe, run.networks[index]
    given, reset = run.facts["weights"], run.facts.get("reset", ())
    if index == 0 and given is not None and not reset:
        return Model(graph, load_weights(given, graph))
    # networks of one spec that learn from each other must not start as one
    drawn = initialize(graph, recipe.init.scheme, recipe.seed + index)
    if index == 0 and given is not None:
        drawn |= load_weights(given, graph, but=reset)
    return Model(graph, drawn)
