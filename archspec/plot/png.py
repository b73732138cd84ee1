"""A picture as PNG bytes, by Pillow and the font it brings along."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from archspec.plot.display import Circle, Path, Picture, Point, Rect, Shape, Text, arrow_head
from archspec.plot.metrics import BOLD_EXTRA, text_width
from archspec.plot.words import TIMES

SMOOTHING = 2
"""Shapes are drawn this many times larger and scaled down, which is what smooths their edges."""
MAX_PIXELS = 60_000_000
CURVE_STEPS = 12


def render_png(picture: Picture, scale: int = 2) -> bytes:
    """One PNG file of `scale` pixels to a unit; a picture past MAX_PIXELS gets fewer."""
    while scale > 1 and picture.width * picture.height * (scale * SMOOTHING) ** 2 > MAX_PIXELS:
        scale -= 1
    factor = scale * SMOOTHING
    size = (round(picture.width * scale), round(picture.height * scale))
    image = Image.new("RGB", (size[0] * SMOOTHING, size[1] * SMOOTHING), "#ffffff")
    pen = ImageDraw.Draw(image)
    for shape in picture.shapes:
        _draw(pen, shape, factor)
    buffer = io.BytesIO()
    image.reduce(SMOOTHING).save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


def _draw(pen: ImageDraw.ImageDraw, shape: Shape, factor: int) -> None:
    if isinstance(shape, Rect):
        corners = (
            round(shape.x * factor),
            round(shape.y * factor),
            round((shape.x + shape.width) * factor),
            round((shape.y + shape.height) * factor),
        )
        width = round(shape.stroke_width * factor) if shape.stroke else 0
        radius = min(shape.radius, shape.width / 2, shape.height / 2) * factor
        pen.rounded_rectangle(corners, radius, shape.fill, shape.stroke or None, width)
    elif isinstance(shape, Circle):
        corners = tuple(
            round((center + sign * shape.radius) * factor)
            for sign in (-1, 1)
            for center in (shape.x, shape.y)
        )
        pen.ellipse(corners, shape.fill, shape.stroke, factor)
    elif isinstance(shape, Path):
        points = [(x * factor, y * factor) for x, y in _flatten(shape)]
        pen.line(points, shape.stroke, round(shape.width * factor), joint="curve")
        head = [(x * factor, y * factor) for x, y in arrow_head(shape)]
        if head:
            pen.polygon(head, shape.stroke)
    else:
        _write(pen, shape, factor)


def _flatten(path: Path) -> list[Point]:
    """The path as straight pieces; its end drawn back a little beneath an arrow head."""
    points: list[Point] = []
    for command, given in path.segments:
        if command in "ML":
            points.append(given[0])
            continue
        controls = (points[-1], *given)
        points += [_bezier(controls, step / CURVE_STEPS) for step in range(1, CURVE_STEPS + 1)]
    return points


def _bezier(controls: Sequence[Point], t: float) -> Point:
    while len(controls) > 1:
        controls = [
            (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)
            for a, b in itertools.pairwise(controls)
        ]
    return controls[0]


def _write(pen: ImageDraw.ImageDraw, shape: Text, factor: int) -> None:
    """Letter by letter, for hinted advances would add up to more than the text was measured at."""
    size = shape.size * factor
    font = _font(size)
    x, y = shape.x * factor, shape.y * factor
    stretch = BOLD_EXTRA if shape.bold else 1.0
    for letter in shape.text:
        if letter == TIMES:
            _times(pen, x, y, shape, factor)
        elif letter != " ":
            pen.text((x, y), letter, shape.fill, font, anchor="ls")
            if shape.bold:
                pen.text((x + 0.045 * size, y), letter, shape.fill, font, anchor="ls")
        x += text_width(letter, size) * stretch


def _times(pen: ImageDraw.ImageDraw, x: float, y: float, shape: Text, factor: int) -> None:
    # Pillow's own font has no multiplication sign.
    size = shape.size * factor
    left, right = x + 0.08 * size, x + 0.42 * size
    top, bottom = y - 0.44 * size, y - 0.10 * size
    width = max(1, round(0.075 * size) + shape.bold)
    pen.line([(left, top), (right, bottom)], shape.fill, width)
    pen.line([(left, bottom), (right, top)], shape.fill, width)


@lru_cache(maxsize=32)
def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    # The basic engine spaces letters alike whether or not the machine has Raqm.
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
