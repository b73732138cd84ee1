"""What a recipe may ask of its images: augmentations by name, with the schema of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.document_schema import FILTERS
from archspec.schema import Schema, closed_object, described
from archspec.training.recipe_schema import (
    AT_LEAST_ZERO,
    NATURAL,
    OVER_ZERO,
    POSITIVE,
    PROBABILITY,
    several,
)

INTERPOLATION: Schema = {"enum": [*FILTERS]}
RANGE: Schema = several(OVER_ZERO, 2, 2)
STRENGTH: Schema = AT_LEAST_ZERO

AUGMENTATIONS: Mapping[str, tuple[Schema, Mapping[str, Any]]] = {
    "random_resized_crop": (
        described(
            closed_object({"scale": RANGE, "ratio": RANGE, "interpolation": INTERPOLATION}),
            "cut out a part, as a share of the area and width over height, and resize it",
        ),
        {"scale": [0.08, 1.0], "ratio": [0.75, 4 / 3], "interpolation": "bilinear"},
    ),
    "random_crop": (
        described(
            closed_object({"padding": NATURAL}), "pad with black and cut the input's size out"
        ),
        {"padding": 4},
    ),
    "resize": (
        described(
            {"anyOf": [POSITIVE, several(POSITIVE, 2, 2)]},
            "resize to a short side, or to [height, width]",
        ),
        {},
    ),
    "horizontal_flip": (described(PROBABILITY, "mirror with this probability"), {}),
    "vertical_flip": (described(PROBABILITY, "turn upside down with this probability"), {}),
    "color_jitter": (
        described(
            closed_object(
                {
                    "brightness": STRENGTH,
                    "contrast": STRENGTH,
                    "saturation": STRENGTH,
                    "hue": {"type": "number", "minimum": 0, "maximum": 0.5},
                }
            ),
            "strengths as torchvision's: brightness 0.4 is a factor from 0.6 to 1.4",
        ),
        {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0},
    ),
    "rand_augment": (
        described(
            closed_object({"ops": POSITIVE, "magnitude": NATURAL, "bins": POSITIVE}),
            "RandAugment, arXiv 1909.13719; magnitude counts from 0 to bins - 1",
        ),
        {"ops": 2, "magnitude": 9, "bins": 31},
    ),
    "auto_augment": (
        described({"enum": ["imagenet", "cifar10", "svhn"]}, "AutoAugment, arXiv 1805.09501"),
        {},
    ),
    "trivial_augment": (
        described(POSITIVE, "TrivialAugment, arXiv 2103.10158; the number of bins"),
        {},
    ),
    "random_erasing": (
        described(PROBABILITY, "Random Erasing, arXiv 1708.04896, with this probability"),
        {},
    ),
}
"""Augmentations by name: the schema of what is set of them, and what is not set of them. Strengths
of color_jitter are those of torchvision: brightness 0.4 is a factor from 0.6 to 1.4. `magnitude` is
of `bins` - 1: timm's m9 is 9 of 11 bins, torchvision's default 9 of 31; trivial_augment has the
number of bins alone. resize is to a short side, or to [height, width]."""


def fill_augmentations(entries: list[dict[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The entries with their defaults filled in; each is an object of one key, name: settings."""
    result: list[Mapping[str, Any]] = []
    for entry in entries:
        ((name, value),) = entry.items()
        if isinstance(value, dict):
            value = {**AUGMENTATIONS[name][1], **value}
        result.append({name: value})
    return tuple(result)
