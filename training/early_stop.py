"""A recipe's `early_stop`: an end before the last epoch, once nothing is gained any more."""

from __future__ import annotations

from typing import Protocol

from archspec.compiler.images.scores import Scores
from archspec.training.recipe import Recipe


class Gains(Protocol):
    """What a run remembers of it: the value that is watched at its last gain, and that epoch."""

    reference: float | None
    gained_epoch: int


def gains_no_more(recipe: Recipe, progress: Gains, scores: Scores, epoch: int) -> bool:
    """Whether a recipe wants an end after this epoch, which is not its last; remembers a gain."""
    settings = recipe.early_stop
    if settings is None:
        return False
    value = scores.top1 if settings.watch == "top1" else -scores.loss
    if progress.reference is None or value > progress.reference + settings.min_gain:
        progress.reference, progress.gained_epoch = value, epoch
    return epoch - progress.gained_epoch >= settings.patience and epoch < recipe.epochs


__all__ = ["Gains", "gains_no_more"]
