"""A recipe's `augment` by Pillow and numpy, so that an image is augmented alike whatever trains.

Each augmentation makes of its settings a function of an image and of the random numbers that are
the image's own at this place of the chain. It asks for them once, and draws as its first line says:
always as many numbers in the same order, whatever comes of them, since runs resume to the bit. An
image keeps its mode, "L" or "RGB", and all but `random_crop` its size.

What is drawn for whole batches (ON_BATCHES) is done in training.mixing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from PIL import Image

from archspec.compiler.images.steps import Preprocessing
from archspec.errors import UsageError, did_you_mean
from archspec.training.augment_operations import (
    DRAWN,
    NARROW,
    WIDE,
    add_contrast,
    brighten,
    saturate,
    turn_hue,
)
from archspec.training.augment_policies import BINS, POLICIES
from archspec.training.sizing import SIZINGS, Numbers, sizings_before

Augmentation: TypeAlias = Callable[[Image.Image, Numbers], Image.Image]

ON_BATCHES = ("random_erasing",)


def augmentations(
    augment: Sequence[Mapping[str, Any]], preprocessing: Preprocessing
) -> list[Augmentation]:
    """What becomes of a decoded image, one after the other, until it has the network's size.

    `augment` are the entries of a recipe, {name: settings}. Each place of the result wants numbers
    of its own. Raises UsageError for a name that is not known.
    """
    entries = entries_of(augment)
    makers = {**SIZINGS, **AUGMENTATIONS}
    return [
        *sizings_before([name for name, _ in entries], preprocessing),
        *(makers[name](value, preprocessing) for name, value in entries if name in makers),
    ]


def entries_of(augment: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any]]:
    """Names and settings of a recipe's entries. Raises UsageError for a name that is not known."""
    entries = [next(iter(entry.items())) for entry in augment]
    known = [*SIZINGS, *AUGMENTATIONS, *ON_BATCHES]
    for name, _ in entries:
        if name not in known:
            raise UsageError(f"there is no augmentation {name!r}{did_you_mean(name, known)}")
    return entries


def random_crop(settings: Mapping[str, Any], to: Preprocessing) -> Augmentation:
    """Draws left, then top: a part of the network's size of an image with a black border of
    `padding` pixels. Raises UsageError where it cannot be cut out."""
    padding = settings["padding"]

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        across, down = (side + 2 * padding for side in image.size)
        if across < to.width or down < to.height:
            raise UsageError(
                f"random_crop cannot cut {to.height} x {to.width} pixels out of an image of"
                f" {image.height} x {image.width} with a border of {padding}; use a larger resize"
                " or padding"
            )
        generator = numbers()
        left = int(generator.integers(across - to.width + 1)) - padding
        top = int(generator.integers(down - to.height + 1)) - padding
        # what lies outside of an image is black
        return image.crop((left, top, left + to.width, top + to.height))

    return apply


def horizontal_flip(probability: float, _: Preprocessing) -> Augmentation:
    """Draws whether to mirror."""

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        if numbers().random() < probability:
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image

    return apply


def vertical_flip(probability: float, _: Preprocessing) -> Augmentation:
    """Draws whether to turn upside down, as a mirror below would."""

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        if numbers().random() < probability:
            return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return image

    return apply


def color_jitter(settings: Mapping[str, float], _: Preprocessing) -> Augmentation:
    """Draws the order of the four, then brightness, contrast, saturation and hue, each evenly: what
    has a strength of 0 is drawn and left out."""
    changes = (
        ("brightness", brighten),
        ("contrast", add_contrast),
        ("saturation", saturate),
        ("hue", turn_hue),
    )
    ranges = [_jitter_range(name, settings[name]) for name, _ in changes]

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        generator = numbers()
        order = generator.permutation(len(changes))
        values = [generator.uniform(*bounds) for bounds in ranges]
        for place in order:
            name, change = changes[place]
            if settings[name]:
                image = change(image, values[place])
        return image

    return apply


def _jitter_range(name: str, strength: float) -> tuple[float, float]:
    """A hue's lowest and highest turn, or the factors of the others, which are at least 0."""
    if name == "hue":
        return -strength, strength
    return max(0.0, 1 - strength), 1 + strength


def rand_augment(settings: Mapping[str, int], _: Preprocessing) -> Augmentation:
    """Draws the operation, then its sign, `ops` times (arXiv 1909.13719; ranges and operations are
    those of torchvision)."""

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        generator = numbers()
        for _ in range(settings["ops"]):
            operation = NARROW[DRAWN[generator.integers(len(DRAWN))]]
            is_negative = bool(generator.integers(2))
            image = operation(image, settings["magnitude"], settings["bins"], is_negative)
        return image

    return apply


def auto_augment(policy: str, _: Preprocessing) -> Augmentation:
    """Draws one of the policy's pairs, then whether either operation is done, then both signs
    (arXiv 1805.09501)."""
    pairs = POLICIES[policy]

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        generator = numbers()
        pair = pairs[generator.integers(len(pairs))]
        chances = generator.random(2)
        signs = generator.integers(2, size=2)
        for (name, probability, index), chance, sign in zip(pair, chances, signs, strict=True):
            if chance < probability:
                image = NARROW[name](image, index, BINS, bool(sign))
        return image

    return apply


def trivial_augment(bins: int, _: Preprocessing) -> Augmentation:
    """Draws the operation, then its magnitude from 0 to `bins` - 1, then its sign (arXiv
    2103.10158, the wide ranges)."""

    def apply(image: Image.Image, numbers: Numbers) -> Image.Image:
        generator = numbers()
        operation = WIDE[DRAWN[generator.integers(len(DRAWN))]]
        index = int(generator.integers(bins))
        return operation(image, index, bins, bool(generator.integers(2)))

    return apply


AUGMENTATIONS: Mapping[str, Callable[[Any, Preprocessing], Augmentation]] = {
    "random_crop": random_crop,
    "horizontal_flip": horizontal_flip,
    "vertical_flip": vertical_flip,
    "color_jitter": color_jitter,
    "rand_augment": rand_augment,
    "auto_augment": auto_augment,
    "trivial_augment": trivial_augment,
}
