"""Which classes are taken for which, as a picture: rows are what images are of, columns what they
were taken for; the darker, the larger the share of the row."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from archspec.compiler.images.sheet import FONT_SIZE, INK, MARGIN, PAPER, cut_text
from archspec.terminal import harmless

LARGEST, SMALLEST = 34, 1
"""Pixels of a cell."""
ROOM = 1000
"""Pixels that all cells of a row have together, where there are so many."""
NAMED, COUNTED = 14, 24
"""Cells of fewer pixels have no names beside them, and no counts in them."""
NAME_WIDTH = 140
RIGHT, WRONG = np.array((11, 58, 112)), np.array((179, 64, 31))
"""Full of what the diagonal and all else is drawn in."""


def draw_confusion(counts: np.ndarray, names: Sequence[str], title: str) -> bytes:
    """A PNG of int64 (classes, classes), however many those are."""
    size = len(counts)
    cell = max(SMALLEST, min(LARGEST, ROOM // max(size, 1)))
    font = ImageFont.load_default(FONT_SIZE)
    shown = [cut_text(harmless(name), NAME_WIDTH, font) for name in names]
    side = max([round(font.getlength(name)) for name in shown] or [0]) if cell >= NAMED else 0
    left = 2 * MARGIN + FONT_SIZE + side
    top = 4 * MARGIN + 2 * FONT_SIZE + side
    width = max(left + size * cell + MARGIN, round(font.getlength(title)) + 2 * MARGIN)
    picture = Image.new("RGB", (width, top + size * cell + MARGIN), PAPER)
    grid = Image.fromarray(_colors(counts)).resize(
        (size * cell, size * cell), Image.Resampling.NEAREST
    )
    picture.paste(grid, (left, top))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left - 1, top - 1, left + size * cell, top + size * cell), outline="#9aa6b2")
    pen.text((MARGIN, MARGIN), title, INK, font)
    pen.text((left, 2 * MARGIN + FONT_SIZE), "taken for", INK, font)
    _write_upright(picture, "is of", MARGIN, top, size * cell, font)
    if cell >= NAMED:
        for index, name in enumerate(shown):
            middle = top + index * cell + cell / 2
            pen.text((left - MARGIN // 2, middle), name, INK, font, anchor="rm")
            _write_upright(
                picture, name, left + index * cell + (cell - FONT_SIZE) // 2 - 2,
                top - side - MARGIN // 2, side, font,
            )  # fmt: skip
    if cell >= COUNTED:
        _write_counts(pen, counts, left, top, cell, font)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _colors(counts: np.ndarray) -> np.ndarray:
    """uint8 (classes, classes, 3): white where there is nothing, and a tint of any single image."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    depth = np.where(counts > 0, 0.12 + 0.88 * shares, 0.0)[..., None]
    is_right = np.eye(len(counts), dtype=bool)[..., None]
    full = np.where(is_right, RIGHT, WRONG)
    return np.round(255 - depth * (255 - full)).astype(np.uint8)


def _write_upright(
    picture: Image.Image, text: str, left: int, top: int, room: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:  # fmt: skip
    """A line from below upwards that ends at `top` + `room`."""
    line = Image.new("RGB", (max(1, round(font.getlength(text))), FONT_SIZE + 4), PAPER)
    ImageDraw.Draw(line).text((0, 0), text, INK, font)
    upright = line.transpose(Image.Transpose.ROTATE_90)
    picture.paste(upright, (left, top + max(0, room - upright.height)))


def _write_counts(
    pen: ImageDraw.ImageDraw, counts: np.ndarray, left: int, top: int, cell: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:  # fmt: skip
    for row, line in enumerate(counts.tolist()):
        for column, count in enumerate(line):
            text = str(count)
            if count and font.getlength(text) < cell:
                color = PAPER if count > 0.4 * sum(line) else INK
                place = (left + column * cell + cell / 2, top + row * cell + cell / 2)
                pen.text(place, text, color, font, anchor="mm")
