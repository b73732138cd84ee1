"""Operations on an image, "L" or "RGB" of 8 bits, that policies of augmentation are made of.

Each gives an image of the same mode and size. What moves pixels takes the nearest and fills with
black.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageEnhance, ImageOps

Change: TypeAlias = Callable[[Image.Image, float], Image.Image]

HUES = 256
"""Of HSV's 8 bits, at which a turn begins again, as torchvision's does."""


def brighten(image: Image.Image, factor: float) -> Image.Image:
    """Away from black."""
    return ImageEnhance.Brightness(image).enhance(factor)


def add_contrast(image: Image.Image, factor: float) -> Image.Image:
    """Away from the mean of its grey."""
    return ImageEnhance.Contrast(image).enhance(factor)


def saturate(image: Image.Image, factor: float) -> Image.Image:
    """Away from its own grey; of an image of grey, the image."""
    return ImageEnhance.Color(image).enhance(factor)


def sharpen(image: Image.Image, factor: float) -> Image.Image:
    """Away from a smooth copy."""
    return ImageEnhance.Sharpness(image).enhance(factor)


def turn_hue(image: Image.Image, turns: float) -> Image.Image:
    """By a part of a turn of the colours, in steps of HSV's 8 bits. Grey stays as it is, and what
    is turned by no step, since the way to HSV and back loses bits."""
    steps = int(turns * (HUES - 1)) % HUES
    if image.mode == "L" or not steps:
        return image
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + steps) % HUES for level in range(HUES)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def posterize(image: Image.Image, lost: float) -> Image.Image:
    """With so many of 8 bits, rounded, set to 0."""
    return ImageOps.posterize(image, 8 - round(lost))


def solarize(image: Image.Image, lost: float) -> Image.Image:
    """With what is at least 255 - `lost` inverted."""
    return ImageOps.solarize(image, math.ceil(255 - lost))


def shear_x(image: Image.Image, slope: float) -> Image.Image:
    """Each row further left than the one above it by `slope` pixels; the first stays."""
    return _transform(image, (1, slope, 0, 0, 1, 0))


def shear_y(image: Image.Image, slope: float) -> Image.Image:
    """Each column further up than the one left of it by `slope` pixels; the first stays."""
    return _transform(image, (1, 0, 0, slope, 1, 0))


def shift_x(image: Image.Image, pixels: float) -> Image.Image:
    """To the right, by whole pixels."""
    return _transform(image, (1, 0, -int(pixels), 0, 1, 0))


def shift_y(image: Image.Image, pixels: float) -> Image.Image:
    """Down, by whole pixels."""
    return _transform(image, (1, 0, 0, 0, 1, -int(pixels)))


def rotate(image: Image.Image, degrees: float) -> Image.Image:
    """Counter-clockwise around its centre."""
    return image.rotate(degrees, Image.Resampling.NEAREST)


def _transform(image: Image.Image, back: tuple[float, ...]) -> Image.Image:
    """`back` is the affine map from places of the result to those of the image."""
    transform = Image.Transform.AFFINE
    return image.transform(image.size, transform, back, Image.Resampling.NEAREST)


@dataclass(frozen=True)
class Operation:
    """A change by magnitudes from 0 to `most`; what has none leaves it aside."""

    change: Change
    most: float = 0.0
    is_signed: bool = False

    def __call__(self, image: Image.Image, index: int, bins: int, is_negative: bool) -> Image.Image:
        """By magnitude `index` of 0 to bins - 1. A sign counts where the change has one."""
        magnitude = self.most * index / max(1, bins - 1)
        return self.change(image, -magnitude if self.is_signed and is_negative else magnitude)


def _space(
    slope: float, right: Change, down: Change, farthest: float, degrees: float, more: float,
    bits: int,
) -> dict[str, Operation]:  # fmt: skip
    """Operations by name, each with its greatest magnitude."""

    def enhance(change: Change) -> Operation:
        return Operation(lambda image, extra: change(image, 1 + extra), more, is_signed=True)

    return {
        "identity": Operation(lambda image, _: image),
        "shear_x": Operation(shear_x, slope, is_signed=True),
        "shear_y": Operation(shear_y, slope, is_signed=True),
        "translate_x": Operation(right, farthest, is_signed=True),
        "translate_y": Operation(down, farthest, is_signed=True),
        "rotate": Operation(rotate, degrees, is_signed=True),
        "brightness": enhance(brighten),
        "color": enhance(saturate),
        "contrast": enhance(add_contrast),
        "sharpness": enhance(sharpen),
        "posterize": Operation(posterize, bits),
        "solarize": Operation(solarize, 255),
        "auto_contrast": Operation(lambda image, _: ImageOps.autocontrast(image)),
        "equalize": Operation(lambda image, _: ImageOps.equalize(image)),
        "invert": Operation(lambda image, _: ImageOps.invert(image)),
    }


NARROW = _space(
    slope=0.3,
    right=lambda image, share: shift_x(image, share * image.width),
    down=lambda image, share: shift_y(image, share * image.height),
    farthest=150 / 331,
    degrees=30,
    more=0.9,
    bits=4,
)
"""Of RandAugment and AutoAugment, which translate by a share of the side."""

WIDE = _space(slope=0.99, right=shift_x, down=shift_y, farthest=32, degrees=135, more=0.99, bits=6)
"""Of TrivialAugment, which translates by pixels."""

DRAWN = tuple(name for name in NARROW if name != "invert")
"""What RandAugment and TrivialAugment choose from; policies of AutoAugment invert too."""
