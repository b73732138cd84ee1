"""How far two computations of one result are apart, and how far they may be."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-4
"""Largest difference allowed, relative to a result's largest value; 1e-6 is usual in float32."""
SMALLEST = 1e-30
"""Below it float32 loses digits, so nothing is asked there."""
ANY_BATCH = 2
"""Images that a file for any number of them is run with, so that a batch is seen to be one."""


def share_of_largest(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of two arrays of one shape, as a share of the largest of the expected
    values; NaN where one of either is, so ask `not share <= tolerance`."""
    with np.errstate(invalid="ignore"):
        difference = float(np.abs(found - expected).max(initial=0))
    return difference / max(float(np.abs(expected).max(initial=0)), SMALLEST)
