"""How wide text is, without a font at hand: advance widths of Aileron, the font Pillow brings."""

from __future__ import annotations

# Thousandths of the font size for " " to "~".
_WIDTHS = (
    216, 242, 339, 580, 580, 740, 654, 176, 315, 315, 560, 580, 220, 274, 220, 303,
    580, 580, 580, 580, 580, 580, 580, 580, 580, 580, 220, 220, 580, 580, 580, 499,
    852, 639, 627, 699, 709, 587, 567, 710, 730, 264, 544, 609, 575, 866, 718, 737,
    598, 733, 619, 585, 612, 682, 622, 952, 625, 581, 591, 307, 303, 295, 580, 500,
    300, 531, 611, 529, 615, 549, 290, 615, 593, 238, 233, 522, 247, 855, 593, 586,
    611, 615, 330, 459, 313, 592, 514, 785, 482, 513, 462, 303, 250, 303, 580,
)  # fmt: skip
_OTHERS = {"·": 202, "…": 620}
_MISSING = 500

BOLD_EXTRA = 1.04
"""Bold text is taken to be this much wider."""


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of one line in the units of `size`."""
    total = 0
    for letter in text:
        code = ord(letter) - 32
        total += _WIDTHS[code] if 0 <= code < len(_WIDTHS) else _OTHERS.get(letter, _MISSING)
    return total * size / 1000 * (BOLD_EXTRA if bold else 1.0)


def shorten(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, or as much of its start as fits the room with an ellipsis."""
    if text_width(text, size, bold) <= room:
        return text
    while text and text_width(text + "…", size, bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"
