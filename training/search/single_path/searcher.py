"""A supernet's trainer with what is drawn for its steps, which is the same whatever trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archspec.compiler.supernet import Supernet
from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.initialize import initialize
from archspec.training.backend import GatedTrainer, Pending
from archspec.training.noise import draw_mask, draw_masks, places_of
from archspec.training.recipe import Recipe

OF_THRESHOLDS = 2**40
"""Added to the number of a step that masks are drawn for, where it is one of the thresholds."""


class Searcher:
    """One trainer for all searches of a space: what it is compiled for does not change."""

    def __init__(self, trainer: GatedTrainer, supernet: Supernet, recipe: Recipe):
        self.trainer = trainer
        self.supernet = supernet
        self.recipe = recipe
        self._places = places_of(supernet.graph, recipe.batch)
        self._at_start = {name: array.copy() for name, array in trainer.state().items()}

    def restart(self, seed: int) -> None:
        """Set everything as it is before the first step of a search with this seed."""
        weights = initialize(self.supernet.graph, self.recipe.init.scheme, seed)
        self.trainer.set_state({**self._at_start, **weights})

    def learn_weights(
        self, images: Array, labels: Array, seed: int, step: int, keep: float
    ) -> Pending:
        """Begin a step of the weights, with gates left open by their thresholds closed but for a
        share of `keep`."""
        masks = draw_masks(self._places, seed, step)
        kept = draw_mask(1 - keep, (self.supernet.gates,), seed, step, "gates") > 0
        return self.trainer.step(images, labels, masks, kept)

    def learn_thresholds(
        self, images: Array, labels: Array, seed: int, step: int, numbers: tuple[float, ...]
    ) -> Pending:
        """Begin a step of the thresholds. `numbers` are lam, the target (1 without) and the
        rate."""
        masks = draw_masks(self._places, seed, OF_THRESHOLDS + step)
        return self.trainer.step_thresholds(images, labels, masks, *numbers)

    def take(self, assignment: Mapping[str, Any]) -> None:
        """Open and close gates as an assignment says, whatever the thresholds do."""
        self.trainer.take_gates(np.asarray(self.supernet.gates_of(assignment)).tolist())
