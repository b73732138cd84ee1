"""AIPP, the image preprocessing that Ascend's hardware does ahead of a network.

The OM then takes uint8 pixels, [N, height, width, 3] in the order R, G, B or [N, height, width, 1]
of grey, and crops and normalises them itself. AIPP cannot resize, so that stays on the host, and
`host_pixels` is what such an OM is fed. Where the spec resizes to height x width, those are its
pixels; where it resizes the short side, the host also cuts the long side to a square, placed so
that AIPP's fixed crop gives the pixels that the spec's own centre crop would.

In place of R, G, B it takes NV12 ("yuv420sp"), as DVPP and cameras give it, [N, 3/2 height, width]:
then its sides are even, and AIPP makes red, green and blue of it first.

AIPP computes (pixel - mean_chn - min_chn) * var_reci_chn in float16. The fields are those of
insert_op.proto, with the limits of Huawei's template of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from archspec.compiler.images.preprocess import open_image, resize_image
from archspec.compiler.images.steps import Crop, Preprocessing, centre
from archspec.deploy.camera_pixels import INPUT_BIAS, MATRIX, rows_of, to_nv12
from archspec.errors import Problem, SpecError, UsageError, did_you_mean, first_problems, listed

FILE = "aipp.cfg"
"""What the file is called; its text goes by the same name in errors."""

Value: TypeAlias = "str | bool | int | float"


@dataclass(frozen=True)
class Field:
    """What a field holds: one of some words, text (no words, no limits), or numbers in a range."""

    words: tuple[str, ...] = ()
    least: float = 0
    most: float = 0
    is_whole: bool = True

    def fault(self, text: str) -> str | None:
        """What to use in place of a text, or None where it is right."""
        if self.words:
            return None if text in self.words else listed(self.words)
        if not self.most:
            return None if text[:1] == '"' else "text in double quotes"
        kind = "a whole number" if self.is_whole else "a number"
        try:
            value = int(text) if self.is_whole else float(text)
        except ValueError:
            value = float("nan")
        if self.least <= value <= self.most:
            return None
        return f"{kind} from {self.least:g} to {self.most:g}"


TEXT = Field()
FLAG = Field(("true", "false"))
EXTENT = Field(most=4096)
START = Field(most=4095)
BYTE = Field(most=255)
COUNT = Field(most=2**31 - 1)
HALF = Field(least=-65504, most=65504, is_whole=False)
SMALLEST_HALF = 2**-14
"""Below it float16 loses digits."""
FORMATS = ("YUV420SP_U8", "XRGB8888_U8", "RGB888_U8", "YUV400_U8")

FIELDS: Mapping[str, Field] = {
    "aipp_mode": Field(("static", "dynamic")),
    "related_input_rank": COUNT,
    "related_input_name": TEXT,
    "input_format": Field(FORMATS),
    "max_src_image_size": COUNT,
    "src_image_size_w": EXTENT,
    "src_image_size_h": EXTENT,
    "crop": FLAG,
    "load_start_pos_w": START,
    "load_start_pos_h": START,
    "crop_size_w": EXTENT,
    "crop_size_h": EXTENT,
    "padding": FLAG,
    **{f"{side}_padding_size": Field(most=32) for side in ("left", "right", "top", "bottom")},
    "padding_value": HALF,
    "cpadding_value": HALF,
    **dict.fromkeys(("csc_switch", "rbuv_swap_switch", "ax_swap_switch"), FLAG),
    **{f"matrix_r{i}c{j}": Field(least=-32677, most=32676) for i in range(3) for j in range(3)},
    **{f"{way}_bias_{i}": BYTE for way in ("input", "output") for i in range(3)},
    **{f"mean_chn_{i}": BYTE for i in range(4)},
    **{f"min_chn_{i}": Field(most=255, is_whole=False) for i in range(4)},
    **{f"var_reci_chn_{i}": HALF for i in range(4)},
}
"""The fields that AIPP acts on. `resize` and others that the manual calls reserved are left out:
atc takes them and they do nothing."""


RGB, YUV420SP, YUV400 = "rgb", "yuv420sp", "yuv400"
PIXELS = {RGB: "RGB888_U8", YUV420SP: "YUV420SP_U8", YUV400: "YUV400_U8"}
"""What an OM may take, and what AIPP calls it."""


def check_pixels(pixels: str, preprocessing: Preprocessing) -> str:
    """The pixels that an OM is to take: of a grey network "rgb" means its one plane. Raises
    UsageError where the network has no use for them."""
    if pixels not in PIXELS:
        raise UsageError(f"{pixels!r} is not what an OM takes; use {listed([*PIXELS])}")
    if preprocessing.channels == 1:
        if pixels == YUV420SP:
            raise UsageError(f"the network takes grey images; use {YUV400}, their one plane")
        return YUV400
    if pixels == YUV400:
        raise UsageError(f"the network takes colours; use {RGB} or {YUV420SP}")
    sides = (preprocessing.height, preprocessing.width)
    if pixels == YUV420SP and any(side % 2 for side in sides):
        raise UsageError(
            f"{YUV420SP} has even sides, and the network takes {sides[0]}x{sides[1]}; use {RGB}"
        )
    return pixels


def source_size(preprocessing: Preprocessing, pixels: str = RGB) -> tuple[int, int]:
    """(height, width) of the picture that an OM with AIPP takes."""
    resize = preprocessing.resize
    height, width = (resize, resize) if isinstance(resize, int) else resize
    if pixels == YUV420SP:  # a side that is odd gets a row or a column that is not looked at
        return height + height % 2, width + width % 2
    return height, width


def source_shape(preprocessing: Preprocessing, pixels: str = RGB) -> tuple[int, ...]:
    """Of the bytes of one picture as an OM with AIPP takes it."""
    height, width = source_size(preprocessing, pixels)
    if pixels == YUV420SP:
        return rows_of(height), width
    return height, width, preprocessing.channels


def host_pixels(data: bytes, preprocessing: Preprocessing, pixels: str = RGB) -> np.ndarray:
    """The bytes of an image file as an OM with AIPP takes them: uint8, of `source_shape`. Raises
    UnreadableImage."""
    image = open_image(data, preprocessing.channels)
    _, resize, crop, _ = preprocessing.steps(image.size)
    height, width = source_size(preprocessing, pixels)
    fixed = fixed_crop(preprocessing, pixels)
    around = Crop(crop.left - fixed.left, crop.top - fixed.top, width, height)
    image = resize_image(image, resize, around)
    if pixels == YUV420SP:
        return to_nv12(image)
    return np.asarray(image, np.uint8).reshape(height, width, preprocessing.channels)


def fixed_crop(preprocessing: Preprocessing, pixels: str = RGB) -> Crop:
    """The part of the pixels it takes that AIPP cuts out; of NV12 it begins at an even place."""
    height, width = source_size(preprocessing, pixels)
    left, top = centre(width, preprocessing.width), centre(height, preprocessing.height)
    if pixels == YUV420SP:
        left, top = left - left % 2, top - top % 2
    return Crop(left, top, preprocessing.width, preprocessing.height)


def config(preprocessing: Preprocessing, pixels: str = RGB) -> str:
    """The AIPP file of a spec's preprocessing, checked. Raises UsageError where AIPP has no room
    for it."""
    pixels = check_pixels(pixels, preprocessing)
    height, width = source_size(preprocessing, pixels)
    if not (2 <= width <= EXTENT.most and 1 <= height <= EXTENT.most):
        raise UsageError(
            f"AIPP takes images of 1x2 to 4096x4096 pixels and the spec's are {height}x{width};"
            " use --no-aipp"
        )
    for std in preprocessing.std:
        if not SMALLEST_HALF <= _scale(std) <= HALF.most:
            raise UsageError(
                f"AIPP multiplies pixels by a float16, which 1 / (255 x {std:g}) does not fit;"
                " use --no-aipp"
            )
    lines = [f"  {name}: {_write(value)}" for name, value in _fields(preprocessing, pixels)]
    text = "\n".join(["aipp_op {", *lines, "}", ""])
    check(text)
    return text


def check(text: str) -> None:
    """Hold an AIPP file against the fields' names, types and limits. Raises SpecError with every
    line that is wrong."""
    problems = first_problems(_problems(text))
    if problems:
        raise SpecError(problems)


def _fields(preprocessing: Preprocessing, pixels: str) -> Iterator[tuple[str, Value]]:
    height, width = source_size(preprocessing, pixels)
    yield "aipp_mode", "static"
    yield "related_input_rank", 0
    yield "input_format", PIXELS[pixels]
    yield "src_image_size_w", width
    yield "src_image_size_h", height
    if (height, width) == (preprocessing.height, preprocessing.width):
        yield "crop", False
    else:
        crop = fixed_crop(preprocessing, pixels)
        yield "crop", True
        yield "load_start_pos_w", crop.left
        yield "load_start_pos_h", crop.top
        yield "crop_size_w", crop.width
        yield "crop_size_h", crop.height
    yield "csc_switch", pixels == YUV420SP
    yield "rbuv_swap_switch", False
    if pixels == YUV420SP:
        for row, numbers in enumerate(MATRIX):
            yield from ((f"matrix_r{row}c{column}", n) for column, n in enumerate(numbers))
        yield from ((f"input_bias_{place}", bias) for place, bias in enumerate(INPUT_BIAS))
    for channel in range(preprocessing.channels):
        # mean_chn takes whole numbers alone, min_chn is subtracted too and takes any
        yield f"mean_chn_{channel}", 0
        yield f"min_chn_{channel}", 255 * preprocessing.normalize.mean[channel]
        yield f"var_reci_chn_{channel}", _scale(preprocessing.normalize.std[channel])


def _scale(std: float) -> float:
    return 1 / (255 * std) if std else float("inf")


def _write(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.9g}" if isinstance(value, float) else str(value)


TOKEN = re.compile(r"""\#.*|\s+|(aipp_op)\s*\{|(\})|(\w+)\s*:\s*("[^"\n]*"|[^\s"{}\#]+)|(.)""")


