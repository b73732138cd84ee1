"""What becomes of an image on its way into a network: one list of steps, made here of a spec's
`input` and interpreted by every library that prepares images.

    Pillow       preprocess, for evaluation, inference and all that training resizes
    MindSpore    augment, of its backend: what comes after the random operations of a training
    AIPP         deploy.aipp: Pillow resizes, the device cuts and normalises
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from archspec.errors import UsageError
from archspec.shapes import Shape, written

MODES = {1: "L", 3: "RGB"}
"""What Pillow calls 8 bits of grey, and of red, green and blue."""


@dataclass(frozen=True)
class Convert:
    """To 8 bits a channel: "L" or "RGB"."""

    mode: str


@dataclass(frozen=True)
class Resize:
    width: int
    height: int
    filter: str


@dataclass(frozen=True)
class Crop:
    """A part of the image, by its upper left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Normalize:
    """(pixel / 255 - mean) / std, per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


Step: TypeAlias = Convert | Resize | Crop | Normalize


@dataclass(frozen=True)
class Preprocessing:
    """What becomes of any image: `resize` pixels for its short side, or (height, width), then
    (height, width) cut from the centre, then per channel (pixel / 255 - mean) / std."""

    channels: int
    height: int
    width: int
    resize: int | tuple[int, int]
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> Shape:
        return (self.channels, self.height, self.width)

    def steps(self, size: tuple[int, int]) -> tuple[Convert, Resize, Crop, Normalize]:
        """What is done, in this order, with an image of this (width, height)."""
        resize = resize_to(self.resize, size, self.interpolation)
        return Convert(MODES[self.channels]), resize, self.crop(resize), self.normalize

    def crop(self, resized: Resize) -> Crop:
        left = centre(resized.width, self.width)
        return Crop(left, centre(resized.height, self.height), self.width, self.height)

    @property
    def normalize(self) -> Normalize:
        return Normalize(self.mean, self.std)


def resize_to(resize: int | tuple[int, int], size: tuple[int, int], kernel: str) -> Resize:
    """To `resize` pixels for the short side, or (height, width), of an image of this (width,
    height); a long side is cut to whole pixels, as torchvision does."""
    width, height = size
    if not isinstance(resize, int):
        return Resize(resize[1], resize[0], kernel)
    if width <= height:
        return Resize(resize, int(resize * height / width), kernel)
    return Resize(int(resize * width / height), resize, kernel)


def centre(extent: int, part: int) -> int:
    """Where a part begins that is cut from the centre."""
    return round((extent - part) / 2)


def preprocessing_of(settings: Mapping[str, Any], shape: Shape) -> Preprocessing:
    """What a spec's `input` means for a network of this input shape (channels, height, width).

    Without `resize` an image is brought to height x width whatever its sides' ratio. Where the
    shape is not the spec's own (--input 3x64x64), `resize` shrinks or grows in proportion. Raises
    UsageError for what no image can give.
    """
    channels, height, width = shape
    if channels not in MODES:
        raise UsageError(
            f"the network takes {written(shape)}, {channels} channels; images have 3, or 1 as grey"
        )
    mean = settings.get("mean", [0.0] * channels)
    for value in mean:
        if not 0 <= value <= 1:
            raise UsageError(
                f"the spec's input has a mean of {value}; use means of pixels scaled to 0..1"
            )
    rows, columns = _pair(settings.get("crop", settings.get("shape", shape)[1:]))
    resize = settings.get("resize", [rows, columns])
    if isinstance(resize, int):
        resize = round(resize * min(height / rows, width / columns))
        too_small = resize < max(height, width)
    else:
        resize = (round(resize[0] * height / rows), round(resize[1] * width / columns))
        too_small = resize[0] < height or resize[1] < width
    if too_small:
        raise UsageError(
            f"the spec's input is resized to {_shown(resize)}, from which {height}x{width} cannot"
            " be cut; use a larger resize"
        )
    return Preprocessing(
        channels,
        height,
        width,
        resize,
        settings.get("interpolation", "bilinear"),
        tuple(mean),
        tuple(settings.get("std", [1.0] * channels)),
    )


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _shown(resize: int | tuple[int, int]) -> str:
    return str(resize) if isinstance(resize, int) else f"{resize[0]}x{resize[1]}"
