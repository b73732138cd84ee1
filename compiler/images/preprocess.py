"""From an image file to what a network takes, as its spec's `input` says, by Pillow and numpy.

Evaluation and `archspec predict` read images here. Pillow's resizing looks at every pixel under a
result's (it is antialiased), as in the code that most published networks were evaluated by.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from archspec.errors import UsageError
from archspec.shapes import Shape, written

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
MODES = {1: "L", 3: "RGB"}
PNG_END = b"IEND\xaeB`\x82"
SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class UnreadableImage(Exception):
    """Bytes are no image, or one that cannot be had whole; the message says why."""


@dataclass(frozen=True)
class Preprocessing:
    """What becomes of an image: `resize` pixels for its short side, or (height, width), then
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
                f"the spec's input has a mean of {value}; means of pixels scaled to 0..1 would do"
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
            " be cut; a larger resize would do"
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


def preprocess_image(
    path: str | os.PathLike[str], settings: Mapping[str, Any], shape: Shape
) -> np.ndarray:
    """An image file as a network of this spec's `input` and input shape takes it: float32, CHW.
    Raises UsageError for a file that is no image."""
    try:
        return preprocessed(Path(path).read_bytes(), preprocessing_of(settings, shape))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({(error.strerror or '').lower()})") from None
    except UnreadableImage as error:
        raise UsageError(f"{path} is no readable image ({error})") from None


def preprocessed(data: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """The bytes of an image file as float32, CHW. Raises UnreadableImage."""
    image = open_image(data, preprocessing.channels)
    size = resized_size(image.size, preprocessing.resize)
    if size != image.size:
        image = image.resize(size, RESAMPLING[preprocessing.interpolation])
    left = round((size[0] - preprocessing.width) / 2)
    top = round((size[1] - preprocessing.height) / 2)
    image = image.crop((left, top, left + preprocessing.width, top + preprocessing.height))
    scale = (1 / (255 * np.array(preprocessing.std))).astype(np.float32)
    shift = (np.array(preprocessing.mean) / np.array(preprocessing.std)).astype(np.float32)
    result = np.empty(preprocessing.shape, np.float32)
    for plane, channel, factor, less in zip(result, image.split(), scale, shift, strict=True):
        np.multiply(np.asarray(channel), factor, out=plane)
        plane -= less
    return result


def open_image(data: bytes, channels: int = 3) -> Image.Image:
    """An image as RGB, or grey for one channel, 8 bits each. Raises UnreadableImage.

    As elsewhere in the field, transparency and the camera's orientation (EXIF) are left aside and
    of an animation the first picture counts.
    """
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        return _eight_bits(image).convert("RGB").convert(MODES[channels])
    except Exception as error:  # a damaged file makes Pillow's readers raise nearly anything
        raise UnreadableImage(_reason(data, error)) from None


def fault(data: bytes) -> str | None:
    """Why bytes are no image that can be read whole, or None where they are one.

    Stricter than open_image, so that MindSpore, which some damaged files make crash, reads it too.
    Every byte of a JPEG is read but an eighth of its sides computed, at two thirds of the cost.
    """
    try:
        image = Image.open(io.BytesIO(data))
        image.draft(image.mode, (1, 1))
        image.load()
        _eight_bits(image)
        if image.format == "PNG":
            Image.open(io.BytesIO(data)).verify()  # the checksums of all chunks
            if PNG_END not in data:
                return "its end is missing"
    except Exception as error:  # as above
        return _reason(data, error)
    return None


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in SIXTEEN_BITS:
        # Pillow's own conversion cuts all above 255 to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "F":
        raise UnreadableImage("its pixels are floating point")
    if "transparency" in image.info:
        return image.convert("RGBA")  # straight to RGB, Pillow warns
    return image


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "it is empty"
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is of no known kind"
    return str(error) or type(error).__name__


def resized_size(size: tuple[int, int], resize: int | tuple[int, int]) -> tuple[int, int]:
    """(width, height) after resizing; the long side is cut to whole pixels, as torchvision does."""
    if not isinstance(resize, int):
        return resize[1], resize[0]
    width, height = size
    if width <= height:
        return resize, int(resize * height / width)
    return int(resize * width / height), resize


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _shown(resize: int | tuple[int, int]) -> str:
    return str(resize) if isinstance(resize, int) else f"{resize[0]}x{resize[1]}"