def _problems(text: str) -> Iterator[Problem]:
    values: dict[str, str] = {}
    depth = 0
    for met in TOKEN.finditer(text):
        where = f"{FILE}:{text.count(chr(10), 0, met.start()) + 1}"
        opens, closes, name, value, strange = met.groups()
        depth += bool(opens) - bool(closes)
        if strange or depth not in (0, 1) or (name and depth != 1):
            yield Problem(f"{met[0]!r} stands where it cannot; use fields in aipp_op {{ }}", where)
            return
        if not name:
            continue
        if name not in FIELDS:
            yield Problem(f"AIPP has no field {name!r}{did_you_mean(name, FIELDS)}", where)
            continue
        fault = FIELDS[name].fault(value)
        if fault:
            yield Problem(f"{name} is {value}; use {fault}", where)
            continue
        values[name] = value
    if depth:
        yield Problem("the last } is missing", FILE)
    for name in ("aipp_mode", "input_format"):
        if name not in values:
            yield Problem(f"there is no {name}, which has no default", FILE)
    yield from _crop_problems(values)


def _crop_problems(values: Mapping[str, str]) -> Iterator[Problem]:
    if values.get("crop") != "true":
        return
    for axis in "wh":
        start, size, source = (
            int(values.get(f"{name}_{axis}", 0))
            for name in ("load_start_pos", "crop_size", "src_image_size")
        )
        if start + size > source:
            yield Problem(
                f"load_start_pos_{axis} {start} and crop_size_{axis} {size} reach beyond"
                f" src_image_size_{axis} {source}",
                FILE,
            )
