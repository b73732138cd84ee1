"""What a search came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "single_path"
"""Below a run's folder: where its searches stand."""


@dataclass(frozen=True)
class Found:
    """A network that a search named `name` found. `objectives` has params, macs, the runtime by its
    unit, and top1 and loss on the val images with the weights that it had in the supernet, which
    `weights` is a file of. `log` is a file with a line of JSON for each epoch after the warm-up.
    `target` is the runtime that was aimed at, `nearest` the one nearest to it that a network of the
    space has."""

    name: str
    assignment: Mapping[str, Any]
    weights: Path | None
    objectives: Mapping[str, float]
    log: Path
    target: float | None = None
    nearest: float | None = None
