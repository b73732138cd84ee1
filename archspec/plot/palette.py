"""Colours: cost as steps of one blue, light to dark, and the greys of everything else.

One hue whose lightness alone carries the meaning reads the same to every kind of colour vision and
in black and white. Text on each step has a contrast of at least 4.5 to 1.
"""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """Rows of at least this share of all MACs are drawn in this colour."""

    least: float
    label: str
    fill: str
    ink: str


INK = "#1b2733"
FAINT = "#5a6672"
LINE = "#46525e"
FRAME = "#9aa6b2"
PAPER = "#ffffff"
PANEL = "#f6f8fa"
INNER = "#ffffff"
STRIP = "#e6ebf0"
BADGE = "#b3401f"

STEPS = (
    Step(0.0, "0", "#f7f7f5", INK),
    Step(1e-9, "< 1 %", "#e3eef9", INK),
    Step(0.01, "1-3 %", "#bcd7ee", INK),
    Step(0.03, "3-8 %", "#83b7de", INK),
    Step(0.08, "8-20 %", "#2f74b5", "#ffffff"),
    Step(0.20, "> 20 %", "#0b3a70", "#ffffff"),
)


def step(share: float) -> Step:
    """The colours of a share of all MACs."""
    return next(step for step in reversed(STEPS) if share >= step.least)
