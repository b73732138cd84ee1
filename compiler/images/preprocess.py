"""From an image file to what a network takes: the steps of its spec's `input`, by Pillow and numpy.

Everything that reads images reads them here. Pillow's resizing looks at every pixel under a
result's (it is antialiased), as in the code that most published networks were evaluated by.
"""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from archspec.compiler.images.steps import (
    MODES,
    Crop,
    Normalize,
    Preprocessing,
    Resize,
    preprocessing_of,
)
from archspec.errors import UsageError
from archspec.reading import open_regular
from archspec.shapes import Shape

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
COMMON = ("JPEG", "PNG", "BMP", "GIF", "PPM")
RARE = (
    "AVIF", "DIB", "ICO", "JPEG2000", "PCX", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP",
)  # fmt: skip
"""Pillow's readers that images are given to. Of its others one starts Ghostscript."""
MAX_PIXELS = 2**24
"""Of a resized image; from a larger one, whose sides are very unequal, only the part that is cut
out is computed."""
MAX_BYTES = 2**30
"""Of an image file. How many pixels one may have is Pillow's own bound, 178,956,970."""
PNG_END = b"IEND\xaeB`\x82"
SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class UnreadableImage(Exception):
    """Bytes are not an image, or not one that can be read whole; the message says why."""


def preprocess_image(
    path: str | os.PathLike[str], settings: Mapping[str, Any], shape: Shape
) -> np.ndarray:
    """An image file as a network of this spec's `input` and input shape takes it: float32, CHW.
    Raises UsageError for a file that is not an image."""
    try:
        return preprocess_bytes(read_image(path), preprocessing_of(settings, shape))
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({(error.strerror or '').lower()})") from None
    except UnreadableImage as error:
        raise UsageError(f"{path} is not a readable image ({error})") from None


def read_image(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file of others. Raises OSError, for a pipe and for one too large, too."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            why = f"it has {size:,} bytes, of which at most {MAX_BYTES:,} are read"
            raise OSError(errno.EFBIG, why, os.fspath(path))
        return file.read()


def preprocess_bytes(data: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """The bytes of an image file as float32, CHW. Raises UnreadableImage."""
    image = open_image(data, preprocessing.channels)
    _, resize, crop, _ = preprocessing.steps(image.size)
    image = resize_image(image, resize, crop)
    result = np.empty(preprocessing.shape, np.float32)
    factors = zip(*factors_of(preprocessing.normalize), strict=True)
    for plane, channel, (factor, less) in zip(result, image.split(), factors, strict=True):
        np.multiply(np.asarray(channel), factor, out=plane)
        plane -= less
    return result


def factors_of(normalize: Normalize) -> tuple[np.ndarray, np.ndarray]:
    """Normalize as what pixels are multiplied by and what is then taken off, float32 (channels)."""
    mean, std = np.array(normalize.mean), np.array(normalize.std)
    return (1 / (255 * std)).astype(np.float32), (mean / std).astype(np.float32)


def resize_image(image: Image.Image, to: Resize, crop: Crop | None = None) -> Image.Image:
    """An image of another size, and of that only what is cut out. Raises UnreadableImage where all
    of a size that no memory is asked for would be needed."""
    if crop is not None and to.width * to.height > MAX_PIXELS:
        across, down = image.width / to.width, image.height / to.height
        right, bottom = crop.left + crop.width, crop.top + crop.height
        box = (crop.left * across, crop.top * down, right * across, bottom * down)
        return image.resize((crop.width, crop.height), RESAMPLING[to.filter], box)
    if to.width * to.height > max(MAX_PIXELS, image.width * image.height):
        raise UnreadableImage(
            f"its sides are {image.width:,} x {image.height:,} pixels and would become"
            f" {to.width:,} x {to.height:,}, of which at most {MAX_PIXELS:,} are computed"
        )
    if (to.width, to.height) != image.size:
        image = image.resize((to.width, to.height), RESAMPLING[to.filter])
    if crop is None or (crop.width, crop.height) == image.size:
        return image
    return image.crop((crop.left, crop.top, crop.left + crop.width, crop.top + crop.height))


def open_image(data: bytes, channels: int = 3) -> Image.Image:
    """An image as RGB, or grey for one channel, 8 bits each. Raises UnreadableImage.

    As elsewhere in the field, transparency and the camera's orientation (EXIF) are left aside and
    of an animation the first picture counts.
    """
    try:
        image = _open(data)
        image.load()
        image = _eight_bits(image)
        for mode in ("RGB", MODES[channels]):
            if image.mode != mode:  # Pillow would copy it
                image = image.convert(mode)
        return image
    except Exception as error:  # a damaged file makes Pillow's readers raise nearly anything
        raise UnreadableImage(_reason(data, error)) from None


def fault(data: bytes) -> str | None:
    """Why bytes are not an image that can be read whole, or None where they are one.

    Stricter than open_image: a PNG's checksums and its end are looked at too. Every byte of a JPEG
    is read but an eighth of its sides computed, at two thirds of the cost.
    """
    try:
        image = _open(data)
        image.draft(image.mode, (1, 1))
        image.load()
        _eight_bits(image)
        if image.format == "PNG":
            _open(data).verify()  # the checksums of all chunks
            if PNG_END not in data:
                return "its end is missing"
    except Exception as error:  # as above
        return _reason(data, error)
    return None


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=COMMON)
    except Image.UnidentifiedImageError:
        Image.init()  # of what is rare, what this Pillow was built with
        rare = [kind for kind in RARE if kind in Image.OPEN]
        return Image.open(io.BytesIO(data), formats=rare)


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
    if isinstance(error, Image.DecompressionBombError):
        return _too_large(str(error))
    return str(error) or type(error).__name__


def _too_large(said: str) -> str:
    """Pillow's refusal of more pixels than its bound, in our words; it tells both numbers."""
    numbers = [int(text) for text in re.findall(r"\d+", said)]
    if len(numbers) != 2:
        return said
    pixels, bound = numbers
    return f"it has {pixels:,} pixels, of which at most {bound:,} are read"
