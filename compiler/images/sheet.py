"""Contact sheets: many small pictures with words below each, as one PNG, by Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from archspec.terminal import harmless

SIDE, MARGIN, LINE = 128, 8, 15
"""Of a picture, around one, and of a line of words, in pixels."""
FONT_SIZE = 12
PAPER, INK, FRAME = "#ffffff", "#1d2733", "#c6ced6"


@dataclass(frozen=True)
class Tile:
    """A picture, of any size, and the lines below it; a first line may be in `color`."""

    picture: Image.Image
    lines: Sequence[str]
    color: str = INK


def draw_sheet(tiles: Iterable[Tile], columns: int, title: str = "") -> bytes:
    """A PNG of pictures row by row, each within a square, small ones enlarged by whole factors so
    that their pixels stay sharp."""
    shown = list(tiles)
    lines = max((len(tile.lines) for tile in shown), default=0)
    across, down = SIDE + 2 * MARGIN, SIDE + 2 * MARGIN + lines * LINE
    above = LINE + 2 * MARGIN if title else MARGIN
    columns = max(1, min(columns, len(shown)))
    rows = -(-len(shown) // columns)
    font = ImageFont.load_default(FONT_SIZE)
    width = columns * across + MARGIN
    if title:
        width = max(width, 2 * MARGIN + round(font.getlength(title)))
    sheet = Image.new("RGB", (width, above + rows * down), PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((MARGIN, MARGIN), harmless(title), INK, font)
    for index, tile in enumerate(shown):
        left = MARGIN + index % columns * across
        top = above + index // columns * down
        small = _fit(tile.picture)
        place = (left + (SIDE - small.width) // 2, top + (SIDE - small.height) // 2)
        sheet.paste(small, place)
        pen.rectangle((left - 1, top - 1, left + SIDE, top + SIDE), outline=FRAME)
        for line, words in enumerate(tile.lines):
            color = tile.color if line == 0 else INK
            text = cut_text(harmless(words), SIDE + MARGIN, font)
            pen.text((left, top + SIDE + 3 + line * LINE), text, color, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def cut_text(text: str, room: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """A text that is at most so many pixels wide."""
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."


def _fit(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGB")
    longest = max(picture.size)
    if longest <= SIDE // 2:
        factor = SIDE // longest
        size = (picture.width * factor, picture.height * factor)
        return picture.resize(size, Image.Resampling.NEAREST)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    return picture
