"""How a recipe's `augment` gives an image its size, by Pillow: the same pixels whatever trains.

Cut out and resized here as for evaluation: a training that saw images without antialiasing, and
was scored on images with it, would learn other textures than it is asked about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from PIL import Image

from archspec.compiler.images.preprocess import resize_image
from archspec.compiler.images.steps import Crop, Preprocessing, Resize, centre, resize_to

ATTEMPTS = 10
ON_COLORS = ("color_jitter", "rand_augment", "auto_augment", "trivial_augment")


Numbers: TypeAlias = Callable[[], np.random.Generator]
"""Gives the random numbers that are an image's own, for those that draw any."""


class Sizing(Protocol):
    """An image of another size."""

    def __call__(self, image: Image.Image, numbers: Numbers) -> Image.Image: ...


def channels_of(augment: Sequence[Mapping[str, Any]], preprocessing: Preprocessing) -> int:
    """What an image is opened as: grey, as for evaluation, where the network takes grey and nothing
    in between is about colors."""
    names = {next(iter(entry)) for entry in augment}
    return 3 if names & set(ON_COLORS) else preprocessing.channels


def as_for_evaluation(to: Preprocessing) -> Sizing:
    """The spec's own resize and centre crop, which draw nothing."""

    def size(image: Image.Image, numbers: Numbers) -> Image.Image:
        _, resize, crop, _ = to.steps(image.size)
        return resize_image(image, resize, crop)

    return size


def resize(size: int | list[int], to: Preprocessing) -> Sizing:
    """Pixels for the short side, or [height, width]."""
    wanted = size if isinstance(size, int) else (size[0], size[1])

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        return resize_image(image, resize_to(wanted, image.size, to.interpolation))

    return apply


def random_resized_crop(settings: Mapping[str, Any], to: Preprocessing) -> Sizing:
    """A part of the image, by its share of the area and the ratio of its sides, both drawn, brought
    to the network's size (arXiv 1409.4842, as torchvision has it)."""
    goal = Resize(to.width, to.height, settings["interpolation"])

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        part = _draw_crop(image.size, settings["scale"], settings["ratio"], numbers())
        return resize_image(resize_image(image, Resize(*image.size, goal.filter), part), goal)

    return apply


def _draw_crop(
    size: tuple[int, int], scale: list[float], ratio: list[float], generator: np.random.Generator
) -> Crop:
    """A part of an image of this (width, height); its centre where none of ten fits."""
    width, height = size
    lowest, highest = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(ATTEMPTS):
        area = generator.uniform(scale[0], scale[1]) * width * height
        sides = math.exp(generator.uniform(lowest, highest))
        wide, tall = round(math.sqrt(area * sides)), round(math.sqrt(area / sides))
        if 0 < wide <= width and 0 < tall <= height:
            left, top = generator.integers(width - wide + 1), generator.integers(height - tall + 1)
            return Crop(int(left), int(top), wide, tall)
    wide, tall = width, height
    if width / height < ratio[0]:
        tall = max(1, round(width / ratio[0]))
    elif width / height > ratio[1]:
        wide = max(1, round(height * ratio[1]))
    return Crop(centre(width, wide), centre(height, tall), wide, tall)


SIZINGS = {"random_resized_crop": random_resized_crop, "resize": resize}


def sizings_before(names: Sequence[str], to: Preprocessing) -> list[Sizing]:
    """What comes before all entries of these names: the size as for evaluation where none of them
    gives one, so that a random crop shifts an image by no more than its padding."""
    return [] if set(names) & set(SIZINGS) else [as_for_evaluation(to)]
